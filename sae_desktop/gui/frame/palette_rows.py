"""The rows of the search: what was found, under a heading for each kind, with snippets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QFont, QFontMetrics, QKeySequence, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.search import Entry

AnyIndex = QModelIndex | QPersistentModelIndex
Row = tuple[Entry, "Provider"]

_ROOT = QModelIndex()
_HEADING = Qt.ItemDataRole.UserRole + 1
_SIDE = 12
_GAP = 8


@dataclass(frozen=True)
class Provider:
    """A source of entries: what it offers for a query, and how one is carried out."""

    find: Callable[[str], list[Entry]]
    """Entries to be ranked; most providers ignore the query and return all."""
    run: Callable[[Entry], object]
    ranked: bool = True
    """False: the entries answer the query already and go first."""
    heading: str = ""
    """What stands above its entries."""
    last: bool = False
    """True: the entries answer the query already and go below the ranked ones."""


class EntryModel(QAbstractListModel):
    """The entries found."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.entries: list[Row] = []

    def show(self, entries: Sequence[Row]) -> None:
        self.beginResetModel()
        self.entries = list(entries)
        self.endResetModel()

    def add(self, entries: Sequence[Row]) -> None:
        """Show more at the end; what is marked stays marked."""
        if entries:
            first = len(self.entries)
            self.beginInsertRows(_ROOT, first, first + len(entries) - 1)
            self.entries += entries
            self.endInsertRows()

    def rowCount(self, parent: AnyIndex = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.entries)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        entry = self.entries[index.row()][0]
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.title
        if role == Qt.ItemDataRole.UserRole:
            return entry
        if role == _HEADING:
            return self._heading(index.row())
        if role == Qt.ItemDataRole.AccessibleTextRole:
            said = (f"{entry.kind}: {entry.title}", entry.aside, entry.snippet, entry.shortcut)
            return " ".join(part for part in said if part)
        return None

    def _heading(self, row: int) -> str:
        """Return what stands above a row: the heading of its kind above the first of them."""
        heading = self.entries[row][1].heading
        return "" if row and self.entries[row - 1][1].heading == heading else heading

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsSelectable
        if index.isValid() and self.entries[index.row()][0].enabled:
            flags |= Qt.ItemFlag.ItemIsEnabled
        return flags


def row_height(metrics: QFontMetrics) -> int:
    """Return the height of a row of one line."""
    return metrics.height() + 16


class EntryDelegate(QStyledItemDelegate):
    """Heading, then the title at the left, kind and shortcut at the right, then the snippet."""

    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:
        entry: Entry = index.data(Qt.ItemDataRole.UserRole)
        metrics = option.fontMetrics
        height = row_height(metrics) + (metrics.height() if entry.snippet else 0)
        return QSize(100, height + (_heading_height(metrics) if index.data(_HEADING) else 0))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        entry: Entry = index.data(Qt.ItemDataRole.UserRole)
        metrics, colours = option.fontMetrics, theme.palette()
        painter.save()
        area = QRect(option.rect)
        heading = index.data(_HEADING)
        if heading:
            strip = QRect(area.left(), area.top(), area.width(), _heading_height(metrics))
            _paint_heading(painter, strip.adjusted(_SIDE, 0, -_SIDE, 0), heading)
            area.setTop(strip.bottom() + 1)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if selected:
            painter.fillRect(area, colours.selection)
        inner = area.adjusted(_SIDE, 8, -_SIDE, -8)
        line = QRect(inner.left(), inner.top(), inner.width(), metrics.height())
        _paint_line(painter, line, entry, metrics, selected=selected)
        if entry.snippet:
            below = line.translated(0, metrics.height())
            _paint_snippet(painter, below, entry, option.font, selected=selected)
        painter.restore()


def _heading_height(metrics: QFontMetrics) -> int:
    return metrics.height() + 8


def _paint_heading(painter: QPainter, area: QRect, heading: str) -> None:
    font = QFont(painter.font())
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(theme.palette().muted_text)
    fitted = QFontMetrics(font).elidedText(heading, Qt.TextElideMode.ElideMiddle, area.width())
    painter.drawText(area, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, fitted)
    font.setBold(False)
    painter.setFont(font)


def _paint_line(
    painter: QPainter, area: QRect, entry: Entry, metrics: QFontMetrics, *, selected: bool
) -> None:
    colours, middle = theme.palette(), Qt.AlignmentFlag.AlignVCenter
    quiet = colours.text if selected else colours.muted_text
    keys = QKeySequence(entry.shortcut).toString(QKeySequence.SequenceFormat.NativeText)
    right = "   ".join(part for part in (entry.detail, keys, entry.kind) if part)
    right = metrics.elidedText(right, Qt.TextElideMode.ElideMiddle, area.width() // 2)
    room = metrics.horizontalAdvance(right) + 16
    painter.setPen(colours.text if entry.enabled else colours.disabled_text)
    left = QRect(area.left(), area.top(), area.width() - room, area.height())
    title = metrics.elidedText(entry.title, Qt.TextElideMode.ElideMiddle, left.width())
    painter.drawText(left, middle | Qt.AlignmentFlag.AlignLeft, title)
    painter.setPen(quiet)
    if entry.aside:
        left.setLeft(left.left() + metrics.horizontalAdvance(title) + _GAP)
        aside = metrics.elidedText(entry.aside, Qt.TextElideMode.ElideRight, left.width())
        painter.drawText(left, middle | Qt.AlignmentFlag.AlignLeft, aside)
    painter.drawText(area, middle | Qt.AlignmentFlag.AlignRight, right)


def _paint_snippet(
    painter: QPainter, area: QRect, entry: Entry, font: QFont, *, selected: bool
) -> None:
    """Draw a snippet, what was asked for in bold and the token it fires on underlined."""
    colours = theme.palette()
    x = area.left()
    painter.setClipRect(area)
    for text, is_found, is_token in entry.pieces():
        shaped = QFont(font)
        shaped.setBold(is_found)
        shaped.setUnderline(is_token)
        painter.setFont(shaped)
        painter.setPen(colours.text if is_found or is_token or selected else colours.muted_text)
        width = QFontMetrics(shaped).horizontalAdvance(text)
        box = QRect(x, area.top(), width + 1, area.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
        x += width
    painter.setClipping(False)
