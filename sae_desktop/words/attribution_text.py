"""What is said of the attribution of a dictionary's features. Free of Qt and torch."""

from __future__ import annotations

from sae_desktop.circuits.lens_config import AttributeResult
from sae_desktop.words.amounts import MINUS, exact_count
from sae_desktop.words.graph_words import quoted, signed


def attribution_text(result: AttributeResult) -> str:
    """Return what is explained, by how many firings, and how far ablation bears it out."""
    against = f"that of “{quoted(result.against)}”" if result.against else "the mean of all"
    said = (
        f"Logit of “{quoted(result.target)}” minus {against}: {signed(result.difference)}. "
        f"{exact_count(result.firings)} firings, {exact_count(len(result.features))} listed."
    )
    if result.attribution_correlation is None or result.activation_correlation is None:
        return said
    return (
        f"{said} Of {exact_count(result.sampled)} drawn at random and switched off, attribution "
        f"correlates {_figure(result.attribution_correlation)} with the effect, activation "
        f"{_figure(result.activation_correlation)}."
    )


def _figure(value: float) -> str:
    return f"{value:.2f}".replace("-", MINUS)
