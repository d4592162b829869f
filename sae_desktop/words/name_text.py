"""What is said of automatic names: how far to believe one, and where it comes from. Free of Qt."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sae_desktop.features.config import NameFeaturesResult
from sae_desktop.features.naming.wording import Told
from sae_desktop.words.amounts import exact_count

if TYPE_CHECKING:  # it brings h5py
    from sae_desktop.features.reading.names_file import FeatureName, NamePiece

AUTOMATIC = "Automatic name, made by statistics without a model."
NOT_SCORED = "It is not scored: the text kept for scoring has too few of its firings."
_RANDOM, _GOOD = 0.55, 0.8
Interval = tuple[float, float, float]


def score_text(name: FeatureName) -> str:
    """Return how far to believe a name, in a sentence or two."""
    if math.isnan(name.score):
        return NOT_SCORED
    if name.score_low <= 0.5 or name.score < _RANDOM:
        verdict = "which chance would give as well"
    elif name.score >= _GOOD:
        verdict = "which is good"
    else:
        verdict = "better than chance, far from certain"
    text = (
        f"It tells where the feature fires with AUROC {name.score:.2f} (95% interval "
        f"{name.score_low:.2f} to {name.score_high:.2f}; 0.5 is chance), {verdict}."
    )
    if not math.isnan(name.top_token):
        text += f" Its most frequent token alone has {name.top_token:.2f}."
    return text


def piece_line(piece: NamePiece) -> str:
    """Return a piece of evidence, such as “after “said”: 43% of its firings, at least 12 times as
    often as elsewhere”."""
    told = Told(piece.kind, piece.value, piece.share, 0.0, piece.lift)
    if piece.kind == "raises":
        return f"raises “{piece.value}”"
    words = told.words if told.is_token else piece.value
    lift = f"{piece.lift:,.0f}" if piece.lift >= 10 else f"{piece.lift:.1f}"
    return f"{words}: {piece.share:.0%} of its firings, at least {lift} times as often as elsewhere"


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
