"""The job `index`: what every feature fires on and what it does, in one file.

Two passes over the store. The first finds densities, maxima and the strongest places; the
second, knowing the maxima, counts histograms and draws random places from linear buckets
(Scaling Monosemanticity, feature interpretability). Memory does not grow with the store.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.normalisation import MASSIVE_NORM
from sae_desktop.features.config import IndexConfig, IndexResult
from sae_desktop.features.directions import logit_extremes, nearest_features
from sae_desktop.features.layout import KIND, TOP_BUCKET, IndexInfo
from sae_desktop.features.selection import ActivePlaces, BucketSamples, TopPlaces
from sae_desktop.features.suitable import require_one_site
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.intervene import stream_directions, unembedding
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.sites import parse_site
from sae_desktop.project import Project, config_record
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.hdf5 import write_header
from sae_desktop.training.dictionary_rows import open_pair, site_of
from sae_desktop.training.splice import model_of

_BLOCK = 4096
_HISTOGRAM_BINS = 40
_LOGITS = 10
_NEIGHBOURS = 10
_CONTEXT_BLOCK = 512
# Of a context's tokens, the share before the chosen one.
_BEFORE = 0.75

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Source:
    """The rows an index is made from."""

    store: ActivationStore
    site: str
    windows: Array
    rows: int
    massive_norm: float

    def blocks(self) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Yield (first row, raw rows (R, D), window numbers (R,)), whole windows a block."""
        first = 0
        while first < len(self.windows):
            begin = int(self.windows["first_row"][first])
            last = first
            while last + 1 < len(self.windows) and self._end(last + 1) - begin <= _BLOCK:
                last += 1
            values = self.store.read(begin, self._end(last), self.site).astype(np.float32)
            lengths = self.windows["length"][first : last + 1]
            numbers = np.repeat(np.arange(len(lengths)), lengths)
            norms = np.linalg.norm(values, axis=1, keepdims=True)
            values[norms[:, 0] > self.massive_norm] = np.nan
            yield begin, torch.from_numpy(values), torch.from_numpy(numbers)
            first = last + 1

    def _end(self, window: int) -> int:
        return int(self.windows["first_row"][window]) + int(self.windows["length"][window])


def build_index(config: IndexConfig, context: JobContext) -> IndexResult:
    """Index a dictionary over a store and write `features/<name>.h5` in one step.

    Rows of more than ten times the median norm count as silent. Raises UserError when
    dictionary and store do not belong together or the disk is full.
    """
    began = time.perf_counter()
    project = Project.open(config.project)
    path = project.index_path(config.name)
    dictionary, store, _ = open_pair(project, config.dictionary, config.activations, config.device)
    require_one_site(config.dictionary, dictionary)
    source = _open_source(store, site_of(dictionary, store), config.rows)
    arrays = _measure(config, dictionary, source, context)
    lm = model_of(store, config.device)
    context.progress(1, 1, "passes", "Finding neighbours and logits")
    arrays |= _direction_arrays(dictionary, lm, source.site)
    arrays |= _text_arrays(source, lm)
    info = IndexInfo(
        dictionary=config.dictionary,
        model=store.info.model,
        model_dtype=store.info.model_dtype,
        site=source.site,
        activations=store.folder.name,
        corpus=store.info.corpus,
        rows=source.rows,
        features=dictionary.features,
        buckets=config.buckets,
        context_tokens=config.context_tokens,
        bos_prepended=store.info.bos_prepended,
        config=config_record(config),
    )
    _write(path, info, arrays)
    return IndexResult(
        name=config.name,
        features=dictionary.features,
        rows=source.rows,
        alive=int((arrays["columns/density"] > 0).sum()),
        bytes=path.stat().st_size,
        seconds=time.perf_counter() - began,
    )


def _open_source(store: ActivationStore, site: str, rows: int) -> _Source:
    windows = store.windows
    if rows:
        windows = windows[windows["first_row"] + windows["length"] <= max(rows, 1)]
        windows = windows if len(windows) else store.windows[:1]
    total = int(windows["length"].sum())
    norms = store.norms(site)
    return _Source(store, site, windows, total, MASSIVE_NORM * float(np.median(norms)))


