"""Labels, tokens and names from elsewhere are shown letter for letter, never as rich text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import h5py
import msgspec
import numpy as np
import pytest
from frame_project import add_run, add_store
from PySide6.QtCore import QAbstractListModel, QModelIndex, Qt
from PySide6.QtGui import Qt as GuiQt
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QComboBox,
    QLabel,
    QTableView,
    QWidget,
)
from pytestqt.qtbot import QtBot
from sample_index import write_sample_index

import sae_desktop.gui
from sae_desktop.features.reading.layout import IndexInfo
from sae_desktop.gui.explore.page.label_history import LabelHistory
from sae_desktop.gui.explore.page.label_source import LabelSource
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.menus import WORKSPACES
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.project_labels import IMPORTED, MODEL, Label
from sae_desktop.project_lists import FeatureList, FeatureLists, ListMember
from sae_desktop.project_notes import FeatureNote, Notes

IMAGE = '<img src="file:///nowhere/secret.png">'
LINK = '<a href="file://server/share">x</a>'
GUI = Path(sae_desktop.gui.__file__).parent
ROLES = (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.StatusTipRole, Qt.ItemDataRole.WhatsThisRole)


def is_plain(text: str) -> bool:
    """Whether Qt, left to find out, shows a text as it is."""
    return not GuiQt.mightBeRichText(text) or not any(part in text for part in ("<img", "<a "))


def hostile_index(path: Path) -> None:
    """An index whose tokens, titles, sources and languages are all rich text."""
    write_sample_index(path, features=16, repeats=1)
    with h5py.File(path, "r+") as file:
        tokens = len(file["vocabulary/offsets"]) - 1
        texts = [(IMAGE if t % 2 else LINK).encode() for t in range(tokens)]
        for name in ("vocabulary/bytes", "vocabulary/offsets"):
            del file[name]
        file["vocabulary/bytes"] = np.frombuffer(b"".join(texts), np.uint8)
        file["vocabulary/offsets"] = np.cumsum([0, *map(len, texts)])
        documents = file["documents"][:]
        documents["title"], documents["source"] = IMAGE.encode(), LINK.encode()
        documents["language"] = b"<img src=a>"
        file["documents"][:] = documents
        info = msgspec.json.decode(file.attrs["info"], type=IndexInfo)
        info = msgspec.structs.replace(
            info, model=IMAGE, site=LINK, corpus=IMAGE, dictionary="done",
            languages=["<img src=a>"] * len(info.languages), sources=[LINK] * len(info.sources),
        )  # fmt: skip
        file.attrs["info"] = msgspec.json.encode(info).decode()


@pytest.fixture
def hostile(session: Session, project: Project, window: MainWindow) -> MainWindow:
    """The window on a project full of such texts, every workspace built."""
    add_store(project, "acts", rows=4_000, wanted=4_000)
    add_run(project, "done")
    (project.path / "features").mkdir(exist_ok=True)
    hostile_index(project.path / "features" / "main.h5")
    kept = Notes(project.notes_path)
    for feature in range(4):
        text = IMAGE if feature % 2 else LINK
        note = FeatureNote(
            feature=feature, label=text, note=text, starred=True, author=LINK, tags=(IMAGE, LINK)
        )
        kept.save("done", note)
        kept.add_labels("done", [
            Label(feature=feature, text=f"{text} by a model", method=MODEL, author=IMAGE,
                  score=0.5, measure=LINK, evidence=IMAGE),
            Label(feature=feature, text=f"{text} from a table", method=IMPORTED, author=LINK),
        ])  # fmt: skip
    lists = FeatureLists(kept)
    members = [ListMember(feature=n, annotation=IMAGE) for n in range(4)]
    lists.write("done", IMAGE, FeatureList(name=IMAGE, members=members))
    kept.close()
    session.open_project(project.path)
    assert session.open_index("main")
    for name, _, _ in WORKSPACES:
        window.show_workspace(name)
    window.show_workspace("explore")
    for feature in (2, 1, 0, 3):
        session.select_feature(feature)
        QApplication.processEvents()
    return window


def texts_of(widget: QWidget) -> Iterator[tuple[str, str]]:
    """Yield (where, text) of all that Qt may take for rich text in a widget."""
    yield "tip", widget.toolTip()
    yield "status", widget.statusTip()
    yield "help", widget.whatsThis()
    if isinstance(widget, QLabel) and widget.textFormat() is not Qt.TextFormat.PlainText:
        yield "label", widget.text()
    for action in widget.actions():
        yield "action", action.toolTip()
    models = [widget.model()] if isinstance(widget, QAbstractItemView | QComboBox) else []
    for model in models:
        if model is None:
            continue
        columns = 1 if isinstance(model, QAbstractListModel) else None
        parents = [QModelIndex()]
        while parents:
            parent = parents.pop()
            for row in range(min(model.rowCount(parent), 12)):
                for column in range(columns or model.columnCount(parent)):
                    index = model.index(row, column, parent)
                    if column == 0 and model.rowCount(index):
                        parents.append(index)
                    for role in ROLES:
                        yield "cell", str(model.data(index, role) or "")
        if isinstance(widget, QTableView):
            for column in range(model.columnCount()):
                tip = model.headerData(column, Qt.Orientation.Horizontal, ROLES[0])
                yield "header", str(tip or "")


def test_window__takes_nothing_of_a_project_for_rich_text(
    hostile: MainWindow, qtbot: QtBot
) -> None:
    qtbot.wait(300)  # the views fill themselves a moment later
    seen, rich = 0, []
    for widget in QApplication.allWidgets():
        for where, text in texts_of(widget):
            seen += "img" in text or "href" in text
            if not is_plain(text):
                rich.append(f"{type(widget).__name__} {widget.objectName()} {where}: {text[:80]}")
    assert rich == []
    assert seen > 5, "the texts are not on the screen: nothing was looked at"


def test_labels_of_a_feature__are_plain_in_their_menu_and_history(
    hostile: MainWindow, session: Session, qtbot: QtBot
) -> None:
    notes = FeatureNotes.of(session)
    session.select_feature(1)
    notes.set_label(1, f"{IMAGE} edited")
    (source,) = (w for w in QApplication.allWidgets() if isinstance(w, LabelSource))
    history = LabelHistory(session, 1, source)
    qtbot.addWidget(history)
    menu = source.menu()
    told = [
        (where, text) for widget in (history, history.steps) for where, text in texts_of(widget)
    ]
    for action in menu.actions():
        told += [("action", action.toolTip()), ("tip", action.statusTip())]
        told += texts_of(action.menu()) if action.menu() is not None else []
    assert [text for _, text in told if not is_plain(text)] == []
    shown = [action.text() for action in menu.actions() if action.menu() is not None]
    assert len(shown) == 4  # the note was somebody else’s: it is kept beside mine
    assert history.steps.count() == 4
    assert IMAGE in history.steps.item(0).text()


def test_plain_tip__shows_what_it_was_given(qapp: QApplication) -> None:
    assert plain_tip("a < b") == "a < b"
    for text in (IMAGE, f"{LINK}\n  two  spaces & more"):
        tip = plain_tip(text)
        document = QTextDocument()
        document.setHtml(tip)
        assert document.toPlainText() == text
        assert is_plain(tip)


def _constant(node: ast.expr) -> bool:
    if isinstance(node, ast.IfExp):
        return _constant(node.body) and _constant(node.orelse)
    return isinstance(node, ast.Constant)


def _named(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _calls() -> Iterator[tuple[Path, str, ast.Call]]:
    for path in sorted(GUI.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call):
                yield path, _named(node.func), node


def test_code__shows_texts_through_what_keeps_them_plain() -> None:
    """What no walk reaches: tips made in a moment, dialogs, and panels to come."""
    loose = []
    for path, name, call in _calls():
        where = f"{path.relative_to(GUI)}:{call.lineno}"
        if name in ("setToolTip", "setStatusTip", "setWhatsThis"):
            given = call.args[-1]
            tips = ("plain_tip", "joined_tips")
            kept = isinstance(given, ast.Call) and _named(given.func) in tips
            if not kept and not _constant(given):
                loose.append(f"{where} {name}: put plain_tip around it")
        source = path.read_text()
        if name == "showText" and path.name != "plain_text.py":
            loose.append(f"{where}: use show_tip")
        if name == "QMessageBox" and "setTextFormat(Qt.TextFormat.PlainText)" not in source:
            loose.append(f"{where}: the box shows rich text")
        constant = call.args and all(map(_constant, call.args))
        if name == "QLabel" and not constant and "setTextFormat" not in source:
            loose.append(f"{where}: use label()")
    assert loose == []
