"""Features against neurons: whether a feature is a neuron's in disguise. F features, R rows."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.errors import UserError
from sae_desktop.features.building.site_rows import SiteRows
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.sites.capture import visit_sites
from sae_desktop.language_model.sites.resolve import Site, check_site, site_width
from sae_desktop.language_model.sites.site_names import uncentred

KEPT = 3
LITTLE = 0.3
"""Scaling Monosemanticity: 82% of its features correlate with every neuron by no more."""
_AFTER_THE_NEURONS = ("mlp.hook_post", "hook_mlp_out", "hook_resid_post")
_CELLS_AT_ONCE = 2**24

Array = npt.NDArray[Any]


class TextWindow(NamedTuple):
    """Tokens as the model read them while harvesting."""

    ids: list[int]
    first: int
    """Position of the first token whose row was stored."""
    length: int
    """Rows stored."""
    rows: SiteRows
    """What the dictionary read of it, stored,"""
    row: int
    """and the first of these rows."""


class ReadBefore(NamedTuple):
    """Which neurons come before what features read."""

    sites: Sequence[Site]
    """What the dictionary reads of this model."""
    of_feature: Array | None = None
    """(F,): the one a feature reads; None: it may read all of them."""


def neuron_arrays(
    lm: LanguageModel,
    read: ReadBefore,
    dictionary: Dictionary,
    windows: Sequence[TextWindow],
    context: JobContext,
    folder: Path | None = None,
) -> dict[str, Array]:
    """Return `neurons/…` and the column neuron_correlation; nothing for a model without MLPs.

    Pearson correlations of every feature's activation with every neuron of the layers before
    what it reads (the last site of several), over the rows of `windows`, zeros counted; massive
    rows are left out. Of each feature the KEPT largest by absolute value. Neurons wait in a file in
    `folder` (by default that of temporary files), a layer at a time in memory. A feature that is
    silent on these rows has none (−1, 0).
    """
    before = [len(_neuron_sites(lm, site)) for site in read.sites]
    layers = _neuron_sites(lm, read.sites[int(np.argmax(before))])
    rows = sum(window.length for window in windows)
    features = dictionary.features
    if not layers or rows < 2:
        return {}
    found = _Best(features)
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as scratch:
        table = _Table(Path(scratch), {s: site_width(lm.model, s) for s in layers}, rows)
        for number, window in enumerate(windows):
            context.check_cancelled()
            context.progress(number, len(windows), "windows", "Reading neurons")
            _read(lm, read.sites, dictionary, window, table)
        context.progress(len(windows), len(windows), "windows", "Reading neurons")
        firings, mean_F, std_F = table.firings(features)
        for number, layer in enumerate(layers):
            context.check_cancelled()
            context.progress(number, len(layers), "layers", "Comparing features with neurons")
            values = table.layer(layer)
            mean, std = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
            step = max(1, _CELLS_AT_ONCE // values.shape[1])
            for first in range(0, features, step):
                span = slice(first, min(first + step, features))
                products = firings[:, span].T @ values / len(values)
                spread = std_F[span, None] * std
                with np.errstate(divide="ignore", invalid="ignore"):
                    r = (products - mean_F[span, None] * mean) / spread
                r = np.where(spread > 1e-12, r, 0.0)
                if read.of_feature is not None:
                    r[np.asarray(before)[read.of_feature[span]] <= number] = 0.0
                found.offer(span, layer.layer, r)
            del values
        context.progress(len(layers), len(layers), "layers", "Comparing features with neurons")
        table.close()
    arrays = found.arrays()
    alive = std_F > 0
    if alive.any():
        share = float((arrays["columns/neuron_correlation"][alive] <= LITTLE).mean())
        context.log(
            f"{share:.0%} of {int(alive.sum()):,} features do not correlate by more than {LITTLE} "
            f"with any neuron of the preceding layers (on {rows:,} rows)."
        )
    return arrays


def _neuron_sites(lm: LanguageModel, site: Site) -> list[Site]:
    last = site.layer + (uncentred(site.hook) in _AFTER_THE_NEURONS)
    found = []
    for layer in range(last):
        neurons = Site(layer, "mlp.hook_post")
        try:
            found.append(check_site(lm.model, neurons))
        except UserError:
            continue  # a mixture of experts has no one row of neurons
    return found


class _Table:
    """Neurons by layer in files, features as a sparse matrix."""

    def __init__(self, folder: Path, widths: dict[Site, int], rows: int) -> None:
        self._maps = {
            site: np.memmap(folder / f"{site.layer}", np.float32, "w+", shape=(rows, width))
            for site, width in widths.items()
        }
        self.sites = list(widths)
        self.filled = 0
        self._rows: list[Array] = []
        self._features: list[Array] = []
        self._values: list[Array] = []

    def add(self, acts_TF: Tensor, neurons: dict[Site, Tensor]) -> None:
        row, feature = torch.nonzero(acts_TF, as_tuple=True)
        self._rows.append((row + self.filled).cpu().numpy())
        self._features.append(feature.cpu().numpy())
        self._values.append(acts_TF[row, feature].cpu().double().numpy())
        last = self.filled + len(acts_TF)
        for site, values in neurons.items():
            self._maps[site][self.filled : last] = values.float().cpu().numpy()
        self.filled = last

    def firings(self, features: int) -> tuple[Any, Array, Array]:
        """Return the activations (R, F) sparse, and their means and deviations (F,)."""
        from scipy.sparse import csc_array

        places = (np.concatenate(self._rows), np.concatenate(self._features))
        values = np.concatenate(self._values)
        n = max(self.filled, 1)
        mean = np.bincount(places[1], values, features) / n
        square = np.bincount(places[1], values**2, features) / n
        std = np.sqrt(np.maximum(square - mean**2, 0.0))
        return csc_array((values, places), shape=(self.filled, features)), mean, std

    def layer(self, site: Site) -> Array:
        return np.asarray(self._maps[site][: self.filled])

    def close(self) -> None:
        """Let go of the files, so that they can be removed."""
        self._maps.clear()


def _read(
    lm: LanguageModel,
    sites: Sequence[Site],
    dictionary: Dictionary,
    window: TextWindow,
    table: _Table,
) -> None:
    seen: dict[Site, Tensor] = {}
    span = slice(window.first, window.first + window.length)

    def keep(at: Site, value_BSD: Tensor) -> None:
        seen[at] = value_BSD[0, span].to(torch.float32, copy=True)

    alone = len(window.rows.sites) == 1
    wanted = list(dict.fromkeys([*table.sites, *(sites if alone else ())]))
    visit_sites(lm, torch.tensor([window.ids]), None, wanted, keep)
    if alone:  # as the model gives it, not as the store has rounded it
        x_TD = seen[sites[0]].to(dictionary.device)
        typical = x_TD.norm(dim=1) <= window.rows.sites[0].massive_norm
    else:
        values, massive = window.rows.read(window.row, window.row + window.length)
        x_TD = torch.from_numpy(values).to(dictionary.device)
        typical = torch.from_numpy(~massive).to(dictionary.device)
    with torch.no_grad():
        acts_TF = dictionary.encode(x_TD[typical])
    at_hand = typical.to(lm.device)
    table.add(acts_TF, {s: seen[s].to(lm.device)[at_hand] for s in table.sites})


class _Best:
    """The KEPT neurons of the largest |r| of every feature so far."""

    def __init__(self, features: int) -> None:
        self.layers = np.full((features, KEPT), -1, np.int32)
        self.ids = np.full((features, KEPT), -1, np.int32)
        self.r = np.zeros((features, KEPT), np.float32)

    def offer(self, span: slice, layer: int, r_FN: Array) -> None:
        kept = min(KEPT, r_FN.shape[1])
        ids = np.argpartition(-np.abs(r_FN), kept - 1, axis=1)[:, :kept]
        values = np.take_along_axis(r_FN, ids, axis=1).astype(np.float32)
        ids = np.where(values != 0, ids, -1)
        both_r = np.concatenate([self.r[span], values], axis=1)
        both_ids = np.concatenate([self.ids[span], ids], axis=1)
        both_layers = np.concatenate([self.layers[span], np.where(ids >= 0, layer, -1)], axis=1)
        order = np.argsort(-np.abs(both_r), axis=1, kind="stable")[:, :KEPT]
        self.r[span] = np.take_along_axis(both_r, order, axis=1)
        self.ids[span] = np.take_along_axis(both_ids, order, axis=1)
        self.layers[span] = np.take_along_axis(both_layers, order, axis=1)

    def arrays(self) -> dict[str, Array]:
        return {
            "neurons/layers": self.layers,
            "neurons/ids": self.ids,
            "neurons/pearson": self.r,
            "columns/neuron_correlation": np.abs(self.r[:, 0]),
        }
