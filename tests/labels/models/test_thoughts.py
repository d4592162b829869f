"""What a model thought is never part of its answer."""

from __future__ import annotations

import pytest

from sae_desktop.labels.models.thoughts import answer_begins, split_thoughts


@pytest.mark.parametrize(
    ("written", "answer", "thoughts"),
    [
        ("dates", "dates", ""),
        ("<think>Is it dates?\nYes.</think>\n\ndates", "dates", "Is it dates?\nYes."),
        ("Is it dates? Yes.</think>dates", "dates", "Is it dates? Yes."),
        ("<think>Is it", "", "Is it"),
        ("<think></think>dates", "dates", ""),
        ("<THINKING>a</THINKING> <think>b</think> dates", "dates", "a b"),
        ("◁think▷a◁/think▷dates", "dates", "a"),
        ("the tag <think> in HTML", "the tag <think> in HTML", ""),
        ("<think>a</think>the tag <think> in prompts", "the tag <think> in prompts", "a"),
        ("a</think>the tag <think>", "the tag <think>", "a"),
        ("", "", ""),
    ],
)
def test_split_thoughts__keeps_them_apart(written: str, answer: str, thoughts: str) -> None:
    assert split_thoughts(written) == (answer, thoughts)


def test_answer_begins__behind_the_thoughts() -> None:
    assert answer_begins("<think>x</think>yes") == len("<think>x</think>")
    assert answer_begins("yes") == 0
