"""How many rows and features a training has by default. Free of torch and Qt."""

from __future__ import annotations

from sae_desktop.training.config import USUAL_EXPANSION, TrainConfig

USUAL_PASSES = 20
"""Over a small store: with more of them a dictionary learns its rows by heart."""
_LEAST_FEATURES = 64


def usual_tokens(rows: int, batch: int = 1) -> int:
    """Return how many rows to consume of a store that has `rows`: all of them at least.

    A small store is passed over several times, but not for ever.
    """
    usual = TrainConfig(project="", name="").tokens
    return max(rows, min(usual, USUAL_PASSES * rows), batch)


def usual_features(width: int) -> int:
    """Return how many features to learn on rows of `width` numbers."""
    return max(USUAL_EXPANSION * width, _LEAST_FEATURES)


def passes_text(tokens: int, rows: int) -> str:
    """Return how often a training sees each row, with a warning where that is often."""
    passes = tokens / max(rows, 1)
    if passes <= USUAL_PASSES * 1.05:
        return f"{passes:.1f} passes"
    return f"{passes:.0f} passes (many: it may learn these rows by heart)"
