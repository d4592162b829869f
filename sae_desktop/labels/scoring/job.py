"""The job `score_labels`: how far each feature's label is to be believed.

Labels are held against text they were not made from: of an index with its firings all of it; of
another a part that its model reads again, or, where there is no model, what is known around the
kept contexts. F features.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.reading.label_score import Figure, LabelScore, Rival, Rivals
from sae_desktop.features.reading.names_file import spans
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.scores_file import ScoresInfo, read_scores, write_scores
from sae_desktop.jobs import JobContext
from sae_desktop.labels.examples import interval_edges
from sae_desktop.labels.scoring.config import MEASURE, ScoreLabelsConfig, ScoreLabelsResult
from sae_desktop.labels.scoring.detection import mean_of
from sae_desktop.labels.scoring.feature_scores import Counts, FeatureScorer
from sae_desktop.labels.scoring.log_probability import log_probability
from sae_desktop.labels.scoring.new_texts import sensitivities
from sae_desktop.labels.scoring.random_rivals import (
    DIRECTIONS,
    of_directions,
    of_features,
    random_directions,
)
from sae_desktop.labels.scoring.read_text import ReadText, read_text
from sae_desktop.labels.scoring.shown_labels import ShownLabel, shown_labels
from sae_desktop.labels.search.encoder import Encoder, load_encoder
from sae_desktop.language_model.load import require_causal
from sae_desktop.project import Project, existing
from sae_desktop.project_labels import STATISTICS, GivenScore
from sae_desktop.project_notes import Notes

Array = npt.NDArray[Any]

_FEW = 100
"""Features whose scores are part of the answer."""
_ROWS_FOR_DIRECTIONS = 30_000
_RIVALS_TRIED = 200
"""Labels that are tried on features of like density where there are no random directions."""


class _Made(NamedTuple):
    """What scores are made with."""

    opened: OpenedIndex | None
    read: ReadText | None
    encoder: Encoder | None
    known_from: str


def score_labels(config: ScoreLabelsConfig, context: JobContext) -> ScoreLabelsResult:
    """Score the labels of an index's features, and write what was found beside the index.

    A label that a person gives to be tried (`config.label`) is scored alone, and nothing is
    written. Raises UserError where there is no label, or none can be scored, and where meaning is
    asked for without a sentence encoder on this machine.
    """
    began = time.perf_counter()
    project = Project.open(config.project)
    index = FeatureIndex(project.index_path(existing("index", config.index, project.indexes())))
    asked = [index.check_feature(f) for f in dict.fromkeys(config.features)]
    labels = _labels(config, project, index, asked)
    made = _made(config, index, context)
    counts = Counts(config.per_interval, config.silent)
    scorer = FeatureScorer(index, config.seed, counts, made.read, made.encoder)
    scores = _scored(scorer, labels, config.seed, context)
    if not scores:
        raise UserError(
            "No label could be scored: too few firings of the features are held out.",
            kept="Scores made before are unchanged.",
            next_step="Index more text, or choose features that fire more often.",
        )
    scores = _asked_of_model(config, scorer, made, labels, scores, context)
    rivals, random_of = _rivals(scorer, made, labels, scores, config.seed)
    info = _info(config, index, made, rivals, random_of)
    if not config.label:
        _keep(project, index, info, labels, scores)
    return ScoreLabelsResult(
        index=config.index,
        scored=len(scores),
        without=len(labels) - len(scores),
        unlabelled=(len(asked) or _alive(index)) - len(labels),
        rivals=rivals,
        better_than_chance=sum(one.detection.low > 0.5 for one in scores),
        known_from=made.known_from,
        random_of=random_of,
        encoder=info.encoder,
        scores=scores if 0 < len(asked) <= _FEW else [],
        kept=not config.label,
        seconds=time.perf_counter() - began,
    )


def _labels(
    config: ScoreLabelsConfig, project: Project, index: FeatureIndex, asked: list[int]
) -> list[ShownLabel]:
    if config.label:
        if not asked:
            raise UserError(
                "A label was given, but no feature that it is of.",
                next_step="Say which feature the label is to be tried on.",
            )
        return [ShownLabel(feature, config.label, "") for feature in asked]
    alive = np.flatnonzero(np.asarray(index.columns["density"]) > 0).tolist()
    found = shown_labels(project, index, asked or alive)
    if not found:
        raise UserError(
            "None of the features has a label or a name, so there is nothing to score.",
            next_step="Name the features first, or write a label.",
        )
    return [found[feature] for feature in sorted(found)]


def _alive(index: FeatureIndex) -> int:
    return int((np.asarray(index.columns["density"]) > 0).sum())


def _made(config: ScoreLabelsConfig, index: FeatureIndex, context: JobContext) -> _Made:
    kept = index.firings() is not None
    asks = config.rows or config.new_texts or config.log_probability
    opened = _opened(config, context) if asks else None
    rows = min(config.rows, _ROWS_FOR_DIRECTIONS) if kept else config.rows
    read = None
    if opened is not None and rows:
        directions = random_directions(opened.dictionary.width, DIRECTIONS, config.seed)
        read = read_text(opened, rows, directions, config.seed, context)
    encoder = load_encoder(config.device) if config.meaning else None
    known_from = "kept" if kept else "contexts" if read is None else "read"
    return _Made(opened, read, encoder, known_from)


def _opened(config: ScoreLabelsConfig, context: JobContext) -> OpenedIndex | None:
    try:
        return open_index(config.project, config.index, config.device)
    except UserError as error:
        context.log(f"The model is left out: {error}")
        return None


def _scored(
    scorer: FeatureScorer, labels: Sequence[ShownLabel], seed: int, context: JobContext
) -> list[LabelScore]:
    others = _shuffled(scorer.index, labels, seed)
    found = []
    for done, (label, other) in enumerate(zip(labels, others, strict=True)):
        context.check_cancelled()
        context.progress(done, len(labels), "labels", "Scoring labels")
        one = scorer.score(label, other)
        if one is not None:
            found.append(one)
    context.progress(len(labels), len(labels), "labels", "Scoring labels")
    return found


def _asked_of_model(
    config: ScoreLabelsConfig, scorer: FeatureScorer, made: _Made, labels: Sequence[ShownLabel],
    scores: list[LabelScore], context: JobContext,
) -> list[LabelScore]:  # fmt: skip
    """Return the scores with what only the model tells: new texts, log-probabilities."""
    if made.opened is None:
        return scores
    of = {label.feature: label for label in labels}
    chosen = [of[one.feature] for one in scores]
    more: dict[int, dict[str, Any]] = {one.feature: {} for one in scores}
    if config.new_texts:
        index = scorer.index
        weakest = np.asarray([interval_edges(index, f)[0][1] for f in range(index.features)])
        others = _shuffled(index, chosen[: _FEW - 1], config.seed)
        found = sensitivities(
            made.opened, chosen, others, config.new_texts, weakest, config.seed, context
        )
        for feature, one in found.items():
            more[feature] |= {"sensitivity": one.own, "sensitivity_others": one.others}
    if config.log_probability:
        require_causal(made.opened.lm, "The log-probability of a label")
        for label, gain in _log_probabilities(made.opened, scorer, chosen, config.seed, context):
            more[label.feature]["log_probability"] = gain
    return [msgspec.structs.replace(one, **more[one.feature]) for one in scores]


def _log_probabilities(
    opened: OpenedIndex, scorer: FeatureScorer, labels: Sequence[ShownLabel], seed: int,
    context: JobContext,
) -> Iterator[tuple[ShownLabel, Figure | None]]:  # fmt: skip
    doing = "Asking the model how likely labels are"
    for done, label in enumerate(labels):
        context.check_cancelled()
        context.progress(done, len(labels), "labels", doing)
        own = [e for e in scorer.examples(label.feature).test if e.fires]
        yield label, log_probability(opened, label.text, own, scorer.others_of(label.feature), seed)
    context.progress(len(labels), len(labels), "labels", doing)


def _shuffled(index: FeatureIndex, labels: Sequence[ShownLabel], seed: int) -> list[ShownLabel]:
    """Return another feature's label for each; of few labels, the automatic names of others."""
    rng = np.random.default_rng(seed)
    own = {label.feature for label in labels}
    names = index.short_names()
    others = [f for f in range(len(names)) if f not in own and names[f]]
    if len(labels) < _FEW and len(others) >= len(labels):
        drawn = rng.choice(others, len(labels), replace=False).tolist()
        return [ShownLabel(f, names[f], STATISTICS) for f in drawn]
    if len(labels) < 2:
        return [ShownLabel(label.feature, "", "") for label in labels]
    order = rng.permutation(len(labels))
    of = dict(zip(order.tolist(), np.roll(order, 1).tolist(), strict=True))
    return [labels[of[place]] for place in range(len(labels))]


