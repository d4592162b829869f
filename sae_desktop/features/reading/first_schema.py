"""Indexes of the first schema, in the shape of the present one.

They held the activations of each context densely, over a fixed number of tokens.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.layout import ARRAYS, DOCUMENT_DTYPE, PASSAGE_DTYPE
from sae_desktop.storage.mapped import FLOATS, NUMBERS, WHOLE, Accepted

Array = npt.NDArray[Any]

_KEPT = ("columns/", "logits/", "neighbours/", "vocabulary/", "tokens")
FIRST_ARRAYS: dict[str, Accepted] = {
    **{name: accepted for name, accepted in ARRAYS.items() if name.startswith(_KEPT)},
    "histogram_counts": Accepted(NUMBERS, ("F", "bins")),
    "contexts/bucket": Accepted(WHOLE, ("F", "C")),
    "contexts/first_row": Accepted(WHOLE, ("F", "C")),
    "contexts/peak": Accepted(WHOLE, ("F", "C")),
    "contexts/activations": Accepted(FLOATS, ("F", "C", "around")),
    "windows": Accepted(PASSAGE_DTYPE, ("W",), lacking=("offset",)),
    "documents": Accepted(DOCUMENT_DTYPE, ("D",), lacking=("title", "group")),
}
"""What the reader takes of a first-schema file."""


def upgraded_arrays(old: dict[str, Array]) -> dict[str, Array]:
    """Return the arrays of a first-schema file under today's names."""
    kept = {name: values for name, values in old.items() if name.startswith(_KEPT)}
    bucket = old["contexts/bucket"][0]
    edges = np.linspace(0.0, 1.0, int(bucket.max(initial=1)) + 1, dtype=np.float32)
    return (
        kept
        | {
            "histogram/counts": old["histogram_counts"],
            "contexts/bucket": bucket,
            "contexts/edges": old["columns/max_activation"][:, None] * edges,
            "passages": _passages(old["windows"]),
            "documents": _documents(old["documents"]),
        }
        | _contexts(old)
    )


def _contexts(old: dict[str, Array]) -> dict[str, Array]:
    first, peak = old["contexts/first_row"].astype(np.int64), old["contexts/peak"]
    row = np.where(first >= 0, first + peak, -1)
    dense = old["contexts/activations"]
    feature, slot, token = np.nonzero(dense)
    counts = np.bincount(feature * row.shape[1] + slot, minlength=row.size)
    at_peak = np.take_along_axis(dense, np.maximum(peak, 0)[..., None].astype(np.int64), axis=2)
    return {
        "contexts/row": row,
        "contexts/activation": at_peak[..., 0].astype(np.float32),
        "contexts/offsets": np.concatenate([[0], np.cumsum(counts)]),
        "contexts/positions": (token - peak[feature, slot]).astype(np.int16),
        "contexts/values": dense[feature, slot, token],
    }


def _passages(windows: Array) -> Array:
    passages = np.zeros(len(windows), dtype=PASSAGE_DTYPE)
    for name in ("first_row", "length", "document"):
        passages[name] = windows[name]
    return passages


def _documents(old: Array) -> Array:
    documents = np.zeros(len(old), dtype=DOCUMENT_DTYPE)
    for name in ("ordinal", "source", "language", "title"):
        if name in (old.dtype.names or ()):
            documents[name] = old[name]
    return documents
