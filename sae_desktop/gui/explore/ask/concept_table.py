"""Concepts as rows, dictionaries as columns: how well each one's best feature tells it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QObject, Qt

from sae_desktop.comparison.config import CompletenessResult, ConceptRow, Detector
from sae_desktop.gui.explore.ask.shading import LEFT, RIGHT, ROOT, Index, shade
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.words.completeness_figures import has_feature
from sae_desktop.words.feature_words import FeatureWords

CONCEPT, OCCURRENCES, FIRST_DICTIONARY = range(3)


class ConceptTableModel(QAbstractTableModel):
    """A completeness table, sorted by any column."""

    def __init__(
        self, words: Callable[[str, int], FeatureWords | None], parent: QObject | None = None
    ) -> None:
        """`words`: what is said of a feature of a dictionary that has no label."""
        super().__init__(parent)
        self._words = words
        self.table: CompletenessResult | None = None
        self._rows: list[ConceptRow] = []

    def show_table(self, table: CompletenessResult | None) -> None:
        """Show another table, the most frequent concepts first."""
        self.beginResetModel()
        self.table = table
        self._rows = list(table.rows) if table is not None else []
        self.endResetModel()

    def detector(self, index: Index) -> tuple[str, Detector] | None:
        """Return (dictionary, detector) of a cell; None where there is none."""
        place = index.column() - FIRST_DICTIONARY
        if self.table is None or not index.isValid() or place < 0:
            return None
        found = self._rows[index.row()].detectors[place]
        return None if found is None else (self.table.dictionaries[place].dictionary, found)

    # ------------------------------------------------------------------ Qt asks
    def rowCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = ROOT) -> int:
        if parent.isValid() or self.table is None:
            return 0
        return FIRST_DICTIONARY + len(self.table.dictionaries)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal or self.table is None:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return LEFT if section == CONCEPT else RIGHT
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return None
        if section < FIRST_DICTIONARY:
            return ("Concept", "Occurs")[section]
        found = self.table.dictionaries[section - FIRST_DICTIONARY]
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(
                f"F1 of the best of {found.features:,} features of “{found.dictionary}”, chosen "
                "on every other document and scored on the rest, the mean of both ways round"
            )
        return found.dictionary

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if self.table is None or not index.isValid():
            return None
        row, place = self._rows[index.row()], index.column() - FIRST_DICTIONARY
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return LEFT if index.column() == CONCEPT else RIGHT
        if place < 0:
            return self._own_cell(row, index.column(), role)
        detector = row.detectors[place]
        if role == Qt.ItemDataRole.DisplayRole:
            return "–" if detector is None else f"{detector.f1:.2f}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self._tip(row, place))
        if detector is None or not has_feature(self.table, row, place):
            return None
        return shade(detector.f1, role)

    def _own_cell(self, row: ConceptRow, column: int, role: int) -> Any:
        if role == Qt.ItemDataRole.ForegroundRole and not row.judged:
            return theme.palette().muted_text
        if role == Qt.ItemDataRole.ToolTipRole and not row.judged:
            return "Too rare in the text to be judged."
        if role == Qt.ItemDataRole.DisplayRole:
            return row.concept if column == CONCEPT else f"{row.occurrences:,}"
        return None

    def _tip(self, row: ConceptRow, place: int) -> str:
        detector = row.detectors[place]
        if detector is None:
            return "Too rare to be judged" if not row.judged else "No feature fires on this concept"
        lines = [f"Feature {detector.feature} above {detector.threshold:.3g}"]
        assert self.table is not None
        words = self._words(self.table.dictionaries[place].dictionary, detector.feature)
        lines += [] if words is None else [words.tip]
        if detector.feature_f1 is not None and detector.other_f1 is not None:
            other = "no feature" if detector.other is None else f"feature {detector.other}"
            lines.append(
                f"F1 {detector.feature_f1:.2f} on the half it was not chosen on; that half chose "
                f"{other}, F1 {detector.other_f1:.2f}"
            )
            lines.append("Mean of both:")
        lines.append(
            f"precision {detector.precision:.2f}, recall {detector.recall:.2f}, F1 "
            f"{detector.f1:.2f} on text it was not chosen on"
        )
        if row.control:
            lines.append(f"best random direction: F1 {row.control[place]:.2f}")
        return "\n".join(lines)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; concepts that are not judged come last."""
        falling = order == Qt.SortOrder.DescendingOrder

        def key(row: ConceptRow) -> Any:
            if column == CONCEPT:
                return row.concept.casefold()
            if column == OCCURRENCES:
                return row.occurrences
            detector = row.detectors[column - FIRST_DICTIONARY]
            return -1.0 if detector is None else detector.f1

        self.layoutAboutToBeChanged.emit()
        self._rows.sort(key=key, reverse=falling)
        self._rows.sort(key=lambda row: not row.judged)
        self.layoutChanged.emit()
