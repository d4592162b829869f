"""The first steps lead a newcomer through the demonstration, and stay out of other projects."""

from __future__ import annotations

from pathlib import Path

import pytest
from frame_client import FakeClient
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from sample_index import write_sample_index

from sae_desktop.demonstrations import SENTENCES, START_LIST
from sae_desktop.features.config import ProbeConfig, ProbeResult
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.parts.passages import HoveredToken
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.project import Project
from sae_desktop.project_lists import FeatureList, FeatureLists, ListMember
from sae_desktop.project_notes import FeatureNote, Notes
from sae_desktop.steering.config import PLAIN, SteerConfig, SteerResult, VariantResult, clamped
from sae_desktop.words.first_steps import READING, feature_named, step_of

FIRST = 5
WRITTEN = SteerResult(
    variants=[VariantResult(name=name, prompt="This is", text="") for name in ("plain", "steered")],
    next_tokens=[],
)


@pytest.fixture
def demonstration(tmp_path: Path) -> Project:
    """A project as the demonstration is: an index, and a list to start with."""
    project = Project.open_or_create(tmp_path / "d.saeproj", title=SENTENCES.title)
    path = project.index_path("main")
    path.parent.mkdir(exist_ok=True)
    write_sample_index(path)
    notes = Notes(project.notes_path)
    dictionary = "dict"
    notes.save(dictionary, FeatureNote(feature=FIRST, label="French words", starred=True))
    members = [ListMember(feature=FIRST), ListMember(feature=1)]
    content = FeatureList(name=START_LIST, members=members)
    FeatureLists(notes).write(dictionary, START_LIST, content)
    notes.close()
    return project


@pytest.fixture
def opened(window: MainWindow, demonstration: Project, qtbot: QtBot) -> MainWindow:
    window.session.open_project(demonstration.path)
    qtbot.waitUntil(lambda: window.session.workspace.startswith("explore"))
    return window


def _texts(window: MainWindow) -> str:
    return window._steps_card.text.text()


def _probe(client: FakeClient, window: MainWindow, text: str) -> None:
    path = window.session.project_path
    job = client.start_job(ProbeConfig(project=path, index="main", text=text))
    client.finish(job, ProbeResult(tokens=[], features=[], activations=[]))


def test_demonstration__opens_at_the_first_feature_of_the_list(opened: MainWindow) -> None:
    assert opened.session.workspace == "explore.feature"
    assert opened.session.feature == FIRST
    assert opened._steps_card.isVisible()
    assert "feature 5 (“French words”)" in _texts(opened)


def test_sentence__is_there_before_anybody_asks(
    opened: MainWindow, client: FakeClient, qtbot: QtBot
) -> None:
    assert opened.workspace("explore").main.probe.text.toPlainText() == READING.tried
    opened._steps_card.chips["try"].click()
    assert opened.session.workspace == "explore.text"
    qtbot.waitUntil(lambda: bool(client.started(ProbeConfig)))
    assert client.last(ProbeConfig).config.text == READING.tried
    assert "Change the sentence" in _texts(opened)


def test_reading__is_done_by_looking_at_a_token_and_not_by_passing_over_it(
    opened: MainWindow, qtbot: QtBot
) -> None:
    page, steps = opened.workspace("explore").main.page, opened.first_steps
    token = HoveredToken("le", 3.0)
    page.tokenHovered.emit(token)
    assert not steps._dwell.isActive(), "it may have come to lie under the pointer"
    page.tokenHovered.emit(HoveredToken("les", 2.0))
    assert steps._dwell.isActive()
    page.tokenHovered.emit(None)
    assert not steps._dwell.isActive()
    page.tokenHovered.emit(HoveredToken("the", 0.0))
    assert not steps._dwell.isActive()
    page.tokenHovered.emit(token)
    qtbot.waitUntil(lambda: steps.done == {"read"}, timeout=5_000)
    assert "French words" in _texts(opened), "what is being read stays"
    assert _texts(opened).endswith(READING.steps[0].learnt)
    assert opened._steps_card.next_button.text() == "Try a sentence"


