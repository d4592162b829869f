"""What is said of automatic names: how far to believe one, and where it comes from. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sae_desktop.features.config import NameFeaturesResult
from sae_desktop.features.naming.quoting import quoted
from sae_desktop.features.naming.wording import Told
from sae_desktop.words.amounts import exact_count

if TYPE_CHECKING:  # it brings h5py
    from sae_desktop.features.reading.names_file import NamePiece

Interval = tuple[float, float, float]
_WHERE = ("source", "language", "document")
_BESIDE = (
    "previous", "previous_word", "previous_pair", "previous_class", "previous_kind",
    "previous_case", "second_before", "next", "next_class", "next_case", "line", "sentence",
    "start", "brackets", "line_head",
)  # fmt: skip
"""Kinds of evidence that say themselves where a firing stands."""


def evidence_lines(pieces: Sequence[NamePiece]) -> tuple[str, ...]:
    """Return what a name comes from, each piece in a short sentence, then what is raised."""
    lines: list[str] = []
    for piece in pieces:
        if piece.kind == "raises":
            continue
        of, than = ("", "") if lines else (" of its firings", " as elsewhere")
        often = f"at least {_times(piece.lift)} as often{than}"
        lines.append(f"{piece.share:.0%}{of} are {_standing(piece)}, {often}.")
    raised = [quoted(piece.value) for piece in pieces if piece.kind == "raises"]
    if raised:
        told = raised[0] if len(raised) == 1 else f"{', '.join(raised[:-1])} and {raised[-1]}"
        lines.append(f"It raises {told}.")
    return tuple(lines)


def _standing(piece: NamePiece) -> str:
    told = Told(piece.kind, piece.value, piece.share, 0.0, piece.lift)
    words = told.words if told.is_token else piece.value
    if piece.kind in _BESIDE:
        return words
    return f"in {words}" if piece.kind in _WHERE else f"on {words}"


def _times(lift: float) -> str:
    return f"{lift:,.0f} times" if lift >= 10 else f"{lift:.1f} times"


def named_lines(result: NameFeaturesResult) -> list[str]:
    """Return what naming an index has brought, line by line: (what, figure)."""
    share = result.named / result.alive if result.alive else 0.0
    lines = [
        f"{exact_count(result.named)} of {exact_count(result.alive)} alive features have a name "
        f"({share:.0%})."
    ]
    if result.score is None:
        return [*lines, "Too little text is kept for scoring to say how good the names are."]
    lines.append(
        f"Mean AUROC on text the names were not made from, of {exact_count(result.scored)} "
        "features (95% intervals over features; 0.5 is chance):"
    )
    rows = (
        ("the names", result.score),
        ("the names given to other features", result.shuffled),
        ("the most frequent token alone", result.top_token),
        ("names of random directions", result.random_direction),
    )
    lines += [f"  {_figures(figures)}  {what}" for what, figures in rows if figures is not None]
    return lines


def _figures(interval: Interval) -> str:
    mean, low, high = interval
    return f"{mean:.3f} ({low:.3f} to {high:.3f})"
