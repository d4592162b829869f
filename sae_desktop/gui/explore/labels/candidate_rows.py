"""The proposed names under one another: a digit, the name, who made it and its score."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QVBoxLayout, QWidget

from sae_desktop.gui.explore.labels.desk_labels import line_of
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.label_words import label_line, label_tip
from sae_desktop.project_labels import AGREED, REJECTED, Label

_BADGE = 20
_GAP = 8
_PAD = 4
_SMALL = 0.9
_TIP = 1000
"""Characters of a name that a tip shows."""
MOST_KEYS = 9
"""A name is chosen by one digit."""


class CandidateRow(QAbstractButton):
    """One proposed name; a click, or its digit, chooses it."""

    def __init__(self, number: int, candidate: Label, me: str) -> None:
        """`number`: its digit, or 0 for none; `me` is the person at the window."""
        super().__init__()
        self.number, self.candidate = number, candidate
        self._said = said_of(candidate, me)
        self._lines = 1
        self.setText(line_of(candidate))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        digit = f"{number}: " if 0 < number <= MOST_KEYS else ""
        self.setAccessibleName(f"{digit}{line_of(candidate)}, {self._said}")
        text = candidate.text[:_TIP] + ("…" if len(candidate.text) > _TIP else "")
        told = label_tip(msgspec.structs.replace(candidate, text=text), me=me)
        keys = f"Press {number} to agree and show the next feature." if digit else ""
        if candidate.state == REJECTED:
            keys = "Click to agree with it after all."
        self.setToolTip(plain_tip("\n".join(part for part in (told, keys) if part)))
        theme.manager().themeChanged.connect(self.update)

    def _small(self) -> QFont:
        small = QFont(self.font())
        small.setPointSizeF(small.pointSizeF() * _SMALL)
        return small

    def _text_width(self) -> int:
        return max(self.width() - _BADGE - _GAP - 2 * _PAD, 40)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        lines = 1 if self.fontMetrics().horizontalAdvance(self.text()) <= self._text_width() else 2
        if lines != self._lines:
            self._lines = lines
            self.updateGeometry()

    def sizeHint(self) -> QSize:
        small = QFontMetrics(self._small()).height()
        return QSize(200, self._lines * self.fontMetrics().height() + small + 2 * _PAD + 2)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = theme.palette()
        box = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        chosen = self.candidate.shown
        if chosen or self.underMouse() or self.isDown():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colours.selection if chosen else colours.hover)
            painter.drawRoundedRect(box, 6, 6)
        self._paint_badge(painter, box)
        self._paint_text(painter, box)
        if self.hasFocus():
            painter.setPen(QPen(colours.focus, 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, 6, 6)

    def _paint_badge(self, painter: QPainter, box: QRectF) -> None:
        if not 0 < self.number <= MOST_KEYS:
            return
        colours = theme.palette()
        height = self.fontMetrics().height()
        badge = QRectF(box.left() + _PAD, box.top() + _PAD, _BADGE, height)
        painter.setPen(QPen(colours.muted_text, 1))
        painter.setBrush(colours.surface)
        painter.drawRoundedRect(badge.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        painter.setPen(colours.text)
        painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, str(self.number))

    def _paint_text(self, painter: QPainter, box: QRectF) -> None:
        colours, metrics = theme.palette(), self.fontMetrics()
        rejected = self.candidate.state == REJECTED
        left, width = box.left() + _PAD + _BADGE + _GAP, float(self._text_width())
        place = QRectF(left, box.top() + _PAD, width, self._lines * metrics.height())
        font = QFont(self.font())
        font.setStrikeOut(rejected)
        painter.setFont(font)
        painter.setPen(colours.muted_text if rejected else colours.text)
        room = int(width if self._lines == 1 else width * 1.8)
        text = metrics.elidedText(self.text(), Qt.TextElideMode.ElideRight, room)
        # Not word by word: a name may be one long word.
        flags = Qt.TextFlag.TextWrapAnywhere if self._lines > 1 else Qt.TextFlag.TextSingleLine
        if self._lines > 1 and " " in text:
            flags = Qt.TextFlag.TextWordWrap
        painter.drawText(place, int(Qt.AlignmentFlag.AlignLeft) | int(flags), text)
        painter.setFont(self._small())
        painter.setPen(colours.muted_text)
        small = painter.fontMetrics()
        below = QRectF(left, place.bottom(), width, small.height())
        said = small.elidedText(self._said, Qt.TextElideMode.ElideRight, int(width))
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, said)


def said_of(label: Label, me: str) -> str:
    """Return who made a label, how far to believe it and what was said of it."""
    parts = [label_line(label, me=me)]
    if label.shown and label.state != AGREED:
        parts.append("shown")
    return " · ".join(parts)


class CandidateRows(QWidget):
    """All proposed names of a feature."""

    chosen = Signal(object)
    """The Label that was clicked."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[CandidateRow] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(2)

    def show_candidates(self, candidates: Sequence[Label], me: str) -> None:
        """Show these, the first under the digit 1; `me` is the person at the window."""
        if [row.candidate for row in self.rows] == list(candidates):
            return
        for row in self.rows:
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()
        proposed = [one for one in candidates if one.state != REJECTED]
        digits = {id(one): number for number, one in enumerate(proposed, start=1)}
        self.rows = [CandidateRow(digits.get(id(one), 0), one, me) for one in candidates]
        for row in self.rows:
            row.clicked.connect(lambda _on=False, row=row: self.chosen.emit(row.candidate))
            self._column.addWidget(row)
