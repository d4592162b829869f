"""A bar for each token of a continuation: how far steering moved the next-token distribution."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plain_text import show_tip
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.steering.config import OutputToken

_HEIGHT = 22
_WIDEST = 14.0
_LEAST_SCALE = 0.5
"""KL in nats that fills the strip at least, so that rounding is not a mountain."""


class KLStrip(QWidget):
    """Bars side by side, one a token, as high as its KL."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens: Sequence[OutputToken] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("KL of each token, in nats")
        theme.manager().themeChanged.connect(self.update)

    def set_tokens(self, tokens: Sequence[OutputToken]) -> None:
        """Show the tokens of another continuation."""
        self.tokens = tokens
        most = max((token.kl for token in tokens), default=0.0)
        self.setAccessibleDescription(f"at most {most:.2f} nats")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(120, _HEIGHT)

    def bar(self, number: int) -> QRectF:
        """Return where a token's bar is painted."""
        step = min(self.width() / max(len(self.tokens), 1), _WIDEST)
        most = max(max((t.kl for t in self.tokens), default=0.0), _LEAST_SCALE)
        height = max(self.tokens[number].kl / most * (self.height() - 2), 1.0)
        return QRectF(number * step, self.height() - height, max(step - 1, 1.0), height)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.palette().accent)
        for number in range(len(self.tokens)):
            painter.drawRect(self.bar(number))

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            at = event.pos().x()
            for number, token in enumerate(self.tokens):
                place = self.bar(number)
                if place.left() <= at < place.right() + 1:
                    text = f"{visible_token(token.text)}\nKL {token.kl:.2f} nats"
                    show_tip(event.globalPos(), text, self)
            return True
        return bool(super().event(event))
