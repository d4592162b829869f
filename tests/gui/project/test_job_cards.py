"""What the window knows of jobs: what they write, what was asked of them, how they go on."""

from __future__ import annotations

import datetime

import msgspec
import pytest
from frame_client import FakeClient, Heard
from frame_project import add_run, add_store
from pytestqt.qtbot import QtBot

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.deletion import trash_items
from sae_desktop.engine.protocol import (
    CancelJob,
    JobConfig,
    JobPaused,
    JobStarted,
    PauseJob,
    ResumeJob,
    StopJob,
)
from sae_desktop.engine.registry import JOB_KINDS
from sae_desktop.exchange.config import ImportPackageConfig
from sae_desktop.features.config import IndexConfig, MergeIndexesConfig
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.parts.job_list import JobList, JobRow
from sae_desktop.gui.project.next_step import next_step
from sae_desktop.gui.project.project_cards import ACTIONS, cards, writes
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.trash import Trash
from sae_desktop.gui.train.sweep_draft import unfinished_sweep
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.sweeps.sweep_config import SweepConfig, SweepRecord, SweepRow
from sae_desktop.words.inventory import Inventory, take_inventory
from sae_desktop.words.running_jobs import being_written

NOW = datetime.datetime(2026, 1, 1)


def _sweep(project: Project, *states: str) -> SweepRecord:
    base = TrainConfig(project=str(project.path), name="", activations="acts")
    config = SweepConfig(project=str(project.path), name="sweep", base=base, k=(8, 16, 32))
    rows = [
        SweepRow(dictionary=f"run-{n}", architecture="topk", features=16, tokens=100, seed=0,
                 lr=0.0, k=8, sparsity=None, batch=64, state=state)  # type: ignore[arg-type]
        for n, state in enumerate(states)
    ]  # fmt: skip
    return SweepRecord(config=config, rows=rows)


@pytest.mark.parametrize("kind", sorted(JOB_KINDS, key=lambda kind: kind.__name__))
def test_kinds__that_write_are_refused_where_the_project_is_read_only(
    kind: type[msgspec.Struct], session: Session, client: FakeClient, heard: Heard, project: Project
) -> None:
    session.open_project(project.path)
    client.refuse_project("The project is already open in another window.")
    values = {
        field.name: str(project.path) if field.name == "project" else _sample(field)
        for field in msgspec.structs.fields(kind)
        if field.required
    }
    config: JobConfig = kind(**values)  # type: ignore[assignment]
    before = len(client.jobs)
    started = session.run(config)
    assert (started is None) == JOB_KINDS[kind].writes
    assert len(client.jobs) == before + (not JOB_KINDS[kind].writes)
    said = [error.what for error in heard.errors]
    assert said == (["The project is already open in another window."] if started is None else [])


def _sample(field: msgspec.structs.FieldInfo) -> object:
    """Return some value of a field that must be given."""
    return "x" if field.type is str else [] if "list" in str(field.type) else ()


def test_imports_and_merges__are_among_the_jobs_that_write() -> None:
    assert JOB_KINDS[ImportPackageConfig].writes
    assert JOB_KINDS[MergeIndexesConfig].writes


def test_actions__of_cards_ask_the_kind_of_job_whether_they_write() -> None:
    assert {action for action in ACTIONS if writes(action)} == {
        "harvest", "train", "further", "resume_harvest", "extend", "resume_train", "evaluate",
        "index", "finish_index", "delete", "same_model", "resume_set", "index_set", "rename_set",
    }  # fmt: skip


def test_cards__of_what_a_job_writes_now_offer_neither_resume_nor_deletion(
    project: Project,
) -> None:
    harvest = add_store(project, "acts", rows=20, wanted=40)
    train = add_run(project, "run-1", finished=False)
    add_run(project, "other", finished=False)
    inventory = take_inventory(project)
    written = being_written([harvest, train], [])
    found = {c.name: c for some in cards(inventory, NOW, written=written).values() for c in some}
    for name in ("acts", "run-1"):
        assert not {"resume_harvest", "resume_train", "delete"} & set(found[name].actions)
        assert found[name].warning == ""
        assert found[name].footer.startswith("Running now")
    assert found["other"].actions[0] == "resume_train"
    assert next_step(inventory, written=written).target == "other"


def test_sweep__writes_its_runs_too(project: Project) -> None:
    record = _sweep(project, "done", "running", "waiting", "failed")
    assert being_written([record.config], [record]) == {
        ("sweep", "sweep"), ("dictionary", "run-1"), ("dictionary", "run-2"),
    }  # fmt: skip
    assert being_written([], [record]) == frozenset()


