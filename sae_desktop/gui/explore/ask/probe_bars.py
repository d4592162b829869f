"""What is asked of a text, and which stretch of a long one is shown."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QWidget

from sae_desktop.features.config import Ranking
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.number_fields import NumberField
from sae_desktop.words.amounts import exact_count

DENSEST = 10.0
"""Percent of the indexed tokens: denser features are hidden at first."""
_RANKS: tuple[tuple[str, Ranking, str], ...] = (
    ("Activation", "activation", "Features by their activation"),
    ("Share of maximum", "share", "Features by their activation over their maximum"),
    (
        "Attribution",
        "attribution",
        "Features by their effect on the next token: activation × (direction · gradient of the "
        "next token’s logit minus that of the most likely other token)",
    ),
)


class ProbeSettings(QWidget):
    """Text or chat, the ranking, and how dense a feature may be."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.kind = QComboBox()
        self.kind.addItem("Text", False)
        self.kind.addItem("Chat", True)
        self.kind.setAccessibleName("Text or chat")
        self.kind.setToolTip(
            "In a chat, lines begin with user:, assistant: or system:; it goes through the "
            "model’s chat template"
        )
        self.ranking = QComboBox()
        for title, value, tip in _RANKS:
            self.ranking.addItem(title, value)
            self.ranking.setItemData(self.ranking.count() - 1, tip, 3)
        self.ranking.setAccessibleName("Rank features by")
        self.ranking.setToolTip("What to rank and colour the features by")
        self.density = NumberField()
        self.density.setRange(0.01, 100.0)
        self.density.setDecimals(2)
        self.density.setSuffix("%")
        self.density.setValue(DENSEST)
        self.density.setKeyboardTracking(False)
        self.density.setAccessibleName("Hide features that fire on more tokens than")
        self.density.setToolTip("Hides features that fire on a larger share of the indexed tokens")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        grid.addWidget(self.kind, 0, 0)
        grid.addWidget(self.ranking, 0, 1)
        grid.addWidget(label("Hide denser than", "small"), 1, 0)
        grid.addWidget(self.density, 1, 1)
        grid.setColumnStretch(1, 1)
        self.kind.currentIndexChanged.connect(lambda _index: self.changed.emit())
        self.ranking.currentIndexChanged.connect(lambda _index: self.changed.emit())
        self.density.valueChanged.connect(lambda _value: self.changed.emit())

    @property
    def chat(self) -> bool:
        return bool(self.kind.currentData())

    @property
    def rank(self) -> Ranking:
        found: Ranking = self.ranking.currentData()
        return found

    @property
    def most_density(self) -> float:
        return self.density.value() / 100.0


class PageBar(QWidget):
    """Which tokens of a long text are shown, and buttons to those before and after."""

    pageChanged = Signal()

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size, self._total, self._page = size, 0, 0
        self.before = push_button("", lambda: self._go(-1), icon="arrow-left", tip="Tokens before")
        self.after = push_button("", lambda: self._go(1), icon="arrow-right", tip="Tokens after")
        self.text = label("", "small", wrap=True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.before)
        row.addWidget(self.text, 1)
        row.addWidget(self.after)

    @property
    def first(self) -> int:
        """The first token shown."""
        return self._page * self._size

    @property
    def pages(self) -> int:
        return max(-(-self._total // self._size), 1)

    def set_total(self, tokens: int) -> None:
        """Say how long the text is; the page stays where there still is one."""
        self._total = tokens
        self._page = min(self._page, self.pages - 1)
        self._say()

    def _go(self, by: int) -> None:
        self._page = min(max(self._page + by, 0), self.pages - 1)
        self._say()
        self.pageChanged.emit()

    def _say(self) -> None:
        last = min(self.first + self._size, self._total)
        self.text.setText(
            f"Tokens {exact_count(self.first)} to {exact_count(max(last - 1, 0))} of "
            f"{exact_count(self._total)} are shown."
        )
        self.before.setEnabled(self._page > 0)
        self.after.setEnabled(self._page < self.pages - 1)
