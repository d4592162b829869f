"""The curves as files: a picture, or their points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QWidget

from sae_desktop.errors import UserError
from sae_desktop.gui.parts.plot_image import PICTURES
from sae_desktop.gui.state.save_file import ask_file
from sae_desktop.gui.state.session import Session


def save_as(
    session: Session, parent: QWidget, what: str, name: str, write: Callable[[Path], None]
) -> None:
    """Ask where to save the curves as a picture or data, such as `name`, and have it written."""
    suffix = Path(name).suffix
    kind = PICTURES if suffix == ".png" else f"{suffix[1:].upper()} (*{suffix})"
    title = f"Save the curves as {what}"
    chosen = ask_file(parent, title, Path.home() / name, kind)
    if chosen is None:
        return
    path = chosen.path
    try:
        write(path)
    except UserError as error:
        session.show_error(error)
    else:
        session.notify(f"Saved “{path.name}”.")
