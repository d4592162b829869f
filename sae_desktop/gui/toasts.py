"""Passing messages in the window's corner, and the dialog with a failure's details."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QFontDatabase, QGuiApplication
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

from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.widgets.labels import label, push_button

NOTICE_MS = 5_000
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
        text.setAccessibleName("Details of the failure")
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
        self.setProperty("toast", "true" if notice else "error")
        self.setFixedWidth(_WIDTH)
        self.setAccessibleName(error.what)
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
            self.add_button(push_button("Close", self.dismiss, flat=True))
        layout.addLayout(self._buttons)

    def add_button(self, button: QPushButton) -> None:
        self._buttons.addWidget(button)

    def show_details(self) -> None:
        DetailsDialog(self.error, self.window()).open()

    def dismiss(self) -> None:
        self.hide()
        self.deleteLater()


class ToastStack(QObject):
    """Stacks toasts above a window's lower right corner; the same message is shown once."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self.bottom_margin = _MARGIN
        window.installEventFilter(self)

    def toasts(self) -> list[Toast]:
        """Return the visible toasts, oldest first."""
        children = self._window.findChildren(
            Toast, options=Qt.FindChildOption.FindDirectChildrenOnly
        )
        return [toast for toast in children if not toast.isHidden()]

    def show_error(self, error: ErrorInfo) -> Toast:
        """Show a failure; it stays until it is closed."""
        for toast in self.toasts():
            if toast.error == error:
                return toast
        return self._add(Toast(error, notice=False, parent=self._window))

    def show_notice(self, sentence: str) -> Toast:
        """Show a sentence for a few seconds."""
        toast = Toast(ErrorInfo(what=sentence), notice=True, parent=self._window)
        QTimer.singleShot(NOTICE_MS, toast, toast.dismiss)
        return self._add(toast)

    def _add(self, toast: Toast) -> Toast:
        for old in self.toasts()[:-_LIMIT]:
            old.dismiss()
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
