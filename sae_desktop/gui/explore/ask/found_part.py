"""What a probe has found, below what was read: the features in a list, or by their tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from sae_desktop.gui.explore.ask.found_features import FoundFeatures
from sae_desktop.gui.explore.ask.lit_text import scrolled
from sae_desktop.gui.explore.ask.probe_bars import WaysBar
from sae_desktop.gui.explore.ask.probe_summary import Measure, ProbeTable
from sae_desktop.gui.explore.ask.probe_words import UNITS, found_rows, ranked_text
from sae_desktop.gui.explore.ask.token_matrix import TokenMatrix
from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session

_WHOLE = "Rank by the whole text"


@dataclass(frozen=True)
class Looked:
    """Of which tokens features are shown, and how they are ranked and coloured."""

    rank: Measure
    first: int
    last: int
    """Of the stretch that is shown."""
    token: int | None
    """The only one that is looked at."""
    region: list[int]
    """Those of a picture that are looked at together; none: all."""
    logarithmic: bool
    scale_of: Callable[[int], ColourScale]
    maxima: npt.NDArray[Any] | None
    """(F,), of the index."""


class FoundPart(QWidget):
    """The features of a text, of one of its tokens, or of a part of a picture."""

    def __init__(self, session: Session, see_all: Callable[[], None]) -> None:
        """`see_all` is called to look at the whole text again."""
        super().__init__()
        notes = FeatureNotes.of(session)
        self.ranked = label("", "small", wrap=True)
        self.whole = push_button(_WHOLE, see_all)
        self.ways = WaysBar()
        self.found = FoundFeatures(session)
        self.matrix = TokenMatrix(notes.title, notes.words)
        stack = QStackedWidget()
        stack.addWidget(scrolled(self.found))
        stack.addWidget(self.matrix)
        self.ways.chosen.connect(stack.setCurrentIndex)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.ranked, 1)
        row.addWidget(self.whole)
        row.addWidget(self.ways)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(stack, 1)

    def show_rows(self, table: ProbeTable | None, looked: Looked) -> None:
        """Show the features of an answer; none where there is no answer."""
        rank, first, last = looked.rank, looked.first, looked.last
        self.whole.setVisible(looked.token is not None or bool(looked.region))
        pictures = table is not None and table.pictures
        self.whole.setText("Rank by everything" if pictures else _WHOLE)
        if table is None:
            self.matrix.set_rows(None, (), 0, looked.scale_of)
            self.found.set_found((), "")
            return
        if looked.region:
            table, first, last = table.part(looked.region), 0, len(looked.region)
        token = looked.token
        if token is not None and not first <= token < last:
            token = None
        rows = (
            table.rows(rank, first, last)
            if token is None
            else table.rows_at(rank, first, last, token)
        )
        signed = rank == "attribution" and len(table.attributions) > 0
        common: ColourScale | None = None
        if rank in ("share", "excess"):
            common = ColourScale(1.0, looked.logarithmic)
        elif signed:
            common = ColourScale(float(rows.peaks.max(initial=0.0)), logarithmic=False)
        names = [table.short_name(token) for token in range(first, last)]
        self.matrix.set_rows(
            rows, names, first, lambda feature: common or looked.scale_of(feature), signed=signed
        )
        span = (first, last) if token is None else (token, token + 1)
        if rank == "excess" and token is not None:
            rank = "share"  # which is what it comes to on one token
        self.found.set_found(found_rows(table, rank, rows, span, looked.maxima), UNITS[rank])
        self.ranked.setText(ranked_text(table, rank, len(rows), token, len(looked.region)))
