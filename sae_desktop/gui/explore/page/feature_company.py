"""The lower part of a feature's page: what fires along with it, and where it fires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.gui.explore.feature_links import FeatureLinks, FeatureRow
from sae_desktop.gui.explore.page.company_bars import (
    BY_ACTIVATION,
    BY_FIRINGS,
    ShareRow,
    neurons_text,
    share_row,
    share_rows,
    shares_note,
)
from sae_desktop.gui.parts.labelled_bars import Bar, LabelledBars
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.language_names import language_name
from sae_desktop.words.source_titles import source_title

_TWO_COLUMNS = 680
_NOT_MEASURED = "Not measured when the index was built."


class FeatureCompany(QWidget):
    """Co-active features, tokens, languages, sources and neurons of one feature."""

    sideBySideRequested = Signal()
    """Documents in several languages are wanted beside one another."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.coactive = FeatureLinks(session, "Features that fire together with this one")
        self.no_coactive = label(_NOT_MEASURED, "small", wrap=True)
        self.tokens = LabelledBars("Tokens it fires on most often")
        self.languages = LabelledBars("Languages it fires in")
        self.sources = LabelledBars("Sources it fires in")
        self.neurons = label("", "small", wrap=True)
        self.side_by_side = push_button(
            "Side by side",
            self.sideBySideRequested.emit,
            flat=True,
            tip="Show documents in several languages side by side",
        )
        self._notes = [label("", "small") for _ in range(3)]
        of_tokens, of_languages, of_sources = self._notes
        correlation = label("Pearson correlation", "small")
        self._parts = [
            _part("Fires together with", correlation, self.coactive, self.no_coactive),
            _part("Fires on", of_tokens, self.tokens),
            _part("Languages", of_languages, self.languages, self.side_by_side),
            _part("Sources", of_sources, self.sources),
        ]
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(24)
        self._grid.setVerticalSpacing(24)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(24)
        column.addLayout(self._grid)
        column.addWidget(_part("Neurons", None, self.neurons))
        self._columns = 0
        self._arrange(1)

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._arrange(2 if self.width() >= _TWO_COLUMNS else 1)

    def _arrange(self, columns: int) -> None:
        if columns == self._columns:
            return
        self._columns = columns
        for number, part in enumerate(self._parts):
            self._grid.addWidget(part, number // columns, number % columns)
        self._grid.setColumnStretch(0, 1)
        self._grid.setColumnStretch(1, 1 if columns == 2 else 0)

    def show_feature(self, index: FeatureIndex, feature: int) -> None:
        """Show another feature's company."""
        measured = index.array("coactive/ids") is not None
        found = index.coactive(feature)
        self.coactive.set_rows(
            [
                FeatureRow(
                    c.feature,
                    f"{c.pearson:.2f}",
                    c.pearson,
                    f"fires on {100 * c.share:.0f}% of the tokens on which this one fires",
                )
                for c in found
            ]
        )
        self.no_coactive.setText(
            _NOT_MEASURED
            if not measured
            else ""
            if found
            else "No other feature fires together with it."
        )
        self.no_coactive.setVisible(bool(self.no_coactive.text()))
        tokens = index.firing_tokens(feature)
        known = all(t.activation is not None for t in tokens)
        firings = int(_figure(index, "firings", feature))
        activation = firings * _figure(index, "mean_activation", feature) if known else None
        rows = [
            share_row(visible_token(t.token), t.firings, firings, t.activation, activation)
            for t in tokens
        ]
        nothing = _NOT_MEASURED if index.array("firing_tokens/ids") is None else "None"
        self.tokens.set_bars(_bars(rows), nothing)
        notes = [BY_ACTIVATION if known else BY_FIRINGS]
        for bars, shares in (
            (self.languages, index.languages(feature)),
            (self.sources, index.sources(feature)),
        ):
            nothing = "None" if shares else "The text does not give one."
            rows = share_rows(shares)
            if bars is self.languages:
                rows = [replace(row, name=language_name(row.name)) for row in rows]
            else:
                rows = [replace(row, name=source_title(row.name, index.info)) for row in rows]
            bars.set_bars(_bars(rows), nothing)
            notes.append(shares_note(shares))
        for note, text in zip(self._notes, notes, strict=True):
            note.setText(text)
        self.side_by_side.setVisible(bool(index.aligned_groups))
        self.neurons.setText(neurons_text(index, index.neurons(feature)))


def _bars(rows: Sequence[ShareRow]) -> list[Bar]:
    return [Bar(row.name, row.share, row.text, "accent", tip=row.tip) for row in rows]


def _figure(index: FeatureIndex, name: str, feature: int) -> float:
    column = index.columns.get(name)
    return 0.0 if column is None else float(column[feature])


def _part(title: str, note: QWidget | None, *widgets: QWidget) -> QWidget:
    part = QWidget()
    column = QVBoxLayout(part)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(4)
    head = QGridLayout()
    head.addWidget(label(title, "heading"), 0, 0)
    head.setColumnStretch(1, 1)
    if note is not None:
        head.addWidget(note, 0, 2)
    column.addLayout(head)
    for widget in widgets:
        column.addWidget(widget)
    column.addStretch()
    return part
