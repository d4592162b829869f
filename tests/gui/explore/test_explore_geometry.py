"""Nothing of the workspace Explore is cut, squeezed or painted over, however narrow it is."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QTabBar
from pytestqt.qtbot import QtBot
from shown_panel import in_workspace, shown

from sae_desktop.features.config import ProbeResult
from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.parts.workspace import bring_forward
from sae_desktop.gui.state.session import Session


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> ExplorePanel:
    panel = ExplorePanel(session)
    shown(qtbot, "explore", panel, QSize(1204, 560))  # 1280×680 less the rail and the bars
    session.select_feature(0)
    return panel


@pytest.mark.parametrize("width", [400, 470, 520, 700, 1200])
def test_page__is_no_wider_than_what_is_seen_of_it(
    qtbot: QtBot, session: Session, width: int
) -> None:
    panel = ExplorePanel(session)
    in_workspace(qtbot, "explore", panel)
    page = panel.page
    page.setParent(None)
    qtbot.addWidget(page)
    page.resize(1400, 800)
    page.show()
    session.select_feature(0)
    page.resize(width, 800)
    for activation in (None, 1.0):  # the words under the pointer do not widen it, either
        page.mark(None)
        page.histogram.set_marker(activation)
        qtbot.wait(20)
        assert page.widget().width() <= page.viewport().width()
    figures = page.figures
    assert figures.height() >= figures.heightForWidth(figures.width())


def test_tabs_of_the_right__show_whole_names_when_one_more_is_opened(
    qtbot: QtBot, panel: ExplorePanel
) -> None:
    bring_forward(panel.completeness)
    direct = Qt.FindChildOption.FindDirectChildrenOnly

    def whole() -> bool:
        bars = [b for b in panel.workspace.findChildren(QTabBar, options=direct) if b.isVisible()]
        return all(bar.width() >= bar.sizeHint().width() for bar in bars)

    qtbot.waitUntil(whole, timeout=3000)


def test_panel_below__leaves_the_text_to_try_its_height(
    qtbot: QtBot, panel: ExplorePanel, client
) -> None:
    panel.places.show_place("text")
    panel.probe.text.setPlainText("one two")
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    found = ProbeResult(
        tokens=["one", "two"], offsets=[0, 1, 2], features=[30, 0], activations=[9.0, 4.0]
    )
    client.answer(client.jobs[0], found)
    qtbot.waitUntil(panel.probe.found.isVisible, timeout=5000)
    bring_forward(panel.splitting)
    panel.probe.ways.choose(1)  # the matrix has the taller header
    qtbot.wait(50)
    # What a window of 720 leaves beside its bars and the banner of a read-only project.
    assert panel.workspace.minimumSizeHint().height() <= 579
