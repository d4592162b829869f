"""Scans as text for a person at a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from sae_desktop.cli.render import table
from sae_desktop.safety.scan.config import Area, Effect, SetScan
from sae_desktop.words.scan_words import (
    METHOD_TITLES,
    area_text,
    correction_sentence,
    effect_text,
    headline,
    p_text,
    verdict_text,
)

_NOTHING = "–"


def scan_text(scans: Sequence[SetScan]) -> str:
    """Return one row a set and index: the area of each method, and who is ahead."""
    names = list(dict.fromkeys(method.name for one in scans for method in one.methods))
    several = len({one.index for one in scans}) > 1
    rows = []
    for one in scans:
        areas = {method.name: area_text(method.scores.near) for method in one.methods}
        told = (one.set, one.index) if several else (one.set,)
        rows.append((*told, *(areas.get(name, _NOTHING) for name in names), verdict_text(one)))
    heads = ("set", "index") if several else ("set",)
    titles = [METHOD_TITLES.get(name, name) for name in names]
    left = {0, 1, len(heads) + len(names)} if several else {0, len(heads) + len(names)}
    listed = table((*heads, *titles, "ahead"), rows, left=left)
    return (
        f"{headline(scans)}\n{correction_sentence(scans)}\n{listed}\nAUROC on held-out templates "
        "against near misses, with its 95% interval for other templates"
    )


def feature_text(one: SetScan) -> str:
    """Return the candidates of a set with their figures, and what each is strongest on."""
    rows = [
        (
            f"#{row.feature}",
            row.name or _NOTHING,
            ", ".join(row.found_by),
            area_text(row.scores.near),
            p_text(row.q),
            _area(row.scores.ordinary),
            _area(row.scores.other),
            f"{row.density:.2%}",
            _effect(row.effect),
        )
        for row in one.features
    ]
    heads = (
        "feature", "name", "found by", "near misses", "q", "ordinary text", "other languages",
        "density", "ablated: loss; clamped: KL",
    )  # fmt: skip
    lines = [f"{one.set} · {one.index}", table(heads, rows, left={0, 1, 2, 8})]
    for row in one.features:
        shown = [*row.contexts[:1], *row.texts[:2]]
        lines += [f"#{row.feature}  {' ↵ '.join(text.splitlines())}" for text in shown]
    return "\n".join(lines)


def _area(area: Area | None) -> str:
    return _NOTHING if area is None else area_text(area)


def _effect(effect: Effect | None) -> str:
    return _NOTHING if effect is None else effect_text(effect)
