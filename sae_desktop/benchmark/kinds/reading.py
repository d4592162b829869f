"""What a dictionary and its model make of instances: one row of numbers for each.

N instances, F features, I width of what the dictionary reads, R random directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.benchmark.kinds.instances import PICTURE, Instance
from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.features.asking.picture_documents import read_document
from sae_desktop.features.asking.text_classifier import PooledText
from sae_desktop.jobs import JobContext
from sae_desktop.safety.scan.reading import columns_of, token_ids, values_of

Array = npt.NDArray[Any]

_MOST_RANDOM = 4096
_AT_ONCE = 32
_ROWS = 512
_UNIT, _DOING = "instances", "Reading the instances"


class ReadInstances(NamedTuple):
    """Numbers of N instances."""

    pooled: list[PooledText]
    """The largest activation of each feature that fires."""
    means: Array
    """(N, I), of the raw activations."""
    neurons: Array
    """(N, 2·I): the largest of each raw coordinate, and of each with its sign turned."""
    random: Array
    """(N, R): the largest along each random direction."""

    def features(self) -> Array:
        """Return the features (n,) that fire on some instance, ascending."""
        return np.unique(np.concatenate([one.features for one in self.pooled]))

    def of(self, features: Array) -> Array:
        """Return (N, n), the largest activations of some features."""
        return columns_of(self.pooled, features)


def read_instances(
    opened: OpenedIndex,
    found: Sequence[Instance],
    files: dict[str, list[Path]],
    seed: int,
    context: JobContext,
) -> tuple[list[Instance], ReadInstances]:
    """Return the instances that were read, a picture once for each of its files, and the numbers.

    `files`: by code point. Raises UserError for a text or picture that cannot be read.
    """
    texts = [one for one in found if one.kind != PICTURE]
    pictures = [
        (one, path) for one in found if one.kind == PICTURE for path in files.get(one.text, [])
    ]
    total = len(texts) + len(pictures)
    maker = _Maker(opened, seed)
    ids, cut = token_ids(opened, [one.text for one in texts])
    if cut:
        raise UserError(
            f"{cut:,} of the texts are longer than the model reads at once.",
            next_step="Shorten them in the files of concepts.",
        )
    for first in range(0, len(ids), _AT_ONCE):
        context.check_cancelled()
        context.progress(first, total, _UNIT, _DOING)
        for x_TI in values_of(opened, ids[first : first + _AT_ONCE]):
            maker.add(x_TI)
    for number, (_, path) in enumerate(pictures):
        context.check_cancelled()
        context.progress(len(texts) + number, total, _UNIT, _DOING)
        document = read_document(opened, [str(path)], "")
        maker.add(document.rows(opened.reads)[torch.from_numpy(document.picture >= 0)])
    context.progress(total, total, _UNIT, _DOING)
    return [*texts, *(one for one, _ in pictures)], maker.made()


class _Maker:
    """Takes instance after instance, and keeps no row of a token."""

    def __init__(self, opened: OpenedIndex, seed: int) -> None:
        self._dictionary = opened.dictionary
        drawn = torch.Generator().manual_seed(seed)
        count = min(self._dictionary.features, _MOST_RANDOM)
        self._directions_IR = torch.randn(self._dictionary.width, count, generator=drawn)
        self._pooled: list[PooledText] = []
        self._neurons: list[Tensor] = []
        self._random: list[Tensor] = []

    def add(self, x_TI: Tensor) -> None:
        best_F = torch.zeros(self._dictionary.features, device=self._dictionary.device)
        for row in range(0, len(x_TI), _ROWS):
            acts_TF = self._dictionary.encode(x_TI[row : row + _ROWS]).float()
            best_F = torch.maximum(best_F, acts_TF.amax(dim=0))
        features = torch.nonzero(best_F)[:, 0]
        x_TI = x_TI.float().cpu()
        self._pooled.append(
            PooledText(
                features.cpu().numpy(),
                best_F[features].cpu().numpy(),
                np.empty(0, np.int32),
                x_TI.double().mean(dim=0).float().numpy(),
            )
        )
        self._neurons.append(torch.cat([x_TI.amax(dim=0), -x_TI.amin(dim=0)]))
        self._random.append((x_TI @ self._directions_IR).amax(dim=0))

    def made(self) -> ReadInstances:
        return ReadInstances(
            self._pooled,
            np.stack([one.mean for one in self._pooled]),
            torch.stack(self._neurons).numpy(),
            torch.stack(self._random).numpy(),
        )
