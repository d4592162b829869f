"""What a dictionary makes of texts: pooled activations of its features, and the raw ones beside.

N texts, T tokens of a text, F features, I width of what the dictionary reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.devices.abilities import float64_of
from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.features.asking.places import values_at
from sae_desktop.features.asking.probe import own_ids
from sae_desktop.features.asking.text_classifier import PooledText
from sae_desktop.safety.scan.config import Pooling

Array = npt.NDArray[Any]

_TOKENS_AT_ONCE = 2048
_ROWS = 512
"""Encoded at once: rows × features is the memory it takes."""


class ReadTexts(NamedTuple):
    """What was read of some texts."""

    ids: list[list[int]]
    pooled: list[PooledText]
    """Activations pooled as was asked, of the features that fire; `tokens` are places in the text,
    `mean` is the raw mean."""
    raw: list[Tensor]
    """(T, I) float32 on the CPU, of each text."""
    cut: int
    """Texts of which the end was left out."""

    def project(self, directions_In: Tensor, pooling: Pooling) -> Array:
        """Return (N, n): each text’s activations along directions, pooled over its tokens."""
        rows = []
        for x_TI in self.raw:
            along_Tn = x_TI @ directions_In
            rows.append(along_Tn.amax(dim=0) if pooling == "max" else along_Tn.mean(dim=0))
        return np.asarray(torch.stack(rows).numpy())

    @property
    def means(self) -> Array:
        """(N, I), the raw activations’ mean over each text."""
        return np.stack([text.mean for text in self.pooled])

    def largest(self) -> Array:
        """Return (N, I), the largest raw activation in each coordinate over each text."""
        return np.stack([x_TI.amax(dim=0).numpy() for x_TI in self.raw])


def token_ids(opened: OpenedIndex, texts: Sequence[str]) -> tuple[list[list[int]], int]:
    """Return the tokens of each text, as many as the model reads at once, and how many were cut.

    Raises UserError for a text without a token.
    """
    found, cut = [], 0
    for text in texts:
        ids = own_ids(opened, text)
        if not ids:
            raise UserError(
                f"The model reads no token in the text “{text[:60]}”.",
                next_step="Leave it out of the set.",
            )
        cut += len(ids) > opened.room
        found.append(ids[: opened.room])
    return found, cut


def read_texts(
    opened: OpenedIndex,
    ids: Sequence[list[int]],
    pooling: Pooling,
    cut: int,
    told: Callable[[int], None],
) -> ReadTexts:
    """Read texts in batches of like length; `told` hears how many are done."""
    order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
    pooled: dict[int, PooledText] = {}
    raw: dict[int, Tensor] = {}
    first = 0
    while first < len(order):
        batch = [order[first]]
        for place in order[first + 1 :]:
            if (len(batch) + 1) * len(ids[place]) > _TOKENS_AT_ONCE:
                break
            batch.append(place)
        for place, x_TI in zip(batch, values_of(opened, [ids[n] for n in batch]), strict=True):
            pooled[place] = _pooled(opened, ids[place], x_TI, pooling)
            raw[place] = x_TI.float().cpu()
        first += len(batch)
        told(first)
    places = range(len(ids))
    return ReadTexts(list(ids), [pooled[n] for n in places], [raw[n] for n in places], cut)


def values_of(opened: OpenedIndex, ids: list[list[int]]) -> list[Tensor]:
    """Return what the dictionary reads of each text, (T, I)."""
    rows = [opened.bos + one + opened.eos for one in ids]
    wide = max(map(len, rows))
    padded = torch.tensor([row + [0] * (wide - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (wide - len(row)) for row in rows])
    x_BSI = values_at(opened.reads, padded, None if bool(mask.all()) else mask)
    first = len(opened.bos)
    return [x_SI[first : first + len(one)] for x_SI, one in zip(x_BSI, ids, strict=True)]


def _pooled(opened: OpenedIndex, ids: list[int], x_TI: Tensor, pooling: Pooling) -> PooledText:
    dictionary = opened.dictionary
    best_F = torch.zeros(dictionary.features, device=dictionary.device)
    place_F = torch.zeros(len(best_F), dtype=torch.int64, device=best_F.device)
    sum_F = torch.zeros_like(best_F)
    for row in range(0, len(x_TI), _ROWS):
        acts_TF = dictionary.encode(x_TI[row : row + _ROWS]).float()
        sum_F += acts_TF.sum(dim=0)
        largest = acts_TF.max(dim=0)
        higher = largest.values > best_F
        best_F = torch.where(higher, largest.values, best_F)
        place_F = torch.where(higher, largest.indices + row, place_F)
    value_F = best_F if pooling == "max" else sum_F / len(x_TI)
    features = torch.nonzero(value_F)[:, 0]
    return PooledText(
        features.cpu().numpy(),
        value_F[features].cpu().numpy(),
        place_F[features].cpu().numpy().astype(np.int32),
        float64_of(x_TI).mean(dim=0).float().cpu().numpy(),
    )


def columns_of(texts: Sequence[PooledText], features: Array) -> Array:
    """Return (N, n) float32, the pooled activations of some features (n,)."""
    table = np.zeros((len(texts), len(features)), np.float32)
    for number, text in enumerate(texts):
        place = np.searchsorted(text.features, features)
        there = place < len(text.features)
        there[there] = text.features[place[there]] == features[there]
        table[number, there] = text.maxima[place[there]]
    return table
