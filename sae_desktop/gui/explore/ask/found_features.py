"""Features found on a text, one a line: words, activation, share, and what can be done at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFont,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from sae_desktop.gui.explore.ask.probe_words import Found
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.feature_menu import open_feature, show_feature_menu, steer_with
from sae_desktop.gui.parts.labels import push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.quiet_words import draw_scored, words_that_fit
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.words.feature_words import FeatureWords
from sae_desktop.words.strength_words import known_text

SHOWN = 20
"""Features shown at first, and with every click on “Show more”."""
_HEIGHT = 30
_SMALL = 0.9
_NUMBER, _FIGURE, _BAR = "#0000000", "−000.00", 48
_STRENGTH = "0.75×"


class FoundFeatures(QWidget):
    """The list. One of its lines is current: arrows walk, Return opens, the text shows it."""

    featureChosen = Signal(int)
    """Its tokens are to be shown."""
    comparisonAsked = Signal(int)
    """It is to be put beside the feature whose tokens are shown."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._notes = FeatureNotes.of(session)
        self._found: Sequence[Found] = ()
        self._of_index = ""
        self._shown = SHOWN
        self._current: int | None = None
        self._lines: list[_Line] = []
        self.heading = _Heading(self._painted_width)
        self.more = push_button("", self._show_more, flat=True)
        self._column = QVBoxLayout()
        self._column.setSpacing(0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.heading)
        column.addLayout(self._column)
        column.addWidget(self.more, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)
        self.setAccessibleName("Features found on the text")
        self._notes.noteChanged.connect(self._on_note_changed)
        self._notes.reloaded.connect(self._on_notes_read)

    # ------------------------------------------------------------------ content
    def set_found(self, found: Sequence[Found], unit: str) -> None:
        """Show other features, best first; `unit` is what their figures are."""
        self._found = found
        self._of_index = self._session.index_name
        self._shown = SHOWN
        self.heading.unit = unit
        explain(self.heading, unit, "Share of maximum")
        self._show()

    def set_current(self, feature: int | None) -> None:
        """Mark the feature whose tokens are shown."""
        self._current = feature
        for line in self.lines():
            line.set_current(line.found.feature == feature)
        self._rove()

    def lines(self) -> list[_Line]:
        """Return the lines that are shown, from the top down."""
        return [line for line in self._lines if not line.isHidden()]

    def _on_notes_read(self) -> None:
        """Show the names that are known now, unless these are features of another index."""
        if self._of_index == self._session.index_name:
            self._show()

    def _show(self) -> None:
        shown = self._found[: self._shown]
        while len(self._lines) < len(shown):
            line = _Line(self._session)
            line.chosen.connect(self.featureChosen)
            line.compared.connect(self.comparisonAsked)
            line.left.connect(self._on_left)
            self._lines.append(line)
            self._column.addWidget(line)
        for number, line in enumerate(self._lines):
            if number < len(shown):
                line.set_found(shown[number], self._notes)
                line.set_current(shown[number].feature == self._current)
            line.setVisible(number < len(shown))
        left = len(self._found) - len(shown)
        self.more.setText(f"Show {min(left, SHOWN)} more")
        self.more.setAccessibleName(self.more.text())
        self.more.setVisible(left > 0)
        self.heading.setVisible(bool(shown))
        self.heading.update()
        self._rove()

    def _painted_width(self) -> int:
        lines = self.lines()
        return lines[0].facts.width() if lines else self.width()

    def _show_more(self) -> None:
        self._shown += SHOWN
        self._show()

    def _on_note_changed(self, feature: int) -> None:
        for line in self.lines():
            if line.found.feature == feature:
                line.set_found(line.found, self._notes)

    # ------------------------------------------------------------------ the keyboard
    def _rove(self) -> None:
        """Let Tab stop at one line only: the current one, else the first."""
        lines = self.lines()
        current = next((line for line in lines if line.found.feature == self._current), None)
        for line in lines:
            line.set_reached(line is (current or lines[0]))

    def _on_left(self, line: _Line, step: int, place: int) -> None:
        lines = self.lines()
        number = lines.index(line) + step
        if 0 <= number < len(lines):
            self.featureChosen.emit(lines[number].found.feature)
            lines[number].focus_part(place)


