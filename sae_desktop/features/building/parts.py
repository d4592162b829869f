"""What an index holds beside firings and text: one place where its parts are computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.dictionary.ends import End
from sae_desktop.errors import UserError
from sae_desktop.features.building.by_output import largest_share, output_arrays
from sae_desktop.features.building.coactivation import coactive_arrays
from sae_desktop.features.building.functional import functional_share, reads_several
from sae_desktop.features.building.logits import logit_arrays
from sae_desktop.features.building.mapping import MAP_NEIGHBOURS, map_arrays
from sae_desktop.features.building.neighbours import nearest_directions, neighbour_arrays
from sae_desktop.features.building.neurons import ReadBefore, TextWindow, neuron_arrays
from sae_desktop.features.building.site_rows import SiteRows, read_sites
from sae_desktop.features.building.written import Written, written_of
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.reading.firing_files import StoredFirings
from sae_desktop.features.reading.layout import TextSource
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.sites.intervene import stream_directions
from sae_desktop.language_model.sites.resolve import Site, check_site
from sae_desktop.language_model.sites.site_names import HOOKS, parse_site, uncentred
from sae_desktop.project import Project

Array = npt.NDArray[Any]

_LOGITS = 10
_NEIGHBOURS = 10
_COACTIVE = 10
_STREAM = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post")
"""Sites whose later ones hold the earlier ones: only the last is added to the logits."""


@dataclass(frozen=True)
class PartsSource:
    """What the parts are computed from."""

    project: Project
    config: IndexConfig
    firings: StoredFirings
    texts: list[TextSource]
    density: Array
    dictionary: Dictionary
    lm: LanguageModel | None
    stores: Sequence[ActivationStore]
    """Those of the first text, by model."""
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    scratch: Path
    """A folder for what needs the disk meanwhile."""


def part_arrays(source: PartsSource, context: JobContext) -> dict[str, Array]:
    """Return the arrays of `layout.py` that directions and relations between features give.

    Without a model there are no logits and no neurons. A transcoder's directions are of the
    site it writes, and so are its effects on the logits.
    """
    config, dictionary, lm = source.config, source.dictionary, source.lm
    context.check_cancelled()
    rows = SiteRows(source.stores, read_sites(source.inputs, source.stores))
    written = written_of(dictionary, source.outputs, rows)
    count = max(_NEIGHBOURS, MAP_NEIGHBOURS - 1)
    near = nearest_directions(written.directions(), count, context)
    arrays = neighbour_arrays(near, _NEIGHBOURS)
    if lm is not None:
        arrays |= _logits(source, lm, written, context)
    if len(written) > 1:
        arrays |= output_arrays(
            written, source.stores, lm, context,
            logits=_LOGITS if config.by_output else 0,
            neighbours=_NEIGHBOURS if config.by_output else 0,
            device=config.device,
        )  # fmt: skip
    if reads_several(dictionary, source.inputs):
        texts = opened_texts(source)
        shares = functional_share(dictionary, source.inputs, source.firings, rows, texts, context)
        arrays["parts/functional"] = shares
        arrays["columns/input_share"] = largest_share(shares)
    if config.coactivation:
        arrays |= coactive_arrays(source.firings, _COACTIVE, context, source.scratch)
    if lm is not None and config.neuron_rows:
        windows = _sampled_windows(source)
        if any(len(store.pictures) for store in source.stores):
            context.log(
                "Features are compared with neurons on windows of text alone: those with pictures "
                "cannot be read again from a store."
            )
        arrays |= neuron_arrays(
            lm, _read_before(source), dictionary, windows, context, source.scratch
        )
    if config.map:
        arrays |= map_arrays(written.joined(), source.density > 0, near, context)
    return arrays


def first_arrays(source: PartsSource, context: JobContext) -> dict[str, Array]:
    """Return those of them that take little time and that a page is read for: the logits."""
    if source.lm is None:
        return {}
    rows = SiteRows(source.stores, read_sites(source.inputs, source.stores))
    return _logits(source, source.lm, written_of(source.dictionary, source.outputs, rows), context)


def _logits(
    source: PartsSource, lm: LanguageModel, written: Written, context: JobContext
) -> dict[str, Array]:
    reaching = _reaching(source, lm)

    def stream(first: int, last: int) -> Tensor:
        return _stream(lm, written, reaching, first, last)

    return logit_arrays(lm, source.dictionary.features, stream, _LOGITS, context)


def _reaching(source: PartsSource, lm: LanguageModel) -> list[tuple[int, Site]]:
    """Return which outputs make up a feature's effect on the logits, each with its site.

    All that add to the stream of the first model; where some are the stream itself, the last of
    these and what is added after it. The site read stands in for one that files do not name.
    """
    found: list[tuple[int, Site]] = []
    for number, end in enumerate(source.outputs):
        if end.source:
            continue
        alone = len(source.outputs) == 1
        try:
            site = check_site(lm.model, parse_site(end.site))
        except UserError:
            if not alone:
                continue
            site = parse_site(source.inputs[0].site)
        found.append((number, site))
    streams = [one for one in found if uncentred(one[1].hook) in _STREAM]
    if not streams:
        return found
    last = max(streams, key=lambda one: _place(one[1]))
    added = [one for one in found if one not in streams]
    return [last, *(one for one in added if _place(one[1]) > _place(last[1]))]


def _place(site: Site) -> tuple[int, int]:
    return site.layer, HOOKS.index(uncentred(site.hook))


def _stream(
    lm: LanguageModel, written: Written, reaching: Sequence[tuple[int, Site]], first: int, last: int
) -> Tensor:
    """Return what features add to the residual stream over these outputs, (last − first, D)."""
    total: Tensor | None = None
    for number, site in reaching:
        found = stream_directions(lm, site, written.whole(number, first, last))
        total = found if total is None else total + found
    return torch.zeros(last - first, lm.width) if total is None else total


def _read_before(source: PartsSource) -> ReadBefore:
    own = [end for end in source.inputs if not end.source]
    of_feature = None
    if isinstance(source.dictionary, CrossLayerDictionary):
        each = source.dictionary.features // len(own)
        of_feature = np.arange(source.dictionary.features) // each
    return ReadBefore([parse_site(end.site) for end in own], of_feature)


def opened_texts(source: PartsSource) -> list[tuple[TextSource, SiteRows]]:
    """Return the texts of which all stores are still there, each with its rows."""
    found, path = [], source.project.store_path
    for text in source.texts:
        folders = [path(name) for name in (text.activations, *text.other_activations)]
        if all(folder.is_dir() for folder in folders):
            stores = [ActivationStore.open(folder) for folder in folders]
            found.append((text, SiteRows(stores, read_sites(source.inputs, stores))))
    return found


def _sampled_windows(source: PartsSource) -> list[TextWindow]:
    """Return windows spread evenly over the text, some `neuron_rows` rows together.

    The choice depends on the text alone, not on the parts in which it was read. None when a
    store is no longer there.
    """
    found: list[tuple[SiteRows, Any]] = []
    texts = opened_texts(source)
    if len(texts) < len(source.texts):
        return []
    for text, rows in texts:
        windows = rows.store.windows
        inside = (windows["first_row"] >= text.first_row) & (
            windows["first_row"] < text.first_row + text.rows
        )
        inside &= ~_with_pictures(rows.store)  # they cannot be read again by their tokens alone
        found += [(rows, window) for window in windows[inside]]
    count = sum(int(window["length"]) for _, window in found)
    step = max(1, -(-count // source.config.neuron_rows))
    return [_text_window(rows, window) for rows, window in found[::step]]


def _with_pictures(store: ActivationStore) -> Array:
    """Return (windows,) which of a store's windows hold a token of a picture."""
    windows = store.windows
    if not len(store.pictures):
        return np.zeros(len(windows), np.bool_)
    before = np.concatenate([[0], np.cumsum(store.pictures.of_rows() >= 0)])
    first = windows["first_row"]
    return np.asarray(before[first + windows["length"]] > before[first])


def _text_window(rows: SiteRows, window: Any) -> TextWindow:
    ids, length = rows.store.window_ids(window), int(window["length"])
    first = len(ids) - len(rows.store.info.suffix) - length
    return TextWindow(ids, first, length, rows, int(window["first_row"]))


def vocabulary_arrays(lm: LanguageModel | None) -> dict[str, Array]:
    """Return the tokens of the model's vocabulary, so that an index is read without it."""
    vocabulary = lm.token_bytes() if lm else []
    return {
        "vocabulary/bytes": np.frombuffer(b"".join(vocabulary), dtype=np.uint8),
        "vocabulary/offsets": np.cumsum([0, *(len(t) for t in vocabulary)]).astype(np.int64),
    }
