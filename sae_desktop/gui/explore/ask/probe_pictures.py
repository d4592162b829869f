"""The picture of a probe that is looked at, lit by a feature, and what is chosen on it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sae_desktop.gui.explore.ask.probe_summary import ProbeTable
from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.lit_drawing import LitPicture, decoded_webp
from sae_desktop.gui.parts.picture_chooser import PictureChooser
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.pictures.thumbnails import VIEW_SIDE
from sae_desktop.words.picture_words import place_words, size_words

_HINT = "Click a patch, or draw a box, to see the features on it"


class ProbePictures(QWidget):
    """One picture of a probe’s answer, with what is read of it beneath."""

    tokensChosen = Signal(object)
    """Places in the whole of the tokens that are asked about."""

    def __init__(self) -> None:
        super().__init__()
        self._table: ProbeTable | None = None
        self._number = 0
        self.view = PictureChooser()
        self.view.setToolTip(plain_tip(_HINT))
        self.read = ElidedLabel(chars=12)
        self.read.setProperty("role", "small")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.view, 1)
        column.addWidget(self.read)
        self.view.tokensRead.connect(self._on_read)
        self.view.tokensChosen.connect(self._on_chosen)

    def show_picture(
        self, table: ProbeTable | None, number: int, feature: int | None, scale: ColourScale
    ) -> None:
        """Show a picture of an answer under the light of a feature; hidden where there is none."""
        there = table is not None and number < len(table.pictures)
        self._table, self._number = table, number
        self.setVisible(there)
        if table is None or not there:
            self.view.set_picture(None)
            return
        told = table.pictures[number]
        image = decoded_webp(told.view, VIEW_SIDE)
        self.view.set_scale(scale)
        self.view.set_picture(LitPicture(image, told.layout, table.of_picture(number, feature)))
        done = [size_words(told.layout), *told.notes]
        self.read.setToolTip(plain_tip(f"{told.name}: {', '.join(done)}. {_HINT}."))

    def set_chosen(self, tokens: list[int]) -> None:
        """Draw a line around the tokens that are asked about, by their places in the whole."""
        if self._table is not None:
            here = [t for t in tokens if self._table.picture[t] == self._number]
            self.view.set_chosen([int(self._table.picture_token[t]) for t in here])

    def _on_read(self, tokens: list[int]) -> None:
        table = self._table
        if table is None or not tokens:
            return
        told, token = table.pictures[self._number], tokens[0]
        fired = float(self.view.activations[token])
        self.read.setText(f"{told.name}: {place_words(told.layout, token)}, activation {fired:.2f}")

    def _on_chosen(self, tokens: list[int]) -> None:
        if self._table is not None:
            found = [self._table.position_of(self._number, token) for token in tokens]
            self.tokensChosen.emit(sorted(found))
