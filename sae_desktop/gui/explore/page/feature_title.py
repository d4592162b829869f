"""The head of a feature's page: number, label and whose it is, star, note, tags, rating."""

from __future__ import annotations

from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from sae_desktop.gui.explore.page.label_source import LabelSource
from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.bound_line import BoundLine
from sae_desktop.gui.parts.feature_menu import copy_link, show_feature_menu, steer_with
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.rating_box import RatingBox
from sae_desktop.gui.state.feature_export import FeatureExport
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session


class FeatureTitle(QWidget):
    """What a person wrote about the feature, to be changed, and what can be done with it."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._notes = FeatureNotes.of(session)
        self._feature = 0
        self._dictionary = ""
        self.number = label("", "title")
        self.label = BoundLine()
        self.label.setAccessibleName("Label of the feature")
        self.label.setToolTip("What the feature stands for, in a few words (Ctrl+L)")
        self.label.setMaxLength(200)
        self.label.committed.connect(self._on_label_edited)
        self.source = LabelSource(session)
        self.star = QPushButton()
        self.star.setCheckable(True)
        self.star.setProperty("flat", "true")
        self.star.setProperty("bare", "true")
        self.star.clicked.connect(self._on_star_clicked)
        self.steer = push_button(
            "Steer",
            lambda: steer_with(session, self._feature),
            icon="sliders-horizontal",
            tip="Add this feature to the steering sliders (Ctrl+Shift+S)",
        )
        self.link = push_button(
            "",
            lambda: copy_link(session, self._feature),
            icon="link",
            flat=True,
            tip="Copy the link to this feature (Ctrl+Shift+C)",
        )
        self.export = push_button(
            "",
            lambda: FeatureExport.of(session).ask([self._feature], self.window()),
            icon="export",
            flat=True,
            tip="Export this feature as an HTML page or for other programs (Ctrl+Shift+E)",
        )
        self.note = BoundLine()
        self.note.setPlaceholderText("Add a note")
        self.note.setAccessibleName("Note about the feature")
        self.note.setToolTip("Your remarks about the feature; the list’s search finds them")
        self.note.setMaxLength(10_000)
        self.note.committed.connect(self._on_note_edited)
        self.tags = BoundLine()
        self.tags.setPlaceholderText("Add tags")
        self.tags.setAccessibleName("Tags of the feature")
        self.tags.setToolTip("Words to find the feature by, with commas between them")
        self.tags.setMaxLength(2_000)
        self.tags.committed.connect(self._on_tags_edited)
        self.rating = RatingBox()
        self.rating.rated.connect(self._on_rated)
        top, below = QHBoxLayout(), QHBoxLayout()
        for row in (top, below):
            row.setSpacing(8)
        top.addWidget(self.number)
        top.addWidget(self.label, 1)
        top.addWidget(self.source)
        top.addWidget(self.star)
        top.addWidget(self.link)
        top.addWidget(self.export)
        top.addWidget(self.steer)
        below.addWidget(self.note, 2)
        below.addWidget(self.tags, 1)
        below.addWidget(self.rating)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addLayout(below)
        self._notes.noteChanged.connect(self._on_note_changed)
        self._notes.reloaded.connect(self._on_notes_reloaded)
        session.leaving.connect(self.commit)

    def commit(self) -> None:
        """Save what is being typed, for the feature it was typed for."""
        self.label.commit()
        self.note.commit()
        self.tags.commit()

    def set_feature(self, feature: int) -> None:
        """Show another feature's; what is still being typed is saved first."""
        self.commit()
        self._feature, self._dictionary = feature, self._notes.dictionary
        self.number.setText(f"#{feature}")
        self._show_note()

    def _show_note(self) -> None:
        note, key = self._notes.note(self._feature), (self._dictionary, self._feature)
        self.label.show_text(key, note.label)
        self.note.show_text(key, note.note)
        self.tags.show_text(key, ", ".join(note.tags))
        self.rating.show_rating(note.rating)
        self.rating.setVisible(bool(note.label))
        words = self._notes.words(self._feature)
        self.label.setPlaceholderText((words and words.name) or "Add a label")
        self.source.show_feature(self._feature)
        self.star.setChecked(note.starred)
        icons.set_icon(self.star, "star-fill" if note.starred else "star", "accent")
        tip = "Unstar this feature" if note.starred else "Star this feature"
        self.star.setToolTip(plain_tip(f"{tip} (Ctrl+D)"))
        self.star.setAccessibleName(tip)

    def _on_note_changed(self, feature: int) -> None:
        if (self._notes.dictionary, feature) == (self._dictionary, self._feature):
            self._show_note()

    def _on_notes_reloaded(self) -> None:
        if self._notes.dictionary == self._dictionary:
            self._show_note()

    def _on_label_edited(self, key: tuple[str, int], text: str) -> None:
        dictionary, feature = key
        self._notes.set_label(feature, text, dictionary)

    def _on_note_edited(self, key: tuple[str, int], text: str) -> None:
        dictionary, feature = key
        self._notes.set_note(feature, text, dictionary)

    def _on_tags_edited(self, key: tuple[str, int], text: str) -> None:
        dictionary, feature = key
        self._notes.set_tags(feature, text.split(","), dictionary)

    def _on_rated(self, rating: int) -> None:
        self._notes.set_rating(self._feature, rating, self._dictionary)

    def _on_star_clicked(self, starred: bool) -> None:
        self._notes.set_starred(self._feature, starred)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        show_feature_menu(self._session, self._feature, self, event.globalPos())
