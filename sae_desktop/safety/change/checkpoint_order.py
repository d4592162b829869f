"""Checkpoints in a folder, in the order of training. Free of torch and transformers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePath

from sae_desktop.errors import UserError
from sae_desktop.storage.faults import explained

_NUMBERS = re.compile(r"\d+")


def checkpoints_in(folder: Path) -> list[Path]:
    """Return what may be checkpoints in a folder, complete or not, in the order of training.

    That is by the numbers in their names, as in “checkpoint-500” and “step-01000”. Raises UserError
    where the folder cannot be read.
    """
    if not folder.is_dir():
        raise UserError(
            f"There is no folder “{folder}”.",
            next_step="Name the folder into which the training saves its checkpoints.",
        )
    with explained(folder, reading=True):
        found = [path for path in folder.iterdir() if path.is_dir() and path.name[0] not in "._"]
    return sorted(found, key=_order)


def checkpoint_titles(names: Sequence[str]) -> list[str]:
    """Return the last part of each checkpoint’s path; of equal ones, the folder above as well."""
    last = [PurePath(name).name for name in names]
    return [
        "/".join(PurePath(name).parts[-2:]) if last.count(title) > 1 else title
        for name, title in zip(names, last, strict=True)
    ]


def _order(path: Path) -> tuple[list[int], str]:
    return [int(number) for number in _NUMBERS.findall(path.name)], path.name
