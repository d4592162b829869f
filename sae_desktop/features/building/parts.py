"""What an index holds beside firings and text: one place where its parts are computed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import Dictionary
from sae_desktop.errors import UserError
from sae_desktop.features.building.coactivation import coactive_arrays
from sae_desktop.features.building.logits import logit_arrays
from sae_desktop.features.building.mapping import MAP_NEIGHBOURS, map_arrays
from sae_desktop.features.building.neighbours import nearest_directions, neighbour_arrays
from sae_desktop.features.building.neurons import TextWindow, neuron_arrays
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.reading.firings import Firings
from sae_desktop.features.reading.layout import TextSource
from sae_desktop.features.suitable import written_site
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.sites.site_names import parse_site
from sae_desktop.project import Project

Array = npt.NDArray[Any]

_LOGITS = 10
_NEIGHBOURS = 10
_COACTIVE = 10


@dataclass(frozen=True)
class PartsSource:
    """What the parts are computed from."""

    project: Project
    config: IndexConfig
    firings: Firings
    texts: list[TextSource]
    density: Array
    dictionary: Dictionary
    lm: LanguageModel | None
    site: str
    massive_norm: float
    scratch: Path
    """A folder for what needs the disk meanwhile."""


def part_arrays(source: PartsSource, context: JobContext) -> dict[str, Array]:
    """Return the arrays of `layout.py` that directions and relations between features give.

    Without a model there are no logits and no neurons. A transcoder's directions are of the
    site it writes, and so are its effects on the logits.
    """
    config, dictionary, lm = source.config, source.dictionary, source.lm
    context.check_cancelled()
    near = nearest_directions(dictionary.W_dec, max(_NEIGHBOURS, MAP_NEIGHBOURS - 1), context)
    arrays = neighbour_arrays(near, _NEIGHBOURS)
    if lm is not None:
        arrays |= logit_arrays(lm, _written(source, lm), dictionary.W_dec, _LOGITS, context)
    if config.coactivation:
        arrays |= coactive_arrays(source.firings, _COACTIVE, context, source.scratch)
    if lm is not None and config.neuron_rows:
        windows = _sampled_windows(source)
        arrays |= neuron_arrays(
            lm, parse_site(source.site), dictionary, source.massive_norm, windows, context,
            source.scratch,
        )  # fmt: skip
    if config.map:
        arrays |= map_arrays(dictionary.W_dec, source.density > 0, near, context)
    return arrays


def _written(source: PartsSource, lm: LanguageModel) -> str:
    """Return the site of the directions; the one read where a transcoder's files name none."""
    read = parse_site(source.site)
    try:
        return str(written_site(source.config.dictionary, source.dictionary, lm, read))
    except UserError:
        return source.site


def _sampled_windows(source: PartsSource) -> list[TextWindow]:
    """Return windows spread evenly over the text, some `neuron_rows` rows together.

    The choice depends on the text alone, not on the parts in which it was read. None when a
    store is no longer there.
    """
    found: list[tuple[ActivationStore, Any]] = []
    for text in source.texts:
        path = source.project.store_path(text.activations)
        if not path.is_dir():
            return []
        store = ActivationStore.open(path)
        windows = store.windows
        inside = (windows["first_row"] >= text.first_row) & (
            windows["first_row"] < text.first_row + text.rows
        )
        found += [(store, window) for window in windows[inside]]
    rows = sum(int(window["length"]) for _, window in found)
    step = max(1, -(-rows // source.config.neuron_rows))
    return [_text_window(store, window) for store, window in found[::step]]


def _text_window(store: ActivationStore, window: Any) -> TextWindow:
    ids, length = store.window_ids(window), int(window["length"])
    return TextWindow(ids, len(ids) - len(store.info.suffix) - length, length)


def vocabulary_arrays(lm: LanguageModel | None) -> dict[str, Array]:
    """Return the tokens of the model's vocabulary, so that an index is read without it."""
    vocabulary = lm.token_bytes() if lm else []
    return {
        "vocabulary/bytes": np.frombuffer(b"".join(vocabulary), dtype=np.uint8),
        "vocabulary/offsets": np.cumsum([0, *(len(t) for t in vocabulary)]).astype(np.int64),
    }
