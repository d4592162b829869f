"""What is asked of a text, and which stretch of a long one is shown."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QComboBox, QHBoxLayout, QToolButton, QWidget
from superqt import QFlowLayout

from sae_desktop.gui.explore.ask.probe_summary import Measure
from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.number_fields import NumberField
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.words.amounts import exact_count

DENSEST = 10.0
"""Percent of the indexed tokens: denser features are hidden at first."""
_RANKS: tuple[tuple[str, Measure, str], ...] = (
    (
        "More than usual",
        "excess",
        "Features by how much more there is of them, over all that is shown, than in other text: "
        "what the text is about comes before what one letter sets off",
    ),
    ("Activation", "activation", "Features by their activation"),
    ("Share of maximum", "share", "Features by their activation over their maximum"),
    (
        "Attribution",
        "attribution",
        "Features by their effect on the next token: activation × (direction · gradient of the "
        "next token’s logit minus that of the most likely other token)",
    ),
)

_WAYS = (
    ("List", "list-bullets", "The features with their words, strongest first"),
    ("Matrix", "grid-four", "The features by the tokens they fire on"),
)
EXAMPLES = (
    ("an English sentence", "The king of France opened the door and said nothing."),
    ("a French sentence", "La liberté consiste à pouvoir faire tout ce qui ne nuit pas à autrui."),
    ("a line of code", "def total(numbers): return sum(number for number in numbers)"),
)
"""What each is, and the text."""


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
        row = self._row = QFlowLayout(self)  # two lines where there is no room for one
        row.setContentsMargins(0, 0, 0, 0)
        row.setHorizontalSpacing(16)
        row.setVerticalSpacing(4)
        for text, field in (
            ("Read it as", self.kind),
            ("Rank by", self.ranking),
            ("Hide features denser than", self.density),
        ):
            row.addWidget(_beside(text, field))
        self.kind.currentIndexChanged.connect(lambda _index: self.changed.emit())
        self.ranking.currentIndexChanged.connect(lambda _index: self.changed.emit())
        self.density.valueChanged.connect(lambda _value: self.changed.emit())

    def add(self, widget: QWidget) -> None:
        """Put something behind the settings."""
        self._row.addWidget(widget)

    @property
    def chat(self) -> bool:
        return bool(self.kind.currentData())

    @property
    def rank(self) -> Measure:
        found: Measure = self.ranking.currentData()
        return found

    @property
    def most_density(self) -> float:
        return self.density.value() / 100.0


def _beside(text: str, field: QWidget) -> QWidget:
    pair = QWidget()
    row = QHBoxLayout(pair)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(8)
    row.addWidget(label(text, "small"))
    row.addWidget(field)
    return pair


class WaysBar(QWidget):
    """Two buttons of which one is down: how what was found is shown."""

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for number, (text, icon, tip) in enumerate(_WAYS):
            button = QToolButton()
            button.setText(text)
            button.setCheckable(True)
            button.setChecked(not number)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setToolTip(plain_tip(tip))
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            icons.set_icon(button, icon)
            self._group.addButton(button, number)
            row.addWidget(button)
        self._group.idToggled.connect(self._on_toggled)

    @property
    def way(self) -> int:
        return self._group.checkedId()

    def choose(self, way: int) -> None:
        """Show what was found in another way."""
        self._group.button(way).setChecked(True)

    def _on_toggled(self, way: int, down: bool) -> None:
        if down:
            self.chosen.emit(way)


class ExampleTexts(QWidget):
    """Buttons that put a text into the box, for whoever has none at hand."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        row = QFlowLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setHorizontalSpacing(8)
        row.setVerticalSpacing(4)
        for name, text in EXAMPLES:
            button = push_button(f"Try {name}", partial(self.chosen.emit, text), tip=text)
            row.addWidget(button)


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

    def go_to(self, first: int) -> None:
        """Show the stretch that begins with a token, once a text is that long."""
        self._page = max(first, 0) // self._size

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
