"""The head of the reading desk: what is read in which order, which feature it is, and how far."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from sae_desktop.gui.explore.labels.reading_queue import ORDERS
from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip


class DeskHead(QWidget):
    """Two lines: how one reads, and what."""

    orderChosen = Signal(str)
    keysWanted = Signal()
    starClicked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.order = QComboBox()
        for number, order in enumerate(ORDERS):
            self.order.addItem(order.title, order.id)
            self.order.setItemData(number, plain_tip(order.tip), Qt.ItemDataRole.ToolTipRole)
        self.order.setAccessibleName("Which features to read, and in which order")
        self.order.setToolTip("Which features to read, and in which order")
        self.order.currentIndexChanged.connect(
            lambda _at: self.orderChosen.emit(self.order.currentData())
        )
        self.blind = QCheckBox("Hide names until I have typed")
        self.blind.setToolTip(
            plain_tip(
                "So that nothing leads you, the proposed names appear once you have typed your "
                "own. The list at the left still shows them; close it, too."
            )
        )
        self.progress = label("", "muted")
        self.keys = push_button(
            "Keys",
            self.keysWanted.emit,
            icon="keyboard",
            flat=True,
            tip="What the keys of the reading desk do (?)",
        )
        self.number = label("", "title")
        self.star = QPushButton()
        self.star.setCheckable(True)
        self.star.setProperty("flat", "true")
        self.star.setProperty("bare", "true")
        self.star.clicked.connect(lambda _on: self.starClicked.emit())
        self.figures = ElidedLabel()
        self.figures.setProperty("role", "muted")
        top, below = QHBoxLayout(), QHBoxLayout()
        self._below = QWidget()
        self._below.setLayout(below)
        below.setContentsMargins(0, 0, 0, 0)
        for row in (top, below):
            row.setSpacing(8)
        top.addWidget(self.order)
        top.addWidget(self.blind)
        top.addStretch()
        top.addWidget(self.keys)
        below.addWidget(self.number)
        below.addWidget(self.star)
        below.addWidget(self.figures, 1)
        below.addWidget(self.progress)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addWidget(self._below)

    def show_feature(self, feature: int | None, figures: str) -> None:
        """Show which feature it is; None: there is none."""
        self._below.setVisible(feature is not None)
        self.number.setText(f"#{feature}")
        self.figures.setText(figures)

    def show_star(self, starred: bool) -> None:
        self.star.setChecked(starred)
        icons.set_icon(self.star, "star-fill" if starred else "star", "accent")
        tip = "Unstar this feature" if starred else "Star this feature"
        self.star.setToolTip(plain_tip(f"{tip} (S)"))
        self.star.setAccessibleName(tip)
