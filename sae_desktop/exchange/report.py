"""A report for people: one HTML file that needs nothing else, no network and no program.

What the model and other people wrote stands in it as data that the page sets as plain text, so
no label and no token is ever taken for markup; the page itself forbids every connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.exchange.lit_pictures import data_address, lit_webp
from sae_desktop.exchange.pages import check_page, write_page
from sae_desktop.exchange.places import without_place
from sae_desktop.exchange.records import ContextRecord, FeatureRecord
from sae_desktop.features.reading.facts import PictureContext
from sae_desktop.features.reading.layout import IndexInfo
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.label_words import label_tip, score_figure
from sae_desktop.language_model.names import public_name
from sae_desktop.pictures.place_words import place_words

MOST_FEATURES = 2000
_BEFORE, _AFTER = 30, 12
"""Tokens around the one a context is about."""
_CONTEXTS = 24
_PICTURES = 12
"""Of a feature, drawn: some 10 KB each."""
_LOGITS = 10
_DIGITS = 4


def write_report(
    path: Path,
    index: FeatureIndex,
    records: Iterable[FeatureRecord],
    told: Callable[[int], None] = lambda done: None,
) -> None:
    """Write features as one HTML file.

    Raises UserError for too many features and for another ending, and when the disk is full.
    """
    check_page(path)
    features: list[dict[str, Any]] = []
    for number, record in enumerate(records, 1):
        if number > MOST_FEATURES:
            raise UserError(
                f"A report of more than {MOST_FEATURES:,} features is too large for a browser.",
                next_step="Choose a list, or fewer features.",
            )
        features.append(_told(record))
        told(number)
    info = index.info
    one = features[0] if len(features) == 1 else None
    title = f"Feature {one['number']}" if one else f"{len(features)} features of {info.dictionary}"
    about = (
        f"Dictionary {info.dictionary} · {public_name(info.model)} · {_sites(info)} · "
        f"{info.rows:,} tokens of {Path(info.corpus).name or 'text'} · "
        "darker: the feature fires more strongly (logarithmic)"
    )
    content = {"title": title, "about": about, "features": features}
    # Nothing in the data can end the element it stands in.
    data = msgspec.json.encode(content).decode().replace("<", "\\u003c")
    write_page(path, "report.html", title=title, data=data)


def _sites(info: IndexInfo) -> str:
    """Return the site of a dictionary, or all that it writes, of how many models."""
    if len(info.outputs) < 2:
        return info.site
    sites = list(dict.fromkeys(end.site for end in info.outputs))
    models = f" of {len(info.models)} models" if len(info.models) > 1 else ""
    return f"writes {', '.join(sites)}{models}"


def _told(record: FeatureRecord) -> dict[str, Any]:
    shown = record.shown
    return {
        "number": record.feature,
        "label": record.label,
        "score": "" if shown is None else score_figure(shown.score),
        "told": "" if shown is None else label_tip(shown).partition("\n")[2],
        "note": record.note,
        "concept": record.concept,
        "max": _short(record.max_activation) or 1.0,
        "density": record.density,
        "histogram": record.histogram,
        "raises": [(token, _short(value)) for token, value in record.raises[:_LOGITS]],
        "lowers": [(token, _short(value)) for token, value in record.lowers[:_LOGITS]],
        "neighbours": [(other, round(cosine, 2)) for other, cosine in record.neighbours[:_LOGITS]],
        "contexts": _contexts(record),
    }


def _contexts(record: FeatureRecord) -> list[dict[str, Any]]:
    """Return what a page shows of a feature’s contexts; of pictures the first are drawn."""
    found = []
    drawn = 0
    for context in record.contexts[:_CONTEXTS]:
        told = _context(context, record.max_activation)
        if context.picture is not None and drawn < _PICTURES:
            drawn += 1
            told["picture"] = _picture(context.picture, record.max_activation)
        found.append(told)
    return found


def _picture(picture: PictureContext, top: float) -> dict[str, Any] | None:
    webp = lit_webp(picture, top)
    if not webp:
        return None
    strongest = int(picture.activations.argmax())
    return {
        "address": data_address(webp),
        "name": picture.name,
        "told": f"{place_words(picture.layout, strongest)}: activation "
        f"{_short(float(picture.activations[strongest]))}",
    }


def _context(context: ContextRecord, top: float) -> dict[str, Any]:
    first = max(context.peak - _BEFORE, 0)
    last = context.peak + _AFTER + 1
    values = context.values[first:last]
    bucket = "Strongest"
    if context.bounds is not None and top > 0:
        low, high = (100 * bound / top for bound in context.bounds)
        bucket = f"{low:.0f}–{high:.0f}% of the maximum"
    return {
        "tokens": context.tokens[first:last],
        "peak": context.peak - first,
        "firings": [(place, _short(value)) for place, value in enumerate(values) if value],
        "bucket": bucket,
        "before": context.before[-max(_BEFORE - context.peak, 0) :] if first == 0 else [],
        "source": without_place(context.source),
    }


def _short(value: float) -> float:
    """Return a number with as many digits as a reader takes in."""
    return float(f"{value:.{_DIGITS}g}")
