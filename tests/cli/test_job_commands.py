"""The jobs of an engine without a window, from the command line."""

from __future__ import annotations

from pathlib import Path

import msgspec
from cli_process import sae_desktop

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.engine.detached import DetachedJob, own_state, take_requests, write_state
from sae_desktop.engine.protocol import JobProgress, StopJob
from sae_desktop.project import Project


def test_jobs__are_shown_and_stopped(project: Project) -> None:
    config = HarvestConfig(project=str(project.path), name="acts")
    progress = JobProgress(
        job_id="3", done=250, total=1000, unit="tokens", message="", rate=50.0, seconds_left=15.0
    )
    write_state(
        project.path,
        own_state([DetachedJob(id="3", config=config, started=True, progress=progress)]),
    )
    done = sae_desktop("jobs", project.path)
    assert done.status == 0, done.stderr
    for words in ("Harvest “acts”", "running", "250 of 1,000 tokens", "15.0 s left"):
        assert words in done.stdout
    missing = sae_desktop("jobs", project.path, "--stop", "7", "--json")
    assert missing.status == 1
    assert missing.error["next_step"] == "Available: 3."
    stopped = sae_desktop("jobs", project.path, "--stop", "3", "--json")
    assert stopped.status == 0, stopped.stderr
    assert take_requests(project.path) == [StopJob(job_id="3")]


def test_jobs__of_an_engine_that_is_gone_are_none(project: Project, tmp_path: Path) -> None:
    config = HarvestConfig(project=str(project.path), name="acts")
    state = own_state([DetachedJob(id="1", config=config)])
    write_state(project.path, msgspec.structs.replace(state, began=0.0))
    assert sae_desktop("jobs", project.path, "--json").result["jobs"] == []
