"""The ranked lists of a comparison, and models side by side: one tab each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QSplitter, QVBoxLayout, QWidget

from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.passages import Heading, Passage
from sae_desktop.gui.parts.token_text import TokenTextView
from sae_desktop.gui.safety.changes.feature_names import FeatureNames
from sae_desktop.gui.safety.changes.figures_table import FiguresTable, Head
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.words.amounts import figure_text, percent_text, signed_text
from sae_desktop.words.change_ways import titles_of
from sae_desktop.words.change_words import trait_title

if TYPE_CHECKING:
    from sae_desktop.safety.change.change_file import Change, FeatureContext

_LISTED = 100
_CONTEXTS = 116
"""Pixels in which a feature's contexts before and after stand one above the other."""
_FEATURES = (
    Head("Feature"),
    Head("Label or name", "What fires it, where it has no label. Return or a double click opens it",
         True),
    Head("Change", "Of its mean activation since the first checkpoint, in standard deviations over "
         "texts"),
    Head("q", "How likely a change as large is by chance, corrected for all features (Benjamini "
         "and Hochberg)"),
    Head("Mean before"), Head("now"),
    Head("Density before", "Share of tokens on which it fires"), Head("now"),
    Head("Effect", "By how much the loss rises without it, nats per token, to first order"),
    Head("Cosine", "Of its direction with the difference at the first tokens"),
)  # fmt: skip
_SHIFT = (
    Head("Became more likely", "Since the checkpoint before, on ordinary text", True),
    Head("Change", "Mean change of its log probability, in nats"),
)
_LENS = (
    Head("Named by the first tokens",
         "The mean difference of activations at the first five tokens, read through the final norm "
         "and the head. Tokens that neither model ever finds more likely than chance are left out",
         True),
    Head("Logit", "Above the mean of all tokens"),
    Head("Beyond random", "How far that is from the logits that random directions give this "
         "token, in their standard deviations: 2 and less is what a random direction does, too"),
)  # fmt: skip
_TRAITS = (
    Head("Trait", "A concept set", True),
    Head("Turned", "Angle between its direction here and on the first checkpoint"),
    Head("By chance", "Angle between the directions of two draws of its texts, on the first "
         "checkpoint"),
    Head("Text moved", "How far ordinary text lies from where it lay, along the first direction: 1 "
         "is from texts without the trait to those with it"),
    Head("p", "How likely that is with random signs"),
    Head("Random", "95% of random directions move less far"),
    Head("AUROC, first", "Of the first checkpoint’s direction on this one’s held-out texts"),
    Head("own", "Of its own direction"),
    Head("Probe turned", "Of a logistic regression on raw activations, the cheap rival"),
    Head("AUROC, first", "Of the first checkpoint’s probe"), Head("own", "Of its own probe"),
)  # fmt: skip


