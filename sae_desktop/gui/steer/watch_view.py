"""What monitors say of a text, token by token: a strip of bars each, and a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QLineF, QRectF, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.plain_text import plain_tip, show_tip
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.steering.config import WatchedText
from sae_desktop.words.condition_text import score_text, watched_text

_HEIGHT = 26
_WIDEST = 14.0
_ABOVE = 1.25
"""How far the strip reaches beyond the threshold at least, in thresholds."""
PromiseOf = Callable[[str], str]
"""Returns what a monitor promises, by its name."""


class WatchStrip(QWidget):
    """A bar a token, as high as its score; a line where it fires, and one where the prompt ends."""

    def __init__(self, watched: WatchedText, tokens: Sequence[str], promise: str) -> None:
        """`tokens`: the texts of those that are scored, where they are known."""
        super().__init__()
        self.watched, self._promise = watched, promise
        self._tokens = tokens if len(tokens) == len(watched.scores) else ()
        scores = watched.scores or [0.0]
        threshold = watched.threshold
        self._low = min(0.0, threshold - abs(threshold) * (_ABOVE - 1), *scores)
        self._high = max(threshold + abs(threshold) * (_ABOVE - 1), *scores)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"Score of the monitor {watched.monitor} at each token")
        self.setAccessibleDescription(watched_text(watched))
        theme.manager().themeChanged.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(120, _HEIGHT)

    def _step(self) -> float:
        return min(self.width() / max(len(self.watched.scores), 1), _WIDEST)

    def height_of(self, score: float) -> float:
        """Return how far from the top a score stands."""
        share = (score - self._low) / max(self._high - self._low, 1e-12)
        return (1 - share) * (self.height() - 2) + 1

    def bar(self, number: int) -> QRectF:
        """Return where a token's bar is painted."""
        step, top = self._step(), self.height_of(self.watched.scores[number])
        return QRectF(number * step, top, max(step - 1, 1.0), max(self.height() - top, 1.0))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colours = QPainter(self), theme.palette()
        painter.setPen(Qt.PenStyle.NoPen)
        hits = set(self.watched.hits)
        for number in range(len(self.watched.scores)):
            painter.setBrush(colours.accent if number in hits else colours.muted_text)
            painter.drawRect(self.bar(number))
        width = self._step() * len(self.watched.scores)
        line = QPen(colours.text, 1, Qt.PenStyle.DashLine)
        painter.setPen(line)
        y = self.height_of(self.watched.threshold)
        painter.drawLine(QLineF(0, y, width, y))
        if 0 < self.watched.prompt < len(self.watched.scores):
            painter.setPen(QPen(colours.muted_text, 1))
            x = self.watched.prompt * self._step() - 0.5
            painter.drawLine(QLineF(x, 0, x, self.height()))

    def tip_at(self, x: float) -> str:
        """Return what is told at a place: of its token, and what the monitor promises."""
        watched, lines = self.watched, []
        number = int(x // max(self._step(), 1e-9))
        if 0 <= number < len(watched.scores):
            token = visible_token(self._tokens[number]) if self._tokens else f"token {number}"
            fires = ", fires" if number in watched.hits else ""
            part = "of the prompt" if number < watched.prompt else "written"
            lines.append(f"{token} ({part}): {watched.scores[number]:.3g}{fires}")
        lines += [f"The dashed line is the threshold, {watched.threshold:.3g}.", self._promise]
        return "\n".join(filter(None, lines))

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            show_tip(event.globalPos(), self.tip_at(event.pos().x()), self)
            return True
        return bool(super().event(event))


class WatchView(QWidget):
    """A strip and a sentence for each monitor; nothing without one."""

    def __init__(self, promise_of: PromiseOf, mark: str = "") -> None:
        """`mark`: how tokens on which a monitor fires are marked in the text beside."""
        super().__init__()
        self._promise_of, self._mark = promise_of, mark
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(2)
        self.strips: list[WatchStrip] = []
        self._sentences: list[QLabel] = []
        self._watched: Sequence[WatchedText] = ()
        self._tokens: Sequence[str] = ()
        self.hide()

    def show_watched(self, watched: Sequence[WatchedText], tokens: Sequence[str] = ()) -> None:
        """Show what monitors say of another text; `tokens`: its texts, where they are known."""
        if (list(watched), list(tokens)) == (list(self._watched), list(self._tokens)):
            return
        self._watched, self._tokens = watched, tokens
        for widget in (*self.strips, *self._sentences):
            self._column.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self.strips, self._sentences = [], []
        for one in watched:
            promise = self._promise_of(one.monitor)
            strip = WatchStrip(one, tokens, promise)
            told = label(watched_text(one, self._mark), "small", wrap=True)
            told.setToolTip(plain_tip("\n".join(filter(None, [score_text(one), promise]))))
            self.strips.append(strip)
            self._sentences.append(told)
            self._column.addWidget(strip)
            self._column.addWidget(told)
        self.setVisible(bool(watched))

    def take(self, other: WatchView) -> None:
        """Show what another one shows."""
        self.show_watched(other._watched, other._tokens)
