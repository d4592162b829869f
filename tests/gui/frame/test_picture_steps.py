"""The first steps on the demonstration with pictures, and where it is offered."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from frame_client import FakeClient
from picture_demonstration import ship
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot
from sample_index import write_sample_index

from sae_desktop import demonstrations as demonstration
from sae_desktop.caches.table import kept_things
from sae_desktop.demonstrations import DEMONSTRATIONS, PICTURES, SENTENCES, START_LIST, offered
from sae_desktop.features.config import ProbeConfig, ProbeResult
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.settings_dialog import SettingsDialog
from sae_desktop.gui.project.welcome import Welcome
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.project import Project
from sae_desktop.project_lists import FeatureList, FeatureLists, ListMember
from sae_desktop.project_notes import Notes
from sae_desktop.resources import resource_path
from sae_desktop.steering.config import SteerConfig
from sae_desktop.words.first_steps import LOOKING, READING

FIRST = 5
ACTION = "project.open_pictures"


@pytest.fixture
def pictures(tmp_path: Path) -> Project:
    """A project as a copy of the demonstration is: an index, a list, and drawings."""
    project = Project.open_or_create(tmp_path / "p.saeproj", title=PICTURES.title)
    path = project.index_path(PICTURES.first_index)
    path.parent.mkdir(exist_ok=True)
    write_sample_index(path)
    notes = Notes(project.notes_path)
    members = [ListMember(feature=FIRST)]
    FeatureLists(notes).write("dict", START_LIST, FeatureList(name=START_LIST, members=members))
    notes.close()
    for resource in PICTURES.pictures:
        shutil.copy(resource_path(resource), project.path)
    return project


@pytest.fixture
def opened(window: MainWindow, pictures: Project, qtbot: QtBot) -> MainWindow:
    window.session.open_project(pictures.path)
    qtbot.waitUntil(lambda: window.session.workspace.startswith("explore"))
    return window


def _own(project: Project, name: str) -> str:
    return str(project.path / name)


def _probe(client: FakeClient, window: MainWindow, text: str, pictures: list[str]) -> None:
    path = window.session.project_path
    job = client.start_job(ProbeConfig(project=path, index="i", text=text, pictures=pictures))
    client.finish(job, ProbeResult(tokens=[], features=[], activations=[]))


def test_steps__are_its_own(opened: MainWindow) -> None:
    card = opened._steps_card
    assert card.isVisible()
    assert opened.session.feature == FIRST
    assert card.text.text() == LOOKING.steps[0].do.format(feature=f"feature {FIRST}")
    assert [chip.text() for chip in card.chips.values()] == [s.title for s in LOOKING.steps]
    assert card.chips["try"].accessibleName() == "Try a picture, to do"


def test_drawing_and_its_names__are_there_before_anybody_asks(
    opened: MainWindow, pictures: Project, client: FakeClient, qtbot: QtBot
) -> None:
    probe = opened.workspace("explore").main.probe
    assert probe.text.toPlainText() == LOOKING.tried
    assert probe.strip.files == [_own(pictures, "horse.png")]
    opened._steps_card.chips["try"].click()
    qtbot.waitUntil(lambda: bool(client.started(ProbeConfig)))
    assert client.last(ProbeConfig).config.pictures == [_own(pictures, "horse.png")]


def test_trying__is_done_by_another_picture_and_not_by_other_words(
    opened: MainWindow, pictures: Project, client: FakeClient
) -> None:
    horse = _own(pictures, "horse.png")
    _probe(client, opened, LOOKING.tried, [horse])
    _probe(client, opened, "Katze", [horse])
    assert opened.first_steps.done == set()
    _probe(client, opened, "", [horse, _own(pictures, "house.png")])
    assert opened.first_steps.done == {"try"}


def test_steering__begins_with_a_picture_that_is_asked_about(
    opened: MainWindow, pictures: Project, client: FakeClient, qtbot: QtBot
) -> None:
    opened._steps_card.chips["steer"].click()
    form = opened.workspace("steer").main.form
    assert form.strip.files == [_own(pictures, "house.png")]
    assert form.prompt.toPlainText() == "English:"
    qtbot.waitUntil(lambda: bool(client.started(SteerConfig)))
    asked = client.last(SteerConfig).config
    assert (asked.prompt, asked.pictures) == ("English:", [_own(pictures, "house.png")])


def test_what_was_written__is_left_alone(opened: MainWindow) -> None:
    probe, form = opened.workspace("explore").main.probe, opened.workspace("steer").main.form
    probe.strip.set_files([])
    probe.text.setPlainText("mine")
    form.prompt.setPlainText("mine, too")
    opened._steps_card.chips["try"].click()
    opened._steps_card.chips["steer"].click()
    assert (probe.text.toPlainText(), probe.strip.files) == ("mine", [])
    assert (form.prompt.toPlainText(), form.strip.files) == ("mine, too", [])


def test_project_page__says_what_it_is_about(opened: MainWindow) -> None:
    opened.show_workspace("project")
    said = opened.workspace("project").main._next_sentence.text()
    assert said == LOOKING.about.format(features=64)
    assert "64 of them" in said


def test_steps__change_with_the_demonstration(
    opened: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    other = Project.open_or_create(tmp_path / "d.saeproj", title=SENTENCES.title)
    other.index_path("main").parent.mkdir()
    write_sample_index(other.index_path("main"))
    opened.session.open_project(other.path)
    qtbot.waitUntil(lambda: opened._steps_card.isVisible())
    titles = [chip.text() for chip in opened._steps_card.chips.values()]
    assert titles == [step.title for step in READING.steps]
    assert opened.workspace("circuits").main.graph.prompt.prompt.text()


def test_circuits__are_left_to_the_demonstration_with_a_set(opened: MainWindow) -> None:
    assert not opened.workspace("circuits").main.graph.prompt.prompt.text()


# ------------------------------------------------------------------ where it is offered
def _window(client: FakeClient, folder: Path, qtbot: QtBot) -> MainWindow:
    session = Session(client, folder / "places")  # type: ignore[arg-type]
    window = MainWindow(session, Settings(), lambda _settings: None)
    qtbot.addWidget(window)
    window.show()
    return window


def _told(welcome: Welcome) -> list[str]:
    return [
        label.text()
        for card in welcome.cards.values()
        for label in card.findChildren(QLabel)
        if label.wordWrap()
    ]


def test_both__are_offered_with_what_they_are(
    client: FakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    ship(tmp_path, monkeypatch)
    monkeypatch.setattr(demonstration, "demonstration_path", lambda of: tmp_path / of.folder)
    window = _window(client, tmp_path, qtbot)
    names = [action.text() for action in window.menus.file_menu.actions()]
    at = names.index("Open the demonstration")
    assert names[at + 1] == "Open “Pictures and words”"
    assert PICTURES.told in window.registry.action(ACTION).toolTip()
    welcome = window.workspace("project").main.welcome
    assert _told(welcome) == [one.told for one in offered()]
    assert offered()[:2] == [SENTENCES, PICTURES]
    window.registry.trigger(ACTION)
    assert window.session.project_path == str(tmp_path / PICTURES.folder)
    assert window.session.index_name == PICTURES.first_index
    window.leave()


@pytest.mark.parametrize("width", [900, 1280])
def test_cards__stand_beside_one_another_and_not_over(
    width: int,
    client: FakeClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    monkeypatch.setattr(type(PICTURES), "ships", property(lambda _one: True))
    window = _window(client, tmp_path, qtbot)
    window.resize(width, 640)
    welcome = window.workspace("project").main.welcome
    qtbot.waitUntil(lambda: welcome.width() < width)
    places = [card.geometry() for card in welcome.cards.values()]
    assert len(places) == 3
    for before, after in pairwise(places):
        assert before.right() < after.left()
    assert places[0].left() >= 0
    assert places[-1].right() < welcome.width()
    window.leave()


def test_one_that_is_not_installed__is_not_shown(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr(type(PICTURES), "ships", property(lambda one: one is SENTENCES))
    welcome = Welcome(lambda _action: None)
    qtbot.addWidget(welcome)
    assert _told(welcome) == [SENTENCES.told]
    dialog = SettingsDialog(window, window.session, window.preferences)
    assert "demonstration" in dialog.rows
    assert "pictures" not in dialog.rows


def test_settings__list_the_copies(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(PICTURES), "ships", property(lambda _one: True))
    places = {kept.id: kept.place().name for kept in kept_things()}
    dialog = SettingsDialog(window, window.session, window.preferences)
    for one in DEMONSTRATIONS:
        assert places[one.id] == one.folder
        assert dialog.rows[one.id].title.text() == one.title
