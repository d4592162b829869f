"""What the dictionaries of a run are measured on while they train: rows and text held out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.architectures import Batch
from sae_desktop.training.metrics import Block, Fit, measure_fit
from sae_desktop.training.run_log import FeatureSample
from sae_desktop.training.samples import SampleText, sample_features
from sae_desktop.training.splice import SpliceLosses, SpliceText, measure_losses, spliced_loss

_BLOCK = 4096


class HeldOut:
    """Shared by the runs of one pass: what the model does by itself is measured once."""

    def __init__(self, rows: Batch, text: SpliceText | None, sample: SampleText | None) -> None:
        """Take raw rows on the CPU; `text` and `sample` are None without a model."""
        self._rows, self._text, self._sample = rows, text, sample
        self._losses: SpliceLosses | None = None

    def fit(self, dictionary: Dictionary) -> Fit:
        """Measure how well a dictionary fits the rows."""
        with torch.no_grad():
            return measure_fit(dictionary, self._blocks())

    def losses(self, dictionary: Dictionary) -> SpliceLosses | None:
        """Measure the model with the dictionary spliced in; None without a model."""
        if self._text is None:
            return None
        if self._losses is None:
            self._losses = measure_losses(self._text, dictionary)
            return self._losses
        return spliced_loss(self._text, dictionary, self._losses)

    def samples(self, dictionary: Dictionary, order: Sequence[int]) -> list[FeatureSample]:
        """Return features with text they fire on; none without a model."""
        return [] if self._sample is None else sample_features(dictionary, self._sample, order)

    def _blocks(self) -> Iterator[Block]:
        x, y = self._rows
        for begin in range(0, len(x), _BLOCK):
            block = x[begin : begin + _BLOCK]
            yield block if x is y else (block, y[begin : begin + _BLOCK])
