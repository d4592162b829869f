"""The tokens of a prompt in one line of boxes, before it is traced."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.words.running_text import shown_token

_PAD = 3
_MORE = "…"


class TokenStrip(QWidget):
    """Special tokens are grey; where there is no room for all, the last ones stay in sight."""

    def __init__(self) -> None:
        super().__init__()
        self._tokens: list[str] = []
        self.specials: Collection[int] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Tokens of the prompt")

    def show_tokens(self, tokens: Sequence[str], specials: Collection[int] = ()) -> None:
        """Show tokens; `specials` says which are no text of a person's."""
        self._tokens = [shown_token(token) for token in tokens]
        self.specials = specials
        self.setToolTip(plain_tip(" ".join(self._tokens)))
        self.setAccessibleDescription(" ".join(self._tokens))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, self.fontMetrics().height() + 6)

    def minimumSizeHint(self) -> QSize:
        return QSize(60, self.fontMetrics().height() + 6)

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._tokens:
            return
        painter, colours, metrics = QPainter(self), theme.palette(), self.fontMetrics()
        widths = [metrics.horizontalAdvance(text) + 2 * _PAD for text in self._tokens]
        more = metrics.horizontalAdvance(_MORE) + 2 * _PAD
        first, room = 0, self.width() - 1
        if sum(widths) > room:  # the end of the prompt is what leads to the next token
            room -= more
            first = len(widths)
            while first > 0 and room >= widths[first - 1]:
                first -= 1
                room -= widths[first]
        left = 0.0
        if first:
            painter.setPen(colours.muted_text)
            painter.drawText(QRectF(0, 0, more, self.height()), Qt.AlignmentFlag.AlignCenter, _MORE)
            left = float(more)
        for number in range(first, len(widths)):
            box = QRectF(left + 0.5, 2.5, widths[number] - 1, self.height() - 5)
            painter.setPen(QPen(colours.border, 1))
            painter.setBrush(colours.surface)
            painter.drawRoundedRect(box, 3, 3)
            painter.setPen(colours.muted_text if number in self.specials else colours.text)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self._tokens[number])
            left += widths[number]
