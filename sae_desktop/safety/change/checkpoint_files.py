"""Whether a checkpoint in a folder is there whole.

A checkpoint is a model folder, as `save_pretrained` and training programs write it. One that is
being written has no config.json yet, lacks a shard that its index names, or has a weights file
that ends before its header says; what is whole by these signs and did not change from one look to
the next is complete. Free of torch.
"""

from __future__ import annotations

from pathlib import Path

from sae_desktop.errors import UserError
from sae_desktop.language_model.files.find import find_model, weight_files

Look = tuple[tuple[str, int, int], ...]
"""Name, size and time of every file of a checkpoint."""


def look_at(checkpoint: Path) -> Look:
    """Return what the files of a checkpoint look like now; () where it is gone."""
    try:
        return tuple(
            sorted(
                (str(path.relative_to(checkpoint)), stat.st_size, stat.st_mtime_ns)
                for path in checkpoint.rglob("*")
                if path.is_file()
                for stat in (path.stat(),)
            )
        )
    except OSError:
        return ()


def incomplete(checkpoint: Path) -> str:
    """Return in words what a checkpoint still lacks; "" where nothing is missing."""
    if not (checkpoint / "config.json").is_file():
        return "it has no config.json yet"
    try:
        find_model(str(checkpoint))
        weight_files(checkpoint)
    except UserError as error:
        what = error.what.rstrip(".")
        # Nothing is wrong with it: a file that is being written ends somewhere.
        return "its weights are cut short so far" if "cut short" in what else what
    return ""
