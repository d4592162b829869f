"""What is said of a source of pictures before it is harvested. For window and command line."""

from __future__ import annotations

from sae_desktop.activations.config import PictureEstimate
from sae_desktop.language_model.picture_config import PicturePreview, PicturesDescription
from sae_desktop.words.amounts import exact_count
from sae_desktop.words.picture_words import size_words

_NAMED = 3


def pictures_text(found: PicturesDescription) -> str:
    """Return a source in a sentence: “12 pictures found in 3 documents; 2 cannot be read.”"""
    more = "" if found.complete else " or more"
    pictures = _counted(found.pictures, "picture")
    documents = _counted(found.documents, "document")
    within = f" in {documents}" if found.documents != found.pictures else ""
    parts = [f"{pictures}{more} found{within}"]
    if found.refusals:
        parts.append(f"{exact_count(found.refusals)} cannot be read")
    return "; ".join(parts) + "."


def refused_text(found: PicturesDescription) -> str:
    """Return which cannot be read and why, a line each; empty where all can."""
    shown = found.refused[:_NAMED]
    lines = [x.why if x.name in x.why else f"“{x.name}”: {x.why}" for x in shown]
    more = found.refusals - len(lines)
    if lines and more > 0:
        lines.append(f"… and {exact_count(more)} more.")
    return "\n".join(lines)


def picture_text(picture: PicturePreview) -> str:
    """Return what there is to say of one picture: name, size, tokens, what was done to it."""
    size = f"{picture.width:,} × {picture.height:,} pixels"
    if picture.layout is not None:
        size = size_words(picture.layout)
        if len(picture.layout.tiles) > 1:
            size += f" in {len(picture.layout.tiles)} tiles"
    parts = [f"{picture.name}: {size}", *picture.notes]
    return ", ".join(parts) + "."


def estimated_text(found: PictureEstimate) -> str:
    """Return what a corpus of pictures amounts to, by its headers."""
    each = exact_count(found.fewest)
    if found.most > found.fewest:
        each = (
            f"{exact_count(found.fewest)} to {exact_count(found.most)} "
            f"(median {exact_count(found.typical)})"
        )
    more = "" if found.complete else " among the first"
    parts = [
        f"{_counted(found.pictures, 'picture')}{more}, {each} image tokens each",
        f"about {exact_count(found.tokens)} tokens in all",
    ]
    if found.refusals:
        parts.append(f"{exact_count(found.refusals)} cannot be read and will be left out")
    if found.too_long:
        documents = _counted(found.too_long, "document")
        verb = "has" if found.too_long == 1 else "have"
        parts.append(f"{documents} {verb} more tokens than a window: the end will be left out")
    return "; ".join(parts) + "."


def _counted(number: int, what: str) -> str:
    return f"{exact_count(number)} {what}{'s' * (number != 1)}"
