"""What features are called by statistics, beside their index: `features/<name>.names`, HDF5.

Free of torch and Qt. F features; whatever a feature without a name has is empty or NaN:

    short/bytes, short/offsets     (n,) uint8, (F + 1,)  short names in UTF-8
    detail/bytes, detail/offsets   (m,) uint8, (K + 1,)  of every BLOCK features the rest:
                                   MessagePack, compressed by zlib
    columns/name_score             (F,) float32: the score of `FeatureName`
    columns/score_low, score_high  (F,) float32
    columns/shuffled, top_token    (F,) float32

A file belongs to the index whose dictionary and text it names, and is passed over beside another.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.reading.beside import names_path
from sae_desktop.features.reading.layout import IndexInfo
from sae_desktop.project_labels import NAMING
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.faults import explained
from sae_desktop.storage.hdf5 import new_file, open_checked, write_header
from sae_desktop.storage.mapped import FLOATS, WHOLE, Accepted, MappedFile, extents, read_struct

KIND = "feature_names"
SCHEMA_VERSION = 1
COLUMN = "name_score"
FIGURES = (COLUMN, "score_low", "score_high", "shuffled", "top_token")
BLOCK = 64
"""Features whose details are compressed together."""
_MOST_DETAIL = 1 << 24
"""Bytes that a block may unpack to."""
ARRAYS = {
    "short/bytes": Accepted(np.dtype("u1"), ("n",)),
    "short/offsets": Accepted(WHOLE, ("F+1",)),
    "detail/bytes": Accepted(np.dtype("u1"), ("m",)),
    "detail/offsets": Accepted(WHOLE, ("K+1",)),
    **{f"columns/{name}": Accepted(FLOATS, ("F",)) for name in FIGURES},
}
"""What the reader takes."""

Array = npt.NDArray[Any]


class NamesInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What names were made from, and how; an attribute of the file."""

    dictionary_hash: str
    spans: list[tuple[str, int, int]]
    """The store, first row and rows of each text of the index: no path, so that names can be
    given to others."""
    rows: int
    seed: int = 0
    method: int = 1
    """Counts up when names are made otherwise."""
    firings_kept: bool = False
    """Whether they were made from all firings; otherwise from the kept contexts alone."""
    kept_rows: int = 0
    """Rows of the text kept for scoring."""
    random_direction: tuple[float, float, float] | None = None
    """Mean score, and its 95% interval, of names made in the same way for random directions; None:
    not measured."""


class NamePiece(msgspec.Struct, frozen=True, array_like=True):
    """Something that is found where a feature fires far more often than elsewhere."""

    kind: str
    value: str
    """As a person reads it, such as “who” or French."""
    share: float
    """Of the feature's firings, those it is found at; of a token that is raised, 0."""
    lift: float
    """The lower end of the 95% interval of how many times as often it is found where the feature
    fires as in the same text elsewhere."""
    rows: tuple[int, ...] = ()
    """Of the index's text: chosen tokens of the feature's contexts in which it is found."""


class Sense(msgspec.Struct, frozen=True, array_like=True):
    """One of several things that a feature fires on."""

    words: str
    share: float
    """Of the feature's firings."""


class FeatureName(msgspec.Struct, frozen=True, kw_only=True):
    """What a feature is called by statistics, and how far to believe it."""

    short: str
    """For a list, such as “who”, after “a person” · dictionary entries."""
    long: str
    """In whole sentences, with the evidence."""
    pieces: tuple[NamePiece, ...] = ()
    """The most telling first."""
    senses: tuple[Sense, ...] = ()
    """The most frequent first; none where there is but one."""
    score: float = float("nan")
    """AUROC of the pieces as a detector of the feature on text they were not made from: 0.5 is
    chance. NaN: that text has too few of its firings."""
    score_low: float = float("nan")
    score_high: float = float("nan")
    """The score's 95% interval."""
    shuffled: float = float("nan")
    """The same of another feature's name."""
    top_token: float = float("nan")
    """The same of the token the feature fires on most often, alone."""
    measure: str = NAMING
    """What the score is: DETECTION where it is the one kept of this very name among the scores of
    labels, which take the place of those found while names were made."""


class NameDetail(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a name beside its short form and its figures."""

    long: str
    pieces: list[tuple[str, str, float, float, list[int]]]
    """As in `NamePiece`, but for the rows: which of the feature's contexts they are of."""
    senses: list[tuple[str, float]]


class MadeNames(msgspec.Struct, frozen=True):
    """The names of features that follow one another."""

    short: list[str]
    details: list[NameDetail]
    figures: dict[str, Array]
    """FIGURES → (n,)."""


# ---------------------------------------------------------------- writing
def write_names(path: Path, info: NamesInfo, blocks: Iterable[MadeNames]) -> None:
    """Write the names of all features of an index in one step, to the place of their file.

    All blocks but the last hold a multiple of BLOCK features. Raises UserError when the disk is
    full.
    """
    short: list[bytes] = []
    lengths: list[int] = []
    details: list[bytes] = []
    figures: dict[str, list[Array]] = {name: [] for name in FIGURES}
    for block in blocks:
        texts = [text.encode("utf-8", "replace") for text in block.short]
        lengths += map(len, texts)
        short.append(b"".join(texts))
        for first in range(0, len(block.details), BLOCK):
            packed = msgspec.msgpack.encode(block.details[first : first + BLOCK])
            details.append(zlib.compress(packed, 9))
        for name in FIGURES:
            figures[name].append(np.asarray(block.figures[name], np.float32))
    with explained(path), replacing(path) as part, new_file(part) as file:
        write_header(file, KIND, SCHEMA_VERSION, {"info": msgspec.json.encode(info).decode()})
        _write_texts(file, "short", short, lengths)
        _write_texts(file, "detail", details, [len(one) for one in details])
        for name in FIGURES:
            data = np.concatenate([np.empty(0, np.float32), *figures[name]])
            file.create_dataset(f"columns/{name}", data=data)


def _write_texts(file: Any, name: str, texts: list[bytes], lengths: list[int]) -> None:
    file.create_dataset(f"{name}/bytes", data=np.frombuffer(b"".join(texts), np.uint8))
    offsets = np.cumsum([0, *lengths])
    small = np.int32 if offsets[-1] < 2**31 else np.int64
    file.create_dataset(f"{name}/offsets", data=offsets.astype(small))


# ---------------------------------------------------------------- reading
class ShortNames(Sequence[str]):
    """The short names of all features, empty for those without one; read when asked for."""

    def __init__(self, data: Array, offsets: Array) -> None:
        self.data = data
        """(n,) uint8, UTF-8."""
        self.offsets = offsets
        """(F + 1,)."""

    def __len__(self) -> int:
        return max(len(self.offsets) - 1, 0)

    @overload
    def __getitem__(self, feature: int) -> str: ...
    @overload
    def __getitem__(self, feature: slice) -> list[str]: ...
    def __getitem__(self, feature: int | slice) -> str | list[str]:
        if isinstance(feature, slice):
            return [self[i] for i in range(*feature.indices(len(self)))]
        if not -len(self) <= feature < len(self):
            raise IndexError(feature)
        at = feature % len(self)
        low, high = int(self.offsets[at]), int(self.offsets[at + 1])
        return self.data[low:high].tobytes().decode("utf-8", "replace")

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))