_WIDEST_STEER = "Steer 0.88×"


class _Line(QWidget):
    """One feature: what it is, and three buttons."""

    chosen = Signal(int)
    compared = Signal(int)
    left = Signal(object, int, int)
    """(self, ±1, which part had the keyboard): an arrow leads to another line."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.found = Found(0, "", 0.0)
        self.facts = _Facts(session)
        self.facts.chosen.connect(lambda: self.chosen.emit(self.found.feature))
        self.open = self._button(
            "Open", "arrow-square-in", lambda: open_feature(session, self.found.feature)
        )
        self.steer = self._button(
            "Steer", "sliders-horizontal", lambda: steer_with(session, self.found.feature)
        )
        self._hold_width()
        self.compare = self._button(
            "Compare", "columns", lambda: self.compared.emit(self.found.feature)
        )
        self.steer.setText(_WIDEST_STEER)
        self.steer.setFixedWidth(self.steer.sizeHint().width())  # lines keep their columns
        self._parts: list[QWidget] = [self.facts, self.open, self.compare, self.steer]
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.facts, 1)
        for part in self._parts[1:]:
            row.addWidget(part)
        for part in self._parts:
            part.installEventFilter(self)

    def _button(self, text: str, icon: str, do: Callable[[], object]) -> QPushButton:
        return push_button(text, do, icon=icon, flat=True)

    def _hold_width(self) -> None:
        """Give the strength beside “Steer” its room: figures stand below one another."""
        self.steer.setText(f"Steer {_STRENGTH}")
        self.steer.setFixedWidth(self.steer.sizeHint().width())

    def set_found(self, found: Found, notes: FeatureNotes) -> None:
        self.found = found
        self.facts.set_found(found, notes)
        number = found.feature
        index = self._session.index
        known = None if index is None else index.strength(number)
        works = known is not None and known.suggested is not None
        self.steer.setText(f"Steer {known.suggested:g}×" if known and works else "Steer")
        turns = f": {known_text(known)}" if known is not None else ""
        for button, what in (
            (self.open, f"Open feature {number}"),
            (self.compare, f"Compare feature {number} with the one that colours the text"),
            (self.steer, f"Steer with feature {number}{turns}"),
        ):
            button.setAccessibleName(what)
            button.setToolTip(plain_tip(what))

    def set_current(self, current: bool) -> None:
        self.facts.current = current
        self.facts.update()

    def set_reached(self, reached: bool) -> None:
        """Let Tab stop at the line's parts, or pass them by."""
        policy = Qt.FocusPolicy.StrongFocus if reached else Qt.FocusPolicy.ClickFocus
        for part in self._parts:
            part.setFocusPolicy(policy)

    def focus_part(self, place: int) -> None:
        self._parts[place].setFocus(Qt.FocusReason.OtherFocusReason)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = steps.get(Qt.Key(event.key()))
            if step is not None and isinstance(watched, QWidget) and watched in self._parts:
                self.left.emit(self, step, self._parts.index(watched))
                return True
        return False


