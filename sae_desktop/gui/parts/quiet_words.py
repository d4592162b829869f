"""What stands in the place of a feature's label, painted: what an index says of it, and a score."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from sae_desktop.gui.parts import theme
from sae_desktop.words.feature_words import FeatureWords

SCORE_ROLE = Qt.ItemDataRole.UserRole + 9
"""The score that stands small beside the label of a cell, as text; empty: none."""
WORDS_ROLE = Qt.ItemDataRole.UserRole + 8
"""The FeatureWords of a cell or an item; None where it has a label, or is of no feature."""
_GAP = 8
_SMALL = 0.85
"""Size of a score beside its label."""


def words_that_fit(words: FeatureWords, metrics: QFontMetrics, width: float) -> str:
    """Return the words as they fit a width in pixels; the token in brackets stays in sight."""
    letter = max(metrics.averageCharWidth(), 1)
    most = int(width) - 1  # Qt cuts what is a part of a pixel wider
    room = most // letter
    text = words.line(room)
    while room > 8 and metrics.horizontalAdvance(text) > most:
        room -= max((metrics.horizontalAdvance(text) - most) // (2 * letter), 1)
        text = words.line(room)
    return metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(most + 1, 0))


def score_room(font: QFont, score: str) -> float:
    """Return the pixels that a score takes beside a label; 0 for none."""
    return QFontMetrics(_small(font)).horizontalAdvance(score) + _GAP if score else 0.0


def draw_scored(painter: QPainter, box: QRectF, fit: Callable[[float], str], score: str) -> None:
    """Draw a text that `fit` gives for a width in pixels, and small and grey its score after it."""
    room = score_room(painter.font(), score)
    text = fit(box.width() - room)
    align = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
    painter.drawText(box, align, text)
    if room:
        draw_score(painter, box, painter.fontMetrics().horizontalAdvance(text), score)


def draw_score(painter: QPainter, box: QRectF, after: float, score: str) -> None:
    """Draw a score behind `after` pixels of text."""
    painter.save()
    painter.setFont(_small(painter.font()))
    painter.setPen(theme.palette().muted_text)
    align = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
    painter.drawText(box.adjusted(after + _GAP, 0, _GAP, 0), align, score)
    painter.restore()


def _small(font: QFont) -> QFont:
    small = QFont(font)
    if font.pointSizeF() > 0:
        small.setPointSizeF(font.pointSizeF() * _SMALL)
    return small


class QuietWordsDelegate(QStyledItemDelegate):
    """Paints an item with its score, and in the room its text leaves, in grey, what it holds."""

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        words, score = index.data(WORDS_ROLE), index.data(SCORE_ROLE) or ""
        full = QStyleOptionViewItem(option)
        self.initStyleOption(full, index)
        style = full.widget.style() if full.widget is not None else QApplication.style()
        box = style.subElementRect(QStyle.SubElement.SE_ItemViewItemText, full, full.widget)
        box = box.adjusted(style.pixelMetric(QStyle.PixelMetric.PM_FocusFrameHMargin) + 1, 0, -2, 0)
        if words is None and score:
            room = int(box.width() - score_room(full.font, score))
            full.text = full.fontMetrics.elidedText(full.text, full.textElideMode, room)
            style.drawControl(QStyle.ControlElement.CE_ItemViewItem, full, painter, full.widget)
            painter.save()
            painter.setFont(full.font)
            after = full.fontMetrics.horizontalAdvance(full.text)
            draw_score(painter, QRectF(box), after, score)
            painter.restore()
            return
        super().paint(painter, option, index)
        if words is None:
            return
        if full.text:
            box.setLeft(box.left() + full.fontMetrics.horizontalAdvance(full.text) + _GAP)
        if box.width() < 4 * full.fontMetrics.averageCharWidth():
            return
        painter.save()
        painter.setFont(full.font)
        painter.setPen(theme.palette().muted_text)
        metrics = full.fontMetrics
        fit = lambda room: words_that_fit(words, metrics, room)  # noqa: E731
        draw_scored(painter, QRectF(box), fit, score or words.score_text)
        painter.restore()
