"""Rows of a list that have a box to tick."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QListWidget


def row_size(shown: QListWidget) -> QSize:
    """Return the size hint of a row; boxes are taller than letters, and would touch."""
    return QSize(0, shown.fontMetrics().height() + 8)
