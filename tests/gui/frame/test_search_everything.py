"""The one search: texts are found beside the window, grouped, and one is taken there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from frame_project import add_run
from PySide6.QtCore import Qt
from PySide6.QtTest import QSignalSpy
from pytestqt.qtbot import QtBot
from sample_index import write_sample_index

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.text_hits import text_hits
from sae_desktop.gui.frame.command_palette import CommandPalette
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.palette_rows import Row
from sae_desktop.gui.frame.settings_dialog import SettingsDialog
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.project import Project

Ask = Callable[[str], CommandPalette]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample_index(tmp_path_factory.mktemp("index") / "main.h5")


@pytest.fixture
def ask(window: MainWindow, project: Project, sample: Path, qtbot: QtBot) -> Iterator[Ask]:
    """Ask the search of a window with an index, and wait for all it finds."""
    path = project.index_path("main")
    path.parent.mkdir(parents=True)
    path.write_bytes(sample.read_bytes())
    add_run(project, "half", finished=False)
    window.session.open_project(project.path)
    palette = window.search

    def search(text: str) -> CommandPalette:
        window.open_search()
        palette.field.clear()
        qtbot.keyClicks(palette.field, text)
        qtbot.waitUntil(lambda: not palette.state.text().startswith("Searching"), timeout=10_000)
        return palette

    yield search
    palette.hide()


def rows(palette: CommandPalette, heading: str) -> list[Row]:
    return [row for row in palette.model.entries if row[1].heading.startswith(heading)]


def take(palette: CommandPalette, row: Row, qtbot: QtBot) -> None:
    place = palette.model.entries.index(row)
    while palette.list.currentIndex().row() != place:
        qtbot.keyClick(palette.field, Qt.Key.Key_Down)
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)


def test_search__opens_a_feature_at_the_context_that_was_found(
    ask: Ask, window: MainWindow, qtbot: QtBot
) -> None:
    palette = ask("shepherd")
    contexts = [row for row in rows(palette, "In a context") if row[0].kind == "Context"]
    assert contexts
    entry = contexts[0][0]
    assert entry.snippet[slice(*entry.found)] == "shepherd"
    take(palette, contexts[0], qtbot)
    feature, slot = map(int, entry.key.split(":"))
    session, page = window.session, window.workspace("explore").main.page
    assert session.workspace == "explore.feature"
    assert session.feature == feature
    qtbot.waitUntil(lambda: page.contexts._pointed is not None)
    shown = page.contexts._blocks[page.contexts._pointed].item
    assert "shepherd" in "".join(shown.tokens)
    assert session.index is not None
    assert list(shown.tokens) == session.index.context(feature, slot).tokens


def test_search__lists_all_that_was_found(ask: Ask, window: MainWindow, qtbot: QtBot) -> None:
    palette = ask("Lord")
    row = next(row for row in rows(palette, "In a context") if row[0].kind == "List")
    take(palette, row, qtbot)
    explore = window.workspace("explore").main
    qtbot.waitUntil(lambda: explore.list.model.filter.context == "Lord", timeout=5_000)
    assert window.session.index is not None
    total = text_hits(window.session.index, "Lord").contexts_total
    assert explore.list.model.rowCount() == total
    assert str(total) in row[0].title


def test_search__finds_features_by_their_tokens(ask: Ask, window: MainWindow) -> None:
    palette = ask("Lord")
    fires = [row[0].key for row in rows(palette, "Fires on")]
    assert "0" in fires, "feature 0 fires on “Lord”"
    assert window.session.index is not None
    raising = text_hits(window.session.index, "Lord").raising
    assert [int(row[0].key) for row in rows(palette, "Raises")][: len(raising)] == list(raising)


def test_search__finds_features_by_label(ask: Ask, window: MainWindow, qtbot: QtBot) -> None:
    FeatureNotes.of(window.session).set_label(4, "ends of lines")
    palette = ask("ends of lines")
    take(palette, rows(palette, "Features")[0], qtbot)
    assert window.session.feature == 4


@pytest.mark.parametrize(
    ("typed", "found", "place"),
    [
        ("labels", "Labels overview", "overview"),
        ("one by one", "Read and label features one by one", "desk"),
        ("scores", "Scores of labels", "scores"),
        ("name with", "Name features with a model", "model"),
        ("ask a model", "Name features with a model", "model"),
        ("score labels", "Score the labels", "overview"),
    ],
)
def test_search__leads_to_what_is_done_with_labels(
    ask: Ask, window: MainWindow, qtbot: QtBot, typed: str, found: str, place: str
) -> None:
    explore = window.workspace("explore").main
    palette = ask(typed)
    offered = [row for row in rows(palette, "Commands") if row[0].enabled]
    assert found in [row[0].title for row in offered[:3]]
    take(palette, next(row for row in offered if row[0].title == found), qtbot)
    assert explore.labels.isVisible()
    assert explore.labels.places.place == place


def test_search__offers_search_by_meaning_and_another_persons_notes(
    ask: Ask, window: MainWindow, qtbot: QtBot
) -> None:
    bar = window.workspace("explore").main.list.bar
    merging = [row[0].title for row in rows(ask("merge"), "Commands")]
    assert "Merge another person’s notes" in merging
    palette = ask("by meaning")
    found = next(row for row in rows(palette, "Commands") if row[0].title == "Search by meaning")
    take(palette, found, qtbot)
    assert bar.meant
    qtbot.waitUntil(bar.search.hasFocus, timeout=2_000)


def test_search__opens_the_settings_at_one(ask: Ask, window: MainWindow, qtbot: QtBot) -> None:
    palette = ask("text size")
    row = next(row for row in palette.model.entries if row[0].key == "text_size")
    take(palette, row, qtbot)
    dialog = window.findChild(SettingsDialog)
    assert dialog is not None
    qtbot.waitUntil(lambda: dialog.rows["text_size"].control.hasFocus(), timeout=2_000)
    dialog.close()


def test_search__takes_one_to_an_unfinished_run(ask: Ask, window: MainWindow, qtbot: QtBot) -> None:
    palette = ask("training of half")
    take(palette, next(row for row in palette.model.entries if row[0].kind == "Run"), qtbot)
    assert window.session.workspace == "train"
    assert window.session.dictionary == "half"


def test_search__says_that_nothing_was_found_and_what_was_searched(ask: Ask) -> None:
    palette = ask("qqzzqqzz")
    assert palette.model.entries == []
    assert palette.nothing.isVisible()
    assert not palette.list.isVisible()
    said = palette.nothing.text()
    assert "Nothing found for “qqzzqqzz”" in said
    assert "contexts of the index “main”" in said
    assert "Try" in said


def test_search__drops_what_was_found_for_another_query(
    ask: Ask, window: MainWindow, qtbot: QtBot
) -> None:
    palette = ask("Lord")
    index = window.session.index
    stale = ("Lord", (index, text_hits(index, "Lord")))
    palette.field.setText("shepherd")
    palette._on_texts_found(stale)
    assert rows(palette, "In a context: “Lord”") == []


def test_search__of_texts_is_not_done_where_one_types(
    ask: Ask, window: MainWindow, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    import threading

    where: list[str] = []
    real = text_hits

    def noting(index: FeatureIndex, text: str) -> object:
        where.append(threading.current_thread().name)
        return real(index, text)

    monkeypatch.setattr("sae_desktop.features.reading.text_hits.text_hits", noting)
    ask("shepherd")
    assert where
    assert threading.main_thread().name not in where


def test_search__does_not_read_texts_for_a_number(ask: Ask, window: MainWindow) -> None:
    palette = ask("3")
    spy = QSignalSpy(palette._background.answered)
    assert palette.model.entries[0][0].key == "3"
    assert palette.model.entries[0][0].aside, "a number alone tells nobody what a feature is"
    assert spy.count() == 0


def test_search__heads_each_kind_once(ask: Ask) -> None:
    palette = ask("Lord")
    model = palette.model
    headings = [model._heading(row) for row in range(model.rowCount())]
    named = [heading for heading in headings if heading]
    assert len(named) == len(set(named))
    assert any(heading.startswith("In a context") for heading in named)
