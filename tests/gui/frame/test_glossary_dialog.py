"""F1 tells what a term means: at what one looks at, by keyboard, and from menu and palette."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from frame_project import add_run, add_store
from PySide6.QtCore import QPoint, Qt, QUrl
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from sae_desktop.gui.forms.job_forms import EvaluateForm
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.parts.glossary_dialog import GlossaryDialog
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.terms import explain, terms_at
from sae_desktop.gui.project.card_grid import CardWidget
from sae_desktop.project import Project
from sae_desktop.words.glossary import hover


@pytest.fixture
def dialog(qtbot: QtBot) -> Iterator[GlossaryDialog]:
    window = QWidget()
    qtbot.addWidget(window)
    dialog = GlossaryDialog(window)
    dialog.show_terms([])
    yield dialog
    dialog.close()


def _shown(dialog: GlossaryDialog) -> str:
    return dialog.text.toPlainText().partition("\n")[0]


@pytest.fixture
def with_run(window: MainWindow, project: Project) -> MainWindow:
    add_store(project, "acts", rows=4_000, wanted=4_000)
    add_run(project, "done", evaluated=True)
    window.session.open_project(project.path)
    window.show_workspace("project")
    return window


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pointer is over nothing of the window."""
    monkeypatch.setattr(QApplication, "widgetAt", lambda _place: None)


# ---------------------------------------------------------------------- the dialog
def test_dialog__finds_while_one_types_and_says_when_there_is_nothing(
    dialog: GlossaryDialog, qtbot: QtBot
) -> None:
    qtbot.keyClicks(dialog.field, "loss rec")
    assert _shown(dialog) == "Loss recovered"
    qtbot.keyClick(dialog.field, Qt.Key.Key_Down)
    assert _shown(dialog) == dialog.list.item(1).text() != "Loss recovered"
    dialog.field.setText("xyzzy")
    assert dialog.nothing.isVisible()
    assert "no entry with “xyzzy”" in dialog.nothing.text()
    dialog.field.clear()
    assert not dialog.nothing.isVisible()
    assert dialog.list.count() > 100


def test_dialog__leads_to_neighbours_and_back(dialog: GlossaryDialog, qtbot: QtBot) -> None:
    dialog.field.setText("fvu")
    assert _shown(dialog) == "FVU"
    dialog.text.anchorClicked.emit(QUrl("term:Loss recovered"))
    assert _shown(dialog) == "Loss recovered"
    assert dialog.list.currentItem().text() == "Loss recovered"
    qtbot.keyClick(dialog, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert _shown(dialog) == "FVU"


def test_dialog__gives_the_text_to_return_and_closes_with_escape(
    dialog: GlossaryDialog, qtbot: QtBot
) -> None:
    dialog.activateWindow()
    qtbot.keyClick(dialog.field, Qt.Key.Key_Return)
    qtbot.waitUntil(dialog.text.hasFocus)
    qtbot.keyClick(dialog.text, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


# ---------------------------------------------------------------------- F1
@pytest.mark.usefixtures("away")
def test_f1__opens_at_what_has_the_keyboard(with_run: MainWindow, qtbot: QtBot) -> None:
    card = next(c for c in with_run.findChildren(CardWidget) if c.card.kind == "dictionary")
    card.setFocus()
    qtbot.keyClick(card, Qt.Key.Key_F1)
    dialog = with_run.glossary.dialog
    assert dialog.isVisible()
    assert _shown(dialog) == "Dictionary"
    dialog.close()


def test_f1__prefers_what_lies_under_the_pointer(
    with_run: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = next(c for c in with_run.findChildren(CardWidget) if c.card.kind == "dictionary")
    fvu = next(told for told in card.findChildren(QLabel) if told.text() == "FVU")
    monkeypatch.setattr(QApplication, "widgetAt", lambda _place: fvu)
    monkeypatch.setattr(QCursor, "pos", lambda: QPoint(0, 0))
    card.setFocus()
    qtbot.keyClick(card, Qt.Key.Key_F1)
    assert _shown(with_run.glossary.dialog) == "FVU"
    with_run.glossary.dialog.close()


@pytest.mark.usefixtures("away")
def test_f1__works_in_a_form_that_stands_before_the_window(
    with_run: MainWindow, qtbot: QtBot
) -> None:
    form = EvaluateForm(with_run.session, "done")
    qtbot.addWidget(form)
    form.open()
    form.activateWindow()
    qtbot.waitUntil(form.isActiveWindow)
    rows = next(f for f in form.findChildren(QWidget) if f.accessibleName() == "Rows")
    rows.setFocus()
    qtbot.keyClick(rows, Qt.Key.Key_F1)
    dialog = form.glossary.dialog
    assert dialog.isVisible()
    assert dialog.parentWidget() is form
    assert _shown(dialog) == "Row"
    dialog.close()
    form.close()


def test_palette__answers_what_a_term_is(window: MainWindow) -> None:
    window.search.open("what is fvu")
    entry, _ = window.search.model.entries[0]
    assert (entry.kind, entry.title) == ("Glossary", "What does “FVU” mean?")
    window.search.accept()
    assert _shown(window.glossary.dialog) == "FVU"
    window.glossary.dialog.close()
    window.search.open("")
    assert not [e for e, _ in window.search.model.entries if e.kind == "Glossary"]


# ---------------------------------------------------------------------- widgets
def test_label_of_a_term__tells_it_when_hovered_over_and_read_out(qtbot: QtBot) -> None:
    told = label("FVU", "muted")
    qtbot.addWidget(told)
    assert hover("FVU")[:40] in told.toolTip()
    assert told.accessibleDescription() == hover("FVU")
    other = label("builtin-L3")
    qtbot.addWidget(other)
    assert other.toolTip() == ""


def test_button__tells_the_term_in_its_text_unless_it_has_a_tip(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    bare, told = push_button("Build an index"), push_button("Build an index", tip="Ctrl+B")
    for button in (bare, told):
        button.setParent(window)
    assert bare.toolTip().startswith("Index: ")
    assert told.toolTip() == "Ctrl+B"
    assert terms_at(told)[0].term == "Index"


def test_explained_figures__name_each_term(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    figures = label("12 · 0.5")
    figures.setParent(window)
    explain(figures, "L0", "FVU")
    assert [line[:4] for line in figures.toolTip().split("\n") if ": " in line] == ["L0: ", "FVU:"]
    assert [entry.term for entry in terms_at(figures)] == ["L0", "FVU"]
