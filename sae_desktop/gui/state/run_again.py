"""Starting an ended job once more, as it was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sae_desktop.gui.state.session import Session

if TYPE_CHECKING:
    from sae_desktop.client.job import Job


def run_again(session: Session, job: Job) -> Job | None:
    """Start a job again; the engine is started where none runs.

    None where the job is of another project, or the project is read-only.
    """
    if not session.is_here(job):
        project = str(getattr(job.config, "project", ""))
        session.notify(f"That job belongs to the project “{Path(project).stem}”: open it first.")
        return None
    if session.engine_stopped:
        session.client.restart()
    return session.run(job.config)
