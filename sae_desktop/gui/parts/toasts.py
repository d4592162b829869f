"""Passing messages in the window's corner, and the dialog with a failure's details.

A toast takes no click from what is under it: only its buttons are its own.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QPointF, Qt, QTimer
from PySide6.QtGui import QEnterEvent, QFontDatabase, QGuiApplication, QMouseEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.client.engine_client import EngineClient
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.parts.labels import label, push_button

NOTICE_MS = 5_000
ERROR_MS = 30_000
"""What is not read by then is in the list of messages."""
_LIMIT = 4
_MARGIN = 16
_WIDTH = 420


def error_report(error: ErrorInfo) -> str:
    """Return all that is known of a failure as text to be copied."""
    parts = (error.what, error.kept, error.next_step, error.details)
    return "\n\n".join(part for part in parts if part)


class DetailsDialog(QDialog):
    """A failure with its traceback, to be read or copied."""

    def __init__(self, error: ErrorInfo, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Details")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(720, 440)
        self._report = error_report(error)
        text = QPlainTextEdit(error.details or self._report)
        text.setReadOnly(True)
        text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        text.setAccessibleName("Details of the error")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        copy = push_button("Copy", self.copy, icon="copy")
        buttons.addButton(copy, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(label(error.what, "heading", wrap=True))
        layout.addWidget(text, 1)
        layout.addWidget(buttons)

    def copy(self) -> None:
        """Put the whole report on the clipboard."""
        QGuiApplication.clipboard().setText(self._report)


class Toast(QFrame):
    """One message: what happened, what was kept, what to do next."""

    def __init__(self, error: ErrorInfo, *, notice: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self.error = error
        self.offers_engine = False
        self.number = 0
        """Toasts shown later have larger ones."""
        self.setProperty("toast", "true" if notice else "error")
        self.setFixedWidth(_WIDTH)
        self.setAccessibleName(error.what)
        self._under: QWidget | None = None
        self._start: QPushButton | None = None
        self._timer = QTimer(self, singleShot=True, interval=NOTICE_MS if notice else ERROR_MS)
        self._timer.timeout.connect(self.dismiss)
        self._timer.start()
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(8)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 12, 12)
        layout.setSpacing(4)
        layout.addWidget(label(error.what, "" if notice else "heading", wrap=True))
        for text in (error.kept, error.next_step):
            if text:
                layout.addWidget(label(text, "muted", wrap=True))
        self._buttons.addStretch(1)
        if error.details:
            self.add_button(push_button("Details", self.show_details, flat=True))
        if not notice:
            self.add_button(push_button("Close", self.dismiss, flat=True, tip="Esc"))
        layout.addLayout(self._buttons)

    def add_button(self, button: QPushButton) -> None:
        self._buttons.addWidget(button)

    def offer(self, text: str, do: Callable[[], object]) -> None:
        """Put what comes next beside what was done; it stays as long as a failure does."""
        self._timer.setInterval(ERROR_MS)

        def taken() -> None:
            self.dismiss()
            do()

        self.add_button(push_button(text, taken, primary=True))
        self.add_button(push_button("Close", self.dismiss, flat=True, tip="Esc"))

    def offer_engine(self, client: EngineClient) -> None:
        """Put the way out beside a failure that came while the engine was not running."""
        self.offers_engine = True
        self._start = push_button("Start the engine", client.restart, flat=True)
        client.stateChanged.connect(self._on_engine_state)
        self._buttons.insertWidget(1, self._start)

    def _on_engine_state(self, state: str) -> None:
        assert self._start is not None
        self._start.setVisible(state in ("stopped", "crashed"))

    def show_details(self) -> None:
        DetailsDialog(self.error, self.window()).open()

    def dismiss(self) -> None:
        self._timer.stop()
        self.hide()
        self.deleteLater()

    # ------------------------------------------------------------------ the mouse
    def enterEvent(self, event: QEnterEvent) -> None:
        self._timer.stop()  # it is being read
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._timer.start()
        super().leaveEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._under = self._widget_under(event.position())
        self._pass_on(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._under = self._widget_under(event.position())
        self._pass_on(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._pass_on(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._pass_on(event)
        self._under = None

    def _widget_under(self, position: QPointF) -> QWidget | None:
        window = self.window()
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        try:
            return window.childAt(self.mapTo(window, position.toPoint()))
        finally:
            self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, False)

    def _pass_on(self, event: QMouseEvent) -> None:
        under = self._under
        if under is None:
            return
        place = QPointF(under.mapFromGlobal(event.globalPosition().toPoint()))
        passed = QMouseEvent(
            event.type(),
            place,
            event.globalPosition(),
            event.button(),
            event.buttons(),
            event.modifiers(),
        )
        if event.type() == QEvent.Type.MouseButtonPress and (
            under.focusPolicy() & Qt.FocusPolicy.ClickFocus
        ):
            under.setFocus(Qt.FocusReason.MouseFocusReason)
        QCoreApplication.sendEvent(under, passed)


class ToastStack(QObject):
    """Stacks toasts above a window's lower right corner; the same message is shown once."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._shown = 0
        self.bottom_margin = _MARGIN
        window.installEventFilter(self)

    def toasts(self) -> list[Toast]:
        """Return the visible toasts, oldest first."""
        children = self._window.findChildren(
            Toast, options=Qt.FindChildOption.FindDirectChildrenOnly
        )
        # Not in the order of the children, which raising one changes.
        return sorted((t for t in children if not t.isHidden()), key=lambda t: t.number)

    def show_error(self, error: ErrorInfo) -> Toast:
        """Show a failure, long enough to be read; the list of messages keeps it."""
        for toast in self.toasts():
            if toast.error == error:
                return toast
        return self._add(Toast(error, notice=False, parent=self._window))

    def show_notice(self, sentence: str) -> Toast:
        """Show a sentence for a few seconds."""
        toast = Toast(ErrorInfo(what=sentence), notice=True, parent=self._window)
        return self._add(toast)

    def show_offer(self, sentence: str, button: str, do: Callable[[], object]) -> Toast:
        """Show what was done, and a button for what comes next, long enough to be read."""
        toast = Toast(ErrorInfo(what=sentence), notice=True, parent=self._window)
        toast.offer(button, do)
        return self._add(toast)

    def dismiss_newest(self) -> bool:
        """Close the newest toast; false when there is none."""
        toasts = self.toasts()
        if toasts:
            toasts[-1].dismiss()
            self.arrange()
        return bool(toasts)

    def _add(self, toast: Toast) -> Toast:
        for old in self.toasts()[:-_LIMIT]:
            old.dismiss()
        self._shown += 1
        toast.number = self._shown
        toast.installEventFilter(self)
        toast.show()
        self.arrange()
        return toast

    def arrange(self) -> None:
        """Place the toasts one above the other."""
        bottom = self._window.height() - self.bottom_margin
        for toast in reversed(self.toasts()):
            toast.resize(toast.width(), toast.heightForWidth(toast.width()))
            toast.move(self._window.width() - toast.width() - _MARGIN, bottom - toast.height())
            toast.raise_()
            bottom -= toast.height() + 8

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Hide) and watched.parent() in (
            self._window,
            self._window.parent(),
        ):
            QTimer.singleShot(0, self, self.arrange)
        return False
