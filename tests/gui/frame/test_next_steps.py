"""What comes after a job stands in the message and in the list of jobs, and the button does it."""

from __future__ import annotations

import pytest
from frame_client import FakeClient
from frame_project import add_run, add_store
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot
from sample_index import write_sample_index

from sae_desktop.activations.config import HarvestConfig, HarvestResult, VerifyStoreConfig
from sae_desktop.client.job import Job
from sae_desktop.features.config import IndexConfig, IndexResult
from sae_desktop.gui.forms.job_forms import IndexForm
from sae_desktop.gui.forms.steps import do_step
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.words.after_jobs import BUTTONS


@pytest.fixture
def harvested(window: MainWindow, session: Session, client: FakeClient, project: Project) -> Job:
    session.open_project(project.path)
    job = client.start_job(HarvestConfig(project=str(project.path), name="acts"))
    client.run(job)
    add_store(project, "acts", rows=4_000, wanted=4_000)
    result = HarvestResult(
        name="acts", site="s", rows=4_000, width=8, windows=1, documents=1, bytes=1, seconds=1.0,
        tokens_per_second=1.0,
    )  # fmt: skip
    client.finish(job, result)
    return job


def buttons(window: MainWindow) -> dict[str, QPushButton]:
    toast = window.toasts.toasts()[-1]
    return {button.text(): button for button in toast.findChildren(QPushButton)}


def test_message__says_what_was_done_and_its_button_does_what_comes_next(
    window: MainWindow, session: Session, harvested: Job
) -> None:
    asked: list[str] = []
    session.trainRequested.connect(asked.append)
    toast = window.toasts.toasts()[-1]
    assert toast.error.what == "“acts” is harvested: 4k rows."
    buttons(window)["Train a dictionary…"].click()
    assert session.workspace == "train"
    assert asked == ["acts"]
    assert not toast.isVisible()


def test_list_of_jobs__offers_it_for_as_long_as_the_job_is_listed(
    window: MainWindow, session: Session, harvested: Job, qtbot: QtBot
) -> None:
    (row,) = window.job_list.rows()
    row.refresh()
    assert row.next.text() == "Train a dictionary…"
    window.toasts.dismiss_newest()
    row.next.click()
    assert session.workspace == "train"


def test_running_failed_and_other_jobs__offer_nothing(
    window: MainWindow, session: Session, client: FakeClient, project: Project
) -> None:
    session.open_project(project.path)
    running = client.start_job(HarvestConfig(project=str(project.path), name="a"))
    client.run(running)
    failed = client.start_job(HarvestConfig(project=str(project.path), name="b"))
    client.fail(failed, "No room.")
    other = client.start_job(HarvestConfig(project="/another.saeproj", name="c"))
    verified = client.start_job(VerifyStoreConfig(project=str(project.path), name="a"))
    for row in window.job_list.rows():
        row.refresh()
        assert row.next.isHidden(), row.job.title
    assert {other, verified} <= {row.job for row in window.job_list.rows()}


def test_index__is_explored_at_its_first_feature(
    window: MainWindow, session: Session, client: FakeClient, project: Project
) -> None:
    session.open_project(project.path)
    job = client.start_job(IndexConfig(project=str(project.path), dictionary="d", name="main"))
    (project.path / "features").mkdir(exist_ok=True)
    write_sample_index(project.path / "features" / "main.h5")
    result = IndexResult(name="main", features=64, rows=1, alive=1, bytes=1, seconds=1.0)
    client.finish(job, result)
    buttons(window)["Explore the features"].click()
    assert (session.workspace, session.index_name) == ("explore.feature", "main")


def test_every_step__is_done(
    window: MainWindow, session: Session, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.open_project(project.path)
    (project.path / "features").mkdir(exist_ok=True)
    write_sample_index(project.path / "features" / "main.h5")
    add_run(project, "main")
    session.look_again()
    heard: list[object] = []
    for signal in (session.trainRequested, session.sweepRequested, session.harvestRequested):
        signal.connect(heard.append)
    monkeypatch.setattr(IndexForm, "present", lambda form, parent: heard.append("form"))
    monkeypatch.setattr("sae_desktop.gui.forms.steps.reveal", lambda path: heard.append(str(path)))
    expected = {
        "harvest": ("harvest", {"model": "main"}),
        "train": ("train", "main"),
        "runs": ("train", "main"),
        "index": (None, "form"),
        "index_set": (None, None),  # there is no set of that name
        "reveal": (None, "main"),
        "explore": ("explore.feature", None),
        "labels": ("explore.labels", None),
        "meaning": ("explore.feature", None),
        "embed": ("explore.feature", None),
        "evaluation": ("train", None),
        "splitting": ("explore.feature", None),
        "completeness": ("explore.feature", None),
    }
    assert set(expected) == set(BUTTONS)
    for action, (workspace, told) in expected.items():
        window.show_workspace("project")
        heard.clear()
        do_step(session, action, "main", window)  # type: ignore[arg-type]
        assert session.workspace == (workspace or "project"), action
        assert heard == ([] if told is None else [told]), action
    heard.clear()
    do_step(session, "index", "deleted", window)
    assert heard == []
    assert "no longer in the project" in window.toasts.toasts()[-1].error.what
    docks = {d.objectName(): d for d in window.workspace("explore").docks()}
    assert docks["explore.splitting"].isVisibleTo(window.workspace("explore"))
    assert docks["explore.completeness"].isVisibleTo(window.workspace("explore"))
