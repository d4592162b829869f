"""The texts of a steered run side by side: plain, steered, those kept, and the controls."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSplitter

from sae_desktop.gui.parts.labels import push_button
from sae_desktop.gui.steer.generated_text import GeneratedText
from sae_desktop.gui.steer.rack import acts_title
from sae_desktop.gui.steer.watch_view import PromiseOf
from sae_desktop.steering.config import Variant

CONTROLS = ("Random direction", "Difference of means", "Asked for")
MOST_SHOWN = 6
"""Texts side by side."""
_GAP = 8
_WIDE = 1000
"""The same for all: shared out again in the width there is."""


class SteeringOutputs(QSplitter):
    """Up to six texts in two rows; the steered one can be kept beside what is tried next."""

    keptChanged = Signal()
    keepAsked = Signal()

    def __init__(self, promise_of: PromiseOf) -> None:
        """`promise_of` tells of the monitors that read along."""
        super().__init__(Qt.Orientation.Vertical)
        self._promise_of = promise_of
        self._dress(self)
        self.keep_button = push_button(
            "", self.keepAsked.emit, icon="push-pin", flat=True,
            tip="Keep this steering to compare with the next one",
        )  # fmt: skip
        self.plain = GeneratedText("Plain", promise_of)
        self.steered = GeneratedText("Steered", promise_of, self.keep_button)
        self.steered.proposes = True
        self.controls = {name: GeneratedText(name, promise_of) for name in CONTROLS}
        self.kept: list[tuple[Variant, GeneratedText]] = []
        self._rows = [QSplitter(), QSplitter()]
        for row in self._rows:
            self._dress(row)
            self.addWidget(row)
        self._shown: list[GeneratedText] = []
        self.arrange([])

    def _dress(self, splitter: QSplitter) -> None:
        splitter.setHandleWidth(_GAP)
        splitter.setChildrenCollapsible(False)

    def keep(self, variant: Variant) -> GeneratedText:
        """Keep what a variant does beside the others, under a name that says it."""
        number = len(self.kept)
        drop = push_button("", lambda: self.drop(text), icon="x", flat=True, tip="Stop keeping it")
        title = acts_title(variant.interventions, variant.stop)
        text = GeneratedText(title, self._promise_of, drop)
        text.view.setAccessibleName(f"Kept text: {title}")
        name = f"kept {number + 1}: {title}"
        self.kept.append((msgspec.structs.replace(variant, name=name), text))
        self.keptChanged.emit()
        return text

    def drop(self, text: GeneratedText) -> None:
        """Keep a text no longer."""
        self.kept = [pair for pair in self.kept if pair[1] is not text]
        self._remove(text)
        self.keptChanged.emit()

    def drop_all(self) -> None:
        """Keep none."""
        kept, self.kept = self.kept, []
        for _, text in kept:
            self._remove(text)
        self.keptChanged.emit()

    def _remove(self, text: GeneratedText) -> None:
        text.hide()
        text.dropped = True
        text.setParent(None)
        text.deleteLater()
        self._shown = [shown for shown in self._shown if shown is not text]

    def arrange(self, controls: Sequence[GeneratedText]) -> list[GeneratedText]:
        """Show the texts of a run with these controls, in the order of its variants."""
        shown = [self.plain, self.steered, *(text for _, text in self.kept), *controls]
        if shown != self._shown:
            columns = 2 if len(shown) <= 4 else 3
            for number, text in enumerate(shown):
                self._rows[number // columns].insertWidget(number % columns, text)
            for text in self.controls.values():
                if text not in shown:
                    text.setParent(self)
            for row in self._rows:
                row.setSizes([_WIDE] * row.count())
            self._shown = shown
        for text in self.controls.values():
            text.setVisible(text in shown)
        for text in shown:
            text.show()
        self._rows[1].setVisible(len(shown) > 2)
        return shown