NO_NAMES = ShortNames(np.empty(0, np.uint8), np.zeros(1, np.int64))


class Names:
    """The names of an index's features, mapped from their file."""

    def __init__(self, info: NamesInfo, file: MappedFile) -> None:
        self.info = info
        self._file = file
        arrays = {name: np.asarray(mapped) for name, mapped in file.arrays.items()}
        self._short = ShortNames(arrays["short/bytes"], arrays["short/offsets"])
        self._bytes, self._offsets = arrays["detail/bytes"], arrays["detail/offsets"]
        # Copies: a list sorts by them.
        self.figures = {name: np.array(arrays[f"columns/{name}"], np.float32) for name in FIGURES}
        self._held: tuple[int, list[NameDetail]] = (-1, [])

    @property
    def short(self) -> ShortNames:
        """Raises UserError for a file that was cut."""
        self._file.check_whole()
        return self._short

    def name(self, feature: int, slots: Array) -> FeatureName | None:
        """Return a feature's name; None where it has none, or what is kept of it is damaged.

        `slots` (C,): the rows of the feature's contexts, −1 for an empty slot.
        """
        short = self.short[feature]
        if not short:
            return None
        detail = self._detail(feature)
        low, high, shuffled, token = (float(self.figures[name][feature]) for name in FIGURES[1:])
        return FeatureName(
            short=short,
            long=detail.long,
            pieces=tuple(
                NamePiece(kind, value, share, lift, _rows(slots, places))
                for kind, value, share, lift, places in detail.pieces
            ),
            senses=tuple(Sense(words, share) for words, share in detail.senses),
            score=float(self.figures[COLUMN][feature]),
            score_low=low, score_high=high, shuffled=shuffled, top_token=token,
        )  # fmt: skip

    def _detail(self, feature: int) -> NameDetail:
        number, place = divmod(feature, BLOCK)
        if self._held[0] != number:
            self._held = number, self._read(number)
        found = self._held[1]
        return found[place] if place < len(found) else NameDetail("", [], [])

    def _read(self, number: int) -> list[NameDetail]:
        try:
            low, high = int(self._offsets[number]), int(self._offsets[number + 1])
            data = zlib.decompressobj().decompress(self._bytes[low:high].tobytes(), _MOST_DETAIL)
            return msgspec.msgpack.decode(data, type=list[NameDetail])
        except (IndexError, zlib.error, msgspec.DecodeError, RecursionError, UnicodeError):
            return []


def _rows(slots: Array, places: list[int]) -> tuple[int, ...]:
    """Return the rows of some of a feature's contexts."""
    found = [int(slots[place]) for place in places if 0 <= place < len(slots)]
    return tuple(row for row in found if row >= 0)


def open_names(path: Path, info: IndexInfo) -> Names | None:
    """Open the names in a file, if it is there and they are of the index that `info` is of.

    A damaged file counts as none: names can be made again.
    """
    if not path.is_file():
        return None
    try:
        with open_checked(path, KIND, SCHEMA_VERSION) as file:
            own = read_struct(file, "info", NamesInfo)
            mapped = MappedFile(path, extents(path, file, ARRAYS, {"F": info.features}))
        _check(mapped)
    except (UserError, OSError, ValueError):
        return None
    if (own.dictionary_hash, own.spans, own.rows) != (info.dictionary_hash, spans(info), info.rows):
        return None
    return Names(own, mapped)


def spans(info: IndexInfo) -> list[tuple[str, int, int]]:
    """Return which text an index has read, as `NamesInfo` keeps it."""
    return [(text.activations, text.first_row, text.rows) for text in info.texts]


def read_names(index: Path, info: IndexInfo) -> Names | None:
    """Open the names beside an index, as `open_names` does."""
    return open_names(names_path(index), info)


def _check(file: MappedFile) -> None:
    """Raise ValueError unless offsets lead from the first byte to the last."""
    for name in ("short", "detail"):
        offsets = file.arrays[f"{name}/offsets"]
        ends = int(offsets[0]), int(offsets[-1])
        if ends != (0, len(file.arrays[f"{name}/bytes"])) or (np.diff(offsets) < 0).any():
            raise ValueError(f"the offsets of {name} are damaged")
