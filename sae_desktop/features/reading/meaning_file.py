"""What texts about an index's features mean, beside it: `features/<name>.meaning`, HDF5.

Free of torch and Qt. N entries, each a feature's label, its automatic name, or its contexts; D
numbers per vector, K contexts of a feature at most, E vectors of single contexts:

    vectors    (N, D) int8     direction of the text's vector; of contexts, of their mean
    features   (N,) uint32
    kinds      (N,) uint8      place in KINDS
    digests    (N,) uint64     of the text; of contexts 0
    slots      (N, K) int16    which contexts, −1: none; of a text −1 throughout
    single     (E, D) int8     of each context by itself
    single_at  (N,) int64      row of an entry's first one in `single`; −1: not kept

A file belongs to the index and the encoder that it names; beside others it counts as none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.reading.beside import meaning_path
from sae_desktop.features.reading.layout import IndexInfo
from sae_desktop.features.reading.names_file import spans
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.faults import explained
from sae_desktop.storage.hdf5 import new_file, open_checked, write_header
from sae_desktop.storage.mapped import WHOLE, Accepted, MappedFile, extents, read_struct

KIND = "meanings"
SCHEMA_VERSION = 1
Part = Literal["label", "name", "contexts"]
KINDS: tuple[Part, ...] = ("label", "name", "contexts")
LABEL, NAME, CONTEXTS = range(len(KINDS))
ARRAYS = {
    "vectors": Accepted(np.dtype("i1"), ("N", "D")),
    "features": Accepted(WHOLE, ("N",)),
    "kinds": Accepted(np.dtype("u1"), ("N",)),
    "digests": Accepted(np.dtype("u8"), ("N",)),
    "slots": Accepted(np.dtype("i2"), ("N", "K")),
    "single": Accepted(np.dtype("i1"), ("E", "D")),
    "single_at": Accepted(np.dtype("i8"), ("N",)),
}
"""What the reader takes."""

Array = npt.NDArray[Any]


class MeaningInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the vectors were made from, and how; an attribute of the file."""

    dictionary_hash: str
    spans: list[tuple[str, int, int]]
    """The text of the index, as `NamesInfo` has it."""
    rows: int
    encoder: str
    """Identity of the model that made them."""
    encoder_name: str
    """By which it is found on this machine."""
    method: int = 1
    """Counts up when texts are chosen or put together otherwise."""

    def is_of(self, info: IndexInfo) -> bool:
        """Whether they are of the index that `info` is of."""
        own = self.dictionary_hash, self.spans, self.rows
        return own == (info.dictionary_hash, spans(info), info.rows)


@dataclass(frozen=True)
class Entries:
    """The arrays of a file, in memory or mapped."""

    vectors: Array
    features: Array
    kinds: Array
    digests: Array
    slots: Array
    single: Array
    single_at: Array

    def __len__(self) -> int:
        return len(self.features)

    def singles_of(self, entry: int) -> Array:
        """Return (k, D) int8, the vectors of an entry's contexts one by one; none: not kept."""
        first = int(self.single_at[entry])
        count = int((self.slots[entry] >= 0).sum())
        if first < 0 or first + count > len(self.single):
            return self.single[:0]
        return self.single[first : first + count]


@dataclass(frozen=True)
class Meanings:
    """The vectors beside an index, mapped."""

    info: MeaningInfo
    entries: Entries
    file: MappedFile


def write_meanings(index: Path, info: MeaningInfo, entries: Entries) -> None:
    """Write all vectors of an index in one step. Raises UserError when the disk is full."""
    path = meaning_path(index)
    with explained(path), replacing(path) as part, new_file(part) as file:
        write_header(file, KIND, SCHEMA_VERSION, {"info": msgspec.json.encode(info).decode()})
        for name in ARRAYS:
            file.create_dataset(name, data=getattr(entries, name))


def read_meanings(index: Path, info: IndexInfo) -> Meanings | None:
    """Open the vectors beside an index, if they are there and of this index.

    A damaged file counts as none: they can be made again.
    """
    path = meaning_path(index)
    if not path.is_file():
        return None
    try:
        with open_checked(path, KIND, SCHEMA_VERSION) as file:
            own = read_struct(file, "info", MeaningInfo)
            mapped = MappedFile(path, extents(path, file, ARRAYS))
        entries = Entries(**mapped.arrays)
        _check(entries, info.features)
    except (UserError, OSError, ValueError):
        return None
    return Meanings(own, entries, mapped) if own.is_of(info) else None


def _check(entries: Entries, features: int) -> None:
    """Raise ValueError for entries of features or kinds that do not exist."""
    if not len(entries):
        return
    if int(entries.features.max()) >= features or int(entries.kinds.max()) >= len(KINDS):
        raise ValueError("an entry is of a feature or kind that does not exist")
