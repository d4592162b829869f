"""What can be done with a run from its menu."""

from __future__ import annotations

from typing import Protocol

import msgspec
from PySide6.QtCore import SignalInstance
from PySide6.QtWidgets import QWidget

from sae_desktop.gui.forms.job_forms import EvaluateForm
from sae_desktop.gui.state.further_training import can_start_from
from sae_desktop.gui.state.session import Session
from sae_desktop.training.config import TrainConfig
from sae_desktop.words.inventory import DictionaryItem
from sae_desktop.words.run_figures import RunRow


class Runs(Protocol):
    """What is known of the runs: the board."""

    copyRequested: SignalInstance

    def item(self, name: str) -> DictionaryItem | None: ...
    def config_of(self, name: str) -> TrainConfig | None: ...
    def draw_only(self, names: list[str]) -> None: ...


class RunActions:
    """Does what is asked of a run, by its name."""

    def __init__(self, session: Session, parent: QWidget, runs: Runs) -> None:
        self._session, self._parent, self._runs = session, parent, runs

    def allowed(self, action: str, run: RunRow) -> bool:
        """Tell whether it can be done now."""
        item, session = self._runs.item(run.name), self._session
        if action == "only":
            return run.curves
        if action == "copy_settings":
            return self._runs.config_of(run.name) is not None
        if session.read_only or item is None:
            return False
        if action == "resume":
            # What is of a set is resumed with all of it.
            alone = session.inventory.set_of(run.name) is None
            stopped = not item.complete and ("dictionary", run.name) not in session.written
            return alone and stopped and item.train is not None
        if action == "further":
            return can_start_from(item)
        return item.summary is not None

    def do(self, action: str, name: str) -> None:
        """Do it."""
        config = self._runs.config_of(name)
        if action == "only":
            self._runs.draw_only([name])
        elif action == "evaluate" and self._runs.item(name) is not None:
            EvaluateForm(self._session, name).present(self._parent)
        elif action == "further":
            self._session.changeRequested.emit(action, name)
        elif action == "copy_settings" and config is not None:
            found = self._session.inventory.set_of(name)
            # A layer of a set is trained again with the others.
            whole = found.train if found is not None else None
            self._runs.copyRequested.emit(config if whole is None else whole)
        elif action == "resume" and config is not None:
            # The project may have been moved since; the run is resumed where it lies now.
            path = self._session.project_path
            self._session.run(msgspec.structs.replace(config, project=path))
