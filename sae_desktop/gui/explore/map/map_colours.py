"""The colours of the map's points and cells, as arrays of (n, 3)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.theme import rgb

Array = npt.NDArray[Any]


def category_colours() -> Array:
    """Return (n + 1, 3): the colours of categories, and that of none last."""
    colours = [*theme.run_colours(), theme.palette().border]
    return np.array([rgb(colour) for colour in colours], dtype=np.float32)


def scale(share: Array) -> Array:
    """Return colours from the quiet side of the palette to the accent."""
    colours = theme.palette()
    low = np.array(rgb(colours.negative), dtype=np.float32)
    high = np.array(rgb(colours.accent), dtype=np.float32)
    return low + np.asarray(share, np.float32)[..., None] * (high - low)
