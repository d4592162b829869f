"""What the window said in passing: kept, so that it can be read again."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.toasts import DetailsDialog
from sae_desktop.gui.state.session import Session

MOST_KEPT = 200


@dataclass(frozen=True)
class Said:
    """One message, when it came, and whether it told of a failure."""

    at: datetime
    message: ErrorInfo
    is_error: bool


class Messages(QObject):
    """The last messages of a session, oldest first."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.all: deque[Said] = deque(maxlen=MOST_KEPT)
        self.unread = 0
        """Failures that came since the list was last opened."""
        session.errorRaised.connect(lambda error: self._add(error, is_error=True))
        session.noticeRaised.connect(
            lambda sentence: self._add(ErrorInfo(what=sentence), is_error=False)
        )

    def _add(self, message: ErrorInfo, *, is_error: bool) -> None:
        self.all.append(Said(datetime.now(), message, is_error))
        self.unread += is_error
        self.changed.emit()

    def mark_read(self) -> None:
        self.unread = 0
        self.changed.emit()


class MessagesDialog(QDialog):
    """The list, newest first; Return or a double click shows one whole."""

    def __init__(self, messages: Messages, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Messages")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(640, 420)
        self.list = QListWidget()
        self.list.setAccessibleName("Messages, newest first")
        self.list.setWordWrap(True)
        self.list.setSpacing(4)
        for said in reversed(messages.all):
            parts = (said.message.what, said.message.kept, said.message.next_step)
            text = " ".join(part for part in parts if part)
            item = QListWidgetItem(f"{said.at:%H:%M}   {text}")
            icons.set_icon(item, "warning" if said.is_error else "info")
            item.setData(Qt.ItemDataRole.UserRole, said.message)
            self.list.addItem(item)
        self.list.setCurrentRow(0)
        self.list.itemActivated.connect(self._show)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        details = push_button("Details", self._show_current)
        details.setEnabled(self.list.count() > 0)
        buttons.addButton(details, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        if not messages.all:
            layout.addWidget(
                label("There have been no messages since the program started.", "muted")
            )
        layout.addWidget(self.list, 1)
        layout.addWidget(buttons)

    def _show_current(self) -> None:
        self._show(self.list.currentItem())

    def _show(self, item: QListWidgetItem) -> None:
        DetailsDialog(item.data(Qt.ItemDataRole.UserRole), self).open()
