"""Concepts as rows, kinds of instance as columns: how well one way tells each; its means below."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QObject, Qt
from PySide6.QtGui import QColor, QFont

from sae_desktop.benchmark.kinds.config import (
    GOOD,
    OF_FEATURES,
    WAYS,
    ConceptKindsResult,
    ConceptRow,
    KindArea,
    Way,
)
from sae_desktop.gui.explore.ask.shading import LEFT, RIGHT, ROOT, Index, shade
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.words.feature_words import FeatureWords
from sae_desktop.words.kinds_text import (
    KIND_TIPS,
    KIND_TITLES,
    STRONGEST_TIP,
    STRONGEST_TITLE,
    WAY_TIPS,
    WAY_TITLES,
    area_of,
    area_text,
    found_count,
    interval_text,
    mean_area,
    of_way,
    strongest_text,
    strongest_total,
)

CONCEPT, NUMBER, STRONGEST, FIRST_KIND = range(4)


class KindsTableModel(QAbstractTableModel):
    """One way of finding concepts, and below it the means of all ways."""

    def __init__(
        self, words: Callable[[int], FeatureWords | None], parent: QObject | None = None
    ) -> None:
        """`words`: what is said of a feature that has no label."""
        super().__init__(parent)
        self._words = words
        self._result: ConceptKindsResult | None = None
        self._way: Way = "feature"
        self._rows: list[ConceptRow] = []

    def show_result(self, result: ConceptKindsResult | None, way: Way) -> None:
        """Show what was measured, by one of the ways."""
        self.beginResetModel()
        self._result, self._way = result, way
        self._rows = [] if result is None else of_way(result, way)
        self.endResetModel()

    def feature(self, index: Index) -> int | None:
        """Return the feature of a row; None of a row that has none."""
        of_feature = self._way in OF_FEATURES
        here = index.isValid() and index.row() < len(self._rows)
        return self._rows[index.row()].number if of_feature and here else None

    # ------------------------------------------------------------------ Qt asks
    def rowCount(self, parent: Index = ROOT) -> int:
        if parent.isValid() or self._result is None:
            return 0
        return len(self._rows) + len(WAYS)

    def columnCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() or self._result is None else FIRST_KIND + len(self._kinds)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal or self._result is None:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return LEFT if section == CONCEPT else RIGHT
        if section < FIRST_KIND:
            number = {"feature": "Feature", "shuffled labels": "Feature", "neuron": "Neuron"}
            titles = ("Concept", number.get(self._way, ""), STRONGEST_TITLE)
            if role == Qt.ItemDataRole.ToolTipRole and section == STRONGEST:
                return plain_tip(STRONGEST_TIP)
            return titles[section] if role == Qt.ItemDataRole.DisplayRole else None
        kind = self._kinds[section - FIRST_KIND]
        if role == Qt.ItemDataRole.DisplayRole:
            title = KIND_TITLES[kind]
            return title[:1].upper() + title[1:]
        if role == Qt.ItemDataRole.ToolTipRole:
            learnt = "; half of it was chosen on" if kind in self._result.learn else ""
            return plain_tip(KIND_TIPS.get(kind, "Sentences that are the same but for the word")
                             + learnt)  # fmt: skip
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if self._result is None or not index.isValid():
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return LEFT if index.column() == CONCEPT else RIGHT
        place = index.row() - len(self._rows)
        if place >= 0:
            return self._mean(WAYS[place], index.column(), role)
        row = self._rows[index.row()]
        if index.column() < FIRST_KIND:
            return self._own_cell(row, index.column(), role)
        area = area_of(row, self._kinds[index.column() - FIRST_KIND])
        if role == Qt.ItemDataRole.DisplayRole:
            return area_text(area)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(
                "It has no instances of this kind" if area is None else interval_text(area)
            )
        return self._colour(area, role)

    @property
    def _kinds(self) -> list[str]:
        return [] if self._result is None else self._result.kinds

    def _own_cell(self, row: ConceptRow, column: int, role: int) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            if column == CONCEPT:
                return row.concept
            if column == STRONGEST:
                return strongest_text(row)
            return "" if row.number < 0 else str(row.number)
        if role == Qt.ItemDataRole.ToolTipRole:
            if column == STRONGEST:
                return plain_tip(STRONGEST_TIP)
            lines = [f"AUROC {row.learnt:.3f} on what it was chosen on, which choosing raises"]
            words = self._words(row.number) if self._way == "feature" else None
            return plain_tip("\n".join(([] if words is None else [words.tip]) + lines))
        return None

    def _mean(self, way: Way, column: int, role: int) -> Any:
        """Return a cell of the mean over concepts of one way."""
        assert self._result is not None
        if role == Qt.ItemDataRole.FontRole:
            font = QFont()
            font.setBold(way == self._way)
            return font
        if role == Qt.ItemDataRole.ForegroundRole and way != self._way:
            return theme.palette().muted_text
        if column < FIRST_KIND:
            if role == Qt.ItemDataRole.ToolTipRole:
                return plain_tip(WAY_TIPS[way])
            told = {
                CONCEPT: f"Mean, {WAY_TITLES[way]}",
                STRONGEST: strongest_total(of_way(self._result, way)),
            }.get(column, "")
            return told if role == Qt.ItemDataRole.DisplayRole else None
        kind, rows = self._kinds[column - FIRST_KIND], of_way(self._result, way)
        mean, (good, known) = mean_area(rows, kind), found_count(rows, kind)
        if role == Qt.ItemDataRole.DisplayRole:
            return "–" if mean is None else f"{mean:.2f}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(f"{good} of {known} concepts have an AUROC of at least {GOOD:g}")
        return None

    def _colour(self, area: KindArea | None, role: int) -> QColor | None:
        """Return the colours of a cell whose interval lies above chance."""
        if area is None or area.low <= 0.5:
            return None
        return shade(2 * (area.area - 0.5), role)
