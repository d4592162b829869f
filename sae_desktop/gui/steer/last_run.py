"""The last whole run of steering: kept in the project's history, and saved as a page."""

from __future__ import annotations

import datetime
from pathlib import Path

from PySide6.QtWidgets import QWidget

from sae_desktop.errors import UserError
from sae_desktop.exchange.steering_page import write_steering_page
from sae_desktop.gui.state.save_file import ask_file
from sae_desktop.gui.state.session import Session
from sae_desktop.steering.config import SteerConfig, SteerResult
from sae_desktop.steering.history import SteeredRun, remember_run
from sae_desktop.steering.presets import preset_of


class LastRun:
    """What was asked and what came of it; nothing before the first run."""

    def __init__(self, session: Session, panel: QWidget) -> None:
        self._session, self._panel = session, panel
        self._run: tuple[SteerConfig, SteerResult] | None = None

    def __bool__(self) -> bool:
        return self._run is not None

    @property
    def run(self) -> tuple[SteerConfig, SteerResult] | None:
        """What was asked, and what came of it."""
        return self._run

    def return_to(self, asked: SteerConfig, result: SteerResult) -> None:
        """Take a run of an earlier start for the last one; the history has it already."""
        self._run = (asked, result)

    def keep(self, asked: SteerConfig, result: SteerResult) -> None:
        """Take a run for the last one, and add it to the project's history."""
        self._run = (asked, result)
        index, project = self._session.index, self._session.project
        if index is None or project is None or self._session.read_only:
            return
        preset = preset_of(
            "", index.info, asked.prompt, asked.variants, asked.sampling, chat=asked.chat,
            pictures=result.pictures,
        )  # fmt: skip
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        texts = [variant.text for variant in result.variants]
        try:
            remember_run(project, SteeredRun(at=now, asked=preset, texts=texts))
        except UserError as error:
            self._session.show_error(error)

    def ask_page(self) -> None:
        """Ask where to save it as a page."""
        chosen = ask_file(self._panel, "Save the run as an HTML page", "", "Page (*.html)")
        if chosen is not None:
            self.save_page(chosen.path)

    def save_page(self, path: Path) -> None:
        """Write it as a page that needs no program to be read."""
        index = self._session.index
        if self._run is None or index is None:
            return
        try:
            write_steering_page(path, index.info, *self._run)
        except UserError as error:
            self._session.show_error(error)
        else:
            self._session.notify(f"Saved to {path}")
