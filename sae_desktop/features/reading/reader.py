"""An index, opened for reading. Free of torch and Qt: the window maps it.

`layout.py` says what the file holds. Files of the first schema are read too; they hold
three columns, and contexts of one fixed width.
"""

from __future__ import annotations

import mmap
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.reading.columns import COLUMNS
from sae_desktop.features.reading.effect_file import COLUMN as OUTPUT_EFFECT
from sae_desktop.features.reading.effect_file import read_effects
from sae_desktop.features.reading.facts import (
    AlignedFiring,
    Coactive,
    Context,
    FiredToken,
    Neuron,
    Share,
)
from sae_desktop.features.reading.firing_files import StoredFirings, kept_firings
from sae_desktop.features.reading.first_schema import FIRST_ARRAYS, upgraded_arrays
from sae_desktop.features.reading.layout import ARRAYS, KIND, SCHEMA_VERSION, TOP_BUCKET, IndexInfo
from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.storage.hdf5 import open_checked
from sae_desktop.storage.mapped import MappedFile, extents, raw_map, read_struct

Array = npt.NDArray[Any]

_LONGEST_DOCUMENT = 1 << 40
"""Tokens, more than any has."""
_PAGES_MAPPED = 16
BEFORE = 0.75
"""Of a context's tokens, the share shown before the chosen one."""


def read_info(path: Path) -> IndexInfo:
    """Return what an index was made from. Raises UserError when it is missing or damaged."""
    with open_checked(path, KIND, SCHEMA_VERSION) as file:
        return _info(path, file)


def _info(path: Path, file: h5py.File) -> IndexInfo:
    try:
        return read_struct(file, "info", IndexInfo)
    except ValueError as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(
        f"The index “{path.name}” is damaged: {error}.",
        next_step="Restore it from a copy, or build it again under another name.",
    )


