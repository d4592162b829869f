"""A field for how well a label fits in a person's opinion: 1 to 5, or not rated."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Signal

from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.project_labels import MOST_STARS


class RatingBox(ElidedComboBox):
    """Tells when a person has rated; 0 stands for no rating."""

    rated = Signal(int)

    def __init__(self) -> None:
        super().__init__(9)
        self.addItem("Not rated", 0)
        for rating in range(1, MOST_STARS + 1):
            self.addItem(f"{rating} of {MOST_STARS}", rating)
        self.setAccessibleName("Rating of the label")
        self.setToolTip("How well the label fits, in your opinion")
        self.activated.connect(lambda row: self.rated.emit(self.itemData(row)))

    def show_rating(self, rating: int) -> None:
        """Show a rating without telling anybody."""
        with QSignalBlocker(self):
            self.setCurrentIndex(max(self.findData(rating), 0))
