"""What is being typed is kept for what was shown when the typing began."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from other_dictionary import LARGER
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QInputDialog, QLineEdit
from pytestqt.qtbot import QtBot
from sample_index import write_sample_index
from shown_panel import in_workspace

from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.parts.feature_menu import _ask_list, feature_menu
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.kept_lists import KeptLists
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.gui.steer.known_strengths import UNKNOWN
from sae_desktop.gui.steer.preset_name import PresetNameDialog
from sae_desktop.gui.steer.steering import SteeringPanel
from sae_desktop.project import Project
from sae_desktop.project_lists import FeatureList, FeatureLists
from sae_desktop.project_notes import Notes


@pytest.fixture
def panel(qtbot: QtBot, session: Session, project: Project) -> ExplorePanel:
    """Explore on the dictionary “dict”; there is one called “large”, too."""
    write_sample_index(
        project.index_path("large-index"), features=LARGER, dictionary="large", seed=1
    )
    panel = ExplorePanel(session, Settings())
    qtbot.addWidget(panel)
    for dock in panel.docks():
        qtbot.addWidget(dock.widget)
    panel.resize(1000, 700)
    panel.show()
    session.enter_workspace("explore")
    session.select_feature(2)
    return panel


def notes(session: Session) -> Notes:
    assert session.notes is not None
    return session.notes


def _open_another_index(session: Session) -> None:
    session.open_index("large-index")
    session.select_feature(2)


def _go_back(session: Session) -> None:
    session.go_to_feature("large-index", 2)
    assert session.index_name == "large-index"


def _close_the_index(session: Session) -> None:
    session.close_index()


LEAVE = [_open_another_index, _go_back, _close_the_index]


@pytest.mark.parametrize("leave", LEAVE)
def test_label_note_and_tags__half_typed_stay_with_their_dictionary(
    panel: ExplorePanel, session: Session, leave: Callable[[Session], None]
) -> None:
    title = panel.page.title
    QTest.keyClicks(title.label, "the Lord")
    QTest.keyClicks(title.note, "in the Bible")
    QTest.keyClicks(title.tags, "law")
    leave(session)
    title.label.editingFinished.emit()  # as when the field loses the focus later
    title.note.editingFinished.emit()
    title.tags.editingFinished.emit()
    kept = notes(session).note("dict", 2)
    assert (kept.label, kept.note, kept.tags) == ("the Lord", "in the Bible", ("law",))
    assert notes(session).all("large") == {}


@pytest.mark.parametrize("leave", LEAVE)
def test_label_in_the_table__half_typed_stays_with_its_dictionary(
    panel: ExplorePanel, session: Session, qtbot: QtBot, leave: Callable[[Session], None]
) -> None:
    table = panel.list.table
    table.edit_label()
    editor = table.viewport().findChild(QLineEdit)
    assert editor is not None
    QTest.keyClicks(editor, "the Lord")
    leave(session)
    assert notes(session).note("dict", 2).label == "the Lord"
    assert notes(session).all("large") == {}


@pytest.mark.parametrize("leave", LEAVE)
def test_annotation_of_a_list__half_typed_stays_with_its_list(
    panel: ExplorePanel, session: Session, leave: Callable[[Session], None]
) -> None:
    lists = KeptLists.of(session)
    for dictionary in ("dict", "large"):
        lists.write(dictionary, "mine", FeatureList(name="mine"))
    lists.write("dict", "other", FeatureList(name="other"))
    panel.lists.choose("mine")
    QTest.keyClicks(panel.lists.annotation, "about the Lord")
    leave(session)
    panel.lists.annotation.editingFinished.emit()
    found = {
        (dictionary, name): content.annotation
        for dictionary in ("dict", "large")
        for name, _ in FeatureLists(notes(session)).names(dictionary)
        if (content := FeatureLists(notes(session)).read(dictionary, name)) is not None
    }
    assert found == {
        ("dict", "mine"): "about the Lord",
        ("dict", "other"): "",
        ("large", "mine"): "",
    }


def test_annotation__half_typed_stays_when_another_list_is_chosen(
    panel: ExplorePanel, session: Session
) -> None:
    lists = KeptLists.of(session)
    for name in ("mine", "other"):
        lists.write("dict", name, FeatureList(name=name))
    panel.lists.choose("mine")
    QTest.keyClicks(panel.lists.annotation, "about the Lord")
    panel.lists.choose("other")
    contents = [lists.read(name) for name in ("mine", "other")]
    assert [c.annotation for c in contents if c is not None] == ["about the Lord", ""]


def test_typing__goes_on_when_the_same_note_is_changed_elsewhere(
    panel: ExplorePanel, session: Session
) -> None:
    title = panel.page.title
    QTest.keyClicks(title.label, "the Lo")
    FeatureNotes.of(session).set_starred(2, True)  # Ctrl+D while typing
    assert title.label.text() == "the Lo"
    QTest.keyClicks(title.label, "rd")
    QTest.keyClick(title.label, Qt.Key.Key_Return)
    assert notes(session).note("dict", 2).label == "the Lord"
    assert notes(session).note("dict", 2).starred


def answer_later(
    monkeypatch: pytest.MonkeyPatch, session: Session, text: str, before: Callable[[], None]
) -> None:
    """Answer the next question for a name with `text`, once `before` has happened."""

    def ask(*_args: object, **_more: object) -> tuple[str, bool]:
        before()
        return text, True

    monkeypatch.setattr(QInputDialog, "getText", ask)


def test_names_asked_for__belong_to_the_dictionary_that_was_open_then(
    panel: ExplorePanel, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = KeptLists.of(session)
    lists.write("dict", "mine", FeatureList(name="mine"))
    lists.write("large", "mine", FeatureList(name="mine"))
    panel.lists.choose("mine")
    switch = lambda: session.open_index("large-index")  # noqa: E731
    answer_later(monkeypatch, session, "renamed", switch)
    panel.lists._on_rename()
    session.open_index("main")
    answer_later(monkeypatch, session, "new one", switch)
    panel.lists._on_new()
    session.open_index("main")
    answer_later(monkeypatch, session, "from the menu", switch)
    _ask_list(feature_menu(session, 2, panel), session, [2])
    stored = FeatureLists(notes(session))
    assert {name for name, _ in stored.names("dict")} == {"renamed", "new one", "from the menu"}
    assert {name for name, _ in stored.names("large")} == {"mine"}


def test_remark__belongs_to_the_list_that_was_shown(
    panel: ExplorePanel, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = KeptLists.of(session)
    lists.add("mine", [2, 3])
    lists.add("mine", [2, 3], "large")
    panel.lists.choose("mine")
    answer_later(monkeypatch, session, "first", lambda: session.open_index("large-index") and None)
    panel.lists.members.setCurrentRow(0)
    panel.lists.ask_remark()
    stored = FeatureLists(notes(session))
    kept, other = stored.read("dict", "mine"), stored.read("large", "mine")
    assert kept is not None
    assert other is not None
    assert [m.annotation for m in kept.members] == ["first", ""]
    assert [m.annotation for m in other.members] == ["", ""]


def test_preset__is_of_the_dictionary_that_was_open_when_it_was_asked_for(
    panel: ExplorePanel,
    session: Session,
    project: Project,
    qtbot: QtBot,
) -> None:
    steering = SteeringPanel(session)
    in_workspace(qtbot, "steer", steering)
    steering.rack.add_feature(2)
    steering.rack.slider(2).strengthChosen.emit(2, 3.0)
    steering.form.prompt.setPlainText("In the beginning")
    steering.presets._on_save()
    dialog = steering.window().findChild(PresetNameDialog)
    assert dialog is not None
    dialog.name.setText("loud")
    session.open_index("large-index")
    dialog.accept()
    (path,) = project.path.rglob("loud.json")
    kept = msgspec.json.decode(path.read_bytes())
    assert kept["dictionary"] == "dict"


def test_strength__half_typed_goes_to_no_slider_of_another_dictionary(
    panel: ExplorePanel, session: Session, qtbot: QtBot
) -> None:
    steering = SteeringPanel(session)
    in_workspace(qtbot, "steer", steering)
    steering.rack.add_feature(2)
    number = steering.rack.slider(2).number
    number.selectAll()
    QTest.keyClicks(number, "3")
    session.open_index("large-index")
    steering.rack.add_feature(2)
    number.interpretText()
    assert [entry.strength for entry in steering.rack.rack] == [UNKNOWN]
