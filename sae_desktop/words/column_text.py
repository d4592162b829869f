"""A feature's figure in a column as a person reads it. Free of Qt."""

from __future__ import annotations

import math

from sae_desktop.features.reading.categories import category_names
from sae_desktop.features.reading.columns import column_info
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.language_names import language_name
from sae_desktop.words.amounts import percent_text

_NONE = "–"


def column_text(index: FeatureIndex, name: str, feature: int) -> str:
    """Return the figure with its unit; a dash where there is none, nothing without a column."""
    values = index.columns.get(name)
    if values is None:
        return ""
    return figure_of(index, name, float(values[feature]))


def figure_of(index: FeatureIndex, name: str, value: float) -> str:
    """Return a value of a column of an index as text."""
    kind = column_info(name).kind
    if math.isnan(value):
        return _NONE
    if kind == "share":
        return percent_text(value, 2) if name == "density" else f"{100.0 * value:.0f}%"
    if kind == "count":
        return f"{int(value):,}"
    if kind in ("category", "token"):
        return _named(index, name, int(value))
    return f"{value:.2f}"


def _named(index: FeatureIndex, name: str, number: int) -> str:
    if number < 0:
        return _NONE
    if name == "token":
        return visible_token(index.token(number))
    names = category_names(index, name)
    if names is None:
        return str(number)
    if number >= len(names):
        return _NONE
    return language_name(names[number]) if name == "language" else names[number]
