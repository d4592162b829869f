"""Of whatever a model answers, a label is one harmless short line, or there is none."""

from __future__ import annotations

import pytest

from sae_desktop.labels.chat import Answer
from sae_desktop.labels.explaining.cleaning import LONGEST, Cleaned, label_of


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ('{"label": "names of rivers"}', "names of rivers"),
        ('```json\n{"label": "names of rivers"}\n```', "names of rivers"),
        ('Here it is:\n{"label": "names of rivers"} I hope it helps.', "names of rivers"),
        ("Label: names of rivers", "names of rivers"),
        ("**Description:** “names of rivers”.\n\nBecause …", "names of rivers"),
        ("names of rivers.", "names of rivers"),
        ("- names of rivers\n- and more", "names of rivers"),
        ('{"label": "a\\u202eb\\u0000c\\nd\\u200b\\ufeff"}', "ab c d"),
        ('{"label": "<b>bold</b> & \\u2028next"}', "<b>bold</b> & next"),
        ('{"label": "می‌خواهم"}', "می‌خواهم"),
        ('{"label": "e.g. U.S. states"}', "e.g. U.S. states"),
        ('{"label": "Robert\'); DROP TABLE labels;--"}', "Robert'); DROP TABLE labels;--"),
    ],
)
def test_label__is_found_in_what_was_answered(text: str, label: str) -> None:
    assert label_of(Answer(text)) == Cleaned(label, prose='{"label"' not in text)


@pytest.mark.parametrize(
    ("text", "finish", "fault"),
    [
        ("", "stop", "nothing"),
        ("…?!", "stop", "nothing"),
        ('{"label": ""}', "stop", "nothing"),
        ("", "length", "not whole"),
        ('{"label": "names of', "length", "not whole"),
        ("I'm sorry, but I can't assist with that.", "stop", "refused"),
        ("I cannot describe this.", "stop", "refused"),
        ('{"label": "As an AI language model, I will not"}', "stop", "refused"),
        ("the the the the the the the the the", "stop", "repeats itself"),
        ("word " * 2_000_000, "stop", "too long"),
        ("x" * 5000, "cut", "too long"),
        ("I think that this fires on words", "stop", "reply"),
        ("Well, this is about rivers.", "stop", "reply"),
        ("Label: I believe it is about rivers", "stop", "reply"),
        ("Looking at the texts, rivers are common.", "stop", "reply"),
    ],
)
def test_answer__without_a_description_leaves_no_label(text: str, finish, fault: str) -> None:
    assert label_of(Answer(text, finish=finish)) == Cleaned("", fault)


@pytest.mark.parametrize(
    "text",
    ["I and other pronouns", "Seasons of the year", "Wells and rivers", "This, that and those",
     '{"label": "I think: opinions of a speaker"}'],
)  # fmt: skip
def test_label__that_begins_like_a_reply_but_is_none_is_kept(text: str) -> None:
    assert label_of(Answer(text)).label


TOLD = 'You study features of a language model. Answer: {"label": "names of rivers, in France"}.'


@pytest.mark.parametrize(
    ("label", "fault"),
    [
        ("names of rivers in France", "repeats the prompt"),
        ("Names of Rivers", "repeats the prompt"),
        ("features of a language model,", "repeats the prompt"),
        ("1. (5) cast out of the <<land>> of", "repeats the prompt"),
        ("2. (5) ft guilds", "repeats the prompt"),
        ("1. 1. 1. 2. 3. 4.", "repeats the prompt"),
        ("names of rivers in Spain", ""),
        ("the number 3. or 4.", ""),
        ("rivers", ""),
        ("language model", ""),
    ],
)
def test_label__that_is_a_piece_of_the_question_is_none(label: str, fault: str) -> None:
    found = label_of(Answer(f'{{"label": "{label}"}}'), TOLD, ("<<", ">>"))
    assert found.fault == fault
    assert bool(found.label) != bool(fault)


def test_label__that_is_too_long_is_cut_at_a_word_and_that_is_said() -> None:
    words = " ".join(f"word{n}" for n in range(100))
    found = label_of(Answer(f'{{"label": "{words}"}}'))
    assert found.cut
    assert not found.fault
    assert len(found.label) <= LONGEST
    assert found.label.endswith("…")
    assert found.label[:-1] in words
    huge = label_of(Answer('{"label": "' + "y" * 10_000_000 + '"}'))
    assert len(huge.label) <= LONGEST
