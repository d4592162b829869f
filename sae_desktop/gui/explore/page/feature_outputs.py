"""Where a feature of several sites or models writes, what drives it, and which output to show."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from sae_desktop.features.reading.outputs import inputs_of, logits_at, neighbours_at, outputs_of
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.gui.explore.page.share_strip import ShareStrip, StripBar
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.terms import explain
from sae_desktop.words.output_words import ALL_OUTPUTS, input_tip, output_tip, short_names

_ABREAST = 640
"""From this width on, both strips stand side by side."""
_HEAD = 32
"""As high as the choice is: the heads of both strips are in line."""
Pairs = list[tuple[str, float]]


class FeatureOutputs(QWidget):
    """A strip of bars over the outputs, another over the inputs; not there for a single site."""

    outputChosen = Signal()
    """Logits and nearest features of another output, or over all, are wanted."""

    def __init__(self) -> None:
        super().__init__()
        self._index: FeatureIndex | None = None
        self._names: list[str] = []
        self.writes = label("Where it writes", "heading")
        explain(self.writes, "Where it writes")
        self.drives = label("What drives it", "heading")
        explain(self.drives, "What drives it")
        self.strip = ShareStrip("Where the feature writes: its strength at each output")
        self.inputs = ShareStrip(
            "What drives the feature: its loss with each input at its mean", choosing=False
        )
        self.choice = QComboBox()
        self.choice.setAccessibleName("By which output logits and nearest features are shown")
        self.choice.setToolTip(
            "Show logits and nearest features by one output alone, or over all outputs"
        )
        written = QWidget()
        _lay_out(written, self.writes, "strength at each; click one", self.strip, self.choice)
        self._driven = QWidget()
        _lay_out(self._driven, self.drives, "share lost without it", self.inputs, None)
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(24)
        self._row.addWidget(written, 1)
        self._row.addWidget(self._driven, 1)
        self.strip.chosen.connect(self._on_bar_chosen)
        self.choice.currentIndexChanged.connect(self._on_choice)
        self.setVisible(False)

    @property
    def output(self) -> int | None:
        """The number of the output that is chosen; None: over all."""
        return self.strip.chosen_bar

    @property
    def output_name(self) -> str:
        """What the chosen output is called; empty: all are shown together."""
        return "" if self.output is None else self._names[self.output]

    def show_feature(self, index: FeatureIndex, feature: int) -> None:
        """Show another feature; the output chosen stays."""
        facts, models = outputs_of(index, feature), index.info.models
        names = short_names([fact.end for fact in facts], models)
        if self._index is not index or names != self._names:
            self._index, self._names = index, names
            self._offer(names)
        self.strip.set_bars(
            [
                StripBar(name, fact.strength, output_tip(fact, models))
                for name, fact in zip(names, facts, strict=True)
            ]
        )
        driving = inputs_of(index, feature)
        self.inputs.set_bars(
            [
                StripBar(name, fact.share, input_tip(fact, models))
                for name, fact in zip(
                    short_names([fact.end for fact in driving], models), driving, strict=True
                )
            ]
        )
        self._driven.setVisible(len(driving) > 1)
        self.setVisible(len(facts) > 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        direction = QBoxLayout.Direction
        abreast = self.width() >= _ABREAST
        self._row.setDirection(direction.LeftToRight if abreast else direction.TopToBottom)

    def logits(self, index: FeatureIndex, feature: int, *, centred: bool) -> tuple[Pairs, Pairs]:
        """Return (token, effect) that are raised and lowered most, by the output chosen."""
        if self.output is None:
            return (
                index.top_logits(feature, centred=centred),
                index.bottom_logits(feature, centred=centred),
            )
        return logits_at(index, feature, self.output)

    def neighbours(self, index: FeatureIndex, feature: int) -> list[tuple[int, float]]:
        """Return (feature, cosine) of the nearest ones, by the output chosen."""
        if self.output is None:
            return index.neighbours(feature)
        return neighbours_at(index, feature, self.output)

    def _offer(self, names: list[str]) -> None:
        with QSignalBlocker(self.choice):
            self.choice.clear()
            self.choice.addItem(ALL_OUTPUTS, None)
            for number, name in enumerate(names):
                self.choice.addItem(f"By {name} alone", number)
        self.strip.choose(None)

    def _on_bar_chosen(self, number: int | None) -> None:
        with QSignalBlocker(self.choice):
            self.choice.setCurrentIndex(0 if number is None else number + 1)
        self.outputChosen.emit()

    def _on_choice(self) -> None:
        self.strip.choose(self.choice.currentData())
        self.outputChosen.emit()


def _lay_out(
    part: QWidget, head: QLabel, caption: str, strip: ShareStrip, beside: QWidget | None
) -> None:
    row = QHBoxLayout()
    row.setSpacing(8)
    row.addStrut(_HEAD)
    row.addWidget(head)
    row.addWidget(label(caption, "small"))
    row.addStretch()
    if beside is not None:
        row.addWidget(beside)
    column = QVBoxLayout(part)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(4)
    column.addLayout(row)
    column.addStretch()
    column.addWidget(strip)
