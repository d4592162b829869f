"""The files beside an index that hold what was found out about its features later.

Each is `features/<index><ending>`; whatever deletes, restores or hands on an index takes them
along. Does not need HDF5.
"""

from __future__ import annotations

from pathlib import Path

from sae_desktop.features.reading.effect_path import effect_path


def names_path(index: Path) -> Path:
    """Return the file of the names of an index's features."""
    return index.with_suffix(".names")


def judged_path(index: Path) -> Path:
    """Return the file of what language models say of the labels of an index's features."""
    return index.with_suffix(".judged")


def scores_path(index: Path) -> Path:
    """Return the file of the scores of labels that need no language model."""
    return index.with_suffix(".scores")


def kinds_path(index: Path) -> Path:
    """Return the file of which features are one concept in words and pictures."""
    return index.with_suffix(".kinds")


def meaning_path(index: Path) -> Path:
    """Return the file of the vectors by which an index's features are searched by meaning."""
    return index.with_suffix(".meaning")


def read_with_index(index: Path) -> list[Path]:
    """Return what an opened index reads: where one changes, it is opened again.

    Beside its own files that is the folder of the project's benchmarks.
    """
    return [*_own(index), benchmarks_folder(index)]


def _own(index: Path) -> list[Path]:
    return [
        effect_path(index),
        names_path(index),
        judged_path(index),
        scores_path(index),
        kinds_path(index),
    ]


def benchmarks_folder(index: Path) -> Path:
    """Return where the benchmarks of an index's project are."""
    return index.parent.parent / "benchmarks"


def beside_index(index: Path) -> list[Path]:
    """Return where the files beside an index are, whether they are there or not."""
    return [*_own(index), meaning_path(index)]