def _measure(
    config: IndexConfig, dictionary: Dictionary, source: _Source, context: JobContext
) -> dict[str, Array]:
    features, device = dictionary.features, dictionary.device
    top = TopPlaces(features, config.top_contexts, device)
    counts = torch.zeros(features, dtype=torch.int64, device=device)
    sums = torch.zeros(features, dtype=torch.float64, device=device)
    maxima = torch.zeros(features, device=device)
    for begin, active, numbers in _encoded(source, dictionary, context, first_pass=True):
        top.update(active, begin, numbers.to(device))
        counts += torch.bincount(active.feature, minlength=features)
        sums.index_add_(0, active.feature, active.value.double())
        maxima.scatter_reduce_(0, active.feature, active.value, "amax")

    generator = torch.Generator().manual_seed(config.seed)
    samples = BucketSamples(maxima, config.buckets, config.bucket_contexts, generator)
    histogram = torch.zeros(features * _HISTOGRAM_BINS, dtype=torch.int64, device=device)
    for begin, active, _ in _encoded(source, dictionary, context, first_pass=False):
        share = active.value / maxima[active.feature]
        cell = (share * _HISTOGRAM_BINS).long().clamp_max(_HISTOGRAM_BINS - 1)
        histogram += torch.bincount(
            active.feature * _HISTOGRAM_BINS + cell, minlength=len(histogram)
        )
        samples.update(active, begin)

    return {
        "columns/density": (counts.double() / source.rows).cpu().numpy(),
        "columns/max_activation": maxima.cpu().numpy(),
        "columns/mean_activation": (sums / counts.clamp_min(1)).float().cpu().numpy(),
        "histogram_counts": histogram.view(features, -1).int().cpu().numpy(),
        **_context_arrays(config, dictionary, source, top, samples, context),
    }


def _encoded(
    source: _Source, dictionary: Dictionary, context: JobContext, *, first_pass: bool
) -> Iterator[tuple[int, ActivePlaces, Tensor]]:
    message = "Finding the strongest examples" if first_pass else "Drawing random examples"
    done = 0 if first_pass else source.rows
    for begin, x_RD, numbers in source.blocks():
        context.check_cancelled()
        with torch.no_grad():
            acts = torch.nan_to_num_(dictionary.encode(x_RD), nan=0.0)
        done += len(x_RD)
        context.progress(done, 2 * source.rows, "rows", message)
        yield begin, ActivePlaces.of(acts), numbers


def _context_arrays(
    config: IndexConfig,
    dictionary: Dictionary,
    source: _Source,
    top: TopPlaces,
    samples: BucketSamples,
    context: JobContext,
) -> dict[str, Array]:
    """Cut the text around every chosen place and encode the feature over it."""
    buckets = samples.by_bucket().flip(1)  # shown from the top down
    features = dictionary.features
    rows = torch.cat([top.rows, buckets.reshape(features, -1)], dim=1).cpu().numpy()
    order = np.repeat(np.arange(config.buckets, 0, -1), config.bucket_contexts)
    bucket = np.concatenate([np.full(config.top_contexts, TOP_BUCKET), order])
    window, first, length = _cut(source.windows, rows, config.context_tokens)
    return {
        "contexts/first_row": np.where(rows >= 0, first, -1).astype(np.int32),
        "contexts/window": window.astype(np.int32),
        "contexts/length": length.astype(np.int16),
        "contexts/peak": np.maximum(rows - first, 0).astype(np.int16),
        "contexts/bucket": np.broadcast_to(bucket, rows.shape).astype(np.int8),
        "contexts/activations": _context_activations(
            config.context_tokens, dictionary, source, rows, first, length, context
        ),
    }


