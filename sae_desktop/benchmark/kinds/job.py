"""The job `concept_kinds`: a feature chosen on words, tried on every other kind of instance.

N instances, C concepts, F features. Of every kind that is learnt from, the instances with even
numbers are chosen on and those with odd ones are held out; of the other kinds all are held out. A
concept stands against all the others, in sentences that are the same but for the word.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sae_desktop.benchmark.kinds.areas import concept_areas
from sae_desktop.benchmark.kinds.config import (
    OF_FEATURES,
    WAYS,
    ConceptKindsConfig,
    ConceptKindsResult,
    ConceptRow,
    KindArea,
    Way,
)
from sae_desktop.benchmark.kinds.drawings import drawings, shipped_drawings
from sae_desktop.benchmark.kinds.instances import (
    KINDS,
    PICTURE,
    Instance,
    Named,
    chosen_concepts,
    instances,
    read_concepts,
)
from sae_desktop.benchmark.kinds.material import Material, material_of, told_by
from sae_desktop.benchmark.kinds.modality import ModalScores, modal_score, modal_scores
from sae_desktop.benchmark.kinds.reading import read_instances
from sae_desktop.benchmark.kinds.strongest import strongest
from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.asking.picture_documents import (
    one_model,
    picture_reader_of,
    reads_pictures,
)
from sae_desktop.features.reading.kinds_file import KindsInfo, write_kinds
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import JobContext

Array = npt.NDArray[Any]

_FEATURES_AT_ONCE = 4096
_DOING = "Choosing a feature for each concept"
_TOO_FEW = (
    "Features were not scored in pictures: fewer than two concepts have both drawings and words "
    "in the languages to choose on."
)


class Chosen(NamedTuple):
    """What a way gives each concept."""

    numbers: list[int]
    """(C,), −1 of what has none."""
    learnt: Array
    """(C,)"""
    scores_CN: Array


class Measured(NamedTuple):
    """What was read, and what came of it."""

    opened: OpenedIndex
    material: Material
    rows: list[ConceptRow]
    with_drawings: bool
    notes: list[str]


def concept_kinds(config: ConceptKindsConfig, context: JobContext) -> ConceptKindsResult:
    """Return the area of each way, concept and kind on what was held out.

    With pictures, which features are one concept in both is kept in `features/<index>.kinds`.
    Raises UserError as `measured_kinds`.
    """
    opened, material, rows, with_drawings, notes = measured_kinds(config, context)
    scores = None
    if with_drawings:
        scores = modal_scores(material, config.learn, opened.index.features, context)
        if scores is None:
            notes.append(_TOO_FEW)
        else:
            _keep(opened.index, scores, material)
    kinds = [kind for number, kind in enumerate(KINDS) if (material.kind_N == number).any()]
    return ConceptKindsResult(
        index=config.index,
        kinds=kinds,
        learn=list(config.learn),
        rows=rows,
        modality=None if scores is None else modal_score(scores, material.names),
        notes=notes,
    )


def measured_kinds(config: ConceptKindsConfig, context: JobContext) -> Measured:
    """Return the area of each way, concept and kind, and keep nothing.

    Raises UserError for fewer than two concepts, kinds that there are not, folders without
    drawings, and where the model reads no pictures and is to.
    """
    folder = Path(config.folder).expanduser() if config.folder else None
    concepts = chosen_concepts(read_concepts(folder), config.concepts)
    if len(concepts) < 2:
        raise UserError(
            "A concept is told from others, and there is only one.",
            next_step="Choose at least two concepts.",
        )
    found = [one for concept in concepts for one in instances(concept)]
    opened = open_index(config.project, config.index, config.device)
    files, notes = drawings(_folders(config, opened), found)
    _check_learn(config.learn, found, files)
    known, read = read_instances(opened, found, files, config.seed, context)
    material = material_of(concepts, known, config.learn, read)
    rows = _rows(opened.index, material, concepts, config.seed, context)
    return Measured(opened, material, rows, bool(files), notes)


# ---------------------------------------------------------------- what there is
def _folders(config: ConceptKindsConfig, opened: OpenedIndex) -> Sequence[str]:
    """Return the folders of drawings that are tried: those asked for, or else those that ship."""
    if config.pictures:
        picture_reader_of(one_model(opened))  # refused before anything is read
        return config.pictures
    return () if config.folder or not reads_pictures(opened) else shipped_drawings()


def _check_learn(
    learn: Sequence[str], found: Sequence[Instance], files: dict[str, list[Path]]
) -> None:
    there = {one.kind for one in found if one.kind != PICTURE} | ({PICTURE} if files else set())
    wrong = [kind for kind in learn if kind not in there]
    if wrong or not learn:
        what = f"“{wrong[0]}” is not among the kinds of instance" if wrong else "No kind was chosen"
        raise UserError(
            f"{what} that a feature can be chosen on.",
            next_step=f"Choose of: {', '.join(kind for kind in KINDS if kind in there)}.",
        )


def _keep(index: FeatureIndex, scores: ModalScores, material: Material) -> None:
    info = KindsInfo(
        dictionary_hash=index.info.dictionary_hash,
        concepts=material.names,
        chosen_on=scores.chosen_on,
        pictures=int(material.of_kinds([PICTURE]).sum()),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_kinds(index.path, info, scores.arrays)


# ---------------------------------------------------------------- ways
def _rows(
    index: FeatureIndex,
    material: Material,
    concepts: Sequence[Named],
    seed: int,
    context: JobContext,
) -> list[ConceptRow]:
    features = material.read.features()
    true_N, count = material.concept_N, len(concepts)
    shuffled_N = true_N.copy()
    places = np.flatnonzero(material.learnt_N)
    shuffled_N[places] = np.random.default_rng(seed).permutation(true_N[places])
    read = material.read
    ways: list[tuple[Way, Chosen]] = []
    for number, way in enumerate(WAYS):
        context.check_cancelled()
        context.progress(number, len(WAYS), "ways", _DOING)
        match way:
            case "feature":
                chosen = _best_feature(material, features, true_N)
            case "shuffled labels":
                chosen = _best_feature(material, features, shuffled_N)
            case "neuron":
                chosen = _best_of(material, read.neurons)
                width = read.means.shape[1]
                chosen = chosen._replace(numbers=[n % width for n in chosen.numbers])
            case "random direction":
                chosen = _best_of(material, read.random)._replace(numbers=[-1] * count)
            case _:
                chosen = _difference(material)
        ways.append((way, chosen))
    context.progress(len(WAYS), len(WAYS), "ways", _DOING)
    return [
        ConceptRow(
            concept=concept.name,
            group=concept.group,
            way=way,
            number=chosen.numbers[place],
            learnt=float(chosen.learnt[place]),
            areas=_areas(material, place, chosen.scores_CN[place]),
            strongest=(
                strongest(index, chosen.numbers[place], concept) if way in OF_FEATURES else None
            ),
        )
        for place, concept in enumerate(concepts)
        for way, chosen in ways
    ]


def _best_feature(material: Material, features: Array, concept_N: Array) -> Chosen:
    """Return the feature of the largest area on what is chosen on, for labels that may be wrong."""
    count = len(material.names)
    best, area = np.zeros(count, np.int64), np.full(count, -1.0)
    for first in range(0, len(features), _FEATURES_AT_ONCE):
        part = features[first : first + _FEATURES_AT_ONCE]
        scores_Nn = material.read.of(part)[material.learnt_N]
        learnt = material.learnt_N
        found_Cn = concept_areas(scores_Nn, concept_N[learnt], count, material.thing_N[learnt])
        places = found_Cn.argmax(axis=1)
        own = found_Cn[np.arange(count), places]
        better = own > area
        best[better], area[better] = part[places[better]], own[better]
    return Chosen(best.tolist(), area, material.read.of(best).T)


def _best_of(material: Material, scores_Nn: Array) -> Chosen:
    learnt = material.learnt_N
    found_Cn = concept_areas(
        scores_Nn[learnt], material.concept_N[learnt], len(material.names), material.thing_N[learnt]
    )
    places = found_Cn.argmax(axis=1)
    own = found_Cn[np.arange(len(places)), places]
    return Chosen(places.tolist(), own, scores_Nn[:, places].T)


def _difference(material: Material) -> Chosen:
    means, learnt = material.read.means.astype(np.float64), material.learnt_N
    scores, areas = [], []
    for concept in range(len(material.names)):
        own = learnt & (material.concept_N == concept)
        direction_I = means[own].mean(axis=0) - means[learnt & ~own].mean(axis=0)
        scores.append(means @ direction_I)
        found = concept_areas(scores[-1][learnt][:, None], material.concept_N[learnt] == concept, 2)
        areas.append(float(found[1, 0]))
    return Chosen([-1] * len(areas), np.array(areas), np.stack(scores))


def _areas(material: Material, concept: int, scores_N: Array) -> list[KindArea]:
    """Return the areas on what was held out, for one concept and its scores of all instances."""
    found = []
    for kind in KINDS:
        here = material.of_kinds([kind]) & ~material.learnt_N
        told = told_by(material, concept, here, scores_N)
        if told is not None:
            area, low, high = told.separation
            found.append(
                KindArea(
                    kind=kind, area=area, low=low, high=high,
                    instances=told.instances, others=told.others,
                )
            )  # fmt: skip
    return found
