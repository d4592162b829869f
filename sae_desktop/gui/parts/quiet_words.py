"""What an index says of a feature without a label, painted in grey where a label would stand."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from sae_desktop.gui.parts import theme
from sae_desktop.words.feature_words import FeatureWords

WORDS_ROLE = Qt.ItemDataRole.UserRole + 8
"""The FeatureWords of a cell or an item; None where it has a label, or is of no feature."""
_GAP = 8


def words_that_fit(words: FeatureWords, metrics: QFontMetrics, width: float) -> str:
    """Return the words as they fit a width in pixels; the token in brackets stays in sight."""
    letter = max(metrics.averageCharWidth(), 1)
    room = int(width) // letter
    text = words.line(room)
    while room > 8 and metrics.horizontalAdvance(text) > width:
        room -= max((metrics.horizontalAdvance(text) - int(width)) // (2 * letter), 1)
        text = words.line(room)
    return metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(int(width), 0))


class QuietWordsDelegate(QStyledItemDelegate):
    """Paints an item as usual, and in the room its text leaves the words it holds, in grey."""

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        super().paint(painter, option, index)
        words = index.data(WORDS_ROLE)
        if words is None:
            return
        full = QStyleOptionViewItem(option)
        self.initStyleOption(full, index)
        style = full.widget.style() if full.widget is not None else QApplication.style()
        box = style.subElementRect(QStyle.SubElement.SE_ItemViewItemText, full, full.widget)
        box = box.adjusted(style.pixelMetric(QStyle.PixelMetric.PM_FocusFrameHMargin) + 1, 0, -2, 0)
        if full.text:
            box.setLeft(box.left() + full.fontMetrics.horizontalAdvance(full.text) + _GAP)
        if box.width() < 4 * full.fontMetrics.averageCharWidth():
            return
        painter.save()
        painter.setFont(full.font)
        painter.setPen(theme.palette().muted_text)
        text = words_that_fit(words, full.fontMetrics, box.width())
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
        painter.restore()
