"""Features are read in the order that was chosen; what has a label of one's own is left out."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from sae_desktop.gui.explore.labels.read_today import ReadToday
from sae_desktop.gui.explore.labels.reading_queue import (
    DENSEST,
    LISTED,
    RANDOM,
    UNCERTAIN,
    ReadingQueue,
    reading_order,
)
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session

NONE = np.empty(0, np.int64)


def order(session: Session, name: str, own: np.ndarray = NONE, seed: int = 0) -> np.ndarray:
    listed = np.array([9, 3, 7, 999, -1])
    return reading_order(name, session.index, FeatureNotes.of(session), own, listed, seed)


@pytest.mark.parametrize("name", [DENSEST, UNCERTAIN, RANDOM])
def test_labelled_and_dead_features__are_left_out(session: Session, name: str) -> None:
    density = np.array(session.index.columns["density"])
    own = np.array([7, 3])
    found = order(session, name, own)
    assert sorted(found.tolist()) == sorted(set(np.flatnonzero(density > 0)) - {3, 7})
    if name == DENSEST:
        assert (np.diff(density[found]) <= 0).all()


def test_random_order__follows_its_seed(session: Session) -> None:
    assert np.array_equal(order(session, RANDOM, seed=1), order(session, RANDOM, seed=1))
    assert not np.array_equal(order(session, RANDOM, seed=1), order(session, RANDOM, seed=2))


def test_list__keeps_its_order_and_only_features_there_are(session: Session) -> None:
    assert order(session, LISTED, np.array([3])).tolist() == [9, 3, 7]


def test_queue__goes_past_its_end_and_back() -> None:
    queue = ReadingQueue(np.array([4, 2]))
    assert (queue.current, queue.back(), queue.ahead) == (4, None, 1)
    assert (queue.forward(), queue.forward(), queue.forward()) == (2, None, None)
    assert queue.back() == 2
    assert not queue.go_to(5)
    queue.insert(5)
    assert (queue.current, queue.features.tolist()) == (5, [4, 5, 2])
    assert queue.near(3) == [2, 4]


def test_count_of_today__ends_at_midnight_and_is_kept_for_the_day(qapp: QApplication) -> None:
    del qapp
    day = [datetime.date(2026, 1, 1)]
    today = ReadToday(lambda: day[0])
    today.add(3)
    today.add(3)
    kept = today.kept()
    assert len(today) == 1
    day[0] = datetime.date(2026, 1, 2)
    assert len(today) == 0
    today.give(kept)  # of yesterday
    assert len(today) == 0
    day[0] = datetime.date(2026, 1, 1)
    again = ReadToday(lambda: day[0])
    again.give(kept)
    assert 3 in again
