"""The button beside every Start: what it would start, copied as a command or as Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QMenu, QToolButton

from sae_desktop.gui.parts.curve_bar import menu_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.session import Session
from sae_desktop.words import as_code

COMMAND, PYTHON = "Copy as command", "Copy as Python"
_TIP = (
    "Copies what is set here: as a command for a terminal, or as Python for a script or a "
    "notebook. Either runs the same job."
)


def copy_code_button(session: Session, config: Callable[[], Any]) -> QToolButton:
    """Return a button that copies the config that `config` returns; None: it is not complete."""
    menu = QMenu()
    button = menu_button("Copy as…", "copy", menu)
    button.setToolTip(plain_tip(_TIP))
    menu.setParent(button, menu.windowFlags())
    add_copy_actions(menu, session, config)
    return button


def add_copy_actions(menu: QMenu, session: Session, config: Callable[[], Any]) -> list[QAction]:
    """Add the two entries to a menu that has others, too, and return them."""

    def copy(written: Callable[[Any], str], what: str) -> None:
        found = config()
        if found is None:
            session.notify("Nothing was copied: not everything is filled in yet.")
            return
        QGuiApplication.clipboard().setText(written(found))
        session.notify(f"Copied the job as {what}.")

    return [
        menu.addAction(COMMAND, lambda: copy(as_code.command, "a command")),
        menu.addAction(PYTHON, lambda: copy(as_code.python, "Python")),
    ]
