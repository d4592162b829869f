"""What is seen of the tour: a bubble of words, and a line around what they are about."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.words.tour import Stop, place_text

_LETTERS = 40
"""Width in letters; where text is large, less, so that it stays beside what it is about."""
_NARROWEST, _WIDEST = 300, 380
_LINE = 3


class TourBubble(QFrame):
    """One stop in words, and the ways on, back and out. It decides nothing."""

    nextChosen = Signal()
    backChosen = Signal()
    left = Signal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setObjectName("frame.tour")
        self.setProperty("bubble", "true")
        self.setAccessibleName("Tour")
        self.hide()
        self.title = label("", "heading", wrap=True)
        self.text = label("", wrap=True)
        self.place = label("", "small")
        self.next_button = push_button("Next", self.nextChosen.emit, primary=True)
        self.back_button = push_button("Back", self.backChosen.emit)
        self.leave_button = push_button("Leave the tour", self.left.emit, flat=True, tip="Esc")
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.leave_button)
        buttons.addStretch(1)
        buttons.addWidget(self.back_button)
        buttons.addWidget(self.next_button)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.title, 1)
        head.addWidget(self.place, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 12, 12)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self.text)
        column.addLayout(buttons)

    def say(self, stop: Stop, number: int, count: int) -> None:
        """Show a stop, the `number`th from 0 of `count`, with the keyboard at the way on."""
        last = number == count - 1
        self.title.setText(stop.title)
        self.text.setText(stop.text)
        self.place.setText(place_text(number, count))
        self.next_button.setText("Finish the tour" if last else "Next")
        self.next_button.setAccessibleName(self.next_button.text())
        # The keyboard stays at this button: what is read out is what it says of itself.
        told = f"{stop.title}, {self.place.text()}. {stop.text}"
        self.next_button.setAccessibleDescription(told)
        self.setAccessibleDescription(told)
        self.show()
        self.next_button.setFocus(Qt.FocusReason.OtherFocusReason)
        self.back_button.setEnabled(number > 0)
        self.leave_button.setVisible(not last)

    def fit(self) -> None:
        """Be as high as the words are at the present size of text."""
        width = self.fontMetrics().averageCharWidth() * _LETTERS
        width = max(_NARROWEST, min(width, _WIDEST), self.minimumSizeHint().width())
        self.resize(width, self.heightForWidth(width))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)


class TourOutline(QWidget):
    """A line around a control, through which the mouse reaches it."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.hide()

    def surround(self, control: QRect) -> None:
        """Lie around a control, in the window's own coordinates."""
        self.setGeometry(control.adjusted(-_LINE, -_LINE, _LINE, _LINE) & self.window().rect())
        self.show()
        self.raise_()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.palette().focus, _LINE))
        half = _LINE / 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(half, half, -half, -half), 6, 6)
