"""This user's settings as every process may read them; the window alone writes them.

Free of torch and Qt.
"""

from __future__ import annotations

import json
from pathlib import Path

from sae_desktop.storage.own_folders import config_folder


def settings_path() -> Path:
    """Return where the window keeps this user's settings."""
    return config_folder() / "settings.json"


def kept_setting(name: str) -> object:
    """Return the value of a field of the window's settings; None: not set, or not to be read."""
    try:
        found = json.loads(settings_path().read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found.get(name) if isinstance(found, dict) else None