class FeaturesTab(QSplitter):
    """Features by how surely they changed, and the chosen one’s contexts before and after."""

    def __init__(self, session: Session) -> None:
        super().__init__(Qt.Orientation.Vertical)
        self._names = FeatureNames(session)
        self._change: Change | None = None
        self._shown: list[int] = []
        self.table = FiguresTable("Features that changed most")
        self.table.setToolTip("Return or a double click opens a feature in Explore")
        self.note = label("", "small", wrap=True)
        self.contexts = TokenTextView()
        self.contexts.setAccessibleName("Contexts before and after")
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setWidget(self.contexts)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        above = QWidget()
        column = QVBoxLayout(above)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.note)
        column.addWidget(self.table, 1)
        self.addWidget(above)
        self.addWidget(area)
        self.setChildrenCollapsible(False)
        area.setMinimumHeight(_CONTEXTS)
        self.setStretchFactor(0, 1)
        self.setSizes([2 * _CONTEXTS, _CONTEXTS])
        self.table.rowChosen.connect(lambda row: self._names.open(self._shown[row]))
        self.table.rowPointed.connect(self._show_contexts)

    def show_checkpoint(self, change: Change, checkpoint: int) -> None:
        """List the features of a checkpoint, those whose mean changed most surely first."""
        self._change = change
        if "features/size" not in change.arrays:
            return
        self._names.be_of(change.info.dictionary)
        arrays, one = change.arrays, change.info.checkpoints[checkpoint]
        titles = titles_of(change)
        ranked = change.ranked_features(checkpoint)
        moved = ranked[arrays["features/size"][checkpoint][ranked] != 0]
        self._shown = moved[:_LISTED].tolist()
        rows, quiet = [], set()
        for place, feature in enumerate(self._shown):
            said, is_name = self._names.said(feature)
            quiet |= {place} if is_name else set()
            own = {
                name: float(arrays[f"features/{name}"][checkpoint, feature])
                for name in ("size", "q", "mean", "density", "effect", "cosine")
            }
            rows.append(
                [
                    f"#{feature}", said, signed_text(own["size"]), f"{own['q']:.2g}",
                    figure_text(float(arrays["features/mean"][0, feature])),
                    figure_text(own["mean"]),
                    percent_text(float(arrays["features/density"][0, feature])),
                    percent_text(own["density"]), signed_text(own["effect"], 4),
                    signed_text(own["cosine"]),
                ]
            )  # fmt: skip
        self.table.show_rows(_FEATURES, rows)
        self.note.setText(
            f"{one.changed_features:,} of {arrays['features/size'].shape[1]:,} features of "
            f"“{titles[checkpoint]}” differ from “{titles[0]}”, corrected for all of "
            f"them (1% false discoveries); of as many random directions {one.changed_random:,} do."
        )
        self._show_contexts(-1)
        if rows:
            self.table.selectRow(0)

    def _show_contexts(self, row: int) -> None:
        change = self._change
        blocks: list[Heading | Passage] = []
        if change is not None and 0 <= row < len(self._shown):
            feature = self._shown[row]
            found = {one.checkpoint: one for one in change.info.contexts if one.feature == feature}
            most = 0.0
            for place in (0, len(change.info.checkpoints) - 1):
                title = titles_of(change)[place]
                context = found.get(place)
                blocks.append(Heading(f"#{feature} on “{title}”", strongest_text(context)))
                if context is not None:
                    peak = int(np.argmax(context.activations))
                    most = max(most, *context.activations)
                    blocks.append(Passage(context.tokens, np.array(context.activations), peak))
            if not found:
                blocks = [Heading(f"#{feature}: contexts are kept of the 20 that changed most")]
            self.contexts.set_scale(ColourScale(most or 1.0))
        self.contexts.set_blocks(blocks)


def strongest_text(context: FeatureContext | None) -> str:
    """Return how strongly a feature fires in its context."""
    if context is None:
        return "it does not fire on these texts"
    return f"strongest activation: {max(context.activations):.3g}"


class TokensTab(QWidget):
    """Tokens that became more likely, and those that the first-token difference names."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = FiguresTable("Tokens that became more likely")
        self.lens = FiguresTable("Tokens that the first-token difference names")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 8, 0, 0)
        row.setSpacing(12)
        row.addWidget(self.shift, 1)
        row.addWidget(self.lens, 1)

    def show_checkpoint(self, change: Change, checkpoint: int) -> None:
        """List the tokens of a checkpoint, the strongest first."""
        info = change.info
        for table, heads, lists in (
            (self.shift, _SHIFT, info.shift_tokens),
            (self.lens, _LENS, info.lens_tokens),
        ):
            found = lists[checkpoint] if checkpoint < len(lists) else []
            rows = [
                [visible_token(one.token), signed_text(one.score, 3)]
                + ([beyond_text(one.beyond)] if heads is _LENS else [])
                for one in found
            ]
            table.show_rows(heads, rows)


def beyond_text(beyond: float | None) -> str:
    """Return how far beyond random directions: “3.1 σ”; a comparison of old does not know."""
    return "–" if beyond is None else f"{signed_text(beyond, 1)} σ"


class TraitsTab(QWidget):
    """How far each trait has turned, beside chance and beside its probe."""

    def __init__(self) -> None:
        super().__init__()
        self.table = FiguresTable("Traits")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.addWidget(self.table)

    def show_checkpoint(self, change: Change, checkpoint: int) -> None:
        """List the traits of a checkpoint."""
        found = change.info.traits[checkpoint] if change.info.traits else []
        rows = [
            [
                trait_title(t.trait), f"{t.angle:.0f}°", f"{t.angle_by_chance:.0f}°",
                signed_text(t.projection, 3), f"{t.projection_p:.2g}",
                f"{t.projection_random:.3f}", f"{t.auroc_first:.3f}", f"{t.auroc_own:.3f}",
                f"{t.probe_angle:.0f}°", f"{t.probe_auroc_first:.3f}", f"{t.probe_auroc_own:.3f}",
            ]
            for t in found
        ]  # fmt: skip
        self.table.show_rows(_TRAITS, rows)
