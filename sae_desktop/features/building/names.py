"""The job `name_features`, and the last phase of every index: features named by statistics.

The names of random directions, made in the same way, say what such a score is worth: a direction
fires on as many rows as the median feature, those on which it is largest.
"""

from __future__ import annotations

import gc
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.activations.store import ActivationStore
from sae_desktop.errors import UserError
from sae_desktop.features.building.site_rows import SiteRows, read_sites
from sae_desktop.features.config import NameFeaturesConfig, NameFeaturesResult
from sae_desktop.features.naming.naming import MESSAGE, Text, named_blocks, scored, text_of
from sae_desktop.features.naming.samples import drawn
from sae_desktop.features.reading.beside import names_path
from sae_desktop.features.reading.firing_files import StoredFirings
from sae_desktop.features.reading.firings import FiringBlock
from sae_desktop.features.reading.layout import TextSource
from sae_desktop.features.reading.names_file import NamesInfo, spans, write_names
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import JobContext
from sae_desktop.project import Project, existing

Array = npt.NDArray[Any]
Interval = tuple[float, float, float]

DIRECTIONS = 48
_ROWS = 120_000
"""Of the text on which directions are looked at."""
_AT_ONCE = 1 << 14
_LEAST_DIRECTIONS, _LEAST_ROWS = 3, 100


def name_features(config: NameFeaturesConfig, context: JobContext) -> NameFeaturesResult:
    """Name every feature of an index, and score the names on text they were not made from.

    From all its firings where they were kept, otherwise from its contexts. Raises UserError when
    there is no such index, it is damaged, or the disk is full; names that were there then stay.
    """
    began = time.perf_counter()
    project = Project.open(config.project)
    path = project.index_path(existing("index", config.index, project.indexes()))
    index = FeatureIndex(path)
    store = _store_of(project, index)
    write_names_of(index, index.firings(), store, names_path(path), context)
    index.read_names()
    return result_of(index, time.perf_counter() - began)


def result_of(index: FeatureIndex, seconds: float) -> NameFeaturesResult:
    """Return what is said of the names of an index."""
    names = index.names
    if names is None:
        raise UserError(
            f"The names of the index “{index.path.stem}” cannot be read.",
            next_step="Name its features again.",
        )
    figures = names.figures
    alive = np.asarray(index.columns["density"]) > 0
    return NameFeaturesResult(
        index=index.path.stem,
        features=index.features,
        alive=int(alive.sum()),
        named=int((np.diff(names.short.offsets) > 0).sum()),
        scored=int(np.isfinite(figures["name_score"]).sum()),
        score=mean_interval(figures["name_score"]),
        shuffled=mean_interval(figures["shuffled"]),
        top_token=mean_interval(figures["top_token"]),
        random_direction=names.info.random_direction,
        bytes=names_path(index.path).stat().st_size,
        seconds=seconds,
    )


def mean_interval(values: Array) -> Interval | None:
    """Return the mean and its 95% interval over features; None of fewer than three."""
    from scipy.special import stdtrit

    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if len(known) < _LEAST_DIRECTIONS:
        return None
    mean = float(known.mean())
    reach = float(stdtrit(len(known) - 1, 0.975) * known.std(ddof=1) / math.sqrt(len(known)))
    return mean, mean - reach, mean + reach


def write_names_of(
    index: FeatureIndex, firings: StoredFirings | None, store: ActivationStore | None,
    target: Path, context: JobContext, seed: int = 0,
) -> None:  # fmt: skip
    """Make the names of an index and write them to `target`."""
    text = text_of(index, seed)
    random = None if store is None else _random_directions(index, text, store, context, seed)
    info = NamesInfo(
        dictionary_hash=index.info.dictionary_hash,
        spans=spans(index.info),
        rows=index.info.rows,
        seed=seed,
        firings_kept=firings is not None,
        kept_rows=text.held_rows,
        random_direction=random,
    )
    write_names(target, info, named_blocks(index, firings, text, context, seed))


def name_written(
    written: Path, firings: StoredFirings, store: ActivationStore, target: Path,
    context: JobContext,
) -> None:  # fmt: skip
    """Name the features of an index that waits to be put into its place."""
    context.progress(0, firings.features, "features", MESSAGE)
    index = FeatureIndex(written)
    write_names_of(index, firings, store, target, context)
    # A file that is mapped cannot be renamed on every system.
    del index
    gc.collect()


def _store_of(project: Project, index: FeatureIndex) -> ActivationStore | None:
    """Return the store that an index begins with; None where it is not there any more."""
    texts = index.info.texts
    if not texts or not texts[0].activations:
        return None
    path = project.store_path(texts[0].activations)
    try:
        return ActivationStore.open(path)
    except UserError:
        return None


def _random_directions(
    index: FeatureIndex, text: Text, store: ActivationStore, context: JobContext, seed: int
) -> Interval | None:
    """Return the mean score of names of random directions, and its 95% interval."""
    texts = index.info.texts
    number = next((n for n, t in enumerate(texts) if t.activations == store.folder.name), None)
    if number is None:
        return None
    first, before = texts[number], sum(text.rows for text in texts[:number])
    rows = np.arange(0, first.rows, max(first.rows // _ROWS, 1))[:_ROWS]
    density = np.asarray(index.columns["density"])
    alive = density[density > 0]
    if not len(alive) or len(rows) < _LEAST_ROWS:
        return None
    rng = np.random.default_rng(seed)
    source = _rows_of(index, store, first)
    if source is None:
        return None
    values: list[Array] = []
    kept: list[Array] = []
    directions: Array | None = None
    for begin in range(0, len(rows), _AT_ONCE):
        context.check_cancelled()
        some = rows[begin : begin + _AT_ONCE] + first.first_row
        low, high = int(some[0]), int(some[-1]) + 1
        read, massive = source.read(low, high)
        found, typical = read[some - low], ~massive[some - low]
        if len(source.sites) > 1:  # else the largest site would decide alone
            found /= np.repeat([site.massive_norm for site in source.sites], source.widths)
        if directions is None:
            directions = rng.standard_normal((found.shape[1], DIRECTIONS)).astype(np.float32)
        # Massive rows, on which features count as silent, would be all that directions fire on.
        values.append(found[typical] @ directions)
        kept.append(some[typical] - first.first_row)
    here = before + np.concatenate(kept)
    if len(here) < _LEAST_ROWS:
        return None
    block = _largest(np.concatenate(values), here, float(np.median(alive)))
    places = drawn(block, index.info.rows, rng, known_all=False)
    return mean_interval(scored(places, text, seed, neighbours=False)["name_score"])


def _rows_of(index: FeatureIndex, store: ActivationStore, text: TextSource) -> SiteRows | None:
    """Return what the dictionary read of a text; None where another model's store is gone."""
    stores = [store]
    for name in text.other_activations:
        try:
            stores.append(ActivationStore.open(store.folder.parent / name))
        except UserError:
            return None
    return SiteRows(stores, read_sites(index.info.reads, stores))


def _largest(values: Array, rows: Array, share: float) -> FiringBlock:
    """Return as firings (rows, directions) the largest values of each direction."""
    count = max(int(len(values) * share), 20)
    count = min(count, len(values) - 1)
    least = np.partition(values, len(values) - count - 1, axis=0)[len(values) - count - 1]
    over = (values - least).T
    direction, place = np.nonzero(over > 0)
    offsets = np.concatenate([[0], np.cumsum((over > 0).sum(axis=1))]).astype(np.int64)
    return FiringBlock(0, offsets, rows[place].astype(np.int64), over[direction, place])
