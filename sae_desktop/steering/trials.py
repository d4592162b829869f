"""Short continuations of a few prompts, each row steered with one feature at one strength.

Each is measured beside the plain continuation: whether it has broken, and how far it has turned.
B rows, T written tokens, V tokens of the vocabulary, I width of what features read, O of what they
write.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.steering.breaking import TURNED, breaking, repetition
from sae_desktop.steering.config import Sampling
from sae_desktop.steering.generate import PaddedTokens, Transforms, continuations, forward
from sae_desktop.steering.interventions import Positions
from sae_desktop.steering.own_tokens import own_tokens
from sae_desktop.steering.plain_reader import Looks
from sae_desktop.steering.row_clamp import RowClamp

_READ_AT_ONCE = 2**26
"""Numbers of the logits that are read of continuations at a time."""


@dataclass(frozen=True)
class Trial:
    """What one feature did at one strength."""

    whole: bool
    """No continuation has broken."""
    turns: tuple[float, ...] = ()
    """Of each prompt the share of tokens that are the feature's own, beyond that in the plain
    text; none of what is broken."""

    @property
    def turn(self) -> float:
        """Mean over the prompts."""
        return sum(self.turns) / len(self.turns) if self.turns else 0.0

    @property
    def turned(self) -> int:
        """On how many prompts the text has turned."""
        return sum(turn >= TURNED for turn in self.turns)


@dataclass(frozen=True)
class _Prompt:
    ids: list[int]
    written_T: Tensor
    """What the model writes by itself."""
    x_TI: Tensor
    """What the features read of what was written."""
    repeated: float
    perplexity: float | None


class Trials:
    """Continues prompts with the features of an index, many at once."""

    def __init__(self, opened: OpenedIndex, prompts: Sequence[list[int]], sampling: Sampling):
        """`prompts`: tokens, the special ones before them included."""
        self._opened, self._sampling = opened, sampling
        self._maxima = np.asarray(opened.index.columns["max_activation"], np.float32)
        self._prompts = [self._plain(ids) for ids in prompts]

    def _plain(self, ids: list[int]) -> _Prompt:
        positions = self._positions(ids, 1)
        (written,) = self._written(ids, {}, positions, 1)
        ((logs, x_TI),) = self._read(ids, [written])
        return _Prompt(
            ids, torch.tensor(written, dtype=torch.int64), x_TI, repetition(written),
            _perplexity(logs),
        )  # fmt: skip

    def tried(
        self,
        features: npt.NDArray[np.int64],
        strengths: Sequence[float],
        directions_BO: Tensor | None = None,
    ) -> list[Trial]:
        """Return what each feature does at its strength, in multiples of its maximum.

        `directions_BO`: others of length one in place of the features' own, at the same amount.
        """
        whole = [True] * len(features)
        turns: list[list[float]] = [[] for _ in features]
        for prompt in self._prompts:
            # What has broken after one prompt is not continued after the others.
            rows = [row for row, still in enumerate(whole) if still]
            if not rows:
                break
            chosen = torch.from_numpy(features[rows])
            values = torch.tensor([strengths[row] for row in rows]) * torch.from_numpy(
                self._maxima[features[rows]]
            )
            own = None if directions_BO is None else directions_BO[rows]
            found = self._of_prompt(prompt, chosen, values, own)
            for row, turn in zip(rows, found, strict=True):
                whole[row] = turn is not None
                turns[row].append(turn or 0.0)
        return [
            Trial(whole=still, turns=tuple(of_row) if still else ())
            for still, of_row in zip(whole, turns, strict=True)
        ]

    def _of_prompt(
        self, prompt: _Prompt, chosen_B: Tensor, values_B: Tensor, directions_BO: Tensor | None
    ) -> list[float | None]:
        """Return how far each row's continuation has turned; None of one that has broken."""
        opened, count = self._opened, len(chosen_B)
        positions = self._positions(prompt.ids, count)
        clamp = RowClamp(
            opened, chosen_B, values_B, positions, first=len(opened.bos),
            directions_BO=directions_BO,
        )  # fmt: skip
        texts = self._written(prompt.ids, clamp.transforms(), positions, count)
        dictionary = opened.dictionary
        plain_TB = dictionary.encode_features(prompt.x_TI, chosen_B.to(dictionary.device))
        found: list[float | None] = []
        for row, (logs, x_TI) in enumerate(self._read(prompt.ids, texts)):
            feature, written = int(chosen_B[row]), texts[row]
            if breaking(repetition(written), _perplexity(logs), prompt.repeated, prompt.perplexity):
                found.append(None)
                continue
            acts_T = dictionary.encode_features(x_TI, chosen_B[row : row + 1])[:, 0]
            steered = self._own(feature, torch.tensor(written, dtype=torch.int64), acts_T)
            found.append(steered - self._own(feature, prompt.written_T, plain_TB[:, row]))
        return found

    def _own(self, feature: int, ids_T: Tensor, acts_T: Tensor) -> float:
        if not len(ids_T):
            return 0.0
        own_T = own_tokens(self._opened.index, feature, ids_T, acts_T.to(ids_T.device))
        return float(own_T.float().mean())

    def _positions(self, ids: Sequence[int], rows: int) -> Positions:
        specials = len(self._opened.bos)
        return Positions([0] * rows, specials, [len(ids) - specials] * rows)

    def _written(
        self, ids: list[int], transforms: Transforms, positions: Positions, rows: int
    ) -> list[list[int]]:
        """Return what is written in each row; an end-of-text token is no part of it."""
        lm = self._opened.lm
        texts: list[list[int]] = [[] for _ in range(rows)]
        for step in continuations(lm, [ids] * rows, transforms, positions, self._sampling):
            for text, token in zip(texts, step.ids, strict=True):
                if token is not None and token not in lm.eos_ids:
                    text.append(token)
        return texts

    def _read(
        self, ids: list[int], texts: Sequence[Sequence[int]]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the log probability (T,) of each written token under the plain model.

        And what the features read there (T, I).
        """
        opened, start = self._opened, len(ids)
        looks = Looks(opened.lm, opened.reads)
        longest = start + max(map(len, texts))
        at_once = max(_READ_AT_ONCE // (longest * opened.lm.vocabulary_size), 1)
        for first in range(0, len(texts), at_once):
            part = texts[first : first + at_once]
            batch = PaddedTokens.whole([[*ids, *text] for text in part])
            positions = self._positions(ids, len(part))
            logits, _ = forward(opened.lm, batch, looks.transforms(), positions)
            for row, text in enumerate(part):
                span = slice(start - 1, start - 1 + len(text))
                logs_TV = logits[row, span].float().log_softmax(-1)
                chosen = torch.tensor(list(text), dtype=torch.int64, device=logs_TV.device)
                x_TI = looks.rows(opened.reads, row, slice(start, start + len(text)))
                yield logs_TV.gather(1, chosen[:, None])[:, 0], x_TI


def _perplexity(logs_T: Tensor) -> float | None:
    return math.exp(min(float(-logs_T.mean()), 700.0)) if len(logs_T) else None
