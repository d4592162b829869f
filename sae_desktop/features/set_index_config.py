"""What indexing all members of a set is asked to do, and what it answers. Free of torch."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.described import said
from sae_desktop.features.config import KEPT, TEXT
from sae_desktop.limits import Count, Seed

SET_ROWS = 200_000
"""Rows on which the members of a set are indexed where nothing else is asked for."""


class IndexSetConfig(msgspec.Struct, frozen=True, kw_only=True, tag="index_set"):
    """Index and name the features of all members of a set, over one pass of the model.

    Each index is called as its member is, “<set>.L03”. Those that are there already, of the same
    weights and settings, are kept: started again, the job makes the ones that are missing.
    """

    project: str
    set: str
    layers: Annotated[
        tuple[int, ...],
        said("Layers", "Of the set; none: all of them.", TEXT),
    ] = ()
    activations: Annotated[
        str,
        said(
            "Activations",
            "A store with what every member reads; none: the text is harvested for this, and its "
            "activations are removed afterwards.",
            TEXT,
        ),
    ] = ""
    harvest: HarvestConfig | None = None
    """Whose corpus and way of reading it are used where there is no store; null: those that the
    set was trained on."""
    rows: Annotated[Count, said("Rows", "Rows to read.", TEXT)] = SET_ROWS
    lean: Annotated[
        bool,
        said(
            "Lean",
            "Keep few and short contexts, and neither all activations, co-activation, neurons nor "
            "a map: a tenth of the time and space.",
            KEPT,
        ),
    ] = True
    seed: Seed = 0
    """Of the random contexts."""
    device: str = "auto"


class MemberIndexed(msgspec.Struct, frozen=True, kw_only=True):
    """One index of a set."""

    name: str
    features: int
    alive: int
    """Features that fire at least once."""
    bytes: int
    made: bool
    """Whether it was made now, or was there already."""


class IndexSetResult(msgspec.Struct, frozen=True, kw_only=True):
    set: str
    rows: int
    indexes: tuple[MemberIndexed, ...]
    bytes: int
    seconds: float