class _Facts(QWidget):
    """Number, words, activation and share of one feature, painted."""

    chosen = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._found = Found(0, "", 0.0)
        self._label = ""
        self._words: FeatureWords | None = None
        self._score = ""
        self.current = False
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.manager().themeChanged.connect(self.update)

    def set_found(self, found: Found, notes: FeatureNotes) -> None:
        self._found = found
        self._label, self._words = notes.label(found.feature), notes.words(found.feature)
        self._score = notes.score_text(found.feature)
        told = self._label if self._words is None else self._words.spoken
        figures = f"{found.figure}, {found.share:.0%} of its maximum"
        self.setAccessibleName(f"Feature {found.feature}: {told}; {figures}")
        tip = f" {self._label}" if self._words is None else f"\n{self._words.tip}"
        self.setToolTip(plain_tip(f"#{found.feature}{tip}\n{figures}"))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(240, max(_HEIGHT, self.fontMetrics().height() + 12))

    def minimumSizeHint(self) -> QSize:
        return QSize(160, self.sizeHint().height())

    def number_rect(self) -> QRectF:
        """Return where the number is painted, a link to the feature."""
        width = self.fontMetrics().horizontalAdvance(f"#{self._found.feature}")
        return QRectF(4, 0, width, self.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours, box = theme.palette(), QRectF(self.rect()).adjusted(1, 1, -1, -1)
        if self.current or self.underMouse():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colours.selection if self.current else colours.hover)
            painter.drawRoundedRect(box, 4, 4)
        middle = Qt.AlignmentFlag.AlignVCenter
        left, right = Qt.AlignmentFlag.AlignLeft | middle, Qt.AlignmentFlag.AlignRight | middle
        columns = _Columns(self.fontMetrics(), self.width(), self.height())
        painter.setPen(colours.link)
        painter.drawText(self.number_rect(), left, f"#{self._found.feature}")
        metrics = self.fontMetrics()
        words, text, cut = self._words, self._label, Qt.TextElideMode.ElideRight
        painter.setPen(colours.text if words is None else colours.muted_text)
        draw_scored(
            painter,
            QRectF(columns.words),
            lambda room: (
                metrics.elidedText(text, cut, int(room))
                if words is None
                else words_that_fit(words, metrics, room)
            ),
            self._score,
        )
        painter.setPen(colours.text)
        painter.drawText(columns.figure, right, self._found.figure)
        painter.drawText(columns.share, right, f"{self._found.share:.0%}")
        painter.setPen(Qt.PenStyle.NoPen)
        bar = columns.bar
        painter.setBrush(colours.border)
        painter.drawRoundedRect(bar, 2, 2)
        painter.setBrush(colours.accent)
        bar.setWidth(bar.width() * min(max(self._found.share, 0.0), 1.0))
        painter.drawRoundedRect(bar, 2, 2)
        if self.hasFocus():
            painter.setPen(QPen(colours.focus, 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, 4, 4)

    # ------------------------------------------------------------------ hands
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if self.number_rect().contains(event.position()):
            open_feature(self._session, self._found.feature)
        else:
            self.chosen.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        open_feature(self._session, self._found.feature)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        link = self.number_rect().contains(event.position())
        shape = Qt.CursorShape.PointingHandCursor if link else Qt.CursorShape.ArrowCursor
        self.setCursor(shape)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        show_feature_menu(self._session, self._found.feature, self, event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            open_feature(self._session, self._found.feature)
        elif event.key() == Qt.Key.Key_Space:
            self.chosen.emit()
        else:
            super().keyPressEvent(event)


class _Columns:
    """Where the parts of a line lie, the same for all lines and their heading."""

    def __init__(self, metrics: QFontMetrics, width: int, height: int) -> None:
        right = width - 8.0
        share, figure = metrics.horizontalAdvance("100%"), metrics.horizontalAdvance(_FIGURE)
        self.share = QRectF(right - share, 0, share, height)
        self.bar = QRectF(self.share.left() - 8 - _BAR, height / 2 - 2, _BAR, 4)
        self.figure = QRectF(self.bar.left() - 16 - figure, 0, figure, height)
        first = 4 + metrics.horizontalAdvance(_NUMBER)
        self.words = QRectF(first, 0, max(self.figure.left() - 12 - first, 0), height)


class _Heading(QWidget):
    """What the columns of the lines are."""

    def __init__(self, width: Callable[[], int]) -> None:
        """`width` tells how wide the painted part of a line is."""
        super().__init__()
        self.unit = "Activation"
        self._width = width
        self.setFixedHeight(22)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        small = QFont(self.font())
        small.setPointSizeF(small.pointSizeF() * _SMALL)
        painter.setPen(theme.palette().muted_text)
        columns = _Columns(self.fontMetrics(), self._width(), self.height())
        painter.setFont(small)
        middle = Qt.AlignmentFlag.AlignVCenter
        left, right = Qt.AlignmentFlag.AlignLeft | middle, Qt.AlignmentFlag.AlignRight | middle
        painter.drawText(QRectF(4, 0, columns.words.right() - 4, self.height()), left, "Feature")
        for column, text in ((columns.figure, self.unit), (columns.share, "of maximum")):
            painter.drawText(column.adjusted(-_BAR, 0, 0, 0), right, text)
