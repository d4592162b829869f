"""The job `describe_store`: the figures of a store's rows, its tokens and its documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.activations.config import DescribeStoreConfig, Share, StoreDescription
from sae_desktop.activations.store import ActivationStore
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import load_reader
from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.project import Project, existing

_TAGS = 40
_LENGTHS = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 131072)
_BLOCK = 1 << 20

Array = npt.NDArray[Any]


def describe_store(config: DescribeStoreConfig, context: JobContext) -> StoreDescription:
    """Return what a store says of its committed rows; a harvest may be filling it meanwhile.

    Figures of rows are sums kept while harvesting; tokens and documents are counted here.
    Raises UserError for a store that is missing or damaged.
    """
    project = Project.open(config.project)
    folder = project.store_path(existing("activation store", config.name, project.stores()))
    store = ActivationStore.open(folder)
    statistics = {site: store.statistics(site) for site in store.info.sites}
    counts = _count_tokens(store, context)
    frequent = np.argsort(-counts, kind="stable")[: config.tokens]
    text = _token_texts(store, context)
    spans, documents = store.spans, store.documents
    return StoreDescription(
        name=config.name,
        rows=store.rows,
        rows_wanted=store.rows_wanted,
        windows=len(store.windows),
        documents=len(documents),
        segments=store.segments,
        bytes=store.size_bytes,
        dtype=store.info.dtype,
        model=store.info.model,
        model_origin=store.info.model_origin,
        corpus=store.info.corpus,
        policy=store.info.policy,
        sites=[found.figures(site) for site, found in statistics.items() if found is not None],
        tokens=[Share(name=text(int(i)), rows=int(counts[i])) for i in frequent if counts[i]],
        distinct_tokens=int(np.count_nonzero(counts)),
        window_lengths=_lengths(store.windows["length"]),
        languages=_tags(documents["language"], spans),
        sources=_tags(documents["source"], spans),
        pictures=len(store.pictures),
        picture_rows=int(np.count_nonzero(store.pictures.of_rows() >= 0)),
    )


def _count_tokens(store: ActivationStore, context: JobContext) -> Array:
    """Return how often each token id occurs among the rows; none for imported activations."""
    counts = np.zeros(1, dtype=np.int64)
    tokens = store.tokens if store.info.model else np.empty(0, dtype=np.int32)
    for first in range(0, len(tokens), _BLOCK):
        context.check_cancelled()
        block = tokens[first : first + _BLOCK]
        if store.info.pictures:  # those of pictures are told by themselves
            block = block[store.pictures.of_rows(first, first + len(block)) < 0]
        found = np.bincount(block, minlength=len(counts))
        found[: len(counts)] += counts
        counts = found
    return counts


def _token_texts(store: ActivationStore, context: JobContext) -> Callable[[int], str]:
    """Return token id → text; the id's number where the model cannot be loaded."""
    if not store.info.model or not store.info.tokenizer_hash:
        return str
    try:
        names = load_reader(store.info.model).token_bytes()
    except UserError as error:
        context.log(f"Tokens are shown as numbers: {error.what}")
        return str
    return lambda token: token_text(names[token]) if token < len(names) else str(token)


def _lengths(lengths: Array) -> list[Share]:
    """Count windows by their rows, in bins that double."""
    edges = [edge for edge in _LENGTHS if not len(lengths) or edge <= int(lengths.max())]
    places = np.searchsorted(edges, lengths, side="right") - 1
    found = np.bincount(places, minlength=len(edges))
    uppers = [*(edge - 1 for edge in edges[1:]), int(lengths.max(initial=1))]
    names = [
        f"{low:,}" if low == high else f"{low:,}–{high:,}"
        for low, high in zip(edges, uppers, strict=True)
    ]
    return [Share(name=n, rows=int(c)) for n, c in zip(names, found, strict=True) if c]


def _tags(tags: Array, spans: Array) -> list[Share]:
    """Return the rows of each language or source, the largest first."""
    if not len(tags):
        return []
    names, numbers = np.unique(tags, return_inverse=True)
    rows = np.bincount(numbers[spans["document"]], weights=spans["length"], minlength=len(names))
    order = np.argsort(-rows, kind="stable")
    found = [(names[i].decode("utf-8", "replace"), int(rows[i])) for i in order]
    if not any(name for name, _ in found):
        return []
    # Documents that name none stay among them: shares are of all rows.
    return [Share(name=name, rows=count) for name, count in found][:_TAGS]
