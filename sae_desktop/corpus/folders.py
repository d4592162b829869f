"""The files of a folder that are read, and those that are left out."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

from sae_desktop.corpus.arrow_tables import DATASETS_FILES, DEFAULT_SPLIT, no_split
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.names import is_known, is_table
from sae_desktop.corpus.records import Report
from sae_desktop.corpus.source_code import BUILD_FOLDERS, PACKAGE_FOLDERS, PROJECT_FILES
from sae_desktop.errors import UserError

HIDDEN_KIND = "hidden files"
BUILD_KIND = "package and build folders"
OTHER_KIND = "files of other types"
PIPE_KIND = "pipes and devices"
SPLIT_KIND = "tables of other splits"
_SPLIT = re.compile(
    r"(?:^|[/_.\- ])(train|training|test|testing|eval|validation|valid|val|dev)(?=[/_.\- \d])"
)
_SPLIT_NAMES = {
    "training": "train", "testing": "test", "eval": "test", "valid": "validation",
    "val": "validation", "dev": "validation",
}  # fmt: skip


def folder_files(folder: Path, seed: int, report: Report | None = None) -> list[Path]:
    """Return the files below a folder in the seed's order.

    Hidden files, those of kinds that are not read, and folders that hold no person's work are
    left out and counted in `report`.
    """
    files: list[Path] = []
    left_out = {HIDDEN_KIND: 0, BUILD_KIND: 0, OTHER_KIND: 0, PIPE_KIND: 0}
    for root, folders, names in os.walk(folder):
        project = any(name.lower() in PROJECT_FILES for name in names)
        saved = any(name.endswith(".arrow") for name in names)
        kept = []
        for name in folders:
            if name.startswith("."):
                left_out[HIDDEN_KIND] += 1
            elif name in PACKAGE_FOLDERS or (project and name in BUILD_FOLDERS):
                left_out[BUILD_KIND] += 1
            else:
                kept.append(name)
        folders[:] = kept
        for name in names:
            path = Path(root, name)
            if name.startswith("."):
                left_out[HIDDEN_KIND] += 1
            elif saved and name in DATASETS_FILES:
                continue
            elif not path.is_file():  # a link to nothing is none, either
                left_out[PIPE_KIND] += path.exists()
            elif is_known(name):
                files.append(path)
            else:
                left_out[OTHER_KIND] += 1
    if report is not None:
        report.left_out.update({kind: count for kind, count in left_out.items() if count})
    files.sort()
    random.Random(seed).shuffle(files)
    return files


def files_of_split(
    folder: Path, files: list[Path], settings: CorpusSettings, report: Report
) -> list[Path]:
    """Return `files` without tables of other splits than the one asked for.

    A folder has splits where its tables, by their names or folders, are for training and for
    something else, as datasets of the hub are laid out.
    Raises UserError for a split it does not have.
    """
    splits = {file: _split(file.relative_to(folder)) for file in files if is_table(file.name)}
    known = {split for split in splits.values() if split}
    if len(known) < 2 or DEFAULT_SPLIT not in known:
        if settings.split != DEFAULT_SPLIT:
            raise without_splits(settings)
        return files
    if settings.split not in known:
        raise no_split(str(folder), settings.split, sorted(known))
    kept = [file for file in files if splits.get(file, "") in ("", settings.split)]
    report.left_out[SPLIT_KIND] += len(files) - len(kept)
    return kept


def without_splits(settings: CorpusSettings) -> UserError:
    """Return the error for a split of what has none."""
    return UserError(
        f"“{settings.corpus}” has no splits, so there is none called “{settings.split}”.",
        next_step=f"Leave the split at “{DEFAULT_SPLIT}”.",
    )


def _split(path: Path) -> str:
    found = _SPLIT.search(path.as_posix().lower())
    return _SPLIT_NAMES.get(found[1], found[1]) if found else ""
