"""Files dropped on a field for a text are read."""

from __future__ import annotations

import ast
import gzip
import re
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QLineEdit, QWidget
from pytestqt.qtbot import QtBot
from shown_panel import in_workspace

import sae_desktop.gui
from sae_desktop.gui.explore.ask.probe import ProbePanel
from sae_desktop.gui.explore.ask.text_sets import TextSetsPanel
from sae_desktop.gui.parts.drop_guard import DropGuard
from sae_desktop.gui.parts.text_box import PathField, PlainTextField, TextBox
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.steering import SteeringPanel


def dropped(qtbot: QtBot, box: TextBox, *paths: Path) -> str:
    """Drop files on a box and return its text once they are read."""
    told: list[str] = []
    box.readingChanged.connect(told.append)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    assert box.canInsertFromMimeData(data)
    box.insertFromMimeData(data)
    assert told == [paths[0].name]
    qtbot.waitUntil(lambda: told[-1] == "", timeout=20_000)
    return box.toPlainText()


@pytest.mark.parametrize("panel", [ProbePanel, SteeringPanel])
def test_text_file__is_read_where_a_text_is_typed(
    qtbot: QtBot, session: Session, tmp_path: Path, panel: type
) -> None:
    made = panel(session)
    if panel is SteeringPanel:
        in_workspace(qtbot, "steer", made)
    else:
        qtbot.addWidget(made)
    box = made.text if panel is ProbePanel else made.form.prompt
    (tmp_path / "a.txt").write_text("Naïve text\nof two lines", encoding="utf-16")
    box.setPlainText("before")
    assert dropped(qtbot, box, tmp_path / "a.txt") == "Naïve text\nof two lines"
    box.undo()
    assert box.toPlainText() == "before"


def test_text_sets__take_the_texts_of_a_file(
    qtbot: QtBot, session: Session, tmp_path: Path
) -> None:
    panel = TextSetsPanel(session)
    qtbot.addWidget(panel)
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n"two"\n')
    assert dropped(qtbot, panel.on, tmp_path / "a.jsonl") == "one\ntwo\n"


def test_file__that_is_no_text_is_refused_and_what_was_typed_stays(
    qtbot: QtBot, session: Session, tmp_path: Path, heard
) -> None:
    panel = ProbePanel(session)
    qtbot.addWidget(panel)
    panel.text.setPlainText("typed")
    (tmp_path / "x.bin").write_bytes(bytes(range(256)))
    assert dropped(qtbot, panel.text, tmp_path / "x.bin") == "typed"
    assert "not text" in heard.errors[-1].what
    dropped(qtbot, panel.text, tmp_path)
    assert "is a folder" in heard.errors[-1].what


def test_packed_file__is_unpacked(qtbot: QtBot, tmp_path: Path) -> None:
    box = TextBox()
    qtbot.addWidget(box)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"packed"))
    assert dropped(qtbot, box, tmp_path / "a.txt.gz") == "packed"
    data = QMimeData()
    data.setText("plain")
    box.selectAll()
    box.insertFromMimeData(data)
    assert box.toPlainText() == "plain"


def _drop(widget: QWidget, *paths: Path) -> QDropEvent:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    data.setText(data.urls()[0].toString())  # as file managers do
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    nothing = Qt.KeyboardModifier.NoModifier
    window, place = widget.window().windowHandle(), widget.mapTo(widget.window(), QPoint(2, 2))
    QApplication.sendEvent(window, QDragEnterEvent(place, copy, data, left, nothing))
    drop = QDropEvent(QPointF(place), copy, data, left, nothing)
    QApplication.sendEvent(window, drop)
    drop.held = data  # the event does not keep it
    return drop


def test_file__becomes_no_address_in_a_field(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path
) -> None:
    guard = DropGuard(qapp)
    field, path = QLineEdit("typed"), PathField("before")
    for widget in (field, path):
        qtbot.addWidget(widget)
        with qtbot.waitExposed(widget):
            widget.show()
        guard.guard(widget.windowHandle())
    assert not _drop(field, tmp_path / "a.txt").isAccepted()
    assert field.text() == "typed"
    with qtbot.waitSignal(path.editingFinished):
        _drop(path, tmp_path / "a.txt")
    assert path.text() == str(tmp_path / "a.txt")
    qtbot.wait(0)
    guard.setParent(None)
    guard.deleteLater()


def test_long_texts__dropped_on_one_another_stand_where_they_were_let_go(qtbot: QtBot) -> None:
    box, text = PlainTextField(), "A paragraph that takes lines. " * 20
    qtbot.addWidget(box)
    box.resize(300, 70)
    box.show()
    for at in (QPointF(255, 64), QPointF(260, 4)):
        data, button = QMimeData(), Qt.MouseButton.LeftButton
        data.setText(text)
        for kind in (QDragEnterEvent, QDropEvent):
            there = at.toPoint() if kind is QDragEnterEvent else at
            event = kind(
                there, Qt.DropAction.CopyAction, data, button, Qt.KeyboardModifier.NoModifier
            )
            QApplication.sendEvent(box.viewport(), event)
            assert event.isAccepted()
        QApplication.processEvents()
    shown = box.toPlainText()
    assert len(shown) == 2 * len(text)
    begins = shown.index(text)
    assert shown[:begins] + shown[begins + len(text) :] == text
    assert box.viewport().rect().intersects(box.cursorRect())  # the end of what was dropped
    box.undo()
    assert box.toPlainText() == text


def test_fields_for_texts__are_of_the_kind_that_survives_a_drop() -> None:
    root = Path(sae_desktop.gui.__file__).parent
    for path in root.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        if path.name == "text_box.py" or "QPlainTextEdit" not in source:
            continue
        nodes = list(ast.walk(ast.parse(source)))
        made = [one for one in nodes if isinstance(one, ast.Call) and _named(one.func)]
        made += [one for one in nodes if isinstance(one, ast.ClassDef) and any(
            _named(base) for base in one.bases)]  # fmt: skip
        read_only = len(re.findall(r"setReadOnly\(True\)|readOnly=True", source))
        assert len(made) <= read_only, f"{path}: one writes in a PlainTextField"


def _named(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "QPlainTextEdit"
