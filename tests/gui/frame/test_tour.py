"""The tour points at real controls, covers none of them, and can be left at any time."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from sae_desktop.demonstrations import demonstration_copy
from sae_desktop.gui.frame.beside import placed
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.tour import CONTROLS
from sae_desktop.gui.frame.tour_bubble import TourBubble, TourOutline
from sae_desktop.gui.parts.workspace import bring_forward
from sae_desktop.gui.state.settings import Settings
from sae_desktop.words.tour import STOPS, StopId

SMALL = (1280, 720)
SETTLED_MS = 60


@pytest.fixture
def opened(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> MainWindow:
    """The window on a copy of the demonstration, with the keyboard in the list."""
    window.resize(*SMALL)
    window.session.open_project(demonstration_copy(tmp_path))
    qtbot.waitUntil(lambda: window.session.workspace == "explore.feature")
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.workspace("explore").main.list.table.setFocus()
    return window


@pytest.fixture
def toured(opened: MainWindow, qtbot: QtBot) -> MainWindow:
    opened.registry.trigger("help.tour")
    qtbot.waitUntil(lambda: bool(opened.tour.stops))
    qtbot.wait(SETTLED_MS)
    return opened


def _bubble(window: MainWindow) -> TourBubble:
    assert window.tour.bubble is not None
    return window.tour.bubble


def _outline(window: MainWindow) -> TourOutline:
    assert window.tour.outline is not None
    return window.tour.outline


def _ids(window: MainWindow) -> list[StopId]:
    return [stop.id for stop in window.tour.stops]


def _go_to(window: MainWindow, id_: StopId, qtbot: QtBot) -> QWidget:
    while window.tour.stops[window.tour.number].id != id_:
        QTest.keyClick(_bubble(window).next_button, Qt.Key.Key_Space)
    qtbot.wait(SETTLED_MS)
    return window.tour.control()


def _is_in_order(window: MainWindow) -> None:
    """Hold the bubble to its place: inside the window, off the control, which is outlined."""
    bubble, outline = _bubble(window), _outline(window)
    seen = window.tour._seen(window.tour.control())
    assert bubble.isVisible()
    assert outline.isVisible()
    assert window.rect().contains(bubble.geometry())
    assert not bubble.geometry().intersects(seen)
    assert outline.geometry().contains(seen & window.rect().adjusted(3, 3, -3, -3))
    assert bubble.text.height() >= bubble.text.heightForWidth(bubble.text.width())


def test_controls__are_there_for_every_stop() -> None:
    assert [stop.id for stop in STOPS] == list(get_args(StopId)) == list(CONTROLS)
    assert 5 <= len(STOPS) <= 7


def test_every_stop__has_its_control_in_sight_and_the_bubble_beside_it(
    toured: MainWindow, qtbot: QtBot
) -> None:
    assert toured.size() == QSize(*SMALL)
    assert _ids(toured) == [stop.id for stop in STOPS]
    for number, stop in enumerate(STOPS):
        control = _go_to(toured, stop.id, qtbot)
        assert control.isVisible()
        assert not control.visibleRegion().isEmpty()
        place = CONTROLS[stop.id].place
        assert toured.session.workspace.startswith(place)
        _is_in_order(toured)
        assert _bubble(toured).title.text() == stop.title
        assert _bubble(toured).place.text() == f"{number + 1} of {len(STOPS)}"
        focus = QApplication.focusWidget()
        assert focus is _bubble(toured).next_button
        assert stop.text in focus.accessibleDescription()
    assert focus.accessibleName() == "Finish the tour"


@pytest.mark.parametrize("size", [(1200, 640), (1900, 1000)])
def test_bubble__follows_its_control_when_the_window_is_resized(
    toured: MainWindow, qtbot: QtBot, size: tuple[int, int]
) -> None:
    for id_ in ("page", "search", "engine"):
        toured.resize(*SMALL)
        _go_to(toured, id_, qtbot)
        before = _outline(toured).geometry()
        toured.resize(*size)
        qtbot.wait(SETTLED_MS)
        assert _outline(toured).geometry() != before
        _is_in_order(toured)


def test_back__goes_to_the_stop_before_and_not_past_the_first(
    toured: MainWindow, qtbot: QtBot
) -> None:
    bubble = _bubble(toured)
    assert not bubble.back_button.isEnabled()
    _go_to(toured, "rack", qtbot)
    bubble.back_button.click()
    assert _ids(toured)[toured.tour.number] == "page"
    assert toured.session.workspace == "explore.feature"


def test_escape__leaves_and_the_keyboard_is_back_where_it_was(
    toured: MainWindow, qtbot: QtBot
) -> None:
    _go_to(toured, "training", qtbot)
    assert toured.session.workspace == "train"
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    assert not _bubble(toured).isVisible()
    assert not _outline(toured).isVisible()
    assert toured.session.workspace == "explore.feature"
    assert QApplication.focusWidget() is toured.workspace("explore").main.list.table


def test_last_stop__ends_it_where_it_began(toured: MainWindow, qtbot: QtBot) -> None:
    _go_to(toured, "engine", qtbot)
    assert not _bubble(toured).leave_button.isVisible()
    _bubble(toured).next_button.click()
    assert toured.tour.stops == []
    assert toured.session.workspace == "explore.feature"
    assert QApplication.focusWidget() is toured.workspace("explore").main.list.table


def test_control__can_be_used_and_whoever_does_so_stays_with_it(
    toured: MainWindow, qtbot: QtBot
) -> None:
    rack = _go_to(toured, "rack", qtbot)
    field = toured.workspace("steer").main.rack.add_field
    middle = field.mapTo(toured, field.rect().center())
    assert _outline(toured).geometry().contains(middle)
    assert toured.childAt(middle) is field, "the line around it takes no click"
    field.setFocus()
    assert rack.isAncestorOf(field)
    assert _bubble(toured).isVisible()
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert not _bubble(toured).isVisible()
    assert toured.session.workspace == "steer"
    assert QApplication.focusWidget() is field


def test_whoever_goes_elsewhere__has_left_it(toured: MainWindow, qtbot: QtBot) -> None:
    _go_to(toured, "list", qtbot)
    toured.show_workspace("harvest")
    qtbot.waitUntil(lambda: not toured.tour.stops)
    assert toured.session.workspace == "harvest"
    assert not _bubble(toured).isVisible()


def test_hidden_control__is_skipped_and_not_counted(opened: MainWindow, qtbot: QtBot) -> None:
    bring_forward(opened.workspace("explore").main.lists)  # a tab in front of the list
    rack = opened.workspace("steer").main.rack
    rack.parentWidget().hide()
    opened.tour.start()
    assert _ids(opened) == [stop.id for stop in STOPS if stop.id != "rack"]
    assert _bubble(opened).place.text() == "1 of 6"
    table = _go_to(opened, "list", qtbot)
    assert not table.visibleRegion().isEmpty(), "it was brought before the tab that hid it"


def test_card__offers_it_until_it_was_taken(
    toured: MainWindow, saved: list[Settings], qtbot: QtBot
) -> None:
    card = toured._steps_card
    assert card.tour_button.isVisible()
    card.tour_button.click()
    qtbot.wait(SETTLED_MS)
    toured.tour.leave()
    assert saved[-1].toured
    assert not card.tour_button.isVisible()
    toured.registry.trigger("help.tour")
    qtbot.waitUntil(lambda: bool(toured.tour.stops))


def test_without_a_project__the_demonstration_is_opened(
    window: MainWindow, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = demonstration_copy(tmp_path)
    monkeypatch.setattr(
        window.dialogs, "open_demonstration", lambda: window.session.open_project(copy)
    )
    window.registry.trigger("help.tour")
    qtbot.waitUntil(lambda: bool(window.tour.stops))
    assert _ids(window) == [stop.id for stop in STOPS]


WINDOW = QRect(0, 0, 1280, 720)
BUBBLE = QSize(300, 150)


@pytest.mark.parametrize(
    ("control", "corner"),
    [
        (QRect(0, 100, 80, 600), (90, 100)),  # high, at the left: to the right of it
        (QRect(480, 100, 800, 600), (170, 100)),  # high, at the right
        (QRect(1000, 10, 270, 30), (972, 50)),  # flat, at the top: below, and inside
        (QRect(0, 690, 1280, 30), (8, 530)),  # flat, at the bottom: above
    ],
)
def test_place__is_beside_what_is_high_and_below_or_above_what_is_flat(
    control: QRect, corner: tuple[int, int]
) -> None:
    pointed_at, place = placed(control, BUBBLE, WINDOW)
    assert pointed_at == control
    assert (place.left(), place.top()) == corner
    assert place.size() == BUBBLE


def test_control_that_fills_the_window__is_pointed_at_by_its_upper_part() -> None:
    pointed_at, place = placed(QRect(0, 0, 1280, 720), BUBBLE, WINDOW)
    assert pointed_at.top() == 0
    assert pointed_at.height() > 400
    assert not place.intersects(pointed_at)
    assert WINDOW.contains(place)
