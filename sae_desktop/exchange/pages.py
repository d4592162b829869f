"""Pages for people: HTML that needs nothing else, and the curves drawn in them.

What stands in a page is filled into a template of `resources/pages`, which takes every text for
plain text.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.resources import resource_path
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

if TYPE_CHECKING:
    import jinja2

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


@functools.cache
def _templates() -> jinja2.Environment:
    import jinja2  # the window imports this module at its start

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_path("pages")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def write_page(path: Path, template: str, **content: Any) -> None:
    """Fill a template of `resources/pages` with `content`, and write it.

    Raises UserError for another ending, and when the disk is full.
    """
    check_page(path)
    style = resource_path("pages/page.css").read_text(encoding="utf-8")
    page = _templates().get_template(template).render(style=style, **content)
    with explained(path):
        write_bytes(path, page.encode("utf-8", "replace"))


def number(value: float) -> str:
    """Return a figure as a reader takes it in: counts whole, the rest with four digits."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


@dataclass(frozen=True)
class Curve:
    """A curve as `parts.html` draws it, in units of its drawing."""

    points: str
    """x,y pairs of the line."""
    logarithmic: bool
    top: str
    bottom: str
    """The largest and the least value, at the ends of the axis."""
    first: str
    end: str
    unit: str
    last: str
    """The value at the end."""
    wide: int = _WIDE
    high: int = _HIGH
    left: int = _LEFT
    base: int = _HIGH - _BOTTOM


def curve(x: Array, y: Array, unit: str) -> Curve | None:
    """Return a curve with both axes scaled to their ends; None where nothing was measured."""
    kept = np.isfinite(x) & np.isfinite(y)
    x, y = _thinned(x[kept]), _thinned(y[kept])
    if not len(x):
        return None
    logarithmic = bool((y > 0).all()) and math.log10(float(y.max() / y.min())) > _DECADES
    drawn = np.log10(y) if logarithmic else y
    low, high = float(drawn.min()), float(drawn.max())
    across = _LEFT + _scaled(x, float(x.min()), float(x.max())) * (_WIDE - _LEFT - 8)
    up = (_HIGH - _BOTTOM) - _scaled(drawn, low, high) * (_HIGH - _BOTTOM - 12)
    return Curve(
        points=" ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, up, strict=True)),
        logarithmic=logarithmic,
        top=f"{float(y.max()):.3g}",
        bottom=f"{float(y.min()):.3g}",
        first=f"{float(x.min()):,.0f}",
        end=f"{float(x.max()):,.0f}",
        unit=unit,
        last=f"{float(y[-1]):.4g}",
    )


def _thinned(values: Array) -> Array:
    step = max(len(values) // _MOST_POINTS, 1)
    return np.append(values[::step], values[-1]) if len(values) else values


def _scaled(values: Array, low: float, high: float) -> Array:
    span = high - low
    return (values - low) / span if span > 0 else np.full(len(values), 0.5)
