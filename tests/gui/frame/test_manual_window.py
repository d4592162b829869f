"""The manual beside the window: contents, pages, search, history, and the way into the window."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.manual import made_pages
from sae_desktop.gui.frame.manual.made_pages import MadePages
from sae_desktop.gui.frame.manual.manual_window import ManualWindow
from sae_desktop.gui.frame.workspaces import PANELS
from sae_desktop.gui.parts import theme
from sae_desktop.words.manual.contents import MADE, Manual, page_ids

_COMMANDS = "# The command line\n\nAll.\n\n## weigh anchors\n\nHow much it weighs.\n"


@pytest.fixture
def pages(qapp: QApplication) -> Iterator[MadePages]:
    pages = MadePages()
    pages.manual.add("commands", _COMMANDS)
    pages.manual.add("settings", "# Settings\n\nNone.\n")
    yield pages
    pages.end()


@pytest.fixture
def manual(pages: MadePages, qtbot: QtBot) -> Iterator[ManualWindow]:
    manual = ManualWindow(pages)
    qtbot.addWidget(manual)
    manual.present()
    yield manual
    manual.close()


def _heading(manual: ManualWindow) -> str:
    return manual.view.document().begin().text()


# ---------------------------------------------------------------------- the window of its own
def test_manual__begins_at_its_first_page_with_all_pages_in_the_contents(
    manual: ManualWindow,
) -> None:
    assert _heading(manual) == "Start here"
    tree = manual.contents.tree
    titles = [
        tree.topLevelItem(row).child(place).text(0)
        for row in range(tree.topLevelItemCount())
        for place in range(tree.topLevelItem(row).childCount())
    ]
    assert titles == [manual._pages.manual.title(page) for page in page_ids()]
    assert tree.currentItem().text(0) == "Start here"


def test_manual__opens_a_page_at_a_heading(manual: ManualWindow) -> None:
    manual.follow("glossary.md#fvu")
    top = manual.view.cursorForPosition(manual.view.rect().topLeft()).block()
    texts = [top.text(), top.next().text(), top.next().next().text()]
    assert "FVU" in texts
    assert manual.contents.tree.currentItem().text(0) == "Glossary"


def test_manual__goes_back_to_where_one_was_and_forward_again(
    manual: ManualWindow, qtbot: QtBot
) -> None:
    manual.follow("glossary.md")
    bar = manual.view.verticalScrollBar()
    bar.setValue(700)
    manual.follow("start.md")
    assert (manual.back.isEnabled(), manual.forward.isEnabled()) == (True, False)
    qtbot.keyClick(manual, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert (_heading(manual), bar.value()) == ("Glossary", 700)
    qtbot.keyClick(manual, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    assert _heading(manual) == "Start here"
    assert not manual.forward.isEnabled()


def test_search__lists_sections_and_shows_the_one_that_is_chosen_by_keys_alone(
    manual: ManualWindow, qtbot: QtBot
) -> None:
    panel = manual.contents
    qtbot.keyClicks(panel.field, "weigh anchors")
    assert [entry.title for entry, _ in panel.model.entries] == ["weigh anchors"]
    assert panel.model.entries[0][1].heading == "The command line"
    qtbot.keyClick(panel.field, Qt.Key.Key_Down)
    assert _heading(manual) == "The command line"
    qtbot.keyClicks(panel.field, "xyzzy")
    assert panel.nothing.isVisible()
    assert "xyzzy" in panel.nothing.text()
    qtbot.keyClick(panel.field, Qt.Key.Key_Escape)
    assert panel.tree.isVisible()
    assert manual.isVisible()


def test_find__walks_the_places_on_the_page_round_and_says_when_there_is_none(
    manual: ManualWindow, qtbot: QtBot
) -> None:
    manual.follow("commands.md")
    qtbot.keyClick(manual, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert manual.find_bar.field.isVisible()
    qtbot.keyClicks(manual.find_bar.field, "weigh")
    cursor = manual.view.textCursor
    first = cursor().selectionStart()
    assert cursor().selectedText() == "weigh"
    qtbot.keyClick(manual.find_bar.field, Qt.Key.Key_Return)
    assert cursor().selectionStart() > first
    qtbot.keyClick(manual.find_bar.field, Qt.Key.Key_Return)
    assert cursor().selectionStart() == first
    qtbot.keyClick(manual.find_bar.field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert cursor().selectionStart() > first
    manual.find_bar.field.setText("xyzzy")
    assert manual.find_bar.said.text() == "Not on this page"
    qtbot.keyClick(manual.find_bar.field, Qt.Key.Key_Escape)
    assert not manual.find_bar.isVisible()
    assert manual.isVisible()


def test_page__is_dressed_anew_with_the_theme_and_stays_where_it_is(manual: ManualWindow) -> None:
    manual.follow("glossary.md")
    manual.view.verticalScrollBar().setValue(300)
    before = theme.manager().mode
    try:
        theme.manager().apply("dark")
        told = manual.view.document().defaultStyleSheet()
        assert theme.palette().text.name() in told
        assert manual.view.verticalScrollBar().value() == 300
    finally:
        theme.manager().apply(before)


def test_pictures__are_never_wider_than_the_page(manual: ManualWindow, qtbot: QtBot) -> None:
    manual.resize(700, 480)
    manual.follow("explore.md")
    qtbot.waitUntil(lambda: manual.view.horizontalScrollBar().maximum() == 0)
    assert "<img" in manual.view.toHtml()


def test_made_page__says_that_it_is_being_made_and_then_stands_there(
    manual: ManualWindow, pages: MadePages, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(pages, "need", asked.append)
    manual.follow("formats.md")
    assert "being made" in manual.view.toPlainText()
    assert asked == ["formats"]
    pages.manual.add("formats", "# Formats\n\nThree.\n")
    pages.made.emit("formats")
    assert _heading(manual) == "Formats"


# ---------------------------------------------------------------------- pages that are made
def test_made_page__is_asked_of_the_program_itself(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = json.dumps({"text": "# Said\n\nby the program\n"})
    script = tmp_path / "told.py"
    script.write_text(f"import sys\nassert sys.argv[1:] == ['manual', 'formats', '--json']\n"
                      f"print({told!r})\n")  # fmt: skip
    monkeypatch.setattr(made_pages, "own_program", lambda: [sys.executable, str(script)])
    pages = MadePages()
    with qtbot.waitSignal(pages.made, timeout=60_000):
        pages.need("formats")
        pages.need("formats")  # is on its way
    assert pages.manual.page("formats").title == MADE["formats"]
    script.write_text("raise SystemExit(1)\n")
    with qtbot.waitSignal(pages.failed, timeout=60_000) as failed:
        pages.need("commands")
    page, error = failed.args
    assert page == "commands"
    assert "sae-desktop manual commands" in error.next_step
    pages.end()


# ---------------------------------------------------------------------- from and into the window
@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pointer is over nothing of the window."""
    monkeypatch.setattr(QApplication, "widgetAt", lambda _place: None)