def test_sweep__that_was_broken_off_gives_its_name_to_the_same_one(project: Project) -> None:
    record = _sweep(project, "done", "waiting")
    again = msgspec.structs.replace(record.config, name="sweep-2", together=3)
    assert unfinished_sweep(again, [record]) == "sweep"
    assert unfinished_sweep(again, [_sweep(project, "done", "done")]) == ""
    assert unfinished_sweep(msgspec.structs.replace(again, k=(8,)), [record]) == ""
    assert unfinished_sweep(None, [record]) == ""


def test_row__says_at_once_what_was_asked(
    session: Session, client: FakeClient, project: Project, qtbot: QtBot
) -> None:
    session.open_project(project.path)
    job = session.run(TrainConfig(project=str(project.path), name="d", activations="acts"))
    assert job is not None
    row = JobRow(job, session)
    qtbot.addWidget(row)
    client.run(job)
    job.pause()
    row.refresh()
    assert row._state.text().startswith("Pausing after this step…")
    assert row._pause.text() == "Resume"
    job.receive(JobPaused(job_id=job.id))
    row.refresh()
    assert row._state.text() == "Paused"
    job.resume()
    job.cancel()
    row.refresh()
    assert row._state.text().startswith("Cancelling after this step…")
    assert [type(command) for command in client.sent] == [PauseJob, ResumeJob, CancelJob]


def test_row__of_a_failed_job_starts_the_same_job_again(
    session: Session, client: FakeClient, project: Project, qtbot: QtBot
) -> None:
    session.open_project(project.path)
    jobs = JobList(session)
    qtbot.addWidget(jobs)
    config = TrainConfig(project=str(project.path), name="d", activations="acts")
    merge = MergeIndexesConfig(project=str(project.path), name="m", indexes=["a", "b"])
    for asked, text in ((config, "Resume"), (merge, "Start again")):
        job = session.run(asked)
        assert job is not None
        row = jobs.rows()[0]
        assert not row._again.isVisibleTo(row)
        client.fail(job, "The disk is full.")
        row.refresh()
        assert row._again.isVisibleTo(row)
        assert row._again.text() == text
        row._again.click()
        assert not row._again.isVisibleTo(row)
        assert client.jobs[-1].config == asked
        assert client.jobs[-1] is not job


def test_crash__offers_to_go_on_with_every_job_that_writes(
    window: MainWindow, client: FakeClient, project: Project
) -> None:
    window.session.open_project(project.path)
    path = str(project.path)
    harvest = add_store(project, "acts", rows=20, wanted=40)
    train = TrainConfig(project=path, name="d", activations="acts")
    for config in (harvest, train):
        window.session.run(config)
    client.crash("The engine was killed (SIGKILL).")
    assert window._resume_button.isVisible()
    assert window._resume_button.text() == "Restart and resume"
    count = len(client.jobs)
    window.resume_jobs()
    assert client.restarts == 1
    again = [job.config for job in client.jobs[count:] if job.writes]
    assert again == [harvest, train]
    client.crash("The engine was killed (SIGKILL).")
    merge = MergeIndexesConfig(project=path, name="m", indexes=["a", "b"])
    client.state = "ready"
    window.session.run(merge)
    client.crash("The engine was killed (SIGKILL).")
    assert window._resume_button.text() == "Restart and start again"


def test_deletion__is_a_step_that_can_be_undone_and_done_again(
    session: Session, project: Project, heard: Heard, qtbot: QtBot
) -> None:
    add_store(project, "acts", rows=20, wanted=20)
    session.open_project(project.path)
    trash = Trash(session)
    trash.delete("store", "acts")
    assert project.stores() == []
    assert "Undo" in heard.notices[-1]
    session.undo_stack.undo()
    assert project.stores() == ["acts"]
    session.undo_stack.redo()
    assert project.stores() == []
    trash.empty()
    qtbot.waitUntil(lambda: trash_items(project) == [] and "freed" in heard.notices[-1])
    session.undo_stack.undo()
    assert "no longer in the trash" in heard.errors[-1].what


def test_next_step__of_a_project_with_a_sweep_under_way_is_to_watch_it() -> None:
    assert next_step(Inventory(), frozenset({"sweep"})).kind == "watch"


def test_stop_and_keep__is_offered_by_the_kinds_that_end_early(
    qtbot: QtBot, session: Session, client: FakeClient, project: Project
) -> None:
    path = str(project.path)
    train = TrainConfig(project=path, name="d", activations="acts")
    for config, words in (
        (HarvestConfig(project=path, name="a"), "keep the rows read so far"),
        (train, "keep the dictionary as it is"),
        (SweepConfig(project=path, name="s", base=train), "keep its dictionaries"),
        (IndexConfig(project=path, dictionary="d", name="i"), ""),
    ):
        job = client.start_job(config)
        job.receive(JobStarted(job_id=job.id))
        row = JobRow(job, session)
        qtbot.addWidget(row)
        row.refresh()
        assert row._stop.isHidden() == (not words), config
        assert words in row._stop.toolTip()
        if words:
            row._stop.click()
            assert client.sent[-1] == StopJob(job_id=job.id)
