"""Search by meaning: what is asked and answered. Free of torch and Qt."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sae_desktop.described import said
from sae_desktop.features.reading.filter import FeatureFilter
from sae_desktop.file_kinds import takes
from sae_desktop.language_model.files.model_cache import models_cache
from sae_desktop.language_model.names import KNOWN, MINILM, ORIGIN
from sae_desktop.limits import Count

By = Literal["meaning", "words", "both"]
FoundBy = Literal["label", "name", "contexts", "words"]
LIMIT = 100
"""Features that are found where nobody says how many."""
CONTEXTS = 5
"""Strongest contexts that are read of each feature."""
MOST_CHARACTERS = 10_000
"""Of what is asked; the rest is left out, as the encoder reads a few hundred words at most."""


class EmbedLabelsConfig(msgspec.Struct, frozen=True, kw_only=True, tag="embed_labels"):
    """Read the labels, names and contexts of an index with the sentence encoder."""

    project: str
    index: str
    contexts: Annotated[
        Count,
        said(
            "Contexts",
            "How many of the strongest contexts are read for each feature. Changed for an index "
            "that was read before, all its contexts are read again.",
        ),
    ] = CONTEXTS
    encoder: Annotated[
        str,
        takes("model"),
        said(
            "Encoder",
            "“minilm”, or a folder with another encoder of sentences that averages the states of "
            "its word pieces, such as one for many languages.",
        ),
    ] = MINILM
    device: str = "auto"


class EmbedLabelsResult(msgspec.Struct, frozen=True, kw_only=True):
    index: str
    labels: int
    """That can be searched now, automatic names included."""
    contexts: int
    """Features whose contexts can be searched now."""
    read: int
    """Texts that were read now, because they were new or had changed."""
    seconds: float


class SearchMeaningConfig(msgspec.Struct, frozen=True, kw_only=True, tag="search_meaning"):
    """Which features are about something. An empty text only gets the encoder ready."""

    project: str
    index: str
    text: str
    by: By = "meaning"
    conditions: FeatureFilter = FeatureFilter()
    """That the features also meet."""
    among: list[int] | None = None
    """The only features in question; None: all."""
    limit: Annotated[Count, said("Limit", "Features to find at most.")] = LIMIT
    device: str = "auto"


class FoundMeaning(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that was found, and why."""

    feature: int
    found_by: FoundBy
    cosine: float | None = None
    """Of what was asked and what was found; None where words alone found it."""
    text: str = ""
    """The label, name or token that was found; empty where a context was."""
    slot: int = -1
    """The context that was found; −1: none."""


class SearchMeaningResult(msgspec.Struct, frozen=True, kw_only=True):
    found: list[FoundMeaning]
    """The best first."""
    newer: int = 0
    """Labels that have changed since they were read, and are searched by their words alone."""


def encoder_is_here() -> bool:
    """Whether the sentence encoder is on this machine. Does not load it."""
    return (models_cache() / MINILM / ORIGIN).is_file()


def encoder_bytes() -> int:
    """Return what is downloaded of the sentence encoder."""
    return KNOWN[MINILM].package_bytes
