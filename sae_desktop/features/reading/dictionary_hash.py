"""A dictionary's fingerprint, which distinguishes it from another with the same name."""

from __future__ import annotations

from pathlib import Path

from sae_desktop.dictionary.set_info import weights_digest
from sae_desktop.errors import UserError


def dictionary_hash(folder: Path) -> str:
    """Return a hash of a dictionary's weights. Raises UserError when they cannot be read."""
    return weights_digest(folder)


def require_same_dictionary(name: str, folder: Path, index: str, digest: str) -> None:
    """Raise UserError unless a dictionary is the one an index was made from."""
    if digest and dictionary_hash(folder) != digest:
        raise UserError(
            f"The dictionary “{name}” has been trained again since the index “{index}” was built, "
            "so their features are no longer the same.",
            kept="The index can still be read.",
            next_step="Build the index again.",
        )