def _rivals(
    scorer: FeatureScorer, made: _Made, labels: Sequence[ShownLabel],
    scores: Sequence[LabelScore], seed: int,
) -> tuple[list[Rival], str]:  # fmt: skip
    rivals = _of_labels(scores, seed)
    if made.read is not None:
        values, random_of = of_directions(scorer, made.read, seed), "directions"
    else:
        tried = labels[:: max(len(labels) // _RIVALS_TRIED, 1)]
        values, random_of = of_features(scorer, scorer.index, tried, seed), "features"
    if np.isnan(values).all():
        return rivals, ""
    return [*rivals, _rival("random", values, seed)], random_of


def _of_labels(scores: Sequence[LabelScore], seed: int) -> list[Rival]:
    """Return the means over labels, and over what stands on the same texts beside them."""
    values: dict[Rivals, list[float]] = {
        "label": [one.detection.value for one in scores],
        "shuffled": [one.shuffled.value for one in scores],
        "top_token": [one.top_token.value for one in scores],
    }
    return [_rival(name, np.asarray(some), seed) for name, some in values.items()]


def _rival(name: Rivals, values: Array, seed: int) -> Rival:
    count = int((~np.isnan(values)).sum())
    return Rival(name=name, figure=mean_of(values, seed), features=count)


def _info(
    config: ScoreLabelsConfig, index: FeatureIndex, made: _Made, rivals: list[Rival],
    random_of: str,
) -> ScoresInfo:  # fmt: skip
    edges, scheme = interval_edges(index, 0)
    return ScoresInfo(
        dictionary_hash=index.info.dictionary_hash,
        spans=spans(index.info),
        rows=index.info.rows,
        features=index.features,
        intervals=len(edges) - 1,
        scheme=scheme,
        seed=config.seed,
        per_interval=config.per_interval,
        silent=config.silent,
        known_from=made.known_from,
        rows_read=0 if made.read is None else len(made.read.read_rows),
        encoder="" if made.encoder is None else made.encoder.identity,
        model="" if made.opened is None else made.opened.lm.identity.text,
        rivals=rivals,
        random_of=random_of,
        made=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def _keep(
    project: Project, index: FeatureIndex, info: ScoresInfo, labels: Sequence[ShownLabel],
    scores: Sequence[LabelScore],
) -> None:  # fmt: skip
    """Write the scores beside those made in the same way, and to the labels in the notes."""
    before = read_scores(index.path, index.info)
    kept = {} if before is None or not before.info.same_way(info) else before.all()
    kept |= {one.feature: one for one in scores}
    every = [kept[feature] for feature in sorted(kept)]
    random = [rival for rival in info.rivals if rival.name == "random"]
    info = msgspec.structs.replace(info, rivals=[*_of_labels(every, info.seed), *random])
    write_scores(index.path, info, every)
    of_label = {label.feature: label for label in labels if label.number >= 0}
    given = [
        GivenScore(
            feature=one.feature, number=of_label[one.feature].number,
            text=of_label[one.feature].text, score=one.detection.value,
            score_low=one.detection.low, score_high=one.detection.high, measure=MEASURE,
        )
        for one in scores
        if one.feature in of_label
    ]  # fmt: skip
    if given:
        with closing(Notes(project.notes_path)) as notes:
            notes.score_labels(index.info.dictionary, given)
