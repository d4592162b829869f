"""What a run keeps of the dictionary it started from. Free of torch."""

from __future__ import annotations

import msgspec

STARTED_FROM = "started_from"
"""Where a dictionary's metadata hold it."""


class StartFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How well a dictionary does on the rows held out from a run."""

    rows: int
    l0: float
    fvu: float
    dead_fraction: float
    """Share of its features that fire on none of these rows."""
    loss_recovered: float | None = None
    """Counted from zero ablation; null without a model, or where it is not measured."""


class StartedFrom(msgspec.Struct, frozen=True, kw_only=True):
    """The dictionary that a run started from, as it was then."""

    name: str
    model: str = ""
    site: str = ""
    origin: str = ""
    """In words, where that one comes from."""
    before: StartFigures | None = None
    after: StartFigures | None = None
    """Of what the run made of it, on the same rows; null while it runs."""


_OTHER_L0 = 0.25
"""An L0 that differs from k by more than this share is told of."""


def figures_text(figures: StartFigures) -> str:
    """Return such as “FVU 0.214, L0 31.8, 4.2% silent, loss recovered 96.1%”."""
    parts = [
        f"FVU {figures.fvu:.3g}",
        f"L0 {figures.l0:.1f}",
        f"{figures.dead_fraction:.1%} of its features silent",
    ]
    if figures.loss_recovered is not None:
        parts.append(f"loss recovered {figures.loss_recovered:.1%}")
    return ", ".join(parts)


def started_text(told: StartedFrom, before: StartFigures, k: int) -> str:
    """Return what a person should know when a run starts from a dictionary."""
    text = (
        f"Starting from “{told.name}”. On {before.rows:,} held-out rows of this run, before the "
        f"first step: {figures_text(before)}."
    )
    if abs(before.l0 - k) > _OTHER_L0 * k:
        text += (
            f" This run aims at k = {k:,}: where its architecture heeds k, L0 moves there, and the "
            "figures with it."
        )
    return text
