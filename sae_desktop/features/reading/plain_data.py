"""What an index and its notes say of features, as plain data. Free of torch and Qt."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from sae_desktop.features.reading.categories import category_names
from sae_desktop.features.reading.columns import column_info
from sae_desktop.features.reading.facts import PictureContext, Share
from sae_desktop.features.reading.noted import hide_stale_scores
from sae_desktop.features.reading.outputs import inputs_of, logits_at, neighbours_at, outputs_of
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.same_concept_text import same_concept_text
from sae_desktop.pictures.place_words import place_words
from sae_desktop.project import Project, existing
from sae_desktop.project_notes import FeatureNote, Notes


@contextmanager
def opened_index(project: Project, name: str) -> Iterator[tuple[FeatureIndex, Notes | None]]:
    """Open an index of a project and its notes, where there are some."""
    index = FeatureIndex(project.index_path(existing("index", name, project.indexes())))
    notes = Notes(project.notes_path) if project.notes_path.is_file() else None
    try:
        hide_stale_scores(index, notes)
        yield index, notes
    finally:
        if notes is not None:
            notes.close()


def feature_row(index: FeatureIndex, notes: dict[int, FeatureNote], feature: int) -> dict[str, Any]:
    """Return a feature's figures, label and star, as plain data."""
    columns: dict[str, Any] = {}
    for name, values in index.columns.items():
        value = float(values[feature])
        kind = column_info(name).kind
        if kind in ("category", "token", "count"):
            columns[name] = _named(index, name, int(value))
        else:
            columns[name] = value if math.isfinite(value) else None
    note = notes.get(feature) or FeatureNote(feature=feature)
    return {"id": feature, **columns, "label": note.label, "starred": note.starred}


def _named(index: FeatureIndex, name: str, number: int) -> str | int | None:
    if name == "token":
        return index.token(number) if number >= 0 else None
    names = category_names(index, name)
    if names is None:
        return number
    return names[number] if number >= 0 else None


def feature_page(
    index: FeatureIndex, notes: dict[int, FeatureNote], feature: int
) -> dict[str, Any]:
    """Return all an index holds about a feature, as plain data."""
    edges, counts = index.histogram(feature)
    return {
        **feature_row(index, notes, feature),
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
        "contexts": [
            {
                "bucket": index.bucket_name(context.bucket),
                "tokens": context.tokens,
                "activations": context.activations.tolist(),
                "peak": context.peak,
                "read": list(context.read or (0, len(context.tokens))),
                "source": context.source,
                "language": context.language,
                "title": context.title,
                **_picture(context.picture),
            }
            for context in index.contexts(feature)
        ],
        "top_logits": _logits(index.top_logits(feature)),
        "bottom_logits": _logits(index.bottom_logits(feature)),
        "neighbours": [{"id": i, "cosine": cosine} for i, cosine in index.neighbours(feature)],
        "coactive": [
            {"id": c.feature, "pearson": c.pearson, "share": c.share}
            for c in index.coactive(feature)
        ],
        "languages": _shares(index.languages(feature)),
        "sources": _shares(index.sources(feature)),
        "firing_tokens": [
            {"token": t.token, "firings": t.firings, "activation": t.activation}
            for t in index.firing_tokens(feature)
        ],
        "neurons": [
            {"layer": n.layer, "neuron": n.neuron, "pearson": n.pearson}
            for n in index.neurons(feature)
        ],
        "one_concept": _one_concept(index, feature),
        **_sites(index, feature),
    }


def _one_concept(index: FeatureIndex, feature: int) -> dict[str, Any] | None:
    """Return whether a feature is one concept in words and pictures; None: not measured."""
    if index.kinds is None:
        return None
    found = index.kinds.score(feature)
    scores = {} if found is None else msgspec.to_builtins(found)
    return {**scores, "told": same_concept_text(index.kinds, feature)}


def _picture(picture: PictureContext | None) -> dict[str, Any]:
    """Return what a context of a picture has beside; nothing of a text’s."""
    if picture is None:
        return {}
    strongest = int(picture.activations.argmax())
    return {
        "picture": {
            "name": picture.name,
            "place": picture.place,
            "digest": picture.digest,
            "width": picture.layout.width,
            "height": picture.layout.height,
            "layout": msgspec.to_builtins(picture.layout),
            "activations": picture.activations.tolist(),
            "token": picture.token,
            "strongest": {
                "token": strongest,
                "activation": float(picture.activations[strongest]),
                "where": place_words(picture.layout, strongest),
            },
        }
    }


def _sites(index: FeatureIndex, feature: int) -> dict[str, Any]:
    """Return what a feature of several sites is at each of them; empty lists for another."""
    outputs, inputs = outputs_of(index, feature), inputs_of(index, feature)
    found: dict[str, Any] = {"outputs": [], "inputs": []}
    for fact in outputs:
        raised, lowered = logits_at(index, feature, fact.number)
        near = neighbours_at(index, feature, fact.number)
        found["outputs"].append(
            {
                "site": fact.end.site,
                "model": fact.model,
                "strength": fact.strength,
                "logit_spread": fact.logit_spread,
                "top_logits": _logits(raised),
                "bottom_logits": _logits(lowered),
                "neighbours": [{"id": i, "cosine": cosine} for i, cosine in near],
            }
        )
    found["inputs"] = [
        {"site": one.end.site, "model": one.model, "share": one.share} for one in inputs
    ]
    return found


def _logits(pairs: list[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"token": token, "value": value} for token, value in pairs]


def _shares(shares: list[Share]) -> list[dict[str, Any]]:
    return [
        {"name": s.name, "firings": s.firings, "tokens": s.tokens, "activation": s.activation}
        for s in shares
    ]
