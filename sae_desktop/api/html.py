"""What a notebook shows: tokens lit by activation, and tables. Everything in it is escaped.

Colours are translucent over whatever lies beneath and text keeps the notebook's own colour, so
that it reads in light and in dark; there is no script and no style sheet.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any

from sae_desktop.features.reading.facts import Context
from sae_desktop.words.running_text import RunningText

ACCENT = (242, 140, 40)
"""Of the window's, too."""
MOST_OPAQUE = 0.42
_LEAST_OPAQUE = 0.08
_DECADES = 2.0
"""Below the maximum, at which a token is as pale as can be."""
_QUIET = "opacity:.72;font-size:90%"
_TABLE = "border-collapse:collapse;text-align:left"
_CELL = "padding:1px 16px 1px 0;text-align:left;vertical-align:top"


def escaped(text: object) -> str:
    """Return a text as HTML; one that runs from right to left turns nothing around it."""
    return f"<bdi>{html.escape(str(text))}</bdi>"


def opacity(value: float, top: float) -> float:
    """Return how strongly a token is lit: logarithmic, over two decades below the maximum."""
    if not value > 0 or not top > 0:
        return 0.0
    share = 1 + math.log10(min(value / top, 1.0)) / _DECADES
    return _LEAST_OPAQUE + (MOST_OPAQUE - _LEAST_OPAQUE) * max(share, 0.0)


def lit_text(
    tokens: Sequence[str], activations: Sequence[float], top: float, peak: int | None = None
) -> str:
    """Return T tokens as a line, each lit by its activation, which stands in its tooltip.

    `peak` is underlined. Tokens that are one character only together are one box.
    """
    text = RunningText(tokens)
    parts = []
    for piece, shown in zip(text.pieces, text.shown_pieces, strict=True):
        value = max((float(v) for v in activations[piece.first : piece.end]), default=0.0)
        style = []
        alpha = opacity(value, top)
        if alpha:
            style.append(f"background:rgba({','.join(map(str, ACCENT))},{alpha:.3f})")
        if peak is not None and piece.first <= peak < piece.end:
            style.append("text-decoration:underline;text-decoration-thickness:2px")
        if style:
            told = f' title="activation {value:.4g}"' if alpha else ""
            parts.append(f'<span style="{";".join(style)}"{told}>{html.escape(shown)}</span>')
        else:
            parts.append(html.escape(shown))
    return (
        '<div dir="auto" style="white-space:pre-wrap;overflow-wrap:anywhere;padding:2px 0">'
        f"{''.join(parts)}</div>"
    )


def context_html(context: Context, top: float) -> str:
    """Return one context; of a picture what it is, in words."""
    return lit_text(context.tokens, context.activations.tolist(), top, context.peak)


def quiet(text: str) -> str:
    """Return a line that is said by the way."""
    return f'<div style="{_QUIET}">{escaped(text)}</div>'


def heading(text: str) -> str:
    return f'<div style="font-weight:600;padding:4px 0">{escaped(text)}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table; a cell that is `Markup` is taken as it is, every other is escaped."""
    top = "".join(f'<th style="{_CELL}">{html.escape(name)}</th>' for name in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{_cell(one)}</td>' for one in row) + "</tr>"
        for row in rows
    )
    return f'<table style="{_TABLE}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'


class Markup(str):
    """A text that is HTML already."""


def _cell(value: Any) -> str:
    return str(value) if isinstance(value, Markup) else escaped(value)
