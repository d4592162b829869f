"""A scan as one page: a whole dictionary against all sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sae_desktop.exchange.pages import write_page
from sae_desktop.language_model.names import public_name
from sae_desktop.safety.scan.config import Area, FoundFeature, Scores, SetScan
from sae_desktop.safety.scan.scan_file import Scan

_SHOWN = 5
"""Features of each set that are told with contexts."""


def write_scan_page(path: Path, scan: Scan, headline: str, correction: str) -> None:
    """Write a scan as one HTML file, with what it found in words at the top.

    Raises UserError for another ending, or a full disk."""
    titles = {one.name: one.title for one in scan.info.sets}
    parts = []
    for index in scan.info.indexes:
        scans = [one for one in scan.scans if one.index == index.name]
        names = list(dict.fromkeys(m.name for one in scans for m in one.methods))
        parts.append(
            {
                "index": index,
                "model": public_name(index.model),
                "methods": names,
                "rows": [_row(one, titles[one.set], names) for one in scans],
                "sets": [_set(one, titles[one.set]) for one in scans],
            }
        )
    told = [feature for one in scan.scans for feature in one.features]
    write_page(
        path, "scan.html", title=f"Scan {scan.name}", scan=scan, parts=parts,
        headline=headline, correction=correction,
        candidates=len(told), significant=sum(feature.significant for feature in told),
        warnings=[f"{s.title}: {line}" for s in scan.info.sets for line in s.warnings],
    )  # fmt: skip


def _row(one: SetScan, title: str, names: list[str]) -> dict[str, Any]:
    found = {method.name: method for method in one.methods}
    best = max(one.methods, key=lambda method: method.scores.near.area).name
    return {
        "set": one.set,
        "title": title,
        "positives": one.positives,
        "negatives": one.negatives,
        "areas": [
            (_area(found[name].scores.near) if name in found else "–", name == best)
            for name in names
        ],
        "verdict": one.verdict,
        "best": one.best,
        "rival": one.rival,
        "difference": f"{one.difference:+.2f} ({one.difference_low:+.2f} to "
        f"{one.difference_high:+.2f})".replace("-", "−"),
    }


def _set(one: SetScan, title: str) -> dict[str, Any]:
    return {
        "set": one.set,
        "title": title,
        "cut": one.cut,
        "methods": [(m.name, m.inputs, *_scores(m.scores), f"{m.learnt:.2f}") for m in one.methods],
        "features": [_feature(row) for row in one.features[:_SHOWN]],
        "more": max(len(one.features) - _SHOWN, 0),
    }


def _feature(row: FoundFeature) -> dict[str, Any]:
    effect = row.effect
    return {
        "number": row.feature,
        "name": row.name,
        "density": f"{row.density:.2%}",
        "found_by": ", ".join(row.found_by),
        "scores": _scores(row.scores),
        "learnt": f"{row.learnt:.2f}",
        "q": f"{row.q:.3f}",
        "effect": effect,
        "ablated": "" if effect is None else f"{effect.ablated:+.4f}",
        "ablated_range": ""
        if effect is None
        else f"{min(effect.ablated_controls):+.4f} to {max(effect.ablated_controls):+.4f}",
        "clamped": "" if effect is None else f"{effect.clamped:.3f}",
        "clamped_most": "" if effect is None else f"{max(effect.clamped_controls):.3f}",
        "contexts": row.contexts,
        "texts": row.texts,
    }


def _scores(scores: Scores) -> tuple[str, str, str]:
    return _area(scores.near), _area(scores.ordinary), _area(scores.other)


def _area(area: Area | None) -> str:
    return "–" if area is None else f"{area.area:.2f} ({area.low:.2f}–{area.high:.2f})"
