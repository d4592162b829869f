"""The head of a feature's page: number, label, star, and what can be done with it."""

from __future__ import annotations

from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QWidget

from sae_desktop.gui import icons
from sae_desktop.gui.feature_menu import copy_link, show_feature_menu, steer_with
from sae_desktop.gui.feature_notes import FeatureNotes
from sae_desktop.gui.session import Session
from sae_desktop.gui.widgets.labels import label, push_button


class FeatureTitle(QWidget):
    """Number, label and star of the feature, and what can be done with it."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._notes = FeatureNotes.of(session)
        self._feature = 0
        self.number = label("", "title")
        self.label = QLineEdit()
        self.label.setPlaceholderText("Add a label")
        self.label.setAccessibleName("Label of the feature")
        self.label.setToolTip("What the feature stands for, in a few words (Ctrl+L)")
        self.label.setMaxLength(200)
        self.label.editingFinished.connect(self._on_label_edited)
        self.star = QPushButton()
        self.star.setCheckable(True)
        self.star.setProperty("flat", "true")
        self.star.clicked.connect(self._on_star_clicked)
        self.steer = push_button(
            "Steer",
            lambda: steer_with(session, self._feature),
            icon="sliders-horizontal",
            tip="Put this feature in the rack of sliders (Ctrl+Shift+S)",
        )
        self.link = push_button(
            "",
            lambda: copy_link(session, self._feature),
            icon="link",
            flat=True,
            tip="Copy the link of this feature (Ctrl+Shift+C)",
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.number)
        row.addWidget(self.label, 1)
        row.addWidget(self.star)
        row.addWidget(self.link)
        row.addWidget(self.steer)
        self._notes.noteChanged.connect(self._on_note_changed)

    def set_feature(self, feature: int) -> None:
        """Show another feature's name; a label still being typed is saved first."""
        if self.label.isModified():
            self._on_label_edited()
        self._feature = feature
        self.number.setText(f"#{feature}")
        self._show_note()

    def _show_note(self) -> None:
        note = self._notes.note(self._feature)
        if self.label.text() != note.label:
            self.label.setText(note.label)
        self.label.setModified(False)
        self.star.setChecked(note.starred)
        icons.set_icon(self.star, "star-fill" if note.starred else "star", "accent")
        tip = "Take the star away" if note.starred else "Star this feature"
        self.star.setToolTip(f"{tip} (Ctrl+D)")
        self.star.setAccessibleName(tip)

    def _on_note_changed(self, feature: int) -> None:
        if feature == self._feature:
            self._show_note()

    def _on_label_edited(self) -> None:
        if self.label.isModified():
            self.label.setModified(False)
            self._notes.set_label(self._feature, self.label.text())

    def _on_star_clicked(self, starred: bool) -> None:
        self._notes.set_starred(self._feature, starred)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        show_feature_menu(self._session, self._feature, self, event.globalPos())
