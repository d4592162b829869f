"""What stands beside a judge's scores: how it did on known texts, what others have published."""

from __future__ import annotations

from sae_desktop.features.reading.judgement import Judge, Judgement, SelfTest
from sae_desktop.words.judge_text import judge_note, passing_words, trial_words


def judgement(value: float | None, answered: int = 72) -> Judgement:
    return Judgement(
        value=value, low=None if value is None else value - 0.1,
        high=None if value is None else value + 0.1, chance=0.5, asked=72, answered=answered,
        as_wrong=value, as_right=value,
    )  # fmt: skip


def test_note__tells_the_trial_the_size_and_the_published_figures() -> None:
    judge = Judge(
        model="m", small=True, tests=(SelfTest(scorer="detection", judgement=judgement(0.7)),)
    )
    note = judge_note(judge, "detection", 3, 8)
    assert "0.70 (0.60–0.80)" in note
    assert "believe its scores with care" in note
    assert "a billion parameters or fewer" in note
    assert "3 of 8 labels are above chance" in note
    assert "84%" in note
    assert "58%" in note
    assert "84%" not in judge_note(judge, "rubric", 3, 8)
    assert "billion" not in judge_note(Judge(model="m"), "detection", 1, 1)


def test_judge_at_chance_or_silent__is_said_to_give_no_score() -> None:
    assert "gives no label a score" in trial_words("rubric", judgement(0.5), "chance")
    silent = trial_words("rubric", judgement(None, 0), "chance")
    assert "answered 0 of 72 questions" in silent
    assert "room for its thoughts" in silent
    assert passing_words(1, 1).startswith("1 of 1 labels is")
