"""What became of a feature's labels: who changed what, when; and an earlier one shown again."""

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
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.label_actions import LabelActions
from sae_desktop.gui.state.session import Session
from sae_desktop.label_words import step_sentence

_UNKNOWN = "some time ago"
_STEP = Qt.ItemDataRole.UserRole


class LabelHistory(QDialog):
    """The steps, the latest first; the label of the selected one can be shown again."""

    def __init__(self, session: Session, feature: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Labels of feature {feature}")
        self.resize(560, 360)
        self._actions, self._feature = LabelActions.of(session), feature
        self._dictionary = FeatureNotes.of(session).dictionary
        self.steps = QListWidget()
        self.steps.setWordWrap(True)
        self.steps.setAccessibleName("History of the labels")
        for step in self._actions.history(feature):
            item = QListWidgetItem(
                f"{step.at[:16] or _UNKNOWN}   {step_sentence(step, me=session.person)}"
            )
            item.setData(_STEP, step)
            self.steps.addItem(item)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.restore = buttons.addButton(
            "Show this label again", QDialogButtonBox.ButtonRole.ActionRole
        )
        self.restore.setEnabled(False)
        self.restore.clicked.connect(self._on_restore)
        self.steps.itemSelectionChanged.connect(
            lambda: self.restore.setEnabled(bool(self.steps.selectedItems()))
        )
        self.steps.itemActivated.connect(lambda _item: self._on_restore())
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        if not self.steps.count():
            column.addWidget(label("Nobody has written a label of this feature yet.", "muted"))
        else:
            times = (
                "What was done to the labels, the latest first; times are in UTC. Choose a line to "
                "have its label shown again."
            )
            column.addWidget(label(times, "muted", wrap=True))
        column.addWidget(self.steps, 1)
        column.addWidget(buttons)
        set_default_button(self, buttons.button(QDialogButtonBox.StandardButton.Close))

    def _on_restore(self) -> None:
        for item in self.steps.selectedItems():
            self._actions.restore(self._feature, item.data(_STEP), self._dictionary)
        self.accept()
