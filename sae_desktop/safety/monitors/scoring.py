"""Scores of texts: a model reads them once for many readers.

B windows, S tokens, I width of what is read, K components.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.features.asking.places import Place, Places, values_at
from sae_desktop.jobs import JobContext
from sae_desktop.safety.monitors.texts import Part, ReadText, Watched
from sae_desktop.steering.readers import Reader

Array = npt.NDArray[Any]

_BATCH_TOKENS = 4096


class ValueReader:
    """Reads the values at places of models on texts, in windows that the models can read."""

    def __init__(
        self, places: Places, prefix: Sequence[int], suffix: Sequence[int], context_size: int
    ) -> None:
        """`prefix`, `suffix`: special tokens around each window, of which nothing is kept."""
        self._places = places
        self._prefix, self._suffix = list(prefix), list(suffix)
        self._room = context_size - len(self._prefix) - len(self._suffix)

    def read(self, texts: Sequence[ReadText], context: JobContext) -> list[Tensor]:
        """Return of each text the values (S, I), sites side by side."""
        windows = [
            (number, start, text.ids[start : start + self._room])
            for number, text in enumerate(texts)
            for start in range(0, len(text.ids), self._room)
        ]
        windows.sort(key=lambda window: len(window[2]))
        found: list[dict[int, Tensor]] = [{} for _ in texts]
        for batch in _batches(windows):
            context.check_cancelled()
            for (number, start, ids), x_SI in zip(batch, self._values(batch), strict=True):
                found[number][start] = x_SI[: len(ids)]
        return [torch.cat([own[start] for start in sorted(own)]) for own in found]

    def _values(self, batch: Sequence[tuple[int, int, list[int]]]) -> list[Tensor]:
        longest = max(len(ids) for _, _, ids in batch)
        around = len(self._prefix) + len(self._suffix)
        ids_BS = torch.zeros(len(batch), longest + around, dtype=torch.int64)
        mask_BS = torch.zeros_like(ids_BS)
        for row, (_, _, ids) in enumerate(batch):
            whole = [*self._prefix, *ids, *self._suffix]
            ids_BS[row, : len(whole)] = torch.tensor(whole)
            mask_BS[row, : len(whole)] = 1
        mask = None if bool(mask_BS.all()) else mask_BS
        x_BSI = values_at(self._places, ids_BS, mask)
        first = len(self._prefix)
        return [x_BSI[row, first : first + longest] for row in range(len(batch))]


def _batches(
    windows: Sequence[tuple[int, int, list[int]]],
) -> list[list[tuple[int, int, list[int]]]]:
    batches: list[list[tuple[int, int, list[int]]]] = []
    for window in windows:
        if not batches or (len(batches[-1]) + 1) * len(window[2]) > _BATCH_TOKENS:
            batches.append([])
        batches[-1].append(window)
    return batches


class Scorer:
    """Components of texts for several readers at once."""

    def __init__(
        self,
        readers: Sequence[Reader],
        prefix: Sequence[int],
        suffix: Sequence[int],
        context_size: int,
    ) -> None:
        self.readers = list(readers)
        places: dict[Place, slice] = {}
        at = 0
        for place in dict.fromkeys(place for reader in readers for place in reader.places):
            places[place] = slice(at, at + place.width)
            at += place.width
        self._columns = places
        self._values = ValueReader(tuple(places), prefix, suffix, context_size)

    def components(self, texts: Sequence[ReadText], context: JobContext) -> list[list[Tensor]]:
        """Return of each text, for each reader, its components (S, K), on the CPU."""
        return [
            [self._of(reader, x_SI).float().cpu() for reader in self.readers]
            for x_SI in self._values.read(texts, context)
        ]

    def _of(self, reader: Reader, x_SI: Tensor) -> Tensor:
        own = [x_SI[:, self._columns[place]] for place in reader.places]
        return reader.components(own[0] if len(own) == 1 else torch.cat(own, dim=-1))


class Scored:
    """The units of one text: their scores, and the token that stands for each."""

    def __init__(self, scores: Array, tokens: Array, parts: list[Part], by_token_S: Array) -> None:
        """(n,) of n units: scores float64, tokens, and the message that each is in or begins.

        `by_token_S`: each token's own score.
        """
        self.scores, self.tokens, self.parts = scores, tokens, parts
        self.by_token_S = by_token_S


def unit_scores(reader: Reader, found_SK: Tensor, text: ReadText, watched: Watched) -> Scored:
    """Return the scores of a text's units from its components.

    The token of a message or a conversation is the one whose own components score highest.
    """
    messages = watched.messages(text)
    by_token_S = reader.score(found_SK).double().numpy()
    empty = np.zeros(0, np.int64)
    if not messages:
        return Scored(np.zeros(0), empty, [], by_token_S)
    runs = [np.arange(part.first, part.last) for part in messages]
    if watched.unit == "token":
        tokens = np.concatenate(runs)
        parts = [part for part, run in zip(messages, runs, strict=True) for _ in run]
        return Scored(by_token_S[tokens], tokens, parts, by_token_S)
    if watched.unit == "conversation":
        runs, messages = [np.concatenate(runs)], messages[:1]
    pooled_nK = torch.stack([_pooled(reader, found_SK[torch.from_numpy(run)]) for run in runs])
    best = np.array([run[by_token_S[run].argmax()] for run in runs])
    return Scored(reader.score(pooled_nK).double().numpy(), best, messages, by_token_S)


def _pooled(reader: Reader, found_SK: Tensor) -> Tensor:
    return found_SK.mean(dim=0) if reader.pool == "mean" else found_SK.amax(dim=0)
