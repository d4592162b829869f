"""Dictionaries that are on this machine, in any project or in the hub's cache. No torch, no Qt."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.exchange.recognise import FILES_OF_DICTIONARIES
from sae_desktop.training.run_folder import CFG, read_summary

_LOOKED_AT = 5_000


class DictionaryHere(msgspec.Struct, frozen=True, kw_only=True):
    """A dictionary, or a repository of some, that can be imported without a network."""

    name: str
    place: str
    """The project's folder; "" for the hub's cache."""
    source: str
    """What `ImportDictionaryConfig.source` takes."""
    model: str = ""
    site: str = ""
    features: int = 0
    """0: not known before it is looked into."""
    bytes: int = 0

    @property
    def text(self) -> str:
        """What it is found by."""
        return f"{self.name} {self.place} {self.model} {self.site}"


def dictionaries_in_projects(projects: Iterable[Path]) -> list[DictionaryHere]:
    """Return the dictionaries of projects, in their order; what cannot be read is left out."""
    found = []
    for project in projects:
        for config in sorted(project.glob(f"dictionaries/*/{CFG}")):
            if config.parent.name.startswith("."):  # one that is being written
                continue
            try:
                summary = read_summary(config.parent)
            except UserError:
                continue
            found.append(
                DictionaryHere(
                    name=summary.name, place=str(project), source=str(config.parent),
                    model=summary.model, site=summary.site, features=summary.features,
                    bytes=summary.bytes,
                )
            )  # fmt: skip
    return found


def cached_repositories(but: Iterable[str] = ()) -> list[DictionaryHere]:
    """Return the repositories in the hub's cache that hold dictionaries, but for some."""
    from huggingface_hub import constants

    found, known = [], set(but)
    for folder in sorted(Path(constants.HF_HUB_CACHE).glob("models--*--*")):
        name = folder.name.removeprefix("models--").replace("--", "/", 1)
        if name not in known and _holds_dictionaries(folder / "snapshots"):
            size = sum(path.stat().st_size for path in (folder / "blobs").glob("*"))
            found.append(DictionaryHere(name=name, place="", source=name, bytes=size))
    return found


def _holds_dictionaries(folder: Path) -> bool:
    files = islice(folder.rglob("*"), _LOOKED_AT)
    return any(path.match(name) for path in files for name in FILES_OF_DICTIONARIES)
