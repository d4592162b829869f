"""Asks where to save something, and sees to the ending of its name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

_ENDING = re.compile(r"\*(\.\w+)")


class SaveAs(NamedTuple):
    """What was chosen."""

    path: Path
    kind: str
    """The dialog's kind of file, as it was offered; the first where the system tells none."""


def ask_file(parent: QWidget, title: str, first: str | Path, kinds: str) -> SaveAs | None:
    """Return where to save; None if nowhere.

    `kinds` are those of `QFileDialog`: "Table (*.csv);;Page (*.html)". A name that ends in none of
    them gets the ending of the chosen kind, also where it has a dot in it; if that file exists,
    which the system's dialog has not asked about, it is asked here.
    """
    name, kind = QFileDialog.getSaveFileName(parent, title, str(first), kinds)
    if not name:
        return None
    offered = kinds.split(";;")
    kind = kind if kind in offered else offered[0]
    path, endings = Path(name), _ENDING.findall(kind)
    if not endings or path.suffix.lower() in _ENDING.findall(kinds):
        return SaveAs(path, kind)
    path = path.with_name(path.name + endings[0])
    return SaveAs(path, kind) if not path.is_file() or _replace(parent, path) else None


def _replace(parent: QWidget, path: Path) -> bool:
    return (
        QMessageBox.question(
            parent,
            "Replace the file?",
            f"“{path.name}” is there already. Replace it?",
            QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No,
            QMessageBox.StandardButton.No,
        )
        == QMessageBox.StandardButton.Yes
    )
