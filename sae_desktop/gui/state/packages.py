"""Packages of others: opened into a project, their index shown once it is there."""

from __future__ import annotations

import os
from pathlib import Path

from sae_desktop.exchange.config import ImportPackageConfig, ImportPackageResult
from sae_desktop.gui.state.session import Session


def open_package(session: Session, file: Path) -> None:
    """Open a package in a project of its own beside it, made if it is not there.

    Where its folder cannot be written the project is made in the home folder.
    """
    beside = file.resolve().parent
    folder = beside if os.access(beside, os.W_OK) else Path.home()
    project = folder / f"{file.stem}.saeproj"
    known = (project / "project.toml").is_file()
    if session.open_project(project, create=True) and not known:
        import_package(session, file)


def import_package(session: Session, file: Path) -> None:
    """Put a package into the open project, and show its features."""
    job = session.run(ImportPackageConfig(project=session.project_path, file=str(file)))
    if job is not None:
        job.finished.connect(lambda result: _show(session, result))


def _show(session: Session, result: ImportPackageResult) -> None:
    if result.index and session.open_index(result.index):
        session.show_workspace("explore")
