"""What the dictionaries of a run are measured on while they train: held-out rows and text."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.architectures import Batch
from sae_desktop.training.measuring.metrics import Block, Fit, measure_fit
from sae_desktop.training.measuring.samples import SampleText, sample_features
from sae_desktop.training.measuring.splice import (
    SpliceLosses,
    SpliceText,
    measure_losses,
    spliced_loss,
)
from sae_desktop.training.run_log import FeatureSample

_BLOCK = 4096
_LEAST_WINDOWS = 8


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

    @property
    def has_text(self) -> bool:
        """Whether there is a model that a dictionary can be spliced into."""
        return self._text is not None

    def losses(
        self,
        dictionary: Dictionary,
        limit: float = math.inf,
        between: Callable[[], None] = lambda: None,
    ) -> SpliceLosses | None:
        """Measure the model with the dictionary spliced in; None without a model.

        The first measurement takes as much of the text as can be read in `limit` seconds, some
        windows at least, and the later ones take the same. `between` is called before every batch
        of windows, and may raise.
        """
        if self._text is None:
            return None
        if self._losses is None:
            self._text = self._fitted(self._text, dictionary, limit, between)
            self._losses = measure_losses(self._text, dictionary, between)
            return self._losses
        return spliced_loss(self._text, dictionary, self._losses, between)

    def _fitted(
        self, text: SpliceText, dictionary: Dictionary, limit: float, between: Callable[[], None]
    ) -> SpliceText:
        """Return as many of the windows as can be measured in a given number of seconds."""
        if math.isinf(limit) or len(text.windows) <= _LEAST_WINDOWS:
            return text
        few = replace(text, windows=text.windows[:_LEAST_WINDOWS])
        began = time.perf_counter()
        measure_losses(few, dictionary, between)
        each = (time.perf_counter() - began) / _LEAST_WINDOWS
        count = max(_LEAST_WINDOWS, int(limit / max(each, 1e-9)))
        return replace(text, windows=text.windows[:count])

    @property
    def loss_windows(self) -> int:
        """Windows of text on which the loss recovered is measured."""
        return 0 if self._text is None else len(self._text.windows)

    def samples(self, dictionary: Dictionary, order: Sequence[int]) -> list[FeatureSample]:
        """Return features with text they fire on; none without a model."""
        return [] if self._sample is None else sample_features(dictionary, self._sample, order)

    def _blocks(self) -> Iterator[Block]:
        x, y = self._rows
        for begin in range(0, len(x), _BLOCK):
            block = x[begin : begin + _BLOCK]
            yield block if x is y else (block, y[begin : begin + _BLOCK])
