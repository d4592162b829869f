"""Where models that the program fetched itself are kept. Free of torch."""

from __future__ import annotations

from pathlib import Path

import platformdirs


def models_cache() -> Path:
    """Return the folder in which fetched models are kept."""
    return Path(platformdirs.user_cache_dir("sae-desktop")) / "models"
