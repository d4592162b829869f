"""Instances that were read, and how well a score tells those of a concept. Free of torch.

N instances, C concepts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sae_desktop.benchmark.kinds.areas import shared
from sae_desktop.benchmark.kinds.instances import KINDS, PICTURE, Instance, Named
from sae_desktop.safety.scan.separation import Separation, separation

if TYPE_CHECKING:  # it brings torch
    from sae_desktop.benchmark.kinds.reading import ReadInstances

Array = npt.NDArray[Any]


class Material(NamedTuple):
    """The instances and what is known of them."""

    names: list[str]
    """(C,)"""
    concept_N: Array
    kind_N: Array
    """Places in KINDS."""
    thing_N: Array
    """Of pictures which drawing each is; of texts each its own."""
    first_N: Array
    """bool: of the half of its kind that may be chosen on."""
    learnt_N: Array
    """bool: chosen on for the table."""
    read: ReadInstances

    def of_kinds(self, kinds: Sequence[str]) -> Array:
        """Return (N,) bool: what is an instance of one of some kinds."""
        return np.asarray(np.isin(self.kind_N, [KINDS.index(kind) for kind in kinds]))


def material_of(
    concepts: Sequence[Named], known: Sequence[Instance], learn: Sequence[str], read: ReadInstances
) -> Material:
    """Return the instances that were read of some concepts, to be chosen on some kinds."""
    names = [concept.name for concept in concepts]
    first_N = np.array([one.frame % 2 == 0 for one in known])
    return Material(
        names,
        np.array([names.index(one.concept) for one in known]),
        np.array([KINDS.index(one.kind) for one in known]),
        _things(known),
        first_N,
        np.array([one.kind in learn for one in known]) & first_N,
        read,
    )


def _things(known: Sequence[Instance]) -> Array:
    drawings: dict[str, int] = {}
    for one in known:
        if one.kind == PICTURE:
            drawings.setdefault(one.text, len(known) + len(drawings))
    places = [drawings[one.text] if one.kind == PICTURE else place
              for place, one in enumerate(known)]  # fmt: skip
    return np.array(places)


class Told(NamedTuple):
    """How well a score tells the instances of a concept."""

    separation: Separation
    instances: int
    """Of the concept."""
    others: int


def told_by(material: Material, concept: int, here_N: Array, scores_N: Array) -> Told | None:
    """Return how well a score tells a concept among some instances; None: on one side there are
    none.

    Instances of the concept are independent of one another; of the others, those of one concept
    count as alike. What is an instance of several concepts does not stand against any of them.
    """
    own_N = material.concept_N == concept
    here = here_N & ~shared(own_N, material.thing_N)
    own = own_N[here]
    if not own.any() or own.all():
        return None
    alike = np.where(own, -1 - np.arange(len(own)), material.concept_N[here])
    found = separation(scores_N[here].astype(np.float64), own, alike)
    return Told(found, int(own.sum()), int((~own).sum()))
