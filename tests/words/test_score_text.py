"""What is said of the scores of labels."""

from __future__ import annotations

import math

import msgspec
from made_scores import made_score

from sae_desktop.features.reading.label_score import Figure, Rival
from sae_desktop.labels.scoring.config import ScoreLabelsResult
from sae_desktop.words.score_text import (
    NOT_SCORED,
    figure_text,
    hover_text,
    part_rows,
    rival_rows,
    scored_lines,
)

NONE = Figure(math.nan, math.nan, math.nan)


def test_hovering__says_how_far_to_believe_a_label_and_what_it_is_held_against() -> None:
    good = hover_text(made_score(3, "l", 0.875))
    assert "0.88, 95% interval 0.75 to 1.00; 0.5 is chance. It is good." in good
    assert "Another feature’s label has 0.50 here, its most frequent token alone 0.62." in good
    assert "fires in 50.0% of new texts made from it. In those made from other labels" in good
    assert "Chance would give as much." in hover_text(made_score(3, "l", 0.5625))
    like_token = made_score(3, "l", 0.75, top_token=Figure(0.75, 0.6, 0.9))
    assert "says no more than the token alone" in hover_text(like_token)
    assert hover_text(made_score(3, "l", detection=NONE)) == NOT_SCORED


def test_figures__are_never_bare() -> None:
    assert figure_text(Figure(0.8125, 0.7, 0.9)) == "0.81 (0.70–0.90)"
    assert figure_text(NONE) == "–"


def test_parts__are_named_in_words() -> None:
    score = made_score(3, "l")
    rows = part_rows([*score.intervals, *score.silences])
    assert rows[0][0] == "activation 0–20%"
    assert [row[0] for row in rows[5:]] == [
        "any silent text", "silent on the same token", "texts of the nearest features",
    ]  # fmt: skip
    unknown = part_rows([msgspec.structs.replace(score.intervals[0], shuffled=math.nan)])
    assert unknown[0][2] == "–"


def test_rivals__say_what_random_stands_for() -> None:
    rival = Rival(name="random", figure=Figure(0.5, 0.4, 0.6), features=1200)
    assert rival_rows([rival], "directions")[0] == (
        "random directions", "0.50 (0.40–0.60)", "1,200",
    )  # fmt: skip
    assert rival_rows([rival], "features")[0][0] == "the labels on features of like density"


def test_scoring__is_told_with_what_was_left_out() -> None:
    result = ScoreLabelsResult(
        index="i", scored=1, without=2, unlabelled=1200, rivals=[], better_than_chance=1,
        known_from="contexts", random_of="", encoder="", seconds=1.0,
    )  # fmt: skip
    lines = scored_lines(result)
    assert lines[0] == "1 label is scored, 1 better than chance."
    assert "2 could not be scored" in lines[1]
    assert lines[2] == "1,200 features have neither label nor name."
    assert "partly an estimate" in lines[3]
