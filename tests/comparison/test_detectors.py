"""The best feature for a concept, against every feature and threshold tried one by one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from dense_firings import DenseFirings

from sae_desktop.comparison.detectors import Marks, choose, mark, score
from sae_desktop.features.reading.firings import FiringBlock
from sae_desktop.jobs import SilentContext

ROWS, FEATURES, CONCEPTS = 240, 9, 4


class Case(NamedTuple):
    acts: np.ndarray
    marks: Marks


class Stored(DenseFirings):
    """Firings that can be asked for a block."""

    def block(self, first: int, last: int) -> tuple[FiringBlock, None]:
        (found,) = DenseFirings(self.acts[first:last]).by_feature(last - first)
        return found._replace(first=first), None


@pytest.fixture(params=range(6))
def case(request: pytest.FixtureRequest) -> Case:
    rng = np.random.default_rng(request.param)
    occurrence = np.full(ROWS, -1, np.int32)
    concept = []
    row = 0
    while row < ROWS - 3:
        length = int(rng.integers(1, 4))
        # Occurrences never lie across the halves, which change every 40 rows.
        if rng.random() < 0.35 and row // 40 == (row + length - 1) // 40:
            occurrence[row : row + length] = len(concept)
            concept.append(int(rng.integers(CONCEPTS)))
            row += length
        row += 1
    of_row = np.where(occurrence >= 0, np.array(concept)[occurrence], -1)
    acts = np.where(rng.random((FEATURES, ROWS)) < 0.2, rng.gamma(2, 2, (FEATURES, ROWS)), 0)
    for feature in range(CONCEPTS):  # some of them know a concept, more or less
        knows = (of_row == feature) & (rng.random(ROWS) < 0.6)
        acts[feature, knows] += rng.gamma(4, 2, int(knows.sum()))
    half = np.arange(ROWS) // 40 % 2
    marks = mark(occurrence, np.array(concept), half, CONCEPTS)
    return Case(acts.astype(np.float32), marks)


def figures(case: Case, feature: int, half: int, concept: int, threshold: float) -> list[float]:
    """Return F1, precision and recall, counted occurrence by occurrence."""
    acts, marks = case.acts[feature], case.marks
    detected = errors = count = 0
    for number, what in enumerate(marks.concept):
        rows = (marks.occurrence == number) & (marks.half == half)
        if rows.any():
            fires = bool((acts[rows] > threshold).any())
            detected += fires and what == concept
            errors += fires and what != concept
            count += what == concept
    errors += int(((acts > threshold) & (marks.occurrence < 0) & (marks.half == half)).sum())
    assert count == marks.counts[half, concept]
    return [
        2 * detected / max(detected + errors + count, 1),
        detected / max(detected + errors, 1),
        detected / max(count, 1),
    ]


def test_choose__finds_the_best_of_all_features_and_thresholds(case: Case) -> None:
    found = choose(DenseFirings(case.acts).by_feature(4), case.marks)
    for half in range(2):
        for concept in range(CONCEPTS):
            best = max(
                figures(case, feature, half, concept, np.nextafter(value, np.float32(0)))[0]
                for feature in range(FEATURES)
                for value in np.unique(case.acts[feature][case.acts[feature] > 0])
            )
            feature, threshold = found.features[half, concept], found.thresholds[half, concept]
            assert found.f1[half, concept] == pytest.approx(best)
            assert figures(case, feature, half, concept, threshold)[0] == pytest.approx(best)


def test_score__is_that_of_the_other_half(case: Case) -> None:
    firings = Stored(case.acts)
    choice = choose(firings.by_feature(4), case.marks)
    found = score(firings, case.marks, choice, SilentContext())  # type: ignore[arg-type]
    for half in range(2):
        for concept in range(CONCEPTS):
            feature, threshold = choice.features[half, concept], choice.thresholds[half, concept]
            told = [values[half, concept] for values in (found.f1, found.precision, found.recall)]
            assert told == pytest.approx(figures(case, feature, 1 - half, concept, threshold))


def test_choose__of_silent_features_is_none() -> None:
    marks = mark(np.array([0, -1, 1], np.int32), np.array([0, 1]), np.array([0, 0, 1]), 2)
    assert marks.counts.tolist() == [[1, 0], [0, 1]]
    found = choose(DenseFirings(np.zeros((3, 3))).by_feature(2), marks)
    assert (found.features == -1).all()
    scored = score(Stored(np.zeros((3, 3))), marks, found, SilentContext())  # type: ignore[arg-type]
    assert not scored.f1.any()
