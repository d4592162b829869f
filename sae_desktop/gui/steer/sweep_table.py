"""A sweep over strengths as a table: one row per strength, the plain model first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import tip_of
from sae_desktop.steering.config import SweepStrengthsResult
from sae_desktop.words.amounts import MINUS, probability_text

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
FACTOR, PERPLEXITY, KL, REPEATS, FIRST_WATCHED = range(5)
_HEADS = ("Sliders ×", "Perplexity", "KL", "Repeats")


class SweepTableModel(QAbstractTableModel):
    """Strengths, figures, watched probabilities, and the text in the last column."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.result: SweepStrengthsResult | None = None
        self._watched: Sequence[str] = ()
        self._rows: list[tuple[list[str], bool]] = []

    def show_result(self, result: SweepStrengthsResult | None, watched: Sequence[str]) -> None:
        """Show another sweep, in which the probabilities of `watched` were followed."""
        self.beginResetModel()
        self.result, self._watched = result, watched
        self._rows = [] if result is None else _rows(result)
        self.endResetModel()

    def text(self) -> str:
        """Return the table with tabs between its cells."""
        lines = ["\t".join(self._head(c) for c in range(self.columnCount()))]
        return "\n".join([*lines, *("\t".join(cells) for cells, _ in self._rows)])

    def _head(self, column: int) -> str:
        if column < FIRST_WATCHED:
            return _HEADS[column]
        place = column - FIRST_WATCHED
        return f"“{self._watched[place]}”" if place < len(self._watched) else "Text"

    def _head_tip(self, column: int) -> str:
        if column < FIRST_WATCHED:
            return tip_of(_HEADS[column])
        is_text = column == self.columnCount() - 1
        return "What the model writes then" if is_text else "Its probability after the prompt"

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else FIRST_WATCHED + len(self._watched) + 1

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._head(section)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self._head_tip(section))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _LEFT if section == self.columnCount() - 1 else _RIGHT
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        cells, broken = self._rows[index.row()]
        last = index.column() == len(cells) - 1
        if role == Qt.ItemDataRole.DisplayRole:
            cell = cells[index.column()]
            return " ".join(cell.split()) if last else cell.replace("-", MINUS)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _LEFT if last else _RIGHT
        if role == Qt.ItemDataRole.ToolTipRole and (last or broken):
            told = f"Broken down: {self.result.criterion}.\n\n" if broken and self.result else ""
            return plain_tip(told + cells[-1])
        if role == Qt.ItemDataRole.ForegroundRole and broken:
            return theme.palette().muted_text
        return None


def _rows(result: SweepStrengthsResult) -> list[tuple[list[str], bool]]:
    plain = result.plain
    figures = [("plain", plain, result.plain_watched, False)]
    rows = [
        (
            [
                name, _figure(found.perplexity), _figure(found.kl),
                f"{100 * found.repetition:.0f}%", *map(probability_text, watched), found.text,
            ],
            broken,
        )
        for name, found, watched, broken in figures
    ]  # fmt: skip
    for point in result.points:
        cells = [
            f"{point.strength:g}", _figure(point.perplexity), _figure(point.kl),
            f"{100 * point.repetition:.0f}%", *map(probability_text, point.watched), point.text,
        ]  # fmt: skip
        rows.append((cells, point.broken))
    return rows


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
