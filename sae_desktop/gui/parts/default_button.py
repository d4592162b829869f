"""Which button of a dialog Return presses."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QPushButton


def set_default_button(dialog: QDialog, button: QPushButton) -> None:
    """Have Return press `button` wherever the focus is, unless it is on another button.

    Call once all buttons are in the dialog: Qt makes the first it finds the default otherwise.
    """
    for other in dialog.findChildren(QPushButton):
        other.setAutoDefault(False)
        other.setDefault(False)
    button.setDefault(True)
