"""A benchmark: `benchmarks/<name>.h5`. Free of torch and Qt.

J bytes, F features of a dictionary:

    results             (J,)    JSON: a BenchmarkResult
    returns/<n>         (F,)    in how many of the recipe's other seeds each feature of the n-th
                                dictionary returns; only of dictionaries with other seeds
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.benchmark.config import BenchmarkResult
from sae_desktop.errors import UserError
from sae_desktop.features.reading.seed_returns import KIND, SCHEMA_VERSION, BenchmarkInfo
from sae_desktop.project import Project, existing
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.faults import explained
from sae_desktop.storage.hdf5 import new_file, open_checked, write_header
from sae_desktop.storage.mapped import WHOLE, Accepted, MappedFile, extents, read_struct

Array = npt.NDArray[Any]


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """A benchmark as it was read."""

    name: str
    info: BenchmarkInfo
    result: BenchmarkResult
    returns: tuple[Array, ...]
    """As `info.returned`, (F,) each."""


def write_benchmark(
    path: Path, info: BenchmarkInfo, result: BenchmarkResult, returns: Sequence[Array]
) -> None:
    """Write a benchmark in one step. Raises UserError when the disk is full."""
    with explained(path):
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as part, new_file(part) as file:
            write_header(file, KIND, SCHEMA_VERSION, {"info": msgspec.json.encode(info).decode()})
            told = msgspec.json.encode(msgspec.structs.replace(result, seconds=0.0, path=""))
            file.create_dataset("results", data=np.frombuffer(told, np.uint8))
            for number, counts in enumerate(returns):
                file.create_dataset(f"returns/{number}", data=np.asarray(counts, np.int16))


def read_benchmark(project: Project, name: str) -> Benchmark:
    """Return a benchmark of a project. Raises UserError when it is missing or damaged."""
    return read_benchmark_file(
        project.benchmark_path(existing("benchmark", name, project.benchmarks()))
    )


def read_benchmark_file(path: Path) -> Benchmark:
    """Return a benchmark. Raises UserError when it is missing, damaged or too new."""
    with open_checked(path, KIND, SCHEMA_VERSION) as file:
        try:
            info, mapped = _opened(path, file)
            told = msgspec.json.decode(mapped.arrays["results"].tobytes(), type=BenchmarkResult)
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"The benchmark “{path.name}” is damaged: {error}.",
                next_step="Run it again under the same name.",
            ) from error
    returns = tuple(mapped.arrays[f"returns/{n}"] for n in range(len(info.returned)))
    # A file may have been copied or renamed.
    told = msgspec.structs.replace(told, name=path.stem, path=str(path), seconds=info.seconds)
    return Benchmark(name=path.stem, info=info, result=told, returns=returns)


def _opened(path: Path, file: h5py.File) -> tuple[BenchmarkInfo, MappedFile]:
    info = read_struct(file, "info", BenchmarkInfo)
    table = {"results": Accepted(WHOLE, ("J",))}
    sizes = {}
    for number, one in enumerate(info.returned):
        table[f"returns/{number}"] = Accepted(WHOLE, (f"F{number}",))
        sizes[f"F{number}"] = one.features
    return info, MappedFile(path, extents(path, file, table, sizes))
