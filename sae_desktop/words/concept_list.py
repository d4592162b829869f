"""Concepts as a person types them, some with a feature. Free of Qt."""

from __future__ import annotations

from sae_desktop.benchmark.captions.config import ConceptFeature
from sae_desktop.errors import UserError


def parse_concepts(text: str) -> tuple[tuple[str, ...], tuple[ConceptFeature, ...]]:
    """Return names, and names with features, of a list such as “horse, red=123”.

    Raises UserError for a feature that is not a number.
    """
    names: list[str] = []
    features: list[ConceptFeature] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        if not equals:
            names.append(name)
        elif name and number.isdecimal():
            features.append(ConceptFeature(concept=name, feature=int(number)))
        else:
            raise UserError(
                f"“{part}” does not name a concept and its feature.",
                kept="Nothing was measured.",
                next_step="Write it as concept=feature, such as horse=123.",
            )
    return tuple(names), tuple(features)
