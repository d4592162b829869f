"""A few features of a dictionary in training, with text they fire on: meaning as it appears."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.passages import Heading, Passage
from sae_desktop.gui.parts.token_text import TokenTextView
from sae_desktop.training.run_log import FeatureSample
from sae_desktop.words.amounts import percent_text

SHOWN = 3


class FeatureSamples(QScrollArea):
    """The features of one snapshot, each with its strongest contexts."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("samples")
        self.setAccessibleName("Features of the current dictionary")
        self.setWidgetResizable(True)
        self._nothing = label(
            "Features and the text they fire on appear with a run’s first snapshot.",
            "muted",
            wrap=True,
        )
        self.views = [TokenTextView() for _ in range(SHOWN)]
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(12)
        column.addWidget(self._nothing)
        for view in self.views:
            column.addWidget(view)
        column.addStretch(1)
        self.setWidget(page)
        self.show_samples([])

    def show_samples(self, samples: Sequence[FeatureSample]) -> None:
        """Show a snapshot's features; none for a run whose activations came without a model."""
        self._nothing.setVisible(not samples)
        for view in self.views[len(samples) :]:
            view.hide()
        for view, sample in zip(self.views, samples, strict=False):
            strongest = max((max(c.activations) for c in sample.contexts), default=1.0)
            view.set_scale(ColourScale(strongest))
            heading = Heading(f"#{sample.feature}", f"on {percent_text(sample.density)} of tokens")
            passages = [
                Passage(c.tokens, c.activations, c.activations.index(max(c.activations)))
                for c in sample.contexts
            ]
            view.set_blocks([heading, *passages])
            view.show()
