"""The benchmarks of a project, read for its cards. Free of torch and Qt."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.storage.stamp import Remembered


@dataclass(frozen=True)
class BenchmarkItem:
    """What there is to know of a benchmark without opening it."""

    name: str
    recipes: tuple[str, ...]
    dictionaries: int
    data_sets: int
    site: str
    samples: int
    """Of synthetic data that were trained on; 0: dictionaries of the project were measured."""
    bytes: int
    modified: datetime
    problem: str = ""
    """Why it cannot be read, and what to do; empty: it can."""


def benchmark_items(project: Project) -> list[BenchmarkItem]:
    """Return the benchmarks, the newest first; a damaged one says so itself."""
    found = []
    for name in project.benchmarks():
        with suppress(OSError, UserError):  # it has just gone, or none could be called so
            found.append(_remembered(project.benchmark_path(name)))
    return sorted(found, key=lambda item: item.modified, reverse=True)


def _read(path: Path, size: int, modified: datetime) -> BenchmarkItem:
    # h5py: the window is shown before it is there
    from sae_desktop.benchmark.benchmark_file import read_benchmark_file

    try:
        result = read_benchmark_file(path).result
    except UserError as error:
        return BenchmarkItem(path.stem, (), 0, 0, "", 0, size, modified, problem=str(error))
    made = result.synthetic
    return BenchmarkItem(
        path.stem,
        tuple(recipe.name for recipe in result.recipes),
        sum(subject.kind == "dictionary" for subject in result.subjects),
        len(result.tasks),
        result.site,
        0 if made is None else made.samples,
        size,
        modified,
    )


_remembered = Remembered(_read)
