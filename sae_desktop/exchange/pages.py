"""Pages for people: HTML that needs nothing else, and the curves drawn in them."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from pathlib import Path
from string import Template

import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.resources import resource_path
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

Array = npt.NDArray[np.float64]
_WIDE, _HIGH = 320, 150
_LEFT, _BOTTOM = 48, 20
_MOST_POINTS = 400
_DECADES = 1.3
"""A curve of positive values that spans more has a logarithmic axis."""


def check_page(path: Path) -> None:
    """Raise UserError for a name that is none of a page's."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"“{path.name}” is not a page name.", next_step="End it with .html.")


def style() -> str:
    """Return the style of all pages."""
    return resource_path("report.css").read_text(encoding="utf-8")


def write_page(path: Path, title: str, about: str, body: str) -> None:
    """Write a page. `title` and `about` are plain texts, `body` HTML with everything escaped.

    Raises UserError for another ending, and when the disk is full.
    """
    check_page(path)
    template = Template(resource_path("page.html").read_text(encoding="utf-8"))
    page = template.safe_substitute(
        TITLE=html.escape(title), ABOUT=html.escape(about), STYLE=style(), BODY=body
    )
    with explained(path):
        write_bytes(path, page.encode("utf-8", "replace"))


def card(heading: str, *inside: str) -> str:
    """Return a card with a heading, which is a plain text, over HTML."""
    return f'<section class="card"><h2>{html.escape(heading)}</h2>{"".join(inside)}</section>'


def table(rows: Sequence[Sequence[str]], heading: Sequence[str] = ()) -> str:
    """Return rows of plain texts as a table, the first column to the left."""
    lines = [_row("td", row) for row in rows]
    return f"<table>{_row('th', heading) if heading else ''}{''.join(lines)}</table>"


def _row(tag: str, cells: Sequence[str]) -> str:
    inside = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
    return f"<tr>{inside}</tr>"


def number(value: float) -> str:
    """Return a figure as a reader takes it in: counts whole, the rest with four digits."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def curve(x: Array, y: Array, x_title: str) -> str:
    """Return a curve as SVG: both axes with their ends, the last value beside its end."""
    kept = np.isfinite(x) & np.isfinite(y)
    x, y = _thinned(x[kept]), _thinned(y[kept])
    if not len(x):
        return "<p class='muted'>Not measured.</p>"
    logarithmic = bool((y > 0).all()) and math.log10(float(y.max() / y.min())) > _DECADES
    drawn = np.log10(y) if logarithmic else y
    low, high = float(drawn.min()), float(drawn.max())
    across = _LEFT + _scaled(x, float(x.min()), float(x.max())) * (_WIDE - _LEFT - 8)
    up = (_HIGH - _BOTTOM) - _scaled(drawn, low, high) * (_HIGH - _BOTTOM - 12)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, up, strict=True))
    base = _HIGH - _BOTTOM
    kind = "logarithmic" if logarithmic else "linear"
    return (
        f'<svg viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="A curve, {kind}">'
        f'<path d="M{_LEFT} 8V{base}H{_WIDE - 8}"/>'
        f'<text x="{_LEFT - 4}" y="14" text-anchor="end">{float(y.max()):.3g}</text>'
        f'<text x="{_LEFT - 4}" y="{base}" text-anchor="end">{float(y.min()):.3g}</text>'
        f'<text x="{_LEFT}" y="{_HIGH - 4}">{float(x.min()):,.0f}</text>'
        f'<text x="{_WIDE - 8}" y="{_HIGH - 4}" text-anchor="end">{float(x.max()):,.0f} '
        f"{html.escape(x_title)}</text>"
        f'<polyline points="{points}"/></svg>'
        f'<p class="muted">last {float(y[-1]):.4g}{", logarithmic" if logarithmic else ""}</p>'
    )


def _thinned(values: Array) -> Array:
    step = max(len(values) // _MOST_POINTS, 1)
    return np.append(values[::step], values[-1]) if len(values) else values


def _scaled(values: Array, low: float, high: float) -> Array:
    span = high - low
    return (values - low) / span if span > 0 else np.full(len(values), 0.5)
