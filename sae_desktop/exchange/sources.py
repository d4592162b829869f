"""Where a dictionary comes from, made a folder or file on this machine."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sae_desktop.errors import UserError
from sae_desktop.exchange.releases import PREFIX, bring_release
from sae_desktop.file_kinds import WEIGHTS_ENDINGS
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.files.find import find_model, is_hub_name
from sae_desktop.language_model.files.hub import fetch_files, fetch_together
from sae_desktop.storage.archives import unpack
from sae_desktop.storage.own_folders import TEMPORARY_PREFIX

_HUB = re.compile(r"[\w.-]+/[\w.-]+(?:/[\w./-]+)?")
_CONFIGS = ("*.json", "*.yaml", "*.yml")


@contextmanager
def local_source(source: str, context: JobContext) -> Iterator[Path]:
    """Give a source as a path on this machine: a zip unpacked for as long, the hub's downloaded.

    Raises UserError for one that is nowhere, and for an archive that would write elsewhere or
    unpack to far more than it is.
    """
    path = Path(source).expanduser()
    if path.suffix.lower() == ".zip" and path.is_file():
        with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX) as folder:
            unpack(path, Path(folder), context)
            yield Path(folder)
    elif source.startswith(PREFIX):
        with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX) as folder:
            bring_release(source, Path(folder), context)
            yield Path(folder)
    elif path.exists():
        yield path
    elif _HUB.fullmatch(source) and not source.startswith((".", "/")):
        yield _from_hub(source, context)
    else:
        raise UserError(
            f"“{source}” does not exist.",
            next_step="Choose a folder, a weights file, a .zip, a hub repository as owner/name, "
            f"or a SAELens release as {PREFIX}release/id.",
        )


# ---------------------------------------------------------------- the hub
def fetch_with_model(source: str, model: str, context: JobContext) -> None:
    """Download a dictionary of the hub and its model, so that both are here. Raises UserError."""
    if not model:
        raise UserError(
            "Its model cannot be downloaded, because it was not named.",
            next_step="Name the model, such as owner/model on the hub.",
        )
    if not is_hub_name(model):  # it is on this machine, or told by name where it is missing
        find_model(model)
        return
    if Path(source).expanduser().exists() or not _HUB.fullmatch(source):
        find_model(model, fetch=True, context=context)
        return
    repository, _, patterns = _hub_parts(source)
    fetch_together(model, repository, patterns, context=context)
    find_model(model, fetch=True, context=context)


def _hub_parts(source: str) -> tuple[str, str, list[str]]:
    """Return the repository of a source, the place in it, and which of its files are wanted."""
    owner, name, *inside = source.split("/")
    below = "/".join(inside)
    patterns = [*_CONFIGS, *(f"*{suffix}" for suffix in WEIGHTS_ENDINGS)]
    if below:  # configs may stand above the folder of the weights
        patterns = [*_CONFIGS, f"{below}", f"{below}/*"]
    return f"{owner}/{name}", below, patterns


def _from_hub(source: str, context: JobContext) -> Path:
    """Return the folder of a repository, or of a folder in it, with its configs and weights."""
    repository, below, patterns = _hub_parts(source)
    context.log(f"“{source}” is not a file here: looking for it on the hub.")
    folder = fetch_files(repository, patterns, context=context)
    found = folder / below if below else folder
    if not found.exists() or (found.is_dir() and not os.listdir(found)):
        raise UserError(
            f"The hub's “{repository}” holds no “{below or 'weights'}”.",
            next_step="Look at the files on its page, and choose the folder of the dictionary.",
        )
    return found
