"""The job `completeness`: which concepts have a feature, against how often they occur.

After Scaling Monosemanticity, Feature Completeness. A concept *has* a feature when some feature
with some threshold tells where it occurs with an F1 of at least one half (`detectors.py`). With
thousands of features some would do so by chance; so feature and threshold are chosen on every
other document and scored on the rest, and the other way round; documents that are alike are on
one side. R rows, C concepts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.comparison.completeness_table import write_table
from sae_desktop.comparison.concepts import Concept, read_concepts
from sae_desktop.comparison.config import (
    CompletenessConfig,
    CompletenessResult,
    ConceptRow,
    Detector,
    DictionaryCompleteness,
)
from sae_desktop.comparison.control_firings import ControlFirings
from sae_desktop.comparison.detectors import HALVES, Choice, Marks, Score, choose, mark, score
from sae_desktop.comparison.even_chance import LEVEL, even_chance
from sae_desktop.comparison.occurrences import Occurrences, find_occurrences
from sae_desktop.corpus.alike import groups_of_documents
from sae_desktop.errors import UserError
from sae_desktop.features.building.index import require_firings
from sae_desktop.features.reading.firing_files import StoredFirings
from sae_desktop.features.reading.firings import FiringBlock
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import JobContext
from sae_desktop.project import Project, checked_name, existing

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Asked:
    """The concepts of one dictionary's features."""

    index: FeatureIndex
    firings: StoredFirings
    choice: Choice
    score: Score
    control: Score | None

    @property
    def f1(self) -> Array:
        """(C,), the mean over the halves."""
        return np.asarray(self.score.f1.mean(axis=0))


def completeness(config: CompletenessConfig, context: JobContext) -> CompletenessResult:
    """Look for a feature of every concept in every dictionary, and write the table.

    Raises UserError for a list that is none or of which too little occurs, for indexes of
    different texts, and for one without its firings.
    """
    began = time.perf_counter()
    project = Project.open(config.project)
    checked_name(config.name)
    if not 0 < config.least_f1 < 1:
        raise UserError(
            f"A least F1 of {config.least_f1:g} is not meaningful.",
            next_step="Enter a number between 0 and 1.",
        )
    concepts = read_concepts(project, config.concepts)
    indexes = _indexes(project, config)
    firings = [StoredFirings.open(require_firings(index.path, index.info)) for index in indexes]
    places = find_occurrences(indexes[0], concepts, context)
    marks = _marks(indexes[0], places, len(concepts))
    judged = marks.counts.min(axis=0) >= max(config.least_occurrences, 1)
    if not judged.any():
        raise UserError(
            f"No concept in “{config.concepts}” occurs {config.least_occurrences} times in both "
            f"halves of the text of “{indexes[0].path.stem}”.",
            next_step="Index more text, or ask for fewer occurrences.",
        )
    asked = []
    for index, found in zip(indexes, firings, strict=True):
        context.log(f"Scoring “{index.info.dictionary}”")
        choice, held_out = _ask(found, marks, context)
        control = _control(project, config, index, marks, context) if config.control else None
        asked.append(_Asked(index, found, choice, held_out, control))
    result = _table(config, concepts, marks, judged, asked, time.perf_counter() - began)
    write_table(project, result)
    return result


def _indexes(project: Project, config: CompletenessConfig) -> list[FeatureIndex]:
    """Return the indexes, that of the smallest dictionary first."""
    if not config.indexes:
        raise UserError("No index was given.", next_step="Choose at least one.")
    there = project.indexes()
    names = dict.fromkeys(existing("index", name, there) for name in config.indexes)
    found = [FeatureIndex(project.index_path(name)) for name in names]
    first = found[0]
    for index in found:
        same = index.info.rows == first.info.rows and np.array_equal(index.tokens, first.tokens)
        if not same:
            raise UserError(
                f"The indexes “{first.path.stem}” and “{index.path.stem}” are of different texts, "
                "so how often a concept occurs would differ.",
                next_step="Index the dictionaries on the same rows.",
            )
    return sorted(found, key=lambda index: (index.features, index.info.dictionary))


