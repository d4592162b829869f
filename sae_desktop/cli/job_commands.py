"""The command for the jobs of an engine that works on a project without a window."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sae_desktop.cli.options import JsonOption, ProjectArgument
from sae_desktop.cli.render import progress_words, table
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.engine.detached import DetachedJob, DetachedState, Request, ask, read_state
from sae_desktop.engine.protocol import CancelJob, JobFailed, StopJob
from sae_desktop.engine.registry import job_title
from sae_desktop.errors import UserError
from sae_desktop.project import Project


def jobs(
    project: ProjectArgument,
    stop: Annotated[
        str, typer.Option("--stop", help="Number of a job to stop now, keeping what it has done.")
    ] = "",
    cancel: Annotated[
        str, typer.Option("--cancel", help="Number of a job to cancel; it can be resumed later.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Show the jobs that are still running after the window was closed; stop or cancel one."""

    def work() -> dict[str, Any]:
        folder = Project.open(project).path
        state = read_state(folder)
        if state is None or not state.alive:
            state = None
        for number, request in ((stop, StopJob), (cancel, CancelJob)):
            if number:
                _ask(folder, request(job_id=_known(state, number).id))
        return {"jobs": [_told(job) for job in state.jobs] if state else [], "asked": stop + cancel}

    run_reading_command(work, _text, as_json=as_json)


def _known(state: DetachedState | None, number: str) -> DetachedJob:
    at_work = state.at_work if state is not None else []
    found = next((job for job in at_work if job.id == number), None)
    if found is None:
        there = ", ".join(job.id for job in at_work) or "none"
        raise UserError(f"There is no running job {number} here.", next_step=f"Available: {there}.")
    return found


def _ask(project: Path, request: Request) -> None:
    try:
        ask(project, request)
    except OSError as error:
        raise UserError(f"The request could not be sent to the job: {error}.") from error


def _told(job: DetachedJob) -> dict[str, Any]:
    outcome = job.outcome
    states = {"JobFinished": "finished", "JobFailed": "failed", "JobCancelled": "cancelled"}
    state = "paused" if job.paused else "running"
    if outcome is not None:
        state = states[type(outcome).__name__]
    progress = job.progress
    return {
        "id": job.id,
        "title": job_title(job.config),
        "state": state,
        "done": progress.done if progress else 0.0,
        "total": progress.total if progress else 0.0,
        "unit": progress.unit if progress else "",
        "words": progress_words(progress) if progress else "",
        "error": outcome.error.what if isinstance(outcome, JobFailed) else "",
    }


def _text(result: dict[str, Any]) -> str:
    if not result["jobs"]:
        return "No engine is working on this project without a window."
    rows = [
        (
            job["id"],
            job["title"],
            job["state"],
            f"{job['done']:,.0f} of {job['total']:,.0f} {job['unit']}" if job["total"] else "",
            job["error"] or job["words"],
        )
        for job in result["jobs"]
    ]
    text = table(("job", "what", "state", "done", ""), rows, left={0, 1, 2, 4})
    return (
        (f"{text}\nRequest sent: the job ends at its next safe point.") if result["asked"] else text
    )
