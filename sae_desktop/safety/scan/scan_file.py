"""A scan: `scans/<name>.h5`. Free of torch and Qt.

S sets, F features of the n-th dictionary, J bytes:

    results      (J,)     JSON: a tuple of SetScan
    areas/<n>    (S, F)   each feature’s area on the templates that were learnt from; not a
                          number where the scan was stopped before a set
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.project import Project, existing
from sae_desktop.safety.scan.config import SetScan
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.faults import explained
from sae_desktop.storage.hdf5 import new_file, open_checked, write_header
from sae_desktop.storage.mapped import FLOATS, WHOLE, Accepted, MappedFile, extents, read_struct

KIND = "scan"
SCHEMA_VERSION = 1
Array = npt.NDArray[Any]


class ScannedIndex(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    dictionary: str
    hash: str
    """Of the dictionary’s weights: another one has other features under the same numbers."""
    model: str
    site: str
    features: int


class ScannedSet(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    title: str
    digest: str
    warnings: tuple[str, ...] = ()


class ScanInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An attribute of the file."""

    config: str
    """The job’s, as JSON."""
    pooling: str
    seed: int
    indexes: tuple[ScannedIndex, ...]
    sets: tuple[ScannedSet, ...]
    wanted: int = 0
    """Sets × dictionaries that were asked for; 0: of a file that does not say."""
    seconds: float = 0.0
    """What all that was found has taken; 0: not told."""


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """A scan as it was read."""

    name: str
    info: ScanInfo
    scans: tuple[SetScan, ...]
    areas: tuple[Array, ...]
    """Of each dictionary (S, F), mapped from the file."""

    def of(self, set_name: str, index: str) -> SetScan | None:
        return next((s for s in self.scans if (s.set, s.index) == (set_name, index)), None)


def write_scan(
    path: Path, info: ScanInfo, scans: Sequence[SetScan], areas: Sequence[Array]
) -> None:
    """Write a scan in one step. Raises UserError when the disk is full."""
    with explained(path):
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as part, new_file(part) as file:
            write_header(file, KIND, SCHEMA_VERSION, {"info": msgspec.json.encode(info).decode()})
            told = msgspec.json.encode(list(scans))
            file.create_dataset("results", data=np.frombuffer(told, np.uint8))
            for number, values in enumerate(areas):
                file.create_dataset(f"areas/{number}", data=np.asarray(values, np.float32))


def read_scan(project: Project, name: str) -> Scan:
    """Return a scan of a project. Raises UserError when it is missing or damaged."""
    return read_scan_file(project.scan_path(existing("scan", name, project.scans())))


def read_scan_file(path: Path) -> Scan:
    """Return a scan. Raises UserError when it is missing, damaged or too new."""
    with open_checked(path, KIND, SCHEMA_VERSION) as file:
        try:
            info, mapped = _opened(path, file)
            told = msgspec.json.decode(mapped.arrays["results"].tobytes(), type=list[SetScan])
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"The scan “{path.name}” is damaged: {error}.", next_step="Scan again."
            ) from error
    areas = tuple(mapped.arrays[f"areas/{n}"] for n in range(len(info.indexes)))
    return Scan(name=path.stem, info=info, scans=tuple(told), areas=areas)


def _opened(path: Path, file: h5py.File) -> tuple[ScanInfo, MappedFile]:
    info = read_struct(file, "info", ScanInfo)
    table = {"results": Accepted(WHOLE, ("J",))}
    sizes = {"S": len(info.sets)}
    for number, index in enumerate(info.indexes):
        table[f"areas/{number}"] = Accepted(FLOATS, ("S", f"F{number}"))
        sizes[f"F{number}"] = index.features
    return info, MappedFile(path, extents(path, file, table, sizes))