def test_reading__is_done_by_choosing_another_feature(opened: MainWindow) -> None:
    opened.session.select_feature(FIRST)
    assert opened.first_steps.done == set()
    opened.session.select_feature(1)
    assert opened.first_steps.done == {"read"}


def test_feature_that_the_list_marks_by_itself__is_nobodys_choice(
    window: MainWindow, demonstration: Project, qtbot: QtBot
) -> None:
    window.workspace("explore")  # built before a project comes, as in an idle moment
    window.session.indexOpened.connect(lambda _index: window.session.select_feature(0))
    window.session.open_project(demonstration.path)
    qtbot.waitUntil(lambda: window.session.workspace.startswith("explore"))
    assert window.session.feature == FIRST
    assert window.first_steps.done == set()


def test_trying__is_done_by_a_sentence_of_ones_own(opened: MainWindow, client: FakeClient) -> None:
    _probe(client, opened, READING.tried)
    assert opened.first_steps.done == set()
    _probe(client, opened, "Der Hund schläft.")
    assert opened.first_steps.done == {"try"}


def test_turning_up__is_done_by_a_text_written_with_the_feature(
    opened: MainWindow, client: FakeClient
) -> None:
    path = opened.session.project_path
    steered = [PLAIN, clamped({FIRST: 1.0})]
    for variants, compare, done in (
        ([PLAIN], True, set()),
        (steered, False, set()),
        (steered, True, {"steer"}),
    ):
        config = SteerConfig(
            project=path, index="main", prompt="a", variants=variants, compare=compare
        )
        client.finish(client.start_job(config), WRITTEN)
        assert opened.first_steps.done == done


def test_card__speaks_of_a_slider_once_there_is_one(opened: MainWindow) -> None:
    opened.show_workspace("steer")
    assert _texts(opened) == step_of(READING, "steer").away
    opened.session.steerRequested.emit(1)
    assert "The slider holds feature 1" in _texts(opened)


def test_card__speaks_of_a_sentence_only_beside_it(opened: MainWindow) -> None:
    opened.first_steps.tick("try")
    opened.first_steps._on_step_chosen("try")
    assert step_of(READING, "try").do in _texts(opened)
    opened.show_workspace("explore.map")
    assert _texts(opened) == step_of(READING, "try").learnt


def test_turning_up__stays_with_the_feature_that_is_turned_up_already(opened: MainWindow) -> None:
    rack = opened.workspace("steer").main.rack
    opened.session.steerRequested.emit(1)
    opened.first_steps._on_step_chosen("steer")
    assert [(entry.feature, entry.on) for entry in rack.rack] == [(1, True)]
    assert "feature 1" in _texts(opened)
    assert f"feature {FIRST}" not in _texts(opened)


