"""A table of captions with concepts clamped; what names a concept more often is stronger."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QObject, Qt

from sae_desktop.gui.explore.ask.shading import LEFT, RIGHT, ROOT, Index, shade
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.words.captions_text import CaptionTable


class CaptionsTableModel(QAbstractTableModel):
    """One of the tables of a result."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.shown: CaptionTable | None = None

    def show_table(self, shown: CaptionTable | None) -> None:
        """Show another table; None: nothing."""
        self.beginResetModel()
        self.shown = shown
        self.endResetModel()

    def feature(self, row: int) -> int | None:
        """Return the feature that a row opens; None of one that has none."""
        return None if self.shown is None else self.shown.rows[row][0]

    # ------------------------------------------------------------------ Qt asks
    def rowCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() or self.shown is None else len(self.shown.rows)

    def columnCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() or self.shown is None else len(self.shown.heads)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal or self.shown is None:
            return None
        head = self.shown.heads[section]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return head.title
            case Qt.ItemDataRole.ToolTipRole:
                return plain_tip(head.tip) if head.tip else None
            case Qt.ItemDataRole.TextAlignmentRole:
                return RIGHT if head.number else LEFT
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if self.shown is None or not index.isValid():
            return None
        cell = self.shown.rows[index.row()][1][index.column()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return cell.text
            case Qt.ItemDataRole.ToolTipRole:
                return plain_tip(cell.tip) if cell.tip else None
            case Qt.ItemDataRole.TextAlignmentRole:
                return RIGHT if self.shown.heads[index.column()].number else LEFT
        return None if cell.share is None else shade(cell.share, role)
