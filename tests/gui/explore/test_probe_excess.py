"""What a text is about is listed before what one letter of it sets off."""

from __future__ import annotations

import numpy as np
import pytest

from sae_desktop.features.config import ProbeResult
from sae_desktop.gui.explore.ask.probe_summary import ProbeTable, usual_shares
from sae_desktop.gui.explore.ask.probe_words import found_rows

LANGUAGE, LETTER, SENTENCE_END, EVERYWHERE = range(4)
MAXIMA = np.array([50.0, 80.0, 60.0, 10.0])
DENSITY = np.array([0.08, 0.003, 0.04, 0.5])
MEAN = np.array([10.0, 40.0, 30.0, 5.0])
TOKENS = 16
FIRINGS = {
    LANGUAGE: dict.fromkeys(range(8, 15), 20.0),
    LETTER: {9: 80.0},
    SENTENCE_END: {15: 40.0},
    EVERYWHERE: dict.fromkeys(range(0, TOKENS, 2), 5.0),
}


@pytest.fixture
def table() -> ProbeTable:
    entries = sorted((t, f, a) for f, at in FIRINGS.items() for t, a in at.items())
    counts = np.bincount([t for t, _, _ in entries], minlength=TOKENS)
    result = ProbeResult(
        tokens=[f"t{number}" for number in range(TOKENS)],
        offsets=[0, *np.cumsum(counts).tolist()],
        features=[f for _, f, _ in entries],
        activations=[a for _, _, a in entries],
    )
    columns = {"density": DENSITY, "mean_activation": MEAN, "max_activation": MAXIMA}
    return ProbeTable(result, MAXIMA, usual_shares(columns))


def test_usual_share__is_density_times_the_mean_over_the_maximum() -> None:
    columns = {"density": DENSITY, "mean_activation": MEAN, "max_activation": MAXIMA}
    assert usual_shares(columns) == pytest.approx([0.016, 0.0015, 0.02, 0.25])


def test_usual_share__of_a_feature_that_never_fired_is_0() -> None:
    columns = {
        "density": np.zeros(1),
        "mean_activation": np.zeros(1),
        "max_activation": np.zeros(1),
    }
    assert usual_shares(columns).tolist() == [0.0]


def test_excess__puts_what_runs_through_the_text_before_a_stronger_firing(
    table: ProbeTable,
) -> None:
    assert table.rows("activation", 0, TOKENS).features.tolist()[0] == LETTER
    found = table.rows("excess", 0, TOKENS).features.tolist()
    assert found == [LANGUAGE, LETTER, SENTENCE_END, EVERYWHERE]


def test_times_usual__is_what_is_there_over_what_other_text_has(table: ProbeTable) -> None:
    features = np.array([LANGUAGE, LETTER, SENTENCE_END, EVERYWHERE])
    there = np.array([7 * 0.4, 1.0, 40 / 60, 4.0])
    usual = TOKENS * np.array([0.016, 0.0015, 0.02, 0.25])
    assert table.times_usual(features, 0, TOKENS) == pytest.approx(there / usual, rel=1e-5)


def test_list__says_how_many_times_the_usual_there_is(table: ProbeTable) -> None:
    rows = table.rows("excess", 0, TOKENS)
    told = found_rows(table, "excess", rows, (0, TOKENS), MAXIMA)
    assert [(one.feature, one.figure) for one in told] == [
        (LANGUAGE, "11×"), (LETTER, "42×"), (SENTENCE_END, "2.1×"), (EVERYWHERE, "1.0×"),
    ]  # fmt: skip
    assert [one.share for one in told] == pytest.approx([0.4, 1.0, 2 / 3, 0.5])
