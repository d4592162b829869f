"""A label that elides its middle when there is no room and tells the whole in its tooltip, too."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent, Qt
from PySide6.QtWidgets import QLabel, QSizePolicy

from sae_desktop.gui.parts.labels import set_property
from sae_desktop.gui.parts.plain_text import joined_tips, plain_tip
from sae_desktop.gui.parts.quiet_words import draw_score, score_room, words_that_fit
from sae_desktop.words.feature_words import FeatureWords


class ElidedLabel(QLabel):
    """Shows `fullText`, elided in the middle to its width."""

    def __init__(self, text: str = "", *, chars: int = 6) -> None:
        super().__init__(text)
        self._least_characters = chars
        self._own_tip = ""
        self._before = ""
        self._words: FeatureWords | None = None
        self._score = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def name_feature(
        self, label: str, words: FeatureWords | None, before: str = "", score: str = ""
    ) -> None:
        """Show a feature's label, or in grey what is said of one without; `before` precedes it.

        The score of the one or the other stands small after it.
        """
        self._before, self._words = before, words
        self._score = score if words is None else words.score_text
        self.setText(before + (label if words is None else words.line()))
        set_property(self, "quiet", "" if words is None else "true")

    def minimumSizeHint(self) -> QSize:
        hint = super().minimumSizeHint()
        width = self.fontMetrics().averageCharWidth() * self._least_characters
        return QSize(min(width, hint.width()), hint.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._tell()

    def setToolTip(self, text: str) -> None:
        """Set what is told besides the whole text."""
        self._own_tip = text
        self._tell()

    def _tell(self) -> None:
        whole = self.text()
        if self._words is not None:
            whole = f"{self._before.rstrip()}\n{self._words.tip}".lstrip()
        cut = plain_tip(whole) if self._elided() != self.text() else ""
        super().setToolTip(joined_tips(cut, self._own_tip))

    def _elided(self) -> str:
        room = self.contentsRect().width() - score_room(self.font(), self._score)
        if self._words is not None:
            taken = self.fontMetrics().horizontalAdvance(self._before)
            return self._before + words_that_fit(self._words, self.fontMetrics(), room - taken)
        return self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideMiddle, int(room))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self.style().drawItemText(
            painter,
            self.contentsRect(),
            self.alignment() | Qt.TextFlag.TextSingleLine,
            self.palette(),
            self.isEnabled(),
            self._elided(),
            self.foregroundRole(),
        )
        if self._score:
            painter.setFont(self.font())
            after = self.fontMetrics().horizontalAdvance(self._elided())
            draw_score(painter, QRectF(self.contentsRect()), after, self._score)

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        return QSize(hint.width() + int(score_room(self.font(), self._score)), hint.height())
