"""The ranked lists of a comparison, and models side by side: one tab each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QSplitter, QVBoxLayout, QWidget

from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.passages import Heading, Passage
from sae_desktop.gui.parts.token_text import TokenTextView
from sae_desktop.gui.safety.changes.feature_names import FeatureNames
from sae_desktop.gui.safety.changes.figures_table import FiguresTable, Head
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.safety.change.config import CompareCheckpointsConfig, config_of
from sae_desktop.words.amounts import figure_text, percent_text, probability_text, signed_text
from sae_desktop.words.change_words import kind_words

if TYPE_CHECKING:
    from sae_desktop.safety.change.change_file import Change

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
         "The mean difference of activations at the first five tokens, read as logits", True),
    Head("Logit", "Above the mean of all tokens"),
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
_CROSS = (
    Head("Feature"), Head("Kind", short=True),
    Head("Norms", "Of its decoder in each checkpoint, from the first on", True),
    Head("Born", "The first checkpoint that has it", True),
    Head("Last", "The last checkpoint that has it", True),
    Head("Cosine", "The least between two checkpoints that have it: low where it is rotated"),
    Head("Density"),
    Head("Stable", "Cosine with the most alike feature of the other seeds: near 1 where every "
         "training finds it; – with one seed"),
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
            f"“{one.title}” differ from “{change.info.checkpoints[0].title}”, corrected for all of "
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
                title = change.info.checkpoints[place].title
                context = found.get(place)
                blocks.append(Heading(f"#{feature} on “{title}”", _strongest(context)))
                if context is not None:
                    peak = int(np.argmax(context.activations))
                    most = max(most, *context.activations)
                    blocks.append(Passage(context.tokens, np.array(context.activations), peak))
            if not found:
                blocks = [Heading(f"#{feature}: contexts are kept of the 20 that changed most")]
            self.contexts.set_scale(ColourScale(most or 1.0))
        self.contexts.set_blocks(blocks)


def _strongest(context: object) -> str:
    if context is None:
        return "it does not fire on these texts"
    return f"strongest: {max(context.activations):.3g}"  # type: ignore[attr-defined]


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
            rows = [[visible_token(one.token), signed_text(one.score, 3)] for one in found]
            table.show_rows(heads, rows)


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
                t.trait, f"{t.angle:.0f}°", f"{t.angle_by_chance:.0f}°",
                signed_text(t.projection, 3), f"{t.projection_p:.2g}",
                f"{t.projection_random:.3f}", f"{t.auroc_first:.3f}", f"{t.auroc_own:.3f}",
                f"{t.probe_angle:.0f}°", f"{t.probe_auroc_first:.3f}", f"{t.probe_auroc_own:.3f}",
            ]
            for t in found
        ]  # fmt: skip
        self.table.show_rows(_TRAITS, rows)


class OutputsTab(QWidget):
    """The same beginning, and what each model makes of it."""

    def __init__(self) -> None:
        super().__init__()
        self._change: Change | None = None
        self.prompt = ElidedComboBox(40)
        self.prompt.setAccessibleName("Beginning")
        self.table = FiguresTable("What each model makes of it")
        self.steered = label("", "small", wrap=True, selectable=True)
        self.steered.setToolTip(
            "The mean difference at the first tokens is added to the last checkpoint, beside a "
            "random direction as long: what a fine-tune was for often shows more than it does plain"
        )
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(label("Beginning"))
        row.addWidget(self.prompt, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(8)
        column.addLayout(row)
        column.addWidget(self.table, 1)
        column.addWidget(self.steered)
        self.prompt.currentIndexChanged.connect(lambda _place: self._show())

    def show_checkpoint(self, change: Change, checkpoint: int) -> None:
        """Show the models side by side; all of them, whichever is chosen."""
        del checkpoint
        if change is self._change:
            return
        self._change = change
        with QSignalBlocker(self.prompt):
            self.prompt.clear()
            steered = change.info.steered
            self.prompt.addItems(change.info.prompts or (steered.prompts if steered else []))
        self._show()

    def _show(self) -> None:
        change, place = self._change, self.prompt.currentIndex()
        if change is None or place < 0:
            return
        info, rows, tips = change.info, [], []
        for one, answers in zip(info.checkpoints, info.answers, strict=False):
            answer = answers[place]
            following = "  ".join(
                f"{visible_token(t.token)} {probability_text(t.score)}"
                for t in answer.next_tokens[:4]
            )
            rows.append([one.title, following, " ".join(answer.written.split())])
            tips.append(answer.written)
        heads = (
            Head("Model", words=True),
            Head("Likeliest next tokens", words=True),
            Head("Writes", "What follows if it always takes the likeliest token", True),
        )
        self.table.show_rows(heads, rows, tips=tips)
        self.table.setVisible(bool(rows))
        self.steered.setText(self._told(place))

    def _told(self, place: int) -> str:
        change = self._change
        steered = change.info.steered if change is not None else None
        if change is None or steered is None or place >= len(steered.prompts):
            return ""
        prompt = " ".join(steered.prompts[place].split())
        parts = (
            ("plain", steered.plain[place]),
            ("with the first-token difference", steered.steered[place]),
            ("with a random direction as long", steered.random[place]),
        )
        told = "\n".join(f"{name}: {' '.join(text.split())}" for name, text in parts)
        return f"“{change.info.checkpoints[-1].title}” after “{prompt}”, drawn at random:\n{told}"


class CrosscoderTab(QWidget):
    """Features of the crosscoder over all checkpoints: shared, exclusive, rotated; their lives."""

    def __init__(self) -> None:
        super().__init__()
        self._change: Change | None = None
        self.told = label("", wrap=True)
        self.kind = ElidedComboBox(20)
        self.kind.setAccessibleName("Kind of features")
        self.table = FiguresTable("Features of the crosscoder")
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.told, 1)
        row.addWidget(self.kind)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(8)
        column.addLayout(row)
        column.addWidget(self.table, 1)
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
        self._show()

    def _show(self) -> None:
        change, kind = self._change, self.kind.currentData()
        if change is None or kind is None:
            return
        arrays, titles = change.arrays, [one.title for one in change.info.checkpoints]
        asked = config_of(change.info.config, CompareCheckpointsConfig)
        alone = asked is not None and asked.crosscoder_seeds < 2
        rows = []
        for feature in change.crosscoder_features(kind)[:_LISTED].tolist():
            born, last = (int(arrays[f"crosscoder/{n}"][feature]) for n in ("birth", "death"))
            rows.append(
                [
                    str(feature), kind,
                    " ".join(f"{norm:.2f}" for norm in arrays["crosscoder/norm"][feature]),
                    titles[born] if 0 <= born < len(titles) else "–",
                    titles[last] if 0 <= last < len(titles) else "–",
                    figure_text(float(arrays["crosscoder/cosine"][feature])),
                    percent_text(float(arrays["crosscoder/density"][feature])),
                    "–" if alone else figure_text(float(arrays["crosscoder/stable"][feature])),
                ]
            )  # fmt: skip
        self.table.show_rows(_CROSS, rows)
