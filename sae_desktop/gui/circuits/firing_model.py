"""Firings of one dictionary's features as rows: attribution beside ablation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from sae_desktop.circuits.lens_config import AttributeResult
from sae_desktop.errors import UserError
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.quiet_words import WORDS_ROLE
from sae_desktop.gui.state.index_file import read_index
from sae_desktop.gui.state.session import Session
from sae_desktop.words.feature_words import FeatureWords, FeatureWordsReader
from sae_desktop.words.graph_words import quoted, signed

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
FEATURE, NAME, TOKEN, ACTIVATION, ATTRIBUTION, ABLATION = range(6)
_HEADS = (
    ("#", "Number of the feature"),
    ("Name", "What the feature is called, or where it fires most strongly"),
    ("Token", "Where it fires in the prompt"),
    ("Activation", "How strongly it fires there"),
    ("Attribution", "What the firing adds to the difference of logits, to first order"),
    ("Ablation", "By how much the difference falls when the firing is switched off: the test"),
)
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


class FiringModel(QAbstractTableModel):
    """What an attribution found, sorted by any figure."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self.index_name = ""
        self._dictionary = ""
        self._result: AttributeResult | None = None
        self._order = np.zeros(0, np.int64)
        self._labels: dict[int, str] = {}
        self._words: FeatureWordsReader | None = None

    def show_result(self, index: str, result: AttributeResult) -> None:
        """List what was found for an index."""
        self.beginResetModel()
        self.index_name, self._result = index, result
        self._order = np.arange(len(result.features))
        self._read_names()
        self.endResetModel()

    def _read_names(self) -> None:
        project, notes, result = self._session.project, self._session.notes, self._result
        self._labels, self._words = {}, None
        if project is None or result is None:
            return
        try:
            index = read_index(project, self.index_name)
        except UserError:  # the figures stand without names
            return
        self._words = FeatureWordsReader(index)
        if notes is not None:
            found = notes.notes(index.info.dictionary, set(result.features))
            self._labels = {f: note.label for f, note in found.items() if note.label}

    def feature(self, row: int) -> int | None:
        """Return the feature of a row."""
        if self._result is None or not 0 <= row < len(self._order):
            return None
        return self._result.features[int(self._order[row])]

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        result = self._result
        if result is None:
            return
        if column < 0:
            found = np.arange(len(result.features))
        else:
            keys = np.array([self._key(row, column) for row in range(len(result.features))])
            if order == Qt.SortOrder.DescendingOrder:
                keys = -keys
            found = np.argsort(keys, kind="stable")
        self.beginResetModel()
        self._order = found
        self.endResetModel()

    def _key(self, row: int, column: int) -> float:
        result = self._result
        assert result is not None
        if column == ABLATION:
            value = result.ablations[row]
            return -math.inf if value is None else value
        lists: dict[int, Sequence[float]] = {
            FEATURE: result.features, NAME: result.features, TOKEN: result.positions,
            ACTIVATION: result.activations, ATTRIBUTION: result.attributions,
        }  # fmt: skip
        return float(lists[column][row])

    # ------------------------------------------------------------------ Qt asks
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(_HEADS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return _HEADS[section][0]
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(_HEADS[section][1])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _LEFT if section in (NAME, TOKEN) else _RIGHT
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        feature = self.feature(index.row()) if index.isValid() else None
        if feature is None or self._result is None:
            return None
        column, row = index.column(), int(self._order[index.row()])
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _LEFT if column in (NAME, TOKEN) else _RIGHT
        if role == WORDS_ROLE and column == NAME:
            return self._quiet(feature)
        if role == Qt.ItemDataRole.ForegroundRole and column in (ATTRIBUTION, ABLATION):
            value = self._key(row, column)
            if not math.isfinite(value):
                return theme.palette().muted_text
            return theme.palette().positive if value > 0 else theme.palette().negative
        if role == Qt.ItemDataRole.ToolTipRole and column == NAME:
            words = self._quiet(feature)
            return plain_tip(self._labels.get(feature, "") if words is None else words.tip)
        return None

    def _quiet(self, feature: int) -> FeatureWords | None:
        if feature in self._labels or self._words is None:
            return None
        return self._words.words(feature)

    def _text(self, row: int, column: int) -> str:
        result = self._result
        assert result is not None
        feature = result.features[row]
        if column == FEATURE:
            return str(feature)
        if column == NAME:
            return self._labels.get(feature, "")
        if column == TOKEN:
            return quoted(result.tokens[result.positions[row]])
        if column == ACTIVATION:
            return f"{result.activations[row]:.3g}"
        value = self._key(row, column)
        return signed(value) if math.isfinite(value) else "–"