def _marks(index: FeatureIndex, places: Occurrences, concepts: int) -> Marks:
    passages = index.passages
    document = np.repeat(passages["document"], passages["length"])
    half = halves(np.asarray(index.tokens), document, len(index.documents))[document]
    if len(half) and half.min() == half.max():
        raise UserError(
            f"The text of “{index.path.stem}” is a single document, or its documents are all "
            "equal or nearly equal, so none can be held out.",
            next_step="Index text with documents that differ.",
        )
    return mark(places.of_rows(index.info.rows), places.concepts, half, concepts)


def halves(tokens: Array, document: Array, documents: int) -> Array:
    """Return the half (documents,) int8 of each: every other one, but those alike in one.

    tokens (R,), document (R,) of each row.
    """
    group = groups_of_documents(tokens, document, documents)
    # Groups are numbered as they come.
    _, first, number = np.unique(group, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[number] % HALVES, np.int8)


def _ask(firings: StoredFirings, marks: Marks, context: JobContext) -> tuple[Choice, Score]:
    choice = choose(_told_blocks(firings, context), marks)
    return choice, score(firings, marks, choice, context)


def _told_blocks(firings: StoredFirings, context: JobContext) -> Iterator[FiringBlock]:
    for block, _ in firings.bounded_blocks():
        context.check_cancelled()
        context.progress(block.first, firings.features, "features", "Scoring every feature")
        yield block
    context.progress(firings.features, firings.features, "features", "Scoring every feature")


def _control(
    project: Project,
    config: CompletenessConfig,
    index: FeatureIndex,
    marks: Marks,
    context: JobContext,
) -> Score:
    """Ask as many random directions, which fire as often."""
    with ControlFirings(project, index, config.seed, config.device, context) as firings:
        return _ask(firings, marks, context)[1]


def _table(
    config: CompletenessConfig,
    concepts: list[Concept],
    marks: Marks,
    judged: Array,
    asked: list[_Asked],
    seconds: float,
) -> CompletenessResult:
    counts = marks.counts.sum(axis=0)
    rows = len(marks.occurrence)
    return CompletenessResult(
        name=config.name,
        concepts=config.concepts,
        tokens=rows,
        judged=int(judged.sum()),
        least_f1=config.least_f1,
        least_occurrences=config.least_occurrences,
        dictionaries=[_dictionary(one, counts[judged] / rows, judged, config) for one in asked],
        rows=[
            ConceptRow(
                concept=concepts[c].name,
                occurrences=int(counts[c]),
                frequency=float(counts[c] / rows),
                judged=bool(judged[c]),
                detectors=[_detector(one, c) if judged[c] else None for one in asked],
                control=[
                    float(one.control.f1[:, c].mean()) for one in asked if one.control is not None
                ],
            )
            for c in np.argsort(-counts, kind="stable").tolist()
        ],
        seconds=seconds,
    )


def _dictionary(
    one: _Asked, frequency: Array, judged: Array, config: CompletenessConfig
) -> DictionaryCompleteness:
    found = one.f1[judged] >= config.least_f1
    curve = even_chance(frequency, found)
    control = None
    if one.control is not None:
        control = int((one.control.f1.mean(axis=0)[judged] >= config.least_f1).sum())
    return DictionaryCompleteness(
        dictionary=one.index.info.dictionary,
        index=one.index.path.stem,
        features=one.index.features,
        alive=int((one.index.columns["density"] > 0).sum()),
        found=int(found.sum()),
        control_found=control,
        even_chance=None if curve is None else curve.frequency,
        even_chance_low=None if curve is None else curve.low,
        even_chance_high=None if curve is None else curve.high,
        even_chance_level=LEVEL,
    )


def _detector(one: _Asked, concept: int) -> Detector | None:
    """Return the feature of a concept: of the two that were chosen, the better held out."""
    chosen = one.choice.features[:, concept] >= 0
    best = int(np.where(chosen, one.score.f1[:, concept], -1.0).argmax())
    feature, other = (int(one.choice.features[half, concept]) for half in (best, 1 - best))
    if feature < 0:
        return None
    return Detector(
        feature=feature,
        threshold=float(one.choice.thresholds[best, concept]),
        f1=float(one.f1[concept]),
        precision=float(one.score.precision[:, concept].mean()),
        recall=float(one.score.recall[:, concept].mean()),
        feature_f1=float(one.score.f1[best, concept]),
        other=other if other >= 0 and other != feature else None,
        other_f1=None if other == feature else float(one.score.f1[1 - best, concept]),
    )
