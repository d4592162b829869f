"""The index of a dictionary, opened for reading. Free of torch: the window maps it.

Layout of `features/<name>.h5` (F features, C context slots, T tokens of a context, V tokens of
the vocabulary; N neighbours and L logits kept):

    columns/density, max_activation, mean_activation   (F,)
    histogram_counts                                   (F, bins), bins linear from 0 to the maximum
    contexts/first_row, window                         (F, C)  first token in /tokens; −1: empty
    contexts/length, peak, bucket                      (F, C)  peak: offset of the chosen token
    contexts/activations                               (F, C, T) float16
    logits/top_ids, top_values, bottom_ids, bottom_values   (F, L)
    neighbours/ids, cosines                            (F, N)
    tokens (rows,), windows, documents                 as in the store that was read
    vocabulary/bytes, offsets                          token i is bytes[offsets[i]:offsets[i+1]]
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.language_model.config import ModelDtype
from sae_desktop.language_model.token_text import token_text
from sae_desktop.storage.hdf5 import map_dataset, open_checked

KIND = "features"
SCHEMA_VERSION = 1
TOP_BUCKET = 0
"""Contexts of bucket 0 are the strongest; bucket b ≥ 1 is the b-th from the bottom."""

Array = npt.NDArray[Any]


class IndexInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What an index was made from; an attribute of its file."""

    dictionary: str
    model: str
    model_dtype: ModelDtype = "auto"
    site: str
    activations: str
    corpus: str
    rows: int
    features: int
    buckets: int
    context_tokens: int
    bos_prepended: bool
    config: str


@dataclass(frozen=True)
class Context:
    """A piece of text around a token on which a feature fires. T tokens."""

    bucket: int
    tokens: list[str]
    activations: Array
    """(T,) float32, ‖W_dec‖-weighted."""
    peak: int
    """Which of the tokens was chosen."""
    source: str
    language: str
    title: str


def read_info(path: Path) -> IndexInfo:
    """Return what an index was made from. Raises UserError when it is missing or damaged."""
    with open_checked(path, KIND, SCHEMA_VERSION) as file:
        try:
            return msgspec.json.decode(file.attrs["info"], type=IndexInfo)
        except (KeyError, msgspec.DecodeError) as error:
            raise UserError(
                f"The index “{path.name}” is damaged: {error}.",
                next_step="Delete it and build it again.",
            ) from error


class FeatureIndex:
    """An index of F features, its arrays mapped from the file."""

    def __init__(self, path: Path) -> None:
        """Open an index. Raises UserError when it is missing, damaged or too new."""
        self.path = path
        self._token_texts: dict[int, str] = {}
        with open_checked(path, KIND, SCHEMA_VERSION) as file:
            try:
                self.info = msgspec.json.decode(file.attrs["info"], type=IndexInfo)
                arrays: dict[str, Array] = {}

                def remember(name: str, item: Any) -> None:
                    if hasattr(item, "shape"):
                        # A plain view: indexing a memmap object costs ten times as much.
                        arrays[name] = np.asarray(map_dataset(path, item))

                file.visititems(remember)
                self._arrays = arrays
                self.columns = {
                    name: arrays[f"columns/{name}"]
                    for name in ("density", "max_activation", "mean_activation")
                }
            except (KeyError, ValueError, msgspec.DecodeError) as error:
                raise UserError(
                    f"The index “{path.name}” is damaged: {error}.",
                    next_step="Delete it and build it again.",
                ) from error

    @property
    def features(self) -> int:
        """F."""
        return self.info.features

    def check_feature(self, feature: int) -> int:
        """Return `feature` if it exists. Raises UserError otherwise."""
        if not 0 <= feature < self.features:
            raise UserError(
                f"There is no feature {feature} in the index “{self.path.stem}”.",
                next_step=f"Features are numbered 0 to {self.features - 1}.",
            )
        return feature

    def token(self, token_id: int) -> str:
        """Return a token of the vocabulary as text."""
        text = self._token_texts.get(token_id)
        if text is None:
            text = self._token_texts[token_id] = self._read_token(token_id)
        return text

    def _read_token(self, token_id: int) -> str:
        offsets = self._arrays["vocabulary/offsets"]
        if not 0 <= token_id < len(offsets) - 1:
            return f"⟨{token_id}⟩"
        data = self._arrays["vocabulary/bytes"][offsets[token_id] : offsets[token_id + 1]]
        return token_text(data.tobytes())

    @cached_property
    def has_logits(self) -> bool:
        """False for an index made without a model."""
        return bool(self._arrays["logits/top_ids"].shape[1])

    def histogram(self, feature: int) -> tuple[Array, Array]:
        """Return (edges (bins + 1,), counts (bins,)) of the activations above 0."""
        counts = self._arrays["histogram_counts"][feature]
        top = float(self.columns["max_activation"][feature])
        return np.linspace(0.0, top, len(counts) + 1), np.asarray(counts)

    def bucket_name(self, bucket: int) -> str:
        """Return "top" or the bucket's share of the maximum, such as "20-40%"."""
        if bucket == TOP_BUCKET:
            return "top"
        step = 100 / self.info.buckets
        return f"{(bucket - 1) * step:.0f}-{bucket * step:.0f}%"

    def contexts(self, feature: int) -> list[Context]:
        """Return the kept contexts: the strongest first, then bucket by bucket from the top."""
        a = self._arrays
        tokens, windows, documents = a["tokens"], a["windows"], a["documents"]
        found = []
        for slot in np.flatnonzero(a["contexts/first_row"][feature] >= 0):
            first = int(a["contexts/first_row"][feature, slot])
            length = int(a["contexts/length"][feature, slot])
            document = documents[windows[a["contexts/window"][feature, slot]]["document"]]
            found.append(
                Context(
                    bucket=int(a["contexts/bucket"][feature, slot]),
                    tokens=[self.token(t) for t in tokens[first : first + length].tolist()],
                    activations=np.asarray(
                        a["contexts/activations"][feature, slot, :length], dtype=np.float32
                    ),
                    peak=int(a["contexts/peak"][feature, slot]),
                    source=_decode(document["source"]),
                    language=_decode(document["language"]),
                    title=_decode(document["title"]),
                )
            )
        return found

    def top_logits(self, feature: int) -> list[tuple[str, float]]:
        """Return (token, effect) of the tokens the feature raises most, strongest first."""
        return self._logits("top", feature)

    def bottom_logits(self, feature: int) -> list[tuple[str, float]]:
        """Return (token, effect) of the tokens the feature lowers most, strongest first."""
        return self._logits("bottom", feature)

    def _logits(self, side: str, feature: int) -> list[tuple[str, float]]:
        ids = self._arrays[f"logits/{side}_ids"][feature]
        values = self._arrays[f"logits/{side}_values"][feature]
        return [(self.token(int(i)), float(v)) for i, v in zip(ids, values, strict=True)]

    def neighbours(self, feature: int) -> list[tuple[int, float]]:
        """Return (feature, cosine of the decoder directions), nearest first."""
        ids = self._arrays["neighbours/ids"][feature]
        cosines = self._arrays["neighbours/cosines"][feature]
        return [(int(i), float(c)) for i, c in zip(ids, cosines, strict=True)]


def _decode(value: bytes) -> str:
    return value.decode("utf-8", "replace")
