"""The first pictures of a source as the model divides them, one of them large."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import QListView, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from sae_desktop.gui.harvest.patch_grid import PatchGrid
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.lit_drawing import decoded_thumbnail
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.language_model.picture_config import PicturePreview
from sae_desktop.words.amounts import elide_middle
from sae_desktop.words.pictures_card import picture_text

_SIDE = 56
_STRIP_HEIGHT = _SIDE + 24
_MOST_WORDS = 240


class PicturePreviews(QWidget):
    """A strip of thumbnails; the chosen picture below it, with the words beside it."""

    def __init__(self) -> None:
        super().__init__()
        self._previews: list[PicturePreview] = []
        self.strip = QListWidget()
        self.strip.setViewMode(QListView.ViewMode.IconMode)
        self.strip.setFlow(QListView.Flow.LeftToRight)
        self.strip.setWrapping(False)
        self.strip.setMovement(QListView.Movement.Static)
        self.strip.setIconSize(QSize(_SIDE, _SIDE))
        self.strip.setSpacing(2)
        self.strip.setFixedHeight(_STRIP_HEIGHT)
        self.strip.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.strip.setAccessibleName("The first pictures")
        self.grid = PatchGrid()
        self._about = label("", "small", wrap=True)
        self._place = label("", "muted", wrap=True)
        self._words = label("", "muted", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.strip)
        column.addWidget(self._about)
        column.addWidget(self.grid, 1)
        column.addWidget(self._place)
        column.addWidget(self._words)
        self.strip.currentRowChanged.connect(self._on_row)
        self.grid.placeRead.connect(self._on_place)
        self.show_pictures([])

    def show_pictures(self, previews: Sequence[PicturePreview]) -> None:
        """Show pictures, the first of them large."""
        row = max(self.strip.currentRow(), 0)
        self._previews = list(previews)
        self.strip.clear()
        for one in self._previews:
            icon = QIcon(QPixmap.fromImage(decoded_thumbnail(one.thumbnail)))
            item = QListWidgetItem(icon, "")
            item.setToolTip(plain_tip(picture_text(one)))
            item.setData(Qt.ItemDataRole.AccessibleTextRole, picture_text(one))
            self.strip.addItem(item)
        self.strip.setVisible(len(self._previews) > 1)
        self.setVisible(bool(self._previews))
        self.strip.setCurrentRow(min(row, len(self._previews) - 1))
        if not self._previews:
            self._on_row(-1)

    def _on_row(self, row: int) -> None:
        chosen = self._previews[row] if 0 <= row < len(self._previews) else None
        self._about.setText(picture_text(chosen) if chosen else "")
        words = elide_middle(chosen.text, _MOST_WORDS) if chosen and chosen.text else ""
        self._words.setText(f"With it: “{words}”" if words else "")
        self._words.setVisible(bool(words))
        self.grid.show_picture(chosen)

    def _on_place(self, text: str) -> None:
        placed = self.strip.currentRow() >= 0 and self._previews[self.strip.currentRow()].layout
        hint = "Point at a patch, or press the arrow keys, to see which image token it is."
        self._place.setText(text[:1].upper() + text[1:] + "." if text else hint if placed else "")
