"""Documents of texts and pictures as a model takes them: one by one, or several together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sae_desktop.pictures.places import PictureLayout


@dataclass(frozen=True)
class PictureBatch:
    """What a model is given, and which of its rows are of pictures."""

    inputs: Mapping[str, Tensor]
    """By the names of the forward pass; sequences are padded on the right."""
    layouts: list[PictureLayout]
    """Of the pictures of all documents, in their order."""
    lengths: list[int]
    """Tokens of each document."""
    picture: NDArray[np.int32]
    """(B, S): the number of the picture a row is of; −1 of text and of padding."""
    token: NDArray[np.int32]
    """(B, S): which token of that picture it is; −1 where it is of none."""
    special: NDArray[np.bool_]
    """(B, S): tokens that stand around every text, such as the beginning-of-sequence token; not
    padding."""

    def with_floats(self, dtype: torch.dtype) -> PictureBatch:
        """Return the batch with its pixels in a model's own precision."""
        found = {n: x.to(dtype) if x.is_floating_point() else x for n, x in self.inputs.items()}
        return replace(self, inputs=found)

    @property
    def bytes(self) -> int:
        """Of its inputs."""
        return sum(x.numel() * x.element_size() for x in self.inputs.values())


_BY_TOKEN = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")
"""Inputs of (B, S)."""


def join(batches: Sequence[PictureBatch], padding: int, length: int = 0) -> PictureBatch:
    """Return batches as one; `padding` is the id of what fills up a sequence, to `length` tokens
    where none is longer."""
    length = max(length, *(batch.picture.shape[1] for batch in batches))
    if len(batches) == 1 and length == batches[0].picture.shape[1]:
        return batches[0]
    names = dict.fromkeys(name for batch in batches for name in batch.inputs)
    inputs: dict[str, Tensor] = {}
    for name in names:
        if name in _BY_TOKEN:
            fill = padding if name == "input_ids" else 0
            inputs[name] = torch.cat([_longer(b.inputs[name], length, fill) for b in batches])
        else:
            inputs[name] = _of_pictures([b.inputs.get(name) for b in batches], batches)
    first, picture, token = 0, [], []
    for batch in batches:
        own = np.where(batch.picture >= 0, batch.picture + first, -1)
        picture.append(_wider(own.astype(np.int32), length, -1))
        token.append(_wider(batch.token, length, -1))
        first += len(batch.layouts)
    return PictureBatch(
        inputs,
        [layout for batch in batches for layout in batch.layouts],
        [n for batch in batches for n in batch.lengths],
        np.concatenate(picture),
        np.concatenate(token),
        np.concatenate([_wider(batch.special, length, 0) for batch in batches]),
    )


def _longer(x_BS: Tensor, length: int, fill: int) -> Tensor:
    return torch.nn.functional.pad(x_BS, (0, length - x_BS.shape[1]), value=fill)


def _wider(x_BS: NDArray[Any], length: int, fill: int) -> NDArray[Any]:
    wider = np.full((len(x_BS), length), fill, dtype=x_BS.dtype)
    wider[:, : x_BS.shape[1]] = x_BS
    return wider


def _of_pictures(found: Sequence[Tensor | None], batches: Sequence[PictureBatch]) -> Tensor:
    """Join what there is by picture; where it is by document and tile, tiles are filled up.

    Those filled up are zeros, which the models that have them leave out.
    """
    there = [x for x in found if x is not None]
    nested = "pixel_attention_mask" in set().union(*(batch.inputs for batch in batches))
    if not nested:
        return torch.cat(there)
    tiles = max(x.shape[1] for x in there)
    like = there[0]
    whole = []
    for x, batch in zip(found, batches, strict=True):
        own = like.new_zeros(len(batch.lengths), tiles, *like.shape[2:])
        if x is not None:
            own[:, : x.shape[1]] = x
        whole.append(own)
    return torch.cat(whole)
