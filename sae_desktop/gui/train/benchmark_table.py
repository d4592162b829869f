"""The figures of a benchmark as a table: dictionaries, controls, and what others have published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHeaderView

from sae_desktop.benchmark.config import BenchmarkResult
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.row_table import RowTable
from sae_desktop.gui.parts.terms import tip_of
from sae_desktop.words.benchmark_words import (
    KIND_TEXT,
    NOTHING,
    benchmark_rows,
    cell_text,
    figure_sentence,
    shown_columns,
    task_table,
)
from sae_desktop.words.published_figures import PUBLISHED

_Index = QModelIndex | QPersistentModelIndex
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_TITLES = {"seed": "    {}", "random": "    control: {}", "pca": "    control: {}"}
_WIDEST_TITLE = 300
_ROOM = 20


@dataclass(frozen=True)
class Row:
    """What a row shows; `quiet`: it is a control, a single seed or somebody else's."""

    cells: tuple[str, ...]
    tips: tuple[str, ...]
    quiet: bool = False


@dataclass(frozen=True)
class Content:
    """Heads and rows of a table."""

    heads: tuple[str, ...]
    rows: tuple[Row, ...]


def figures_content(result: BenchmarkResult, *, seeds: bool) -> Content:
    """Return every dictionary and control with all figures, and published ones below."""
    rows = benchmark_rows(result, seeds=seeds)
    columns = shown_columns(rows)
    found = []
    for row in rows:
        tips = [KIND_TEXT[row.kind]]
        for column in columns:
            figure = row.figures.get(column.key)
            tips.append("" if figure is None else figure_sentence(column, figure, row))
        title = _TITLES.get(row.kind, "{}").format(row.title)
        cells = (title, *(cell_text(column, row) for column in columns))
        found.append(Row(cells, tuple(tips), row.kind != "recipe"))
    if result.synthetic is not None:
        places = [column.key for column in columns]
        for published in PUBLISHED:
            figures = [NOTHING] * len(columns)
            figures[places.index("f1")] = f"{published.f1:.3f}"
            tip = (
                f"Published by others, under other conditions: 200 million samples, 4,096 "
                f"features, L0 25. {published.source}"
            )
            title = f"    published: {published.title}"
            found.append(Row((title, *figures), (tip,) * (len(columns) + 1), quiet=True))
    return Content(("Dictionary", *(column.title for column in columns)), tuple(found))


def tasks_content(result: BenchmarkResult, k: str) -> Content:
    """Return what probes on k features reach on every dataset, and what is reached without."""
    heads, rows = task_table(result, k)
    found = []
    for task, cells in zip(result.tasks, rows, strict=True):
        tip = (
            f"{task.title}: {task.learnt:,} texts to learn from, {task.scored:,} held out; "
            f"{'the built-in texts' if task.source == 'builtin' else task.source}"
        )
        found.append(Row(tuple(cells), (tip,) * len(cells)))
    return Content(tuple(heads), tuple(found))


class BenchmarkModel(QAbstractTableModel):
    """The rows of a table of figures."""

    def __init__(self) -> None:
        super().__init__()
        self.content = Content((), ())

    def show_content(self, content: Content) -> None:
        self.beginResetModel()
        self.content = content
        self.endResetModel()

    def rowCount(self, parent: _Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.content.rows)

    def columnCount(self, parent: _Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.content.heads)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self.content.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.cells[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            text = row.tips[index.column()] or row.cells[index.column()]
            return plain_tip(text.strip())
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if index.column() else _LEFT
        if role == Qt.ItemDataRole.ForegroundRole and row.quiet:
            return theme.palette().muted_text
        return None

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal or section >= len(self.content.heads):
            return None
        head = self.content.heads[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return head
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip_of(head) or plain_tip(head)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if section else _LEFT
        return None


class BenchmarkTable(RowTable):
    """A table of figures; Ctrl+C copies all of it."""

    def __init__(self) -> None:
        self.figures = BenchmarkModel()
        super().__init__("Figures of the benchmark", self.figures)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        theme.manager().themeChanged.connect(self.viewport().update)

    def show_content(self, content: Content) -> None:
        """Show other rows, every column as wide as what is in it."""
        self.figures.show_content(content)
        self.resizeColumnsToContents()
        for column in range(self.figures.columnCount()):
            wide = self.columnWidth(column) + (_ROOM if column else 0)
            self.setColumnWidth(column, wide if column else min(wide, _WIDEST_TITLE))
        if content.rows:
            self.setCurrentIndex(self.figures.index(0, 0))

    def copy(self) -> None:
        """Copy the table as text with tabs."""
        content = self.figures.content
        lines = [content.heads, *(row.cells for row in content.rows)]
        text = "\n".join("\t".join(cell.strip() for cell in line) for line in lines)
        QGuiApplication.clipboard().setText(text)
