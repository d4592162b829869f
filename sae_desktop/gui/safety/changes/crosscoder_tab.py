"""The crosscoder over all checkpoints: its features told apart, and where they fire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.passages import Heading, Passage
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.token_text import TokenTextView
from sae_desktop.gui.safety.changes.change_tabs import strongest_text
from sae_desktop.gui.safety.changes.figures_table import FiguresTable, Head
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.safety.change.config import CompareCheckpointsConfig, config_of
from sae_desktop.words.amounts import figure_text, percent_text
from sae_desktop.words.change_ways import titles_of
from sae_desktop.words.change_words import kind_words

if TYPE_CHECKING:
    from sae_desktop.safety.change.change_file import Change, FeatureContext

_LISTED = 100
_CONTEXT = 64
"""Pixels for the context of the chosen feature."""
_CROSS = (
    Head("Feature"),
    Head("Fires most at", "The last token is the one at which it is strongest; the context is "
         "below", short=True),
    Head("Norms", "Of its decoder in each checkpoint, from the first on", True),
    Head("Born", "The first checkpoint that has it", True),
    Head("Last", "The last checkpoint that has it", True),
    Head("Cosine", "The least between two checkpoints that have it: low where it is rotated"),
    Head("Density"),
    Head("Stable", "Cosine with the most alike feature of the other seeds: near 1 where every "
         "training finds it; – with one seed"),
)  # fmt: skip


class CrosscoderTab(QWidget):
    """Features of the crosscoder over all checkpoints: shared, exclusive, rotated; their lives."""

    def __init__(self) -> None:
        super().__init__()
        self._change: Change | None = None
        self.told = label("", wrap=True)
        self.kind = ElidedComboBox(20)
        self.kind.setAccessibleName("Kind of features")
        self.table = FiguresTable("Features of the crosscoder")
        self._shown: list[int] = []
        self.contexts = TokenTextView()
        self.contexts.setAccessibleName("Where the feature fires most")
        self.contexts.setFixedHeight(_CONTEXT)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.told, 1)
        row.addWidget(self.kind)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(8)
        column.addLayout(row)
        column.addWidget(self.table, 1)
        column.addWidget(self.contexts)
        self.table.rowPointed.connect(self._show_context)
        self.kind.currentIndexChanged.connect(lambda _place: self._show())

    def show_change(self, change: Change) -> None:
        """Show the features of a kind, those that are not shared first."""
        self._change = change
        if "crosscoder/kind" not in change.arrays:
            return
        from sae_desktop.safety.change.change_file import KINDS

        counts = {kind: len(change.crosscoder_features(kind)) for kind in KINDS}
        self.told.setText(
            "One dictionary trained over all models at once. "
            + "; ".join(f"{count:,} {kind_words(kind)}" for kind, count in counts.items() if count)
            + "."
        )
        order = sorted(KINDS, key=lambda kind: (kind in ("shared", "dead"), KINDS.index(kind)))
        with QSignalBlocker(self.kind):
            self.kind.clear()
            for kind in order:
                if counts[kind]:
                    self.kind.addItem(f"{kind.capitalize()} ({counts[kind]:,})", kind)
                    tip = plain_tip(f"Features {kind_words(kind)}")
                    self.kind.setItemData(self.kind.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self._show()

    def _show(self) -> None:
        change, kind = self._change, self.kind.currentData()
        if change is None or kind is None:
            return
        arrays, titles = change.arrays, titles_of(change)
        asked = config_of(change.info.config, CompareCheckpointsConfig)
        alone = asked is not None and asked.crosscoder_seeds < 2
        rows = []
        fires = {one.feature: one for one in change.info.crosscoder_contexts}
        self._shown = change.crosscoder_features(kind)[:_LISTED].tolist()
        for feature in self._shown:
            born, last = (int(arrays[f"crosscoder/{n}"][feature]) for n in ("birth", "death"))
            rows.append(
                [
                    f"#{feature}", _peak(fires.get(feature)),
                    " ".join(f"{norm:.2f}" for norm in arrays["crosscoder/norm"][feature]),
                    titles[born] if 0 <= born < len(titles) else "–",
                    titles[last] if 0 <= last < len(titles) else "–",
                    figure_text(float(arrays["crosscoder/cosine"][feature])),
                    percent_text(float(arrays["crosscoder/density"][feature])),
                    "–" if alone else figure_text(float(arrays["crosscoder/stable"][feature])),
                ]
            )  # fmt: skip
        self.table.show_rows(_CROSS, rows)
        self._show_context(-1)
        if rows:
            self.table.selectRow(0)

    def _show_context(self, row: int) -> None:
        blocks: list[Heading | Passage] = []
        if self._change is not None and 0 <= row < len(self._shown):
            feature = self._shown[row]
            for one in self._change.info.crosscoder_contexts:
                if one.feature == feature:
                    peak = int(np.argmax(one.activations))
                    blocks = [
                        Heading(f"#{feature} fires most here", strongest_text(one)),
                        Passage(one.tokens, np.array(one.activations), peak),
                    ]
                    self.contexts.set_scale(ColourScale(max(one.activations) or 1.0))
        self.contexts.set_blocks(blocks)
        self.contexts.setVisible(bool(blocks))


def _peak(context: FeatureContext | None) -> str:
    """Return the token at which a feature fires most, with the one before it."""
    if context is None:
        return "–"
    peak = int(np.argmax(context.activations))
    return visible_token("".join(context.tokens[max(peak - 2, 0) : peak + 1]))
