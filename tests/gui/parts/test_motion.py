"""A window in which nothing moves by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QAbstractAnimation, QVariantAnimation
from PySide6.QtWidgets import QApplication, QProgressBar
from pytestqt.qtbot import QtBot

from sae_desktop.gui.parts import motion

_RUNNING = QAbstractAnimation.State.Running


@pytest.fixture(autouse=True)
def _moves_again(qapp: QApplication) -> Iterator[None]:
    motion.apply(False)
    yield
    motion.apply(False)


def _animation(qapp: QApplication) -> QVariantAnimation:
    animation = QVariantAnimation(qapp)
    animation.setDuration(60_000)
    animation.setStartValue(0.0)
    animation.setEndValue(1.0)
    return animation


def test_animation__is_at_its_end_at_once_with_motion_reduced(qapp: QApplication) -> None:
    moving = _animation(qapp)
    motion.start(moving)
    assert moving.state() is _RUNNING
    moving.stop()
    motion.apply(True)
    still, seen = _animation(qapp), []
    still.valueChanged.connect(seen.append)
    motion.start(still)
    assert still.state() is not _RUNNING
    assert seen[-1] == 1.0


def test_cursor__blinks_as_the_system_has_it_unless_motion_is_reduced(qapp: QApplication) -> None:
    usual = qapp.cursorFlashTime()
    assert usual > 0
    motion.apply(True)
    motion.apply(True)
    assert qapp.cursorFlashTime() == 0
    motion.apply(False)
    assert qapp.cursorFlashTime() == usual


def test_bar__that_cannot_tell_keeps_still_with_motion_reduced(qtbot: QtBot) -> None:
    bar = QProgressBar()
    qtbot.addWidget(bar)
    motion.show_share(bar, None)
    assert (bar.minimum(), bar.maximum()) == (0, 0)
    motion.apply(True)
    assert (bar.maximum(), bar.value()) == (1000, 0)
    motion.show_share(bar, None)
    assert (bar.maximum(), bar.value()) == (1000, 0)
    motion.show_share(bar, 0.25)
    assert bar.value() == 250
