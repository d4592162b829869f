"""Features somebody picked out: on the map, by a search of texts, from a list. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """Features of the open index under a title, in an order of their own."""

    title: str
    features: npt.NDArray[np.int64] | Any
    """(n,) feature numbers, each once."""
