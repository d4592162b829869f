"""The Project panel on a real project and an engine the test answers for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from frame_client import FakeClient, Heard
from frame_project import add_run, add_store
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from sample_index import write_sample_index

from sae_desktop.activations.config import (
    ImportActivationsConfig,
)
from sae_desktop.features.config import IndexConfig
from sae_desktop.gui.forms.job_forms import EvaluateForm, ImportForm, IndexForm
from sae_desktop.gui.project.card_grid import CardWidget
from sae_desktop.gui.project.project import ProjectPanel
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.training.config import EvaluateConfig


@pytest.fixture
def project_panel(session: Session, project: Project, qtbot: QtBot) -> ProjectPanel:
    add_store(project, "acts", rows=20, wanted=20)
    add_run(project, "done")
    session.open_project(project.path)
    panel = ProjectPanel(session)
    qtbot.addWidget(panel)
    panel.resize(1100, 700)
    panel.show()
    return panel


def card(panel: ProjectPanel, name: str) -> CardWidget:
    return next(w for w in panel.findChildren(CardWidget) if w.card.name == name)


def test_project_panel__welcomes_without_a_project(session: Session, qtbot: QtBot) -> None:
    panel = ProjectPanel(session)
    qtbot.addWidget(panel)
    assert panel.currentIndex() == 0


def test_project_panel__shows_cards_and_the_next_step(project_panel: ProjectPanel) -> None:
    names = {w.card.name for w in project_panel.findChildren(CardWidget)}
    assert names == {"builtin", "acts", "done"}
    assert project_panel.next_button.text() == "Build an index"


def test_project_panel__says_what_its_project_says_of_itself(
    project_panel: ProjectPanel, session: Session, tmp_path: Path
) -> None:
    assert not project_panel.about.isVisible()
    told = Project.open_or_create(tmp_path / "told.saeproj", about="Half of the rows are missing.")
    session.open_project(told.path)
    assert project_panel.about.isVisible()
    assert project_panel.about.text() == "Half of the rows are missing."


def test_project_panel__opens_the_form_of_the_next_step(
    project_panel: ProjectPanel, client: FakeClient
) -> None:
    project_panel.do_next_step()
    form = project_panel.window().findChild(IndexForm)
    assert form is not None
    form.accept()
    config = client.last(IndexConfig).config
    assert isinstance(config, IndexConfig)
    assert (config.dictionary, config.activations, config.rows) == ("done", "acts", 0)


def test_index_form__folds_its_rare_settings_away(
    project_panel: ProjectPanel, session: Session, qtbot: QtBot
) -> None:
    form = IndexForm(session, "done")
    qtbot.addWidget(form)
    form.show()
    assert not form.target.isVisible()
    assert not form.scheme.isVisible()
    form.more.click()
    assert form.scheme.isVisible()
    form.scheme.setCurrentIndex(1)
    form.keep.setChecked(False)
    config = form.config()
    assert (config.bucket_scheme, config.keep_firings, config.add) == ("quantile", False, False)


def test_index_form__adds_text_to_an_index_that_is_there(
    project_panel: ProjectPanel, session: Session, project: Project, qtbot: QtBot
) -> None:
    write_sample_index(project.index_path("done"), dictionary="done")
    with qtbot.waitSignal(session.contentsChanged):
        session.refresh()
    form = IndexForm(session, "done")
    qtbot.addWidget(form)
    form.show()
    form.name.setText("")
    form.target.setCurrentIndex(1)
    assert not form.name.isVisible()
    assert form._start.isEnabled()
    config = form.config()
    assert (config.name, config.add) == ("done", True)
    form.target.setCurrentIndex(0)
    assert not form._start.isEnabled()


def test_project_panel__enter_on_a_card_does_its_first_action(
    project_panel: ProjectPanel, heard: Heard, qtbot: QtBot
) -> None:
    qtbot.keyClick(card(project_panel, "acts"), Qt.Key.Key_Return)
    assert heard.workspaces == ["train"]


def test_project_panel__allows_no_writing_when_read_only(
    project_panel: ProjectPanel, client: FakeClient
) -> None:
    client.refuse_project("Open elsewhere.")
    assert not project_panel.next_button.isEnabled()
    menu = card(project_panel, "done").menu()
    enabled = {action.text(): action.isEnabled() for action in menu.actions() if action.text()}
    assert not enabled["Delete…"]
    assert enabled["Show its curves"]
    menu.close()


def test_project_panel__deletes_a_store(
    project_panel: ProjectPanel, session: Session, project: Project, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(session.contentsChanged):
        project_panel.card_actions.delete("store", "acts")
    assert project.stores() == []


def test_project_panel__a_dropped_matrix_is_offered_for_import(
    project_panel: ProjectPanel, client: FakeClient, tmp_path: Path
) -> None:
    file = tmp_path / "my acts.npy"
    np.save(file, np.zeros((4, 8), dtype=np.float32))
    project_panel.intake.take(file)
    form = project_panel.window().findChild(ImportForm)
    assert form is not None
    form.accept()
    config = client.last(ImportActivationsConfig).config
    assert isinstance(config, ImportActivationsConfig)
    assert (config.name, config.file) == ("my-acts", str(file))


def test_forms__refuse_a_name_that_is_taken(project_panel: ProjectPanel, session: Session) -> None:
    form = ImportForm(session, Path("acts.npy"))
    assert form.name.text() == "acts-2"
    form.name.setText("acts")
    assert not form._start.isEnabled()
    form.name.setText("../away")
    assert not form._start.isEnabled()
    form.deleteLater()


def test_evaluate_form__asks_for_the_store_it_was_trained_on(
    project_panel: ProjectPanel, session: Session, client: FakeClient
) -> None:
    form = EvaluateForm(session, "done")
    form.accept()
    config = client.last(EvaluateConfig).config
    assert isinstance(config, EvaluateConfig)
    assert config.activations == "acts"
    form.deleteLater()
