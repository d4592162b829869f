"""The copies of the notes of earlier days, and putting one back."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui.parts.default_button import set_default_button
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.state.notes_copies import put_back_in_open, told
from sae_desktop.gui.state.session import Session
from sae_desktop.notes_copies import KEPT, copies

_WHAT = (
    "A copy of the labels, notes, stars, tags, lists and filters is made on each day on which the "
    f"project is worked on, as the work begins; the last {KEPT} are kept. Putting one back "
    "replaces all of them. What is there now is kept in this list, so that it can be put back too."
)
_NONE = "There is no copy yet. The first is made when the project is next opened."
_COPY = Qt.ItemDataRole.UserRole


class NotesCopiesDialog(QDialog):
    """The copies, the newest first; the selected one can be put back."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Notes of an earlier day")
        self.resize(560, 340)
        self._session = session
        self.list = QListWidget()
        self.list.setAccessibleName("Copies of the notes")
        self.list.setSpacing(2)
        found = copies(session.project) if session.project else []
        for copy in found:
            item = QListWidgetItem(told(copy))
            item.setData(_COPY, copy)
            self.list.addItem(item)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.put_back = buttons.addButton("Put back", QDialogButtonBox.ButtonRole.ActionRole)
        self.put_back.setEnabled(False)
        self.put_back.clicked.connect(self._on_put_back)
        buttons.rejected.connect(self.reject)
        self.list.itemSelectionChanged.connect(self._on_selected)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addWidget(label(_WHAT, "muted", wrap=True))
        if found:
            column.addWidget(self.list, 1)
        else:
            column.addWidget(label(_NONE, wrap=True), 1)
        column.addWidget(buttons)
        set_default_button(self, buttons.button(QDialogButtonBox.StandardButton.Close))

    def _on_selected(self) -> None:
        self.put_back.setEnabled(bool(self.list.selectedItems()))

    def _on_put_back(self) -> None:
        for item in self.list.selectedItems():
            if put_back_in_open(self._session, item.data(_COPY)):
                self.accept()
