"""Where a feature functionally lives: which of its inputs its activation depends on.

Decoder norms say where a feature writes. Demou et al. (2026, arXiv 2605.09438) found that those of
crosscoders are spread evenly over layers while activations are driven by one or two of them. So one
input at a time is put at its mean, and the share of the activation that is lost is measured.

F features, I inputs, n sampled firings, D width of an input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.dictionary.ends import End
from sae_desktop.features.building.site_rows import SiteRows
from sae_desktop.features.reading.firing_files import StoredFirings
from sae_desktop.features.reading.layout import TextSource
from sae_desktop.jobs import JobContext

SAMPLED = 64
"""Firings of each feature, evenly spaced over the text."""
MEAN_ROWS = 20_000
_PICKS_AT_ONCE = 2**14
_ROWS_AT_ONCE = 1024

Array = npt.NDArray[Any]


def reads_several(dictionary: Dictionary, ends: Sequence[End]) -> bool:
    """Return whether a feature may depend on more than one input."""
    crossing = not isinstance(dictionary, CrossLayerDictionary)
    return len(ends) > 1 and crossing and dictionary.row_norm == "none"


def functional_share(
    dictionary: Dictionary,
    ends: Sequence[End],
    firings: StoredFirings,
    rows: SiteRows,
    texts: Sequence[tuple[TextSource, SiteRows]],
    context: JobContext,
) -> Array:
    """Return (F, I): the share of each feature's activation lost with one input at its mean.

    Averaged over SAMPLED firings of each feature; NaN for one that never fired, or whose text is
    no longer there. Means are those of the typical rows of `rows`. Where a dictionary keeps the k
    largest, the activation is compared by itself: what else would be kept is not asked.
    """
    feature, row, value = _sample(firings, context)
    lost = np.zeros((dictionary.features, len(ends)))
    counts = np.zeros(dictionary.features, np.int64)
    means = torch.from_numpy(input_mean(rows)).to(dictionary.W_enc)
    first = 0
    for text, where in texts:
        inside = np.flatnonzero((row >= first) & (row < first + text.rows))
        inside = inside[np.argsort(row[inside], kind="stable")]
        stored = row[inside] - first + text.first_row
        for some in _chunks(stored):
            context.check_cancelled()
            context.progress(some.start, len(inside), "firings", "Masking one input at a time")
            picked = inside[some]
            share = _lost(
                dictionary, ends, means, where, stored[some], feature[picked], value[picked]
            )
            np.add.at(lost, feature[picked], share)
            np.add.at(counts, feature[picked], 1)
        context.progress(len(inside), len(inside), "firings", "Masking one input at a time")
        first += text.rows
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(counts[:, None] > 0, lost / counts[:, None], np.nan), np.float32)


def input_mean(rows: SiteRows) -> Array:
    """Return the mean (I,) of typical rows, evenly spaced over the store."""
    count = rows.store.rows
    chosen = np.unique(np.linspace(0, count - 1, min(MEAN_ROWS, count)).astype(np.int64))
    total, seen = np.zeros(rows.width), 0
    for begin in range(0, len(chosen), _ROWS_AT_ONCE):
        values, massive = rows.gather(chosen[begin : begin + _ROWS_AT_ONCE])
        total += values[~massive].sum(axis=0, dtype=np.float64)
        seen += int((~massive).sum())
    return total / max(seen, 1)


def _sample(firings: StoredFirings, context: JobContext) -> tuple[Array, Array, Array]:
    """Return feature, row and activation (n,) of SAMPLED firings of every feature."""
    found: list[tuple[Array, Array, Array]] = []
    for block, _ in firings.bounded_blocks():
        context.check_cancelled()
        counts = np.diff(block.offsets)
        kept = np.minimum(counts, SAMPLED)
        rank = np.arange(kept.sum()) - np.repeat(np.cumsum(kept) - kept, kept)
        many = np.repeat(np.maximum(kept - 1, 1), kept)
        place = rank * np.repeat(np.maximum(counts - 1, 0), kept) // many
        place += np.repeat(block.offsets[:-1], kept)
        feature = np.repeat(np.arange(block.first, block.first + len(counts)), kept)
        found.append((feature, block.rows[place], block.values[place]))
    feature, row, value = (np.concatenate(some) for some in zip(*found, strict=True))
    return feature, row, value


def _chunks(rows: Array) -> list[slice]:
    """Return pieces of ascending rows, each of so many picks and so many different rows."""
    found, start = [], 0
    while start < len(rows):
        end = min(start + _PICKS_AT_ONCE, len(rows))
        new = np.flatnonzero(np.diff(rows[start:end])) + 1
        if len(new) >= _ROWS_AT_ONCE:
            end = start + int(new[_ROWS_AT_ONCE - 1])
        found.append(slice(start, end))
        start = end
    return found


def _lost(
    dictionary: Dictionary,
    ends: Sequence[End],
    mean_I: Tensor,
    rows: SiteRows,
    row: Array,
    feature: Array,
    activation: Array,
) -> Array:
    """Return (n, I): what share of each firing's activation is lost."""
    different, which = np.unique(row, return_inverse=True)
    values, _ = rows.gather(different)
    device = dictionary.device
    ids = torch.from_numpy(feature).to(device)
    full = torch.from_numpy(activation.astype(np.float32)).to(device)
    out = torch.zeros(len(row), len(ends), device=device)
    with torch.no_grad():
        x = torch.from_numpy(values).to(mean_I) - mean_I
        x = x[torch.from_numpy(which).to(device)]
        threshold = torch.zeros((), device=device)
        if dictionary.threshold is not None:
            threshold = dictionary.threshold[ids].clamp_min(0)
        for number, end in enumerate(ends):
            weights = dictionary.W_enc[end.columns].T[ids]
            masked = full - (x[:, end.columns] * weights).sum(dim=1)
            masked = torch.where(masked > threshold, masked, 0.0)
            out[:, number] = ((full - masked) / full).clamp(0, 1)
    return out.cpu().double().numpy()
