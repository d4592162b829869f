"""Training a dictionary further, from wherever it is offered."""

from __future__ import annotations

from sae_desktop.gui.state.session import Session
from sae_desktop.training.start_from import why_not
from sae_desktop.words.inventory import DictionaryItem


def can_start_from(item: DictionaryItem | None) -> bool:
    """Tell whether a training can start from a dictionary of the project; None: it is gone."""
    return (
        item is not None
        and item.complete
        and item.summary is not None
        and not why_not(item.summary)
    )


def train_further(session: Session, name: str) -> None:
    """Show the Training panel, set to start from a dictionary."""
    session.show_workspace("train")
    session.changeRequested.emit("further", name)
