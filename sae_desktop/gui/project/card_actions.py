"""What the buttons of the project's cards do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from PySide6.QtWidgets import QWidget

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.deletion import item_path
from sae_desktop.gui.forms.exchange_forms import ExportDictionaryForm
from sae_desktop.gui.forms.job_forms import EvaluateForm
from sae_desktop.gui.forms.same_model_form import SameModelForm
from sae_desktop.gui.forms.steps import do_step
from sae_desktop.gui.parts.dialogs import reveal
from sae_desktop.gui.project.set_actions import SetActions
from sae_desktop.gui.state.finish_index import finish_index
from sae_desktop.gui.state.further_training import train_further
from sae_desktop.gui.state.safety_request import SafetyRequest
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.store_actions import extend_store, show_store, verify_store
from sae_desktop.gui.state.trash import Trash
from sae_desktop.training.config import TrainConfig
from sae_desktop.words.after_jobs import Action

STEPS: dict[str, Action] = {
    "harvest": "harvest",
    "train": "train",
    "index": "index",
    "runs": "runs",
    "open": "explore",
}
"""What comes next after jobs, too."""


class CardActions:
    """Does what is asked of one thing of the project, by its kind and name."""

    def __init__(
        self, session: Session, panel: QWidget, trash: Trash, refresh: Callable[[], None]
    ) -> None:
        self.unfolded: set[str] = set()
        """Sweeps whose runs have cards of their own."""
        self._session, self._panel = session, panel
        self._trash, self._refresh = trash, refresh
        self._sets = SetActions(session, panel)

    def do(self, kind: str, name: str, action: str) -> None:
        """Do one of the actions of a card, or the next step."""
        session = self._session
        if session.project is None:
            return
        step = STEPS.get(action)
        if kind == "set" and self._sets.do(name, action):
            return
        if step is not None:
            do_step(session, step, name, self._panel)
        elif action == "curves":
            session.show_workspace("train")
            if kind == "set":
                session.setRequested.emit(name)
            else:
                session.select_dictionary(name)
        elif action == "extend":
            extend_store(session, name)
        elif action in ("unfold", "fold", "layers", "fold_layers"):
            self.unfolded ^= {name}
            self._refresh()
        elif action == "rows":
            show_store(session, name)
        elif action == "verify":
            verify_store(session, name)
        elif action in ("resume_harvest", "resume_train"):
            self._resume(name, action)
        elif action == "finish_index":
            finish_index(session, name)
        elif action == "export":
            ExportDictionaryForm(session, name).present(self._panel)
        elif action == "evaluate":
            EvaluateForm(session, name).present(self._panel)
        elif action == "open_index":
            item = session.inventory.dictionary(name)
            if item is not None and item.indexes:
                do_step(session, "explore", item.indexes[-1], self._panel)
        elif action == "same_model":
            SameModelForm(session, kind, name).present(self._panel)
        elif action == "lens":
            session.show_workspace("circuits.lens")
        elif action in ("scan", "concept_set", "scan_for"):
            self._show_safety(name, action)
        elif action == "changes":
            session.show_workspace("safety.changes")
            session.changeRequested.emit(kind, name)
        elif action == "benchmark":
            session.show_workspace("train")
            session.changeRequested.emit(kind, name)
        elif action == "further":
            train_further(session, name)
        elif action == "reveal":
            reveal(item_path(session.project, kind, name))
        elif action == "delete":
            self._trash.ask_to_delete(kind, name, self._panel.window())

    def _show_safety(self, name: str, action: str) -> None:
        """Show a scan or a concept set; the place hears of it once it is there."""
        session = self._session
        session.show_workspace("safety.sets" if action == "concept_set" else "safety.scan")
        session.safetyRequested.emit(SafetyRequest(action, Path(name).stem))

    def _resume(self, name: str, action: str) -> None:
        inventory, path = self._session.inventory, self._session.project_path
        config: HarvestConfig | TrainConfig | None
        if action == "resume_harvest":
            config = next(s.harvest for s in inventory.stores if s.name == name)
        else:
            item = inventory.dictionary(name)
            config = item.train if item is not None else None
        if config is not None:
            # The project may have been moved since; the run is resumed where it lies now.
            self._session.run(msgspec.structs.replace(config, project=path))
            self._session.show_workspace("harvest" if action == "resume_harvest" else "train")

    def delete(self, kind: str, name: str) -> None:
        """Move something to the trash."""
        self._trash.delete(kind, name)
