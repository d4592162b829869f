"""Pictures in the panel of a text one tries: dropped, pasted, chosen, lit, and asked about."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from sae_desktop.errors import UserError
from sae_desktop.features.config import ProbeConfig, ProbedPicture, ProbeResult
from sae_desktop.gui.explore.ask.probe import ProbePanel
from sae_desktop.gui.state.session import Session
from sae_desktop.pictures.places import PictureLayout, Tile
from sae_desktop.storage import scratch

LAYOUT = PictureLayout(40, 20, [Tile(2, 4, 0.0, 0.0, 10.0, 10.0)])
CELLS = 8


def _view() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 20), (200, 220, 240)).save(out, "WEBP")
    return out.getvalue()


RESULT = ProbeResult(
    tokens=[*LAYOUT.names(), " a", " horse"],
    # Feature 7 on patch 5 and on both words, feature 30 on patches 5 and 6, feature 2 on patch 0.
    offsets=[0, 1, 1, 1, 1, 1, 3, 4, 4, 5, 6],
    features=[2, 7, 30, 30, 7, 7],
    activations=[1.0, 4.0, 2.0, 3.0, 0.5, 2.0],
    pictures=[ProbedPicture(name="horse.png", digest="0" * 64, layout=LAYOUT, view=_view())],
    picture=[0] * CELLS + [-1, -1],
    picture_token=[*range(CELLS), -1, -1],
)


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> Iterator[ProbePanel]:
    panel = ProbePanel(session)
    qtbot.addWidget(panel)
    panel.resize(640, 800)
    panel.show()
    return panel


def answered(qtbot: QtBot, client, result: ProbeResult) -> ProbeConfig:
    qtbot.waitUntil(lambda: bool(client.jobs) and not client.jobs[-1].ended)
    config = client.jobs[-1].config
    client.answer(client.jobs[-1], result)
    return config


def dropped(*paths: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


@pytest.fixture
def lit(qtbot: QtBot, panel: ProbePanel, session: Session, client, tmp_path: Path) -> ProbePanel:
    panel.text.setPlainText(" a horse")
    panel.text.insertFromMimeData(dropped(tmp_path / "horse.png"))
    session.select_feature(7)
    config = answered(qtbot, client, RESULT)
    assert config.pictures == [str(tmp_path / "horse.png")]
    assert (config.text, config.views) == (" a horse", True)
    return panel


def test_a_dropped_picture__is_read_before_the_text_and_lit(lit: ProbePanel) -> None:
    view = lit.pictures.view
    assert lit.pictures.isVisible()
    assert view.activations.tolist() == [0, 0, 0, 0, 0, 4.0, 0, 0]
    # The words beside it are lit as ever, without the tokens of the picture.
    assert lit.tokens.plain_text() == " a horse"
    lit.light(30)
    assert np.flatnonzero(view.activations).tolist() == [5, 6]
    assert "on the picture and text" in lit.ranked.text()


def test_the_panel_with_a_picture__fits_a_small_window(lit: ProbePanel) -> None:
    least = lit.minimumSizeHint()
    assert (least.width() <= 780, least.height() <= 560) == (True, True), least


def test_a_patch_that_is_clicked_and_a_box_around_two__list_their_own_features(
    qtbot: QtBot, lit: ProbePanel
) -> None:
    view = lit.pictures.view

    def middle(token: int) -> QPoint:
        place: QPointF = view._drawing.token_rect(token).center()
        return place.toPoint()

    QTest.mouseMove(view, middle(6))
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=middle(6))
    assert [line.found.feature for line in lit.found.lines()] == [30]
    assert "row 2, column 3" in lit.ranked.text()
    off = QPoint(4, 4)
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=middle(5) - off)
    QTest.mouseMove(view, middle(6) + off)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=middle(6) + off)
    assert {line.found.feature for line in lit.found.lines()} == {7, 30}
    assert "on 2 patches of the picture" in lit.ranked.text()
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Home)
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert "row 2, column 2" in lit.ranked.text()
    lit.whole.click()
    assert {line.found.feature for line in lit.found.lines()} == {2, 7, 30}


def test_what_cannot_be_read__is_said_and_what_was_typed_stays(
    qtbot: QtBot, panel: ProbePanel, client, tmp_path: Path
) -> None:
    panel.text.setPlainText("typed")
    panel.text.insertFromMimeData(dropped(tmp_path / "notes.png"))
    qtbot.waitUntil(lambda: bool(client.jobs) and not client.jobs[-1].ended)
    client.fail(client.jobs[-1], "“builtin” reads no pictures.")
    assert "reads no pictures" in panel.lit.state.text()
    assert panel.text.toPlainText() == "typed"
    assert [button.text() for button in panel.strip.names] == ["notes.png"]
    panel.strip.removers[0].click()
    assert panel.strip.files == []
    assert answered(qtbot, client, ProbeResult(tokens=["typed"], offsets=[0, 0])).pictures == []
    assert not panel.pictures.isVisible()


def test_a_pasted_picture__is_one_file_that_is_not_kept_and_a_text_beside_it_wins(
    panel: ProbePanel,
) -> None:
    image = QImage(3, 2, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    pasted = QMimeData()
    pasted.setImageData(image)
    assert panel.text.canInsertFromMimeData(pasted)
    panel.text.insertFromMimeData(pasted)
    (file,) = panel.strip.files
    assert Image.open(file).size == (3, 2)
    assert panel.strip.kept == []
    pasted.setText("words")
    panel.text.insertFromMimeData(pasted)
    assert panel.text.toPlainText() == "words"
    assert len(panel.strip.files) == 1


def test_a_pasted_picture__that_cannot_be_kept_is_said_and_changes_nothing(
    panel: ProbePanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scratch, "TemporaryDirectory", full)
    image = QImage(3, 2, QImage.Format.Format_RGB32)
    with pytest.raises(UserError, match="No space left on device") as caught:
        panel.strip.add_pasted(image)
    assert "save the picture as a file" in caught.value.next_step
    assert panel.strip.files == []
