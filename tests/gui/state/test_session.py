"""The session: projects, read-only, history, jobs."""

from __future__ import annotations

from pathlib import Path

from frame_client import FakeClient, Heard
from frame_project import add_run, add_store, train_result
from pytestqt.qtbot import QtBot

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.features.config import ProbeConfig
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.config import DescribeModelConfig
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig


def harvest_config(project: Project) -> HarvestConfig:
    return HarvestConfig(project=str(project.path), name="acts")


def test_session__opens_a_project_and_takes_its_lock(
    session: Session, client: FakeClient, project: Project
) -> None:
    add_store(project, "acts", rows=20, wanted=20)
    assert session.open_project(project.path)
    assert client.opened == [str(project.path)]
    assert session.store == "acts"
    assert [item.name for item in session.inventory.stores] == ["acts"]


def test_session__says_why_a_folder_is_no_project(
    session: Session, heard: Heard, tmp_path: Path
) -> None:
    assert not session.open_project(tmp_path)
    assert "no project.toml" in heard.errors[0].what
    assert session.project is None


def test_session__refuses_writing_jobs_on_a_read_only_project(
    session: Session, client: FakeClient, heard: Heard, project: Project
) -> None:
    session.open_project(project.path)
    client.refuse_project("It is open elsewhere.")
    assert session.read_only
    assert session.run(harvest_config(project)) is None
    assert heard.errors[0].what == "It is open elsewhere."
    probe = ProbeConfig(project=str(project.path), index="i", text="a")
    assert session.run(probe) is not None
    client.accept_project()
    assert not session.read_only
    assert session.run(harvest_config(project)) is not None


def test_session__tells_of_failed_jobs_but_not_of_questions(
    session: Session, client: FakeClient, heard: Heard, project: Project
) -> None:
    session.open_project(project.path)
    job = session.run(harvest_config(project))
    question = session.run(DescribeModelConfig(model="nowhere"))
    assert job is not None
    assert question is not None
    client.fail(question, "No such model.")
    client.fail(job, "The disk is full.")
    assert [error.what for error in heard.errors] == ["The disk is full."]


def test_session__leaves_a_crash_to_the_banner(
    session: Session, client: FakeClient, heard: Heard, project: Project
) -> None:
    session.open_project(project.path)
    session.run(harvest_config(project))
    client.crash("Killed.")
    assert heard.errors == []


def test_session__sees_what_a_finished_job_wrote(
    session: Session, client: FakeClient, project: Project, qtbot: QtBot
) -> None:
    add_store(project, "acts", rows=20, wanted=20)
    session.open_project(project.path)
    config = TrainConfig(project=str(project.path), name="new", activations="acts")
    job = session.run(config)
    add_run(project, "new")
    assert job is not None
    with qtbot.waitSignal(session.contentsChanged):
        client.finish(job, train_result("new"))
    assert [item.name for item in session.inventory.dictionaries] == ["new"]


def test_session__sees_what_others_put_into_the_folder(
    session: Session, project: Project, qtbot: QtBot
) -> None:
    session.open_project(project.path)
    with qtbot.waitSignal(session.contentsChanged, timeout=5_000):
        add_store(project, "copied", rows=20, wanted=20)
    qtbot.waitUntil(lambda: bool(session.inventory.stores), timeout=5_000)


def test_session__goes_back_to_the_workspace_one_came_from(
    session: Session, heard: Heard, project: Project
) -> None:
    session.open_project(project.path)
    for name in ("harvest", "train"):
        session.enter_workspace(name)
    session.go_back()
    assert heard.workspaces == ["harvest"]
    session.go_forward()
    assert heard.workspaces == ["harvest", "train"]


def test_session__does_not_select_a_feature_without_an_index(session: Session) -> None:
    session.select_feature(3)
    assert session.feature is None
