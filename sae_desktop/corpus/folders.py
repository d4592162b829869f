"""The files of a folder that are read, and those that are left out."""

from __future__ import annotations

import os
import random
from pathlib import Path

from sae_desktop.corpus.arrow_tables import DATASETS_FILES
from sae_desktop.corpus.formats import is_known
from sae_desktop.corpus.records import Report
from sae_desktop.corpus.source_code import BUILD_FOLDERS, PACKAGE_FOLDERS, PROJECT_FILES

HIDDEN_KIND = "hidden files and folders"
BUILD_KIND = "folders of packages and build outputs"
OTHER_KIND = "files of other kinds"


def folder_files(folder: Path, seed: int, report: Report | None = None) -> list[Path]:
    """Return the files below a folder in the seed's order.

    Hidden files, those of kinds that are not read, and folders that hold no person's work are
    left out and counted in `report`.
    """
    files: list[Path] = []
    left_out = {HIDDEN_KIND: 0, BUILD_KIND: 0, OTHER_KIND: 0}
    for root, folders, names in os.walk(folder):
        project = any(name.lower() in PROJECT_FILES for name in names)
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
            elif name in DATASETS_FILES or not path.is_file():
                continue
            elif is_known(name):
                files.append(path)
            else:
                left_out[OTHER_KIND] += 1
    if report is not None:
        report.left_out.update({kind: count for kind, count in left_out.items() if count})
    files.sort()
    random.Random(seed).shuffle(files)
    return files
