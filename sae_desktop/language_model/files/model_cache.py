"""Where models that the program fetched itself are kept. Free of torch."""

from __future__ import annotations

import re
from pathlib import Path

from sae_desktop.language_model.names import OWN
from sae_desktop.storage.own_folders import cache_folder

_UNPACKED = re.compile(rf"\.?({'|'.join(OWN)})-[0-9a-f]{{16}}(-.*)?")
"""A model that ships, unpacked, or half of it: `files.packed` names it by a digest."""


def models_cache() -> Path:
    """Return the folder in which fetched models are kept."""
    return cache_folder() / "models"


def is_unpacked(name: str) -> bool:
    """Whether an entry of that folder is a model that ships, and not one that was fetched."""
    return _UNPACKED.fullmatch(name) is not None


def digests_path() -> Path:
    """Return the file in which digests of models' weights are kept."""
    return cache_folder() / "model-digests.json"
