"""What a dictionary's sites hold on texts: read once, for all dictionaries and controls.

T tokens of a text, I width of what is read, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_array
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.features.asking.places import Places, values_at
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.text.tokenizer import without_repeated

Array = npt.NDArray[Any]

_TOKENS_AT_ONCE = 4096
_CELLS = 2**24
"""Activations computed at once, rows × features."""


@dataclass(frozen=True)
class Reader:
    """The model and the sites whose rows a dictionary reads."""

    lm: LanguageModel
    places: Places
    bos: list[int]
    eos: list[int]

    @property
    def room(self) -> int:
        """The tokens of text that the model reads at once."""
        return self.lm.context_size - len(self.bos) - len(self.eos)

    def ids(self, text: str, tokens: int) -> list[int]:
        """Return the first tokens of a text; [] of an empty one."""
        return without_repeated(self.lm.encode(text), self.bos)[: min(tokens, self.room)]

    def rows(
        self,
        texts: Sequence[list[int]],
        context: JobContext,
        doing: str,
        *,
        last: bool = False,
        unit: str = "texts",
    ) -> list[Tensor]:
        """Return (T, I) float32 on the CPU of each text, of which none may be empty.

        With `last` only the row of the last token, (1, I).
        """
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        found: dict[int, Tensor] = {}
        first = 0
        while first < len(order):
            context.check_cancelled()
            context.progress(first, len(order), unit, doing)
            batch = [order[first]]
            for place in order[first + 1 :]:
                if (len(batch) + 1) * len(texts[place]) > _TOKENS_AT_ONCE:
                    break
                batch.append(place)
            for place, x_TI in zip(batch, self._values([texts[n] for n in batch]), strict=True):
                found[place] = x_TI[-1:].clone() if last else x_TI
            first += len(batch)
        context.progress(len(order), len(order), unit, doing)
        return [found[place] for place in range(len(texts))]

    def _values(self, ids: list[list[int]]) -> list[Tensor]:
        rows = [self.bos + one + self.eos for one in ids]
        wide = max(map(len, rows))
        padded = torch.tensor([row + [0] * (wide - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (wide - len(row)) for row in rows])
        x_BSI = values_at(self.places, padded, None if bool(mask.all()) else mask)
        first = len(self.bos)
        return [
            x_SI[first : first + len(one)].float().cpu()
            for x_SI, one in zip(x_BSI, ids, strict=True)
        ]


def mean_activations(
    dictionary: Dictionary, texts: Sequence[Tensor], context: JobContext, doing: str
) -> csr_array:
    """Return (N, F), sparse: the mean of each feature's activation over the tokens of a text."""
    step = max(1, _CELLS // dictionary.features)
    parts: list[csr_array] = []
    for first, chunk in _chunks(texts, step):
        context.check_cancelled()
        context.progress(first, len(texts), "texts", doing)
        lengths = torch.tensor([len(x_TI) for x_TI in chunk], device=dictionary.device)
        acts_RF = dictionary.encode(torch.cat(list(chunk)).to(dictionary.device)).float()
        sums_nF = acts_RF.new_zeros(len(chunk), dictionary.features)
        text_R = torch.repeat_interleave(torch.arange(len(chunk), device=acts_RF.device), lengths)
        sums_nF.index_add_(0, text_R, acts_RF)
        parts.append(csr_array((sums_nF / lengths[:, None]).cpu().numpy()))
    context.progress(len(texts), len(texts), "texts", doing)
    return _stacked(parts)


def _chunks(texts: Sequence[Tensor], rows: int) -> list[tuple[int, Sequence[Tensor]]]:
    """Cut texts into runs of at most so many rows, a text at least."""
    found: list[tuple[int, Sequence[Tensor]]] = []
    first, held = 0, 0
    for number, x_TI in enumerate(texts):
        if number > first and held + len(x_TI) > rows:
            found.append((first, texts[first:number]))
            first, held = number, 0
        held += len(x_TI)
    if first < len(texts):
        found.append((first, texts[first:]))
    return found


def _stacked(parts: Sequence[csr_array]) -> csr_array:
    from scipy.sparse import vstack

    whole = csr_array(vstack(parts, format="csr"))
    # scikit-learn takes no 64-bit indices.
    indices, ends = whole.indices.astype(np.int32), whole.indptr.astype(np.int32)
    return csr_array((whole.data, indices, ends), shape=whole.shape)
