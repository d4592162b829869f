"""An index's text read again by its model: where features fire in a fair part of it.

For an index that did not keep its firings. R rows are read, in the windows they were indexed in;
F features; Q directions drawn at random. Rows of massive norm count as silent, as in the index, and
are rounded as the store did from which it was made, while that is there: a feature that just fires
on the one may not on the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.activations.config import StoreDtype
from sae_desktop.activations.encoding import as_stored
from sae_desktop.activations.store import ActivationStore
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.features.asking.read_inputs import read_inputs
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import JobContext
from sae_desktop.labels.known_firings import KnownFirings, joined_spans
from sae_desktop.project import Project

Array = npt.NDArray[Any]

_TOKENS_AT_ONCE = 4096
_CELLS = 2**24
"""Activations computed at once, rows × features: 64 MB."""
_MASSIVE = 10.0
"""Times the median norm."""
MOST_FIRINGS = 2**26


@dataclass(frozen=True)
class ReadText:
    """What was found in the rows read."""

    spans: Array
    """(s, 2) rows from and up to, ascending and apart."""
    offsets: Array
    """(F + 1,): feature f fires on rows[offsets[f] : offsets[f + 1]]."""
    rows: Array
    values: Array
    read_rows: Array
    """(R,) ascending."""
    along: Array
    """(Q, R) float32: how far the activations lie along each random direction."""

    def known(self, feature: int) -> KnownFirings:
        """Return the firings of a feature that were found."""
        span = slice(int(self.offsets[feature]), int(self.offsets[feature + 1]))
        return KnownFirings(self.rows[span], self.values[span], self.spans, fair=True)


def windows_of(index: FeatureIndex) -> Array:
    """Return what the model read at once: (W, 3) first row, one past the last, rows before."""
    passages = index.passages
    starts = index.array("windows")
    if starts is None or not len(starts):
        first = passages["first_row"].astype(np.int64)
        return np.stack([first, first + passages["length"], np.zeros_like(first)], axis=1)
    starts = np.asarray(starts, np.int64)
    before = index.array("read_before")
    before = np.zeros_like(starts) if before is None else np.asarray(before, np.int64)
    ends = np.append(starts[1:], index.info.rows)
    passage = passages[np.searchsorted(passages["first_row"], starts, side="right") - 1]
    ends = np.minimum(ends, passage["first_row"] + passage["length"])
    # What the model read before a window stands in the rows before it, if the index has them.
    before = np.minimum(before, starts - passage["first_row"])
    return np.stack([starts, ends, before], axis=1)


def read_text(
    opened: OpenedIndex, rows: int, directions: Array, seed: int, context: JobContext
) -> ReadText:
    """Read about `rows` rows of an index's text, in whole windows drawn at random.

    directions (Q, D), of length 1.
    """
    windows = windows_of(opened.index)
    order = np.random.default_rng(seed).permutation(len(windows))
    sizes = windows[order, 1] - windows[order, 0]
    count = int(np.searchsorted(np.cumsum(sizes), rows)) + 1
    chosen = windows[np.sort(order[:count])]
    total = int((chosen[:, 1] - chosen[:, 0]).sum())
    parts: list[tuple[Array, Array, Array]] = []
    along: list[tuple[Array, Array]] = []
    norms: list[Array] = []
    turned = torch.from_numpy(np.asarray(directions, np.float32))
    done = kept = 0
    dtype = _store_dtype(opened)
    for at, read_RD in _activations(opened, chosen):
        context.check_cancelled()
        acts_RD = _rounded(opened, read_RD, dtype)
        context.progress(min(done, total), total, "tokens", "Reading the text again")
        norms.append(acts_RD.norm(dim=1).cpu().numpy())
        parts.append(_firings(opened, at, acts_RD))
        along.append((at, (acts_RD.float().cpu() @ turned.T).numpy().T))
        done += len(at)
        kept += len(parts[-1][0])
        if kept > MOST_FIRINGS:
            context.log(f"{done:,} tokens were read: there is no memory for more activations.")
            break
    context.progress(total, total, "tokens", "Reading the text again")
    return _gathered(parts, along, np.concatenate(norms), opened.index.features)


def _store_dtype(opened: OpenedIndex) -> StoreDtype:
    """Return in what the rows were stored that the index has read; float32 where it is gone."""
    project = opened.index.path.parent.parent
    folder = Project.open(project).store_path(opened.index.info.activations)
    return ActivationStore.open(folder).info.dtype if folder.is_dir() else "float32"


def _rounded(opened: OpenedIndex, x_RI: Tensor, dtype: StoreDtype) -> Tensor:
    """Return rows of all sites side by side as a store gives each of them back."""
    if dtype == "float32":
        return x_RI
    widths = [place.width for place in opened.reads]
    return torch.cat([as_stored(x, dtype) for x in torch.split(x_RI, widths, dim=1)], dim=1)


def _activations(opened: OpenedIndex, windows: Array) -> Iterator[tuple[Array, Tensor]]:
    """Yield rows (r,) and their activations (r, D), windows of one length together."""
    lengths = windows[:, 1] - windows[:, 0] + windows[:, 2]
    for length in np.unique(lengths).tolist():
        alike = windows[lengths == length]
        step = max(1, _TOKENS_AT_ONCE // max(length, 1))
        for first in range(0, len(alike), step):
            yield _read(opened, alike[first : first + step])


def _read(opened: OpenedIndex, windows: Array) -> tuple[Array, Tensor]:
    tokens, lead = opened.index.tokens, len(opened.bos)
    ids = [
        [*opened.bos, *tokens[start - before : end].tolist(), *opened.eos]
        for start, end, before in windows.tolist()
    ]
    acts_BSD = read_inputs(opened, torch.tensor(ids))
    rows = [np.arange(start, end) for start, end, _ in windows.tolist()]
    kept = [
        acts_BSD[place, lead + before : lead + before + end - start]
        for place, (start, end, before) in enumerate(windows.tolist())
    ]
    return np.concatenate(rows), torch.cat(kept)


def _firings(opened: OpenedIndex, at: Array, acts_RD: Tensor) -> tuple[Array, Array, Array]:
    """Return features, rows and values of all firings."""
    step = max(1, _CELLS // opened.dictionary.features)
    found = []
    for first in range(0, len(acts_RD), step):
        part_RF = opened.dictionary.encode(acts_RD[first : first + step])
        row, feature = torch.nonzero(part_RF > 0, as_tuple=True)
        values = part_RF[row, feature].float().cpu().numpy()
        where = at[first : first + step][row.cpu().numpy()]
        found.append((feature.cpu().numpy().astype(np.int32), where, values))
    features, rows, values = (np.concatenate(some) for some in zip(*found, strict=True))
    return features, rows, values


def _gathered(
    parts: Sequence[tuple[Array, Array, Array]],
    along: Sequence[tuple[Array, Array]],
    norms: Array,
    count: int,
) -> ReadText:
    read = np.concatenate([at for at, _ in along])
    order = np.argsort(read, kind="stable")
    directions = np.concatenate([values for _, values in along], axis=1)[:, order]
    massive = read[norms > _MASSIVE * np.median(norms)]
    feature, rows, values = (np.concatenate(some) for some in zip(*parts, strict=True))
    kept = ~np.isin(rows, massive)
    feature, rows, values = feature[kept], rows[kept], values[kept]
    by_feature = np.lexsort((rows, feature))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(feature, minlength=count))])
    ordered = read[order]
    directions[:, np.isin(ordered, massive)] = -np.inf
    spans = np.stack([ordered, ordered + 1], axis=1)
    return ReadText(
        joined_spans(spans), offsets, rows[by_feature].astype(np.int64), values[by_feature],
        ordered, directions,
    )  # fmt: skip
