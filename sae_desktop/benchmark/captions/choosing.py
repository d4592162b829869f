"""Which concepts are tried, with which features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sae_desktop.benchmark.captions.config import CaptionChangesConfig, ChosenConcept
from sae_desktop.benchmark.kinds.config import ConceptKindsConfig, ConceptRow
from sae_desktop.benchmark.kinds.instances import PICTURE, Named, chosen_concepts
from sae_desktop.benchmark.kinds.job import measured_kinds
from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.jobs import JobContext


class Chosen(NamedTuple):
    """What is tried, and what is said of that."""

    concepts: list[ChosenConcept]
    notes: list[str]


def chosen_of(
    config: CaptionChangesConfig,
    opened: OpenedIndex,
    concepts: Sequence[Named],
    context: JobContext,
) -> Chosen:
    """Return the concepts with their features: those that were named, or those told best.

    A concept is told as well as the worse of its areas on words and on drawings; among equals, as
    on words. Raises UserError
    for what there is not, and where no feature can be clamped.
    """
    named = [
        _of_person(one.concept, one.feature, config, opened, concepts) for one in config.features
    ]
    known = {one.concept for one in named}
    wanted = [name for name in dict.fromkeys(config.concepts) if name not in known]
    chosen_concepts(concepts, wanted)
    if named and not wanted:
        return Chosen(named, [])
    found = measured_kinds(
        ConceptKindsConfig(
            project=config.project, index=config.index, folder=config.folder, learn=config.learn,
            pictures=config.drawings, seed=config.seed, device=config.device,
        ),
        context,
    )  # fmt: skip
    rows = [_told(row, config.learn) for row in found.rows if row.way == "feature"]
    if wanted:
        by_name = {one.concept: one for one in rows}
        silent = next((n for n in wanted if not _able(config, opened, by_name[n].feature)), None)
        if silent is not None:
            raise _silent(silent, by_name[silent].feature)
        return Chosen([*named, *(by_name[name] for name in wanted)], [])
    able = [one for one in rows if _able(config, opened, one.feature)]
    best = sorted(able, key=_area, reverse=True)[: config.most]
    if not best:
        raise UserError(
            "None of the features that were chosen for the concepts fires on the indexed text.",
            kept="Nothing was measured.",
            next_step="Index the dictionary over a text in which the concepts occur.",
        )
    said = f"The {len(best)} of {len(rows)} concepts whose features tell them best were tried."
    return Chosen(best, [said])


def _area(one: ChosenConcept) -> tuple[float, float]:
    words, drawn = (1.0 if area is None else area for area in (one.words, one.drawings))
    return min(words, drawn), words


def _told(row: ConceptRow, learn: Sequence[str]) -> ChosenConcept:
    words = [area.area for area in row.areas if area.kind in learn and area.kind != PICTURE]
    drawn = next((area.area for area in row.areas if area.kind == PICTURE), None)
    return ChosenConcept(
        concept=row.concept, feature=row.number,
        words=sum(words) / len(words) if words else None, drawings=drawn,
    )  # fmt: skip


def _of_person(
    name: str,
    feature: int,
    config: CaptionChangesConfig,
    opened: OpenedIndex,
    concepts: Sequence[Named],
) -> ChosenConcept:
    chosen_concepts(concepts, [name])
    if not _able(config, opened, opened.index.check_feature(feature)):
        raise _silent(name, feature)
    return ChosenConcept(concept=name, feature=feature)


def _able(config: CaptionChangesConfig, opened: OpenedIndex, feature: int) -> bool:
    """Return whether there is something for a strength to be a multiple of."""
    return config.unit == "norm" or float(opened.index.columns["max_activation"][feature]) > 0


def _silent(name: str, feature: int) -> UserError:
    return UserError(
        f"Feature {feature} of “{name}” never fired on the indexed text: it has no maximum for a "
        "strength to be a multiple of.",
        kept="Nothing was measured.",
        next_step="Choose another feature or concept, or strengths in typical norms.",
    )
