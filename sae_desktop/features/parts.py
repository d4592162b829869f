"""What an index holds beside firings and text: one place where its parts are computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.dictionary import Dictionary
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.directions import logit_extremes, nearest_features
from sae_desktop.features.firings import Firings
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.intervene import stream_directions, unembedding
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.sites import parse_site

Array = npt.NDArray[Any]

_LOGITS = 10
_NEIGHBOURS = 10


def part_arrays(
    config: IndexConfig,
    firings: Firings,
    dictionary: Dictionary,
    lm: LanguageModel | None,
    site: str,
    context: JobContext,
) -> dict[str, Array]:
    """Return the arrays of `layout.py` that directions and relations between features give.

    Without a model there are no logits.
    """
    del config, firings
    context.check_cancelled()
    context.progress(0, 1, "parts", "Finding neighbours and logits")
    return _neighbours(dictionary) | _logits(dictionary, lm, site)


def _neighbours(dictionary: Dictionary) -> dict[str, Array]:
    ids, cosines = nearest_features(dictionary.W_dec, _NEIGHBOURS)
    return {
        "neighbours/ids": ids.int().cpu().numpy(),
        "neighbours/cosines": cosines.cpu().numpy(),
    }


def _logits(dictionary: Dictionary, lm: LanguageModel | None, site: str) -> dict[str, Array]:
    found = None if lm is None else unembedding(lm)
    if lm is None or found is None:
        return {}
    W_U, norm = found
    W_dec = stream_directions(lm, parse_site(site), dictionary.W_dec).to(W_U)
    extremes = logit_extremes(W_dec, W_U, norm, min(_LOGITS, W_U.shape[1]))
    names = ("top_ids", "top_values", "bottom_ids", "bottom_values")
    arrays = (values.cpu().numpy() for values in extremes)
    return {f"logits/{name}": values for name, values in zip(names, arrays, strict=True)}


def vocabulary_arrays(lm: LanguageModel | None) -> dict[str, Array]:
    """Return the tokens of the model's vocabulary, so that an index is read without it."""
    vocabulary = lm.token_bytes() if lm else []
    return {
        "vocabulary/bytes": np.frombuffer(b"".join(vocabulary), dtype=np.uint8),
        "vocabulary/offsets": np.cumsum([0, *(len(t) for t in vocabulary)]).astype(np.int64),
    }