def _cut(windows: Array, rows: Array, tokens: int) -> tuple[Array, Array, Array]:
    """Return window, first row and length of the text around each row, inside its window."""
    place = np.maximum(rows, 0)
    window = np.searchsorted(windows["first_row"], place, side="right") - 1
    start = windows["first_row"][window]
    end = start + windows["length"][window]
    first = np.maximum(start, place - int(tokens * _BEFORE))
    first = np.maximum(start, np.minimum(first, end - tokens))
    return window, first, np.minimum(end - first, tokens)


def _context_activations(
    tokens: int,
    dictionary: Dictionary,
    source: _Source,
    rows: Array,
    first: Array,
    length: Array,
    context: JobContext,
) -> Array:
    """Return (F, C, T) float16; each block holds one feature's contexts after another."""
    features, slots = rows.shape
    out = np.zeros((features, slots, tokens), dtype=np.float16)
    step = max(1, _CONTEXT_BLOCK // slots)
    offsets = np.arange(tokens)
    for begin in range(0, features, step):
        context.check_cancelled()
        context.progress(begin, features, "features", "Reading the contexts")
        ids = torch.arange(begin, min(begin + step, features), device=dictionary.device)
        span = slice(begin, begin + len(ids))
        wanted = np.minimum(first[span, :, None] + offsets, source.store.rows - 1)
        # Sorted, each row read once: contexts of one feature often share windows.
        unique, inverse = np.unique(wanted, return_inverse=True)
        values = source.store.gather(unique, source.site).astype(np.float32)
        norms = np.linalg.norm(values, axis=1)
        acts_RN = dictionary.encode_features(torch.from_numpy(values), ids).cpu().numpy()
        acts_RN[norms > source.massive_norm] = 0
        grid = acts_RN[inverse.reshape(wanted.shape), np.arange(len(ids))[:, None, None]]
        inside = (offsets < length[span, :, None]) & (rows[span, :, None] >= 0)
        out[span] = np.where(inside, grid, 0).clip(0, np.finfo(np.float16).max)
    return out


def _direction_arrays(
    dictionary: Dictionary, lm: LanguageModel | None, site: str
) -> dict[str, Array]:
    ids, cosines = nearest_features(dictionary.W_dec, _NEIGHBOURS)
    arrays: dict[str, Array] = {
        "neighbours/ids": ids.int().cpu().numpy(),
        "neighbours/cosines": cosines.cpu().numpy(),
    }
    names = ("logits/top_ids", "logits/top_values", "logits/bottom_ids", "logits/bottom_values")
    found = None if lm is None else unembedding(lm)
    if lm is None or found is None:
        empty = np.zeros((dictionary.features, 0), dtype=np.float32)
        return arrays | dict.fromkeys(names, empty)
    W_U, norm = found
    W_dec = stream_directions(lm, parse_site(site), dictionary.W_dec).to(W_U)
    extremes = logit_extremes(W_dec, W_U, norm, min(_LOGITS, W_U.shape[1]))
    values = [t.cpu().numpy() for t in extremes]
    return arrays | dict(zip(names, values, strict=True))


def _text_arrays(source: _Source, lm: LanguageModel | None) -> dict[str, Array]:
    """The text itself, so that an index can be read without its store and model."""
    vocabulary = lm.token_bytes() if lm else []
    last = int(source.windows["first_row"][-1]) + int(source.windows["length"][-1])
    documents = source.store.documents
    return {
        "tokens": np.asarray(source.store.tokens[:last]),
        "windows": source.windows,
        "documents": documents[: int(source.windows["document"].max()) + 1],
        "vocabulary/bytes": np.frombuffer(b"".join(vocabulary), dtype=np.uint8),
        "vocabulary/offsets": np.cumsum([0, *(len(t) for t in vocabulary)]).astype(np.int64),
    }


def _write(path: Path, info: IndexInfo, arrays: dict[str, Array]) -> None:
    with replacing(path) as part, h5py.File(part, "w", libver=("earliest", "v110")) as file:
        write_header(file, KIND, 1, {"info": msgspec.json.encode(info).decode()})
        for name, values in arrays.items():
            file.create_dataset(name, data=values)