@pytest.mark.usefixtures("away")
def test_f1__opens_the_page_of_what_is_in_front_where_no_term_is(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sae_desktop.gui.parts.glossary.terms_at", lambda _widget: [])
    window.show_workspace("explore.map")
    window.registry.trigger("help.here")
    shown = window.manual.window
    assert _heading(shown) == "Explore"
    assert shown._here == ("explore", "map", 0)
    assert not window.glossary._dialog


def test_menu__has_the_manual(window: MainWindow) -> None:
    window.registry.trigger("help.manual")
    assert window.manual.window.isVisible()
    window.manual.end()


def test_links__open_the_real_thing(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    window.manual.open()
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    window.manual.window.follow("window:train")
    assert window.session.workspace == "train"
    window.manual.window.follow("term:FVU")
    assert window.glossary.dialog.isVisible()
    window.glossary.dialog.close()
    window.manual.window.follow("https://example.org/a")
    assert opened == ["https://example.org/a"]
    window.manual.window.follow("file:///etc/passwd")
    assert opened == ["https://example.org/a"]


def test_links__of_all_pages_lead_to_workspaces_and_actions_that_are_there(
    window: MainWindow,
) -> None:
    for name in PANELS:
        window.show_workspace(name)
    for page in page_ids():
        if page in MADE:
            continue
        for target in Manual().page(page).links():
            kind, _, name = target.partition(":")
            workspace, _, place = name.partition(".")
            if kind == "window":
                assert workspace in PANELS, target
                if place:
                    assert window.workspace(workspace).show_place(place) == name, target
            elif kind == "action":
                assert window.registry.has(name), target


def test_palette__opens_the_manual_at_the_heading_that_was_found(window: MainWindow) -> None:
    window.manual.pages.manual.add("commands", _COMMANDS)
    palette = window.search
    palette.open("how much it weighs")
    entry, provider = palette.model.entries[-1]
    assert (entry.kind, entry.title, provider.heading) == (
        "Manual",
        "weigh anchors",
        "In the manual",
    )
    assert entry.snippet[slice(*entry.found)].casefold() == "how much it weighs"
    provider.run(entry)
    assert window.manual.window._here == ("commands", "weigh-anchors", 0)
    palette.open("")
    assert not [e for e, _ in palette.model.entries if e.kind == "Manual"]
    palette.hide()
