"""Doing what comes next, from wherever it is offered: a card, a job, a passing message."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QWidget

from sae_desktop.gui.forms.job_forms import IndexForm
from sae_desktop.gui.forms.set_forms import IndexSetForm
from sae_desktop.gui.parts.dialogs import reveal
from sae_desktop.gui.state.meaning_search import MeaningSearch
from sae_desktop.gui.state.session import Session
from sae_desktop.words.after_jobs import Action


def do_step(session: Session, action: Action, target: str, parent: QWidget) -> None:
    """Do it, or open the form for it with what is known filled in."""
    if action == "harvest":
        session.show_workspace("harvest")
        session.harvestRequested.emit({"model": target})
    elif action == "train":
        session.show_workspace("train")
        session.trainRequested.emit(target)
    elif action == "index":
        if session.inventory.dictionary(target) is not None:
            IndexForm(session, target).present(parent)
        else:  # it may have been deleted since it was offered
            session.notify(f"“{target}” is no longer in the project.")
    elif action == "index_set":
        found = session.inventory.set_named(target)
        if found is not None and found.complete:
            IndexSetForm(session, found).present(parent)
        else:
            session.notify(f"“{target}” is no longer in the project.")
    elif action == "explore":
        if session.index_name == target or session.open_index(target):
            session.show_workspace("explore.feature")
    elif action == "labels":
        if session.index_name == target or session.open_index(target):
            session.show_workspace("explore.labels")
    elif action in ("meaning", "embed"):
        if not target or session.index_name == target or session.open_index(target):
            session.show_workspace("explore.feature")
            MeaningSearch.of(session).requested.emit("")
    elif action == "runs":
        session.show_workspace("train")
        session.sweepRequested.emit(target)
    elif action == "evaluation":
        session.select_dictionary(target)
        session.show_workspace("train.evaluation")
    elif action in ("splitting", "completeness"):
        session.show_workspace(f"explore.{action}")
    else:
        reveal(Path(target))
