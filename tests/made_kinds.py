"""Made-up scores of one concept in words and pictures, beside an index."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sae_desktop.features.reading.beside import kinds_path
from sae_desktop.features.reading.kinds_file import ON_PICTURES, ON_WORDS, KindsInfo, write_kinds

UNSCORED = 2
"""This feature fires on words alone; all others have scores that rise with their number."""


def write_made_kinds(index: Path, digest: str, features: int) -> Path:
    """Score all features but one; a feature is “cat” or “horse” in turn."""
    areas = np.linspace(0.5, 0.98, features)
    three = np.stack([areas, areas - 0.1, np.minimum(areas + 0.1, 1)], axis=1)
    arrays = {
        "concept": np.arange(features) % 2, "drawn": np.zeros(features), "words": three + 0.01,
        "pictures": three, "back": three - 0.05, "languages": areas, "drawn_at": areas,
        "chance": np.full(features, 0.52), "back_chance": np.full(features, 0.48),
        "fires": np.full(features, ON_WORDS | ON_PICTURES),
    }  # fmt: skip
    for name in ("words", "pictures", "back", "languages", "drawn_at", "chance", "back_chance"):
        arrays[name][UNSCORED] = np.nan
    arrays["concept"][UNSCORED] = arrays["drawn"][UNSCORED] = -1
    arrays["fires"][UNSCORED] = ON_WORDS
    info = KindsInfo(
        dictionary_hash=digest, concepts=["cat", "horse"], chosen_on=["en", "de"], pictures=60
    )
    write_kinds(index, info, arrays)
    return kinds_path(index)