class FeatureIndex:
    """An index of F features, its arrays mapped from the file."""

    def __init__(self, path: Path) -> None:
        """Open an index. Raises UserError when it is missing, damaged or too new."""
        self.path = path
        self._token_texts: dict[int, str] = {}
        self._pages_read = 0
        with open_checked(path, KIND, SCHEMA_VERSION) as file:
            self.info = _info(path, file)
            first = file.attrs["schema_version"] == 1
            sizes = {"F": self.features, "B": self.info.buckets}
            sizes |= {"G": len(self.info.languages), "S": len(self.info.sources)}
            try:
                found = extents(path, file, FIRST_ARRAYS if first else ARRAYS, sizes)
                self._file = MappedFile(path, found)
                # A plain view: indexing a memmap object costs ten times as much.
                arrays = {name: np.asarray(mapped) for name, mapped in self._file.arrays.items()}
                if first:
                    arrays = upgraded_arrays(arrays)
                self._check(arrays)
            except (KeyError, ValueError, IndexError) as error:
                raise _damaged(path, error) from error
        self._mapped = arrays
        self._columns = {
            column.name: arrays[f"columns/{column.name}"]
            for column in COLUMNS
            if f"columns/{column.name}" in arrays
        }
        self.read_output_effects()

    @property
    def _arrays(self) -> dict[str, Array]:
        self._file.check_whole()
        return self._mapped

    @property
    def columns(self) -> dict[str, Array]:
        """The figures (F,) that were measured, by name. Raises UserError for a cut file."""
        self._file.check_whole()
        return self._columns

    def _check(self, arrays: dict[str, Array]) -> None:
        """Raise ValueError or KeyError unless what every page needs is there."""
        if len(arrays["passages"]) == 0 or len(arrays["tokens"]) < self.info.rows:
            raise ValueError("the text is cut short")

    def read_output_effects(self) -> None:
        """Take over what a job has written of the features' effects on the output."""
        effects = read_effects(self.path, self.features, self.info.dictionary_hash)
        if effects is not None:
            self.columns[OUTPUT_EFFECT] = effects

    def array(self, name: str) -> Array | None:
        """Return a dataset of the file by its path in `layout.py`; None when it is not there."""
        return self._arrays.get(name)

    def firings(self) -> StoredFirings | None:
        """Return all activations the index was made from; None when they were not kept.

        Raises UserError when they are damaged.
        """
        if not self.info.dictionary_hash:
            return None
        paths = kept_firings(self.path, self.info.texts, self.info.dictionary_hash)
        return StoredFirings.open(paths) if paths else None

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

    # ------------------------------------------------------------------ text
    @property
    def tokens(self) -> Array:
        """(R,) int32, the token of every row."""
        return self._arrays["tokens"]

    @property
    def passages(self) -> Array:
        """(P,) of PASSAGE_DTYPE, ascending."""
        return self._arrays["passages"]

    @property
    def documents(self) -> Array:
        """(D,) of DOCUMENT_DTYPE."""
        return self._arrays["documents"]

    def token(self, token_id: int) -> str:
        """Return a token of the vocabulary as text."""
        text = self._token_texts.get(token_id)
        if text is None:
            text = self._token_texts[token_id] = self._read_token(token_id)
        return text

    def token_bytes(self, token_id: int) -> bytes | None:
        """Return a token's bytes; None for a number that is not of the vocabulary."""
        offsets = self._arrays["vocabulary/offsets"]
        if not 0 <= token_id < len(offsets) - 1:
            return None
        return self._arrays["vocabulary/bytes"][offsets[token_id] : offsets[token_id + 1]].tobytes()

    def _read_token(self, token_id: int) -> str:
        data = self.token_bytes(token_id)
        return f"⟨{token_id}⟩" if data is None else token_text(data)

    @property
    def vocabulary_size(self) -> int:
        """V; 0 for an index of imported activations."""
        return max(len(self._arrays["vocabulary/offsets"]) - 1, 0)

    def passage_at(self, row: int) -> int:
        """Return which passage a row of the text is in."""
        return int(np.searchsorted(self.passages["first_row"], row, side="right")) - 1

    # ------------------------------------------------------------------ figures
    @cached_property
    def has_logits(self) -> bool:
        """False for an index made without a model."""
        found = self.array("logits/top_ids")
        return found is not None and found.shape[1] > 0

    def histogram(self, feature: int) -> tuple[Array, Array]:
        """Return (edges (bins + 1,), counts (bins,)) of the activations above 0."""
        counts = self._arrays["histogram/counts"][feature]
        top = float(self.columns["max_activation"][feature])
        return np.linspace(0.0, top, len(counts) + 1), np.asarray(counts)

    # ------------------------------------------------------------------ contexts
    def bucket_edges(self, feature: int) -> Array:
        """Return the bounds (B + 1,) of the feature's buckets, in units of activation."""
        return np.asarray(self._arrays["contexts/edges"][feature], dtype=np.float32)

    def bucket_name(self, bucket: int) -> str:
        """Return "top", or the bucket's share of the maximum or of the firings: "20-40%"."""
        if bucket == TOP_BUCKET:
            return "top"
        step = 100 / self.info.buckets
        return f"{(bucket - 1) * step:.0f}-{bucket * step:.0f}%"

    def contexts(
        self, feature: int, before: int | None = -1, after: int | None = -1
    ) -> list[Context]:
        """Return the kept contexts: the strongest first, then bucket by bucket from the top.

        `before` and `after` say how many tokens stand around the chosen one, within the reach;
        None: the whole passage; −1: as many as the index was made to show.
        """
        self._release_maps()
        rows = self._arrays["contexts/row"][feature]
        return [
            self.context(feature, int(slot), before, after) for slot in np.flatnonzero(rows >= 0)
        ]

    def _release_maps(self) -> None:
        """Now and then let go of what was mapped of features looked at before.

        A kernel may map two megabytes around each byte that is read: a walk through a million
        features would seem to fill the memory, although all of it can be read again.
        """
        self._pages_read += 1
        if self._pages_read % _PAGES_MAPPED or not hasattr(mmap, "MADV_DONTNEED"):
            return
        for name, mapped in self._file.arrays.items():
            if isinstance(mapped, np.memmap) and not name.startswith("columns/"):
                raw_map(mapped).madvise(mmap.MADV_DONTNEED)

    def context(
        self, feature: int, slot: int, before: int | None = -1, after: int | None = -1
    ) -> Context:
        """Return one context, drawn with as much text as is asked for (see `contexts`)."""
        a = self._arrays
        row = int(a["contexts/row"][feature, slot])
        passage = self.passages[self.passage_at(row)]
        start, end = self._extent(row, passage, before, after)
        number = feature * a["contexts/row"].shape[1] + slot
        span = slice(int(a["contexts/offsets"][number]), int(a["contexts/offsets"][number + 1]))
        places = row + a["contexts/positions"][span].astype(np.int64) - start
        inside = (places >= 0) & (places < end - start)
        activations = np.zeros(end - start, dtype=np.float32)
        activations[places[inside]] = a["contexts/values"][span][inside]
        ids = self.tokens[start:end].tolist()
        reach = self._reach_before(row, before, after)
        earlier = (
            self._text_before(passage, reach - (row - start))
            if start == passage["first_row"]
            else []
        )
        starts, read = self._windows_around(row, start, end)
        if earlier:
            activations = np.concatenate([np.zeros(len(earlier), np.float32), activations])
            read = None if read is None else (read[0] + len(earlier), read[1] + len(earlier))
            starts = tuple(sorted({len(earlier), *(s + len(earlier) for s in starts)}))
            # What an overlapping window repeats stands in the window before it.
            if read is not None:
                read = (max(read[0] - self._repeated(row), 0), read[1])
        document = self.documents[passage["document"]]
        return Context(
            slot=slot,
            bucket=int(a["contexts/bucket"][slot]),
            row=row,
            activation=float(a["contexts/activation"][feature, slot]),
            tokens=[self.token(t) for t in [*earlier, *ids]],
            activations=activations,
            peak=row - start + len(earlier),
            source=_decode(document["source"]),
            language=_decode(document["language"]),
            title=_decode(document["title"]),
            group=_decode(document["group"]),
            starts=starts,
            read=read,
        )

    def _reach_before(self, row: int, before: int | None, after: int | None) -> int:
        """Return how many tokens may stand before the chosen one."""
        del row
        if before == -1 or after == -1:
            return int(self.info.context_tokens * BEFORE)
        reach = self.info.context_reach
        return reach if before is None else min(before, reach)

    def _repeated(self, row: int) -> int:
        """Return how many tokens before the first of a row's window it shares with another."""
        windows, before = self.array("windows"), self.array("read_before")
        if windows is None or before is None:
            return 0
        return int(before[np.searchsorted(windows, row, side="right") - 1])

    def _windows_around(
        self, row: int, start: int, end: int
    ) -> tuple[tuple[int, ...], tuple[int, int] | None]:
        """Return where windows begin among the rows from `start` to `end`, and which of these
        rows the model read together with `row`."""
        windows = self.array("windows")
        if windows is None or not len(windows):
            return (), None
        own = int(np.searchsorted(windows, row, side="right")) - 1
        first = int(windows[own])
        last = int(windows[own + 1]) if own + 1 < len(windows) else self.info.rows
        low, high = np.searchsorted(windows, [start, end])
        starts = tuple(int(w) - start for w in windows[low:high] if w > start)
        begin = max(first - self._repeated(row), start)
        return starts, (begin - start, min(last, end) - start)

    @cached_property
    def _passage_ends(self) -> tuple[Array, Array]:
        """(P,) keys of document and place after the last token, ascending, and whose they are."""
        passages = self.passages
        ends = passages["offset"] + passages["length"]
        keys = passages["document"].astype(np.int64) * _LONGEST_DOCUMENT + ends
        order = np.argsort(keys, kind="stable")
        return keys[order], order

    def _text_before(self, passage: Any, count: int) -> list[int]:
        """Return up to `count` tokens of the document before a passage, where the text has them."""
        keys, order = self._passage_ends
        found: list[int] = []
        offset, document = int(passage["offset"]), int(passage["document"])
        while count > len(found) and offset > 0:
            # One token a window may be missing, whose row is not kept.
            places = np.searchsorted(
                keys, document * _LONGEST_DOCUMENT + np.array([offset, offset - 1])
            )
            wanted = document * _LONGEST_DOCUMENT + np.array([offset, offset - 1])
            known = [
                int(order[place])
                for place, key in zip(places, wanted, strict=True)
                if place < len(keys) and keys[place] == key
            ]
            if not known:
                break
            before = self.passages[known[0]]
            first, length = int(before["first_row"]), int(before["length"])
            taken = min(length, count - len(found))
            found = self.tokens[first + length - taken : first + length].tolist() + found
            if int(before["offset"]) >= offset:
                break
            offset = int(before["offset"])
        return found

    def _extent(
        self, row: int, passage: Any, before: int | None, after: int | None
    ) -> tuple[int, int]:
        """Return the first row to be drawn and one past the last."""
        first = int(passage["first_row"])
        last = first + int(passage["length"])
        if before == -1 or after == -1:
            # The same number of tokens wherever the passage has them.
            tokens = self.info.context_tokens
            start = max(first, row - int(tokens * BEFORE))
            start = max(first, min(start, last - tokens))
            return start, min(start + tokens, last)
        reach = self.info.context_reach
        start = max(first, row - (reach if before is None else min(before, reach)))
        end = min(last, row + 1 + (reach if after is None else min(after, reach)))
        return start, end

    # ------------------------------------------------------------------ directions
    def top_logits(self, feature: int, *, centred: bool = False) -> list[tuple[str, float]]:
        """Return (token, effect) of the tokens the feature raises most, strongest first.

        `centred`: above the median over the vocabulary.
        """
        return self._logits("top", feature, centred)

    def bottom_logits(self, feature: int, *, centred: bool = False) -> list[tuple[str, float]]:
        """Return (token, effect) of the tokens the feature lowers most, strongest first."""
        return self._logits("bottom", feature, centred)

    def _logits(self, side: str, feature: int, centred: bool) -> list[tuple[str, float]]:
        if not self.has_logits:
            return []
        ids = self._arrays[f"logits/{side}_ids"][feature]
        values = self._arrays[f"logits/{side}_values"][feature]
        median = self.array("logits/median")
        less = float(median[feature]) if centred and median is not None else 0.0
        return [(self.token(int(i)), float(v) - less) for i, v in zip(ids, values, strict=True)]

    def neighbours(self, feature: int) -> list[tuple[int, float]]:
        """Return (feature, cosine of the decoder directions), nearest first."""
        ids = self._arrays["neighbours/ids"][feature]
        cosines = self._arrays["neighbours/cosines"][feature]
        return [(int(i), float(c)) for i, c in zip(ids, cosines, strict=True) if i >= 0]

    # ------------------------------------------------------------------ company
    def coactive(self, feature: int) -> list[Coactive]:
        """Return the features that fire along with this one, most correlated first."""
        ids = self.array("coactive/ids")
        if ids is None:
            return []
        pearson, share = self._arrays["coactive/pearson"], self._arrays["coactive/share"]
        return [
            Coactive(int(i), float(r), float(s))
            for i, r, s in zip(ids[feature], pearson[feature], share[feature], strict=True)
            if i >= 0
        ]

    def languages(self, feature: int) -> list[Share]:
        """Return the feature's firings by language, in the order of the info; those in documents
        without one come last, under no name."""
        return self._shares("languages", self.info.languages, feature)

    def sources(self, feature: int) -> list[Share]:
        """Return the feature's firings by source, as by language."""
        return self._shares("sources", self.info.sources, feature)

    def _shares(self, kind: str, names: list[str], feature: int) -> list[Share]:
        counts = self.array(f"{kind}/counts")
        if counts is None:
            return []
        tokens = self._arrays[f"{kind}/tokens"]
        sums = self.array(f"{kind}/sums")
        of_names = [None] * len(names) if sums is None else sums[feature].tolist()
        found = [
            Share(name, int(n), int(t), total)
            for name, n, t, total in zip(names, counts[feature], tokens, of_names, strict=True)
        ]
        firings = self.columns.get("firings")
        unnamed = self.info.rows - sum(share.tokens for share in found)
        if firings is not None and unnamed > 0:
            of_named = sum(share.firings for share in found)
            rest = None
            if sums is not None:
                total = float(self.columns["mean_activation"][feature]) * int(firings[feature])
                rest = max(total - sum(share.activation or 0.0 for share in found), 0.0)
            found.append(Share("", max(int(firings[feature]) - of_named, 0), unnamed, rest))
        return found

    def firing_tokens(self, feature: int) -> list[FiredToken]:
        """Return the tokens on which the feature fires most often, with its firings on each."""
        ids = self.array("firing_tokens/ids")
        if ids is None:
            return []
        counts = self._arrays["firing_tokens/counts"][feature]
        sums = self.array("firing_tokens/sums")
        of_tokens = [None] * len(counts) if sums is None else sums[feature].tolist()
        return [
            FiredToken(self.token(int(i)), int(n), total)
            for i, n, total in zip(ids[feature], counts, of_tokens, strict=True)
            if i >= 0
        ]

    def neurons(self, feature: int) -> list[Neuron]:
        """Return the neurons most correlated with the feature; none when not compared."""
        ids = self.array("neurons/ids")
        if ids is None:
            return []
        layers, pearson = self._arrays["neurons/layers"], self._arrays["neurons/pearson"]
        return [
            Neuron(int(layer), int(i), float(r))
            for layer, i, r in zip(layers[feature], ids[feature], pearson[feature], strict=True)
            if i >= 0
        ]

    # ------------------------------------------------------------------ aligned documents
    @cached_property
    def aligned_groups(self) -> dict[str, list[int]]:
        """Group → its documents, for groups with documents in at least two languages."""
        groups: dict[str, list[int]] = {}
        documents = self.documents
        for number in np.flatnonzero(documents["group"] != b""):
            groups.setdefault(_decode(documents["group"][number]), []).append(int(number))
        return {
            group: members
            for group, members in groups.items()
            if len({documents["language"][m] for m in members}) > 1
        }

    def aligned(self, feature: int, group: str) -> list[AlignedFiring]:
        """Return the feature's strongest activation in each document of a group.

        Raises KeyError for a group that is none of `aligned_groups`.
        """
        members = self.aligned_groups[group]
        found: dict[int, tuple[int, float]] = {}
        offsets = self.array("aligned/offsets")
        if offsets is not None:
            span = slice(int(offsets[feature]), int(offsets[feature + 1]))
            documents = self._arrays["aligned/documents"][span]
            for place in np.flatnonzero(np.isin(documents, members)):
                found[int(documents[place])] = (
                    int(self._arrays["aligned/rows"][span][place]),
                    float(self._arrays["aligned/maxima"][span][place]),
                )
        return [
            AlignedFiring(
                document=m,
                language=_decode(self.documents["language"][m]),
                title=_decode(self.documents["title"][m]),
                row=found.get(m, (-1, 0.0))[0],
                activation=found.get(m, (-1, 0.0))[1],
            )
            for m in members
        ]


def _decode(value: bytes) -> str:
    return value.decode("utf-8", "replace")
