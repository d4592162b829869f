"""One picture of a feature’s contexts, enlarged: its patches one by one, and where it is from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui.explore.original_picture import OriginalPicture
from sae_desktop.gui.parts.activation_legend import ActivationLegend
from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.context_view import ContextView, token_lines
from sae_desktop.gui.parts.default_button import set_default_button
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.lit_drawing import LitPicture
from sae_desktop.gui.parts.picture_gallery import ShownPicture
from sae_desktop.gui.parts.picture_output import copy_picture, save_picture_dialog
from sae_desktop.gui.parts.picture_view import PictureView
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.state.session import Session
from sae_desktop.words.picture_words import size_words, tile_words

LIT_TIP = (
    "Show how strongly the feature fires on each image token: the patches light up in the colours "
    "of the legend, over the picture in grey. Around the strongest patch a line is drawn, and with "
    "it around those that touch it and have at least half its activation. Off: the picture as it is"
)
_SIDE = 300
_RULE = (
    "The line is drawn around the strongest patch and those that touch it and have at least half "
    "its activation. Between the centres of patches, the light is interpolated."
)
_KEYS = "Arrow keys go from patch to patch, Home to the strongest."


def enlarge_from(view: ContextView, session: Session) -> None:
    """Have a picture of a view enlarged when it is chosen there."""

    def enlarge(number: int) -> None:
        PictureDialog(
            session, view.pictures, number, view.scale, view.window(), lit=view.lit
        ).open()

    view.pictureChosen.connect(enlarge)


class PictureDialog(QDialog):
    """A picture as large as there is room, beside what is known of it."""

    def __init__(
        self, session: Session, pictures: Sequence[ShownPicture], at: int, scale: ColourScale,
        parent: QWidget | None = None, *, lit: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(940, 600)
        self._pictures, self._at = list(pictures), at
        self._whole: LitPicture | None = None
        """The picture shown with the original in the place of the small copy."""
        self.view = PictureView()
        self.name = ElidedLabel()
        self.name.setProperty("role", "heading")
        self.reading = label("", wrap=True)
        self.reading.setMinimumHeight(3 * self.reading.fontMetrics().height())
        self.reading.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.legend = ActivationLegend()
        self.legend.switch.setChecked(scale.logarithmic)
        self.legend.set_maximum(scale.maximum)
        self.lit = QCheckBox("Lit")
        self.lit.setChecked(lit)
        self.lit.setToolTip(plain_tip(f"{LIT_TIP} (L)"))
        self.tiles = QComboBox()
        self.tiles.setAccessibleName("Which tile’s light to show")
        self.facts = label("", wrap=True, selectable=True)
        self.origin = label("", "muted", wrap=True, selectable=True)
        explain(self.facts, "Image token")
        explain(self.reading, "Image token", "Activation")
        self.original = OriginalPicture(session)
        self.previous = push_button("Previous", lambda: self.step(-1), tip="Page up")
        self.next = push_button("Next", lambda: self.step(1), tip="Page down")
        self._build()
        self.view.set_scale(scale)
        self.view.set_lit(lit)
        self.view.tokensRead.connect(self._on_read)
        self.legend.scaleChanged.connect(lambda _: self.view.set_scale(self.legend.scale()))
        self.lit.toggled.connect(self.view.set_lit)
        self.tiles.currentIndexChanged.connect(
            lambda _: self.view.set_tile(self.tiles.currentData())
        )
        self.original.found.connect(self._on_original)
        for key, action in (
            (Qt.Key.Key_L, self.lit.toggle),
            (Qt.Key.Key_PageUp, lambda: self.step(-1)),
            (Qt.Key.Key_PageDown, lambda: self.step(1)),
        ):
            QShortcut(QKeySequence(key), self, action)
        self._show()
        self.view.setFocus()

    def _build(self) -> None:
        side = QVBoxLayout()
        side.setSpacing(8)
        for widget in (self.name, self.reading, self.legend, self.lit, self.tiles, self.facts):
            side.addWidget(widget)
        side.addWidget(self.origin)
        side.addWidget(self.original)
        side.addStretch()
        side.addWidget(label(f"{_RULE} {_KEYS}", "small", wrap=True))
        held = QWidget()
        held.setFixedWidth(_SIDE)
        held.setLayout(side)
        side.setContentsMargins(0, 0, 0, 0)
        middle = QHBoxLayout()
        middle.setSpacing(16)
        middle.addWidget(self.view, 1)
        middle.addWidget(held)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        action = QDialogButtonBox.ButtonRole.ActionRole
        for button in (
            self.previous,
            self.next,
            push_button("Copy picture", self._copy, icon="copy"),
            push_button("Save picture…", self._save),
        ):
            buttons.addButton(button, action)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addLayout(middle, 1)
        column.addWidget(buttons)
        set_default_button(self, buttons.button(QDialogButtonBox.StandardButton.Close))

    # ------------------------------------------------------------------ content
    @property
    def entry(self) -> ShownPicture:
        """The picture that is shown."""
        return self._pictures[self._at]

    def step(self, by: int) -> None:
        """Go to another of the pictures; stay at the first and the last."""
        at = min(max(self._at + by, 0), len(self._pictures) - 1)
        if at != self._at:
            self._at = at
            self._show()

    def _show(self) -> None:
        entry, layout = self.entry, self.entry.picture.layout
        self._whole = None
        self.setWindowTitle(f"{entry.name} – picture {self._at + 1} of {len(self._pictures)}")
        self.name.setText(entry.name)
        self.previous.setEnabled(self._at > 0)
        self.next.setEnabled(self._at < len(self._pictures) - 1)
        fires = int(np.count_nonzero(entry.picture.activations > 0))
        facts = [size_words(layout), f"Fires on {fires:,} of {layout.tokens:,} image tokens"]
        self.facts.setText("\n".join([*facts, *(f"As it was read: {note}" for note in entry.done)]))
        known = (
            ("Place", entry.place),
            ("Source", entry.note),
            ("SHA-256", entry.digest[:16] + "…" if entry.digest else ""),
        )
        self.origin.setText("\n".join(f"{what}: {value}" for what, value in known if value))
        self.origin.setToolTip(plain_tip(entry.digest))
        with QSignalBlocker(self.tiles):
            self.tiles.clear()
            self.tiles.addItem("All tiles, the strongest light", None)
            for number in range(len(layout.tiles)):
                words = tile_words(layout, number)
                self.tiles.addItem(f"{words[:1].upper()}{words[1:]}", number)
        self.tiles.setVisible(len(layout.tiles) > 1)
        self.original.set_entry(entry)
        self.view.set_picture(entry.picture)

    def _on_read(self, tokens: list[int]) -> None:
        self.reading.setText("\n".join(token_lines(self.entry, tokens)))
        self.legend.set_marker(float(self.entry.picture.activations[tokens[0]]))

    def _on_original(self, picture: LitPicture) -> None:
        self._whole = picture
        self.view.set_picture(picture)
        self.view.set_tile(self.tiles.currentData())

    # ------------------------------------------------------------------ hands
    def _shown(self) -> ShownPicture:
        entry = self.entry
        return entry if self._whole is None else entry.with_picture(self._whole)

    def _copy(self) -> None:
        copy_picture(self._shown(), self.legend.scale(), lit=self.lit.isChecked())

    def _save(self) -> None:
        save_picture_dialog(self, self._shown(), self.legend.scale(), lit=self.lit.isChecked())
