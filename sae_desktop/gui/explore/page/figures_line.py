"""The line of figures under a feature's title. Free of Qt."""

from __future__ import annotations

from sae_desktop.features.reading.columns import MODALITIES
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.words.amounts import exact_count, one_in_text, percent_text
from sae_desktop.words.picture_words import MODALITY_WORDS

_BETWEEN = " · "
_MOMENTS = (("std_activation", "std"), ("skewness", "skew"), ("kurtosis", "kurtosis"))


def figures_text(index: FeatureIndex, feature: int) -> str:
    """Return the line of figures under a feature's title, with units."""
    density = float(index.columns["density"][feature])
    rows = f"{exact_count(index.info.rows)} tokens"
    if density <= 0.0:
        return f"Never fires on {rows}"
    return _BETWEEN.join(
        (
            f"Density {percent_text(density)} ({one_in_text(density)} of {rows})",
            f"max {float(index.columns['max_activation'][feature]):.2f}",
            f"mean {float(index.columns['mean_activation'][feature]):.2f}",
            *(
                f"{word} {float(index.columns[name][feature]):.2f}"
                for name, word in _MOMENTS
                if name in index.columns
            ),
            *_kinds(index, feature),
        )
    )


def _kinds(index: FeatureIndex, feature: int) -> list[str]:
    """Return what it fires on, where the text has pictures."""
    kinds = index.columns.get("modality")
    if kinds is None or kinds[feature] < 0:
        return []
    counts = (index.columns[name][feature] for name in ("picture_firings", "text_firings"))
    on, off = (exact_count(int(count)) for count in counts)
    rows = exact_count(index.picture_rows), exact_count(index.info.rows - index.picture_rows)
    words = MODALITY_WORDS[MODALITIES[int(kinds[feature])]]
    return [
        f"Fires {words}",
        f"{on} of {rows[0]} image tokens",
        f"{off} of {rows[1]} tokens of text",
    ]


def unbroken(figures: str) -> str:
    """Return a line of figures that wraps between two of them, never within one."""
    parts = [part.replace(" ", "\u00a0") for part in figures.split(_BETWEEN)]
    return "\u00a0· ".join(parts)
