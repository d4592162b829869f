"""What the tables of concepts have alike: where text stands in a cell, and how strong one is."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.colour_scale import blend, readable_on
from sae_desktop.gui.parts.theme import rgb

Index = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_MOST_ACCENT = 0.7


def shade(share: float, role: int) -> QColor | None:
    """Return the ground or the text of a cell that is so strong, 0 to 1; None for other roles."""
    if role not in (Qt.ItemDataRole.BackgroundRole, Qt.ItemDataRole.ForegroundRole):
        return None
    colours = theme.palette()
    ground = blend(rgb(colours.surface), rgb(colours.accent), share * _MOST_ACCENT)
    if role == Qt.ItemDataRole.BackgroundRole:
        return QColor(*ground)
    return QColor(*readable_on(ground, rgb(colours.text)))