def test_steps__lead_from_one_to_the_next_and_to_a_project_of_ones_own(
    opened: MainWindow, client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    card, steps = opened._steps_card, opened.first_steps
    asked: list[str] = []
    monkeypatch.setattr(steps, "_begin_own", lambda: asked.append("new"))
    steps.tick("read")
    card.next_button.click()
    assert opened.session.workspace == "explore.text"
    assert opened.focusWidget() is opened.workspace("explore").main.probe.text
    steps.tick("try")
    card.next_button.click()
    assert opened.session.workspace == "steer"
    panel = opened.workspace("steer").main
    assert [(e.feature, e.on) for e in panel.rack.rack] == [(FIRST, True)]
    assert panel.form.prompt.toPlainText()
    client.finish(client.last(SteerConfig), WRITTEN)
    assert steps.done == {"read", "try"}, "nobody has pressed Generate"
    steps.tick("steer")
    assert _texts(opened) == READING.at_the_end
    card.next_button.click()
    assert asked == ["new"]


def test_card__names_the_feature_that_the_slider_holds(opened: MainWindow) -> None:
    steps = opened.first_steps
    steps.tick("read")
    opened.show_workspace("steer")
    opened.session.steerRequested.emit(FIRST + 1)
    assert opened.session.feature != FIRST + 1
    assert f"feature {FIRST + 1}" in _texts(opened)


def test_card__names_the_feature_that_was_put_into_the_rack_there(opened: MainWindow) -> None:
    opened.first_steps.tick("read")
    opened.show_workspace("steer")
    opened.session.steerRequested.emit(FIRST)
    rack = opened.workspace("steer").main.rack
    rack.add_feature(FIRST + 1)
    assert f"feature {FIRST} " in _texts(opened)
    rack._on_remove_chosen(FIRST)
    assert f"feature {FIRST + 1}" in _texts(opened)


def test_card__leads_back_from_elsewhere(opened: MainWindow) -> None:
    opened.show_workspace("project")
    assert _texts(opened) == READING.steps[0].away
    opened._steps_card.next_button.click()
    assert opened.session.workspace == "explore.feature"
    assert "French words" in _texts(opened)


def test_card__goes_when_it_is_told_and_comes_back_from_the_menu(opened: MainWindow) -> None:
    opened.first_steps.tick("read")
    opened._steps_card.hide_button.click()
    assert not opened._steps_card.isVisible()
    opened.registry.trigger("help.first_steps")
    assert opened._steps_card.isVisible()
    assert opened.session.workspace == "explore.text"
    assert opened.first_steps.done == {"read"}


def test_steps__are_taken_up_where_they_were_left(opened: MainWindow) -> None:
    steps = opened.first_steps
    steps.tick("read")
    steps.dismiss()
    kept = steps.keep()
    steps._on_project_changed()
    assert steps.done == set()
    steps.restore(kept)
    assert (steps.done, steps.hidden, steps.current) == ({"read"}, True, "try")
    assert not opened._steps_card.isVisible()


def _visit(client: FakeClient, places: Path, project: Project, qtbot: QtBot) -> MainWindow:
    session = Session(client, places)  # type: ignore[arg-type]
    window = MainWindow(session, Settings(), lambda _settings: None)
    qtbot.addWidget(window)
    window.show()
    session.open_project(project.path)
    qtbot.waitUntil(lambda: session.workspace != "project")
    qtbot.wait(50)
    return window


def test_demonstration__is_left_where_it_was_when_it_is_opened_again(
    client: FakeClient, demonstration: Project, tmp_path: Path, qtbot: QtBot
) -> None:
    first = _visit(client, tmp_path / "places", demonstration, qtbot)
    assert (first.session.workspace, first.session.feature) == ("explore.feature", FIRST)
    first.session.select_feature(2)
    first.show_workspace("steer")
    first.leave()
    again = _visit(client, tmp_path / "places", demonstration, qtbot)
    assert (again.session.workspace, again.session.feature) == ("steer", 2)
    assert again.first_steps.done == {"read"}
    assert again.first_steps.current == "steer"
    again.leave()


def test_other_projects__have_no_card(window: MainWindow, project: Project) -> None:
    window.session.open_project(project.path)
    assert not window._steps_card.isVisible()
    window.first_steps.tick("read")
    assert window.first_steps.done == set()
    assert window.session.workspace == "project"


def test_chips__tell_what_is_done_without_colour(opened: MainWindow) -> None:
    opened.first_steps.tick("read")
    names = [chip.accessibleName() for chip in opened._steps_card.chips.values()]
    assert names == ["Read a feature, done", "Try a sentence, to do", "Turn a feature up, to do"]
    assert all(
        chip.focusPolicy() is Qt.FocusPolicy.StrongFocus
        for chip in opened._steps_card.chips.values()
    )


def test_project_page__says_what_it_is_about_before_any_figure(opened: MainWindow) -> None:
    opened.show_workspace("project")
    panel = opened.workspace("project").main
    assert "A language model learns to notice things" in panel._next_sentence.text()
    assert panel.next_button.text() == "Explore the features"


def test_feature__is_called_by_its_short_automatic_name_where_it_has_no_label() -> None:
    assert feature_named(4, "", "after “a”") == "feature 4 (after “a”)"
    assert feature_named(4, "kings", "after “a”") == "feature 4 (“kings”)"
    assert feature_named(4, "", "a" * 60) == "feature 4"
    assert feature_named(None, "") == "a feature"
