"""Where a person was in a project, as a file of their own: one for each project. Free of Qt.

It lies in the person's state folder and not in the project, which may be read-only or shared.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sae_desktop.gui.state.history import Place
from sae_desktop.storage.atomic import write_bytes

if TYPE_CHECKING:
    from sae_desktop.features.reading.reader import FeatureIndex

_LOG = logging.getLogger(__name__)
_VERSION = 1
_MOST = 200
"""Projects whose places are kept; the one left longest ago is forgotten first."""
_DIGITS = 24


class Part(msgspec.Struct, frozen=True):
    """What one panel gave to be kept."""

    state: dict[str, Any]
    about: str = ""
    """The index that it is about, as `KeptPlace.about` has it; empty: whatever index is open."""


class KeptPlace(msgspec.Struct, frozen=True, kw_only=True):
    """All that brings a person back to where they were in a project."""

    version: int = _VERSION
    project: str = ""
    workspace: str = ""
    index: str = ""
    about: str = ""
    """The index and the dictionary it was of, so that a later one is not taken for it."""
    feature: int | None = None
    store: str = ""
    dictionary: str = ""
    visits: list[Place] = []
    """The way that Back and Forward lead along, and where on it one is."""
    at: int = -1
    parts: dict[str, Part] = {}

    def feature_of(self, index: FeatureIndex) -> int | None:
        """Return the feature that was open, where it is of this index."""
        known = self.feature is not None and 0 <= self.feature < index.features
        return self.feature if known and self.about == about_index(index) else None


def about_index(index: FeatureIndex | None) -> str:
    """Return what tells an index and its dictionary from others; nothing without an index."""
    return "" if index is None else f"{index.path.stem} {index.info.dictionary_hash}"


def place_file(folder: Path, project: Path) -> Path:
    """Return the file for a project. A copy of a project elsewhere is another project."""
    digest = hashlib.sha256(str(project.resolve()).encode()).hexdigest()[:_DIGITS]
    return folder / f"{digest}.json"


def read_place(folder: Path, project: Path) -> KeptPlace:
    """Return what was kept for a project; nothing where there is none, or it is damaged."""
    path = place_file(folder, project)
    try:
        place = msgspec.json.decode(path.read_bytes(), type=KeptPlace)
    except FileNotFoundError:
        return KeptPlace()
    except (OSError, ValueError, RecursionError) as error:
        _LOG.warning("the place at %s is unreadable and was set aside: %s", path, error)
        return KeptPlace()
    return place if place.version == _VERSION else KeptPlace()


def write_place(folder: Path, project: Path, content: bytes) -> None:
    """Write an encoded place; a failure is logged, since nothing of the work depends on it."""
    try:
        path = place_file(folder, project)
        is_new = not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)
        if is_new:
            _forget_oldest(folder)
    except Exception as error:
        _LOG.warning("the place in %s could not be kept: %s", project, error)


def _forget_oldest(folder: Path) -> None:
    kept = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    for path in kept[:-_MOST]:
        path.unlink(missing_ok=True)
