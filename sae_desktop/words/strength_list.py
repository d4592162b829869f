"""Strengths as a person types them. Free of Qt."""

from __future__ import annotations

import math


def parse_strengths(text: str) -> list[float]:
    """Return the numbers of a list with commas. Raises ValueError that names what is none."""
    found = []
    for part in text.split(","):
        if not part.strip():
            continue
        try:
            value = float(part)
        except ValueError:
            raise ValueError(part.strip()) from None
        if not math.isfinite(value):
            raise ValueError(part.strip())
        found.append(value)
    return found
