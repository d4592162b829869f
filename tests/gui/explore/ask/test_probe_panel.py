"""The panel of a text one tries: matrix, tokens, long texts, an engine that is not there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from sae_desktop.features.config import LogitDifference, ProbeConfig, ProbeResult
from sae_desktop.gui.explore.ask import probe as probe_module
from sae_desktop.gui.explore.ask import probe_question
from sae_desktop.gui.explore.ask.probe import ProbePanel
from sae_desktop.gui.explore.ask.probe_summary import PAGE_TOKENS
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.theme import rgb
from sae_desktop.gui.state.session import Session

RESULT = ProbeResult(
    tokens=["And", " the", " Lord", "\u202e"],
    offsets=[0, 1, 2, 4, 4],
    features=[30, 7, 0, 7],
    activations=[2.0, 1.0, 9.0, 4.0],
)
EFFECTS = ProbeResult(
    tokens=RESULT.tokens,
    offsets=RESULT.offsets,
    features=RESULT.features,
    activations=RESULT.activations,
    attributions=[0.5, -2.0, 1.0, 0.1],
    difference=LogitDifference(position=2, target=" said", against=" unto", value=1.5),
)


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> Iterator[ProbePanel]:
    panel = ProbePanel(session)
    qtbot.addWidget(panel)
    panel.resize(640, 700)
    panel.show()
    return panel


def answered(qtbot: QtBot, panel: ProbePanel, client, result: ProbeResult) -> ProbeConfig:
    """Answer the question that is under way, and return it."""
    count = len(client.jobs)
    if not client.jobs or client.jobs[-1].ended:
        qtbot.waitUntil(lambda: len(client.jobs) > count, timeout=5000)
    config = client.jobs[-1].config
    client.answer(client.jobs[-1], result)
    return config


@pytest.fixture
def shown(qtbot: QtBot, panel: ProbePanel, session: Session, client) -> ProbePanel:
    session.select_feature(0)
    panel.text.setPlainText("And the Lord")
    answered(qtbot, panel, client, RESULT)
    return panel


def colour(panel: ProbePanel, row: int, column: int) -> tuple[int, int, int]:
    image = panel.matrix.viewport().grab().toImage()
    return rgb(image.pixelColor(panel.matrix.cell_rect(row, column).center()))


def test_matrix__has_features_by_strength_and_colours_their_cells(shown: ProbePanel) -> None:
    assert shown.matrix.features() == [0, 7, 30]
    surface, raised = (rgb(getattr(theme.palette(), name)) for name in ("surface", "raised"))
    assert colour(shown, 1, 2) not in (surface, raised)
    assert colour(shown, 1, 0) in (surface, raised)
    assert colour(shown, 1, 2) != colour(shown, 1, 1)


def test_click_on_a_token__ranks_the_features_that_fire_there(shown: ProbePanel) -> None:
    rect = shown.tokens.piece_rects(0, 1)[0].center().toPoint()
    QTest.mouseClick(shown.tokens, Qt.MouseButton.LeftButton, pos=rect)
    assert shown.matrix.features() == [7]
    assert shown.ranked.text() == "1 feature on “·the” (token 1), by share of the maximum"
    assert shown.tokens._marked == 1
    shown.whole.click()
    assert shown.matrix.features() == [0, 7, 30]


def test_click_on_a_feature__lights_its_tokens_and_does_not_leave_the_page(
    qtbot: QtBot, shown: ProbePanel, session: Session, client
) -> None:
    assert shown.lit.state.text() == "at most 9.00 on this text"
    number = shown.matrix.number_rect(2)
    place = QPoint(number.right() + 8, number.center().y())
    QTest.mouseClick(shown.matrix.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert shown.shown_feature == 30
    assert shown.lit.state.text() == "at most 2.00 on this text"
    assert session.feature == 0
    assert answered(qtbot, shown, client, RESULT).features == [0, 30]
    QTest.mouseDClick(shown.matrix.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert session.feature == 30


def test_click_on_the_number_of_a_feature__opens_it(shown: ProbePanel, session: Session) -> None:
    place = shown.matrix.number_rect(1).center()
    QTest.mouseClick(shown.matrix.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert session.feature == 7


def test_matrix__is_walked_by_keys(shown: ProbePanel, session: Session) -> None:
    matrix = shown.matrix
    matrix.setFocus()
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Right):
        QTest.keyClick(matrix, key)
    assert shown.shown_feature == 7
    assert matrix.accessibleDescription().startswith("#7, And (token 0), 0.00, strongest in “")
    QTest.keyClick(matrix, Qt.Key.Key_Return)
    assert session.feature == 7
    QTest.keyClick(matrix, Qt.Key.Key_Space)
    assert shown.matrix.features() == [30]


def test_right_click__asks_what_can_be_done_with_the_feature(
    shown: ProbePanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(probe_module, "show_feature_menu", lambda s, f, p, at: asked.append(f))
    shown.matrix.menuRequested.emit(7, QPoint())
    assert asked == [7]


def test_attribution__asks_for_the_token_that_was_clicked(
    qtbot: QtBot, shown: ProbePanel, client
) -> None:
    shown.settings.ranking.setCurrentIndex(3)
    config = answered(qtbot, shown, client, EFFECTS)
    assert (config.rank, config.attribute_at) == ("attribution", None)
    assert shown.matrix.features() == [7, 0, 30]
    assert "over “·unto” after token 2 (+1.50)" in shown.ranked.text()
    negative, positive = colour(shown, 0, 1), colour(shown, 1, 2)
    assert negative[2] > negative[0]  # blue
    assert positive[0] > positive[2]  # orange
    shown.choose_token(2)
    assert answered(qtbot, shown, client, EFFECTS).attribute_at == 2


def test_settings__are_asked_for(qtbot: QtBot, shown: ProbePanel, client) -> None:
    assert client.jobs[0].config.most_density == pytest.approx(0.1)
    shown.settings.density.setValue(2.5)
    assert answered(qtbot, shown, client, RESULT).most_density == pytest.approx(0.025)
    shown.settings.kind.setCurrentIndex(1)
    shown.text.setPlainText("system: Be kind.\nuser: Hi")
    chat = answered(qtbot, shown, client, RESULT).chat
    assert [(turn.role, turn.content) for turn in chat] == [("system", "Be kind."), ("user", "Hi")]


# ---------------------------------------------------------------- long texts
def long_result(count: int) -> ProbeResult:
    return ProbeResult(
        tokens=["a"] * count,
        offsets=list(range(count + 1)),
        features=[n % 64 for n in range(count)],
        activations=[1.0] * count,
    )


def test_long_text__is_shown_a_stretch_at_a_time(qtbot: QtBot, shown: ProbePanel, client) -> None:
    assert not shown.page.isVisible()
    shown.text.setPlainText("a" * 100)
    answered(qtbot, shown, client, long_result(2 * PAGE_TOKENS + 5))
    assert shown.page.text.text() == "Tokens 0 to 1,999 of 4,005 are shown."
    assert len(shown.tokens.plain_text()) == PAGE_TOKENS
    shown.page.after.click()
    shown.page.after.click()
    assert shown.page.text.text() == "Tokens 4,000 to 4,004 of 4,005 are shown."
    assert shown.tokens.plain_text() == "aaaaa"
    assert sorted(shown.matrix.features()) == sorted(n % 64 for n in range(4000, 4005))
    assert not shown.page.after.isEnabled()
    shown.text.setPlainText("And the Lord")
    answered(qtbot, shown, client, RESULT)
    assert shown.tokens.plain_text() == "And the Lord\u202e"


def test_long_answer__is_read_from_its_file(
    qtbot: QtBot, shown: ProbePanel, client, tmp_path
) -> None:
    names = ("offsets", "features", "activations", "attributions")
    path = tmp_path / "probe.npz"
    np.savez(path, **{name: np.array(getattr(EFFECTS, name)) for name in names})
    shown.text.setPlainText("long")
    answered(qtbot, shown, client, ProbeResult(tokens=["x", *RESULT.tokens[1:]], file=str(path)))
    qtbot.waitUntil(lambda: shown.tokens.plain_text().startswith("x"), timeout=5000)
    assert shown.matrix.features() == [0, 7, 30]
    shown.text.setPlainText("longer")
    answered(qtbot, shown, client, ProbeResult(tokens=["x"], file=str(path)))
    qtbot.waitUntil(lambda: "cannot be read" in shown.lit.state.text(), timeout=5000)


def test_endless_text__is_refused_in_place(
    shown: ProbePanel, client, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = len(client.jobs)
    monkeypatch.setattr(probe_question, "LONGEST", 20)
    shown.text.setPlainText("a" * 21)
    assert "at most 20 are read" in shown.lit.state.text()
    assert len(client.jobs) == count


# ---------------------------------------------------------------- without an engine
@pytest.mark.parametrize("state", ["stopped", "crashed"])
def test_without_engine__the_panel_says_so_and_starts_it(
    qtbot: QtBot, panel: ProbePanel, client, state: str
) -> None:
    client.enter(state)
    assert not panel.lit.start.isVisible()  # nothing was asked
    panel.text.setPlainText("And the Lord")
    assert "the engine is not running" in panel.lit.state.text()
    assert client.jobs == []
    panel.lit.start.click()
    assert not panel.lit.start.isVisible()
    assert answered(qtbot, panel, client, RESULT).text == "And the Lord"
    assert panel.matrix.features() == [0, 7, 30]
