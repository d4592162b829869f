"""In how many other seeds each feature returns, as the project's benchmarks have found.

A benchmark is `benchmarks/<name>.h5`; of it only the head and the counts are read here, those of
the dictionary that an index is of. Free of torch and Qt. F features.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.reading.beside import benchmarks_folder
from sae_desktop.storage.hdf5 import open_checked
from sae_desktop.storage.mapped import WHOLE, Accepted, MappedFile, extents, read_struct
from sae_desktop.storage.stamp import file_stamp

KIND = "benchmark"
SCHEMA_VERSION = 1
COLUMN = "seed_returns"
Array = npt.NDArray[Any]


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """Of one dictionary: in how many other seeds its features were looked for."""

    dictionary: str
    hash: str
    """Of its weights: another one has other features under the same numbers."""
    features: int
    others: int
    least_cosine: float


class BenchmarkInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An attribute of a benchmark's file."""

    config: str
    """The job's, as JSON."""
    seconds: float = 0.0
    """What it took."""
    returned: tuple[Returned, ...] = ()
    """The arrays `returns/<n>` (F,) of the file."""


def seed_returns(index: Path, digest: str, features: int) -> Array | None:
    """Return (F,) float32: the share of the other seeds in which each feature returns.

    By the newest benchmark that has looked for the features of this dictionary; None: none has. A
    damaged one counts as none: it says so where it is opened.
    """
    if not digest:
        return None
    paths = list(benchmarks_folder(index).glob("[!.]*.h5"))
    for path in sorted(paths, key=lambda path: file_stamp(path)[-1:], reverse=True):
        with suppress(UserError, OSError, ValueError, RecursionError):
            found = _shares(path, digest, features)
            if found is not None:
                return found
    return None


def _shares(path: Path, digest: str, features: int) -> Array | None:
    with open_checked(path, KIND, SCHEMA_VERSION) as file:
        info = read_struct(file, "info", BenchmarkInfo)
        for number, one in enumerate(info.returned):
            if one.hash == digest and one.features == features and one.others > 0:
                table = {f"returns/{number}": Accepted(WHOLE, ("F",))}
                mapped = MappedFile(path, extents(path, file, table, {"F": features}))
                counts = np.array(mapped.arrays[f"returns/{number}"], np.float32)
                return counts / np.float32(one.others)
    return None
