"""What the plots of scores draw, read from the files beside an index. Free of Qt.

F features, I intervals of activation. Slow for a million features: it is read beside the window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.judged_file import JudgedLabels, mean_interval, read_judged
from sae_desktop.features.reading.judgement import Of, Scorer
from sae_desktop.features.reading.label_score import RIVALS
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project_labels import IMPORTED, MODEL, PERSON, STATISTICS
from sae_desktop.words.amounts import exact_count
from sae_desktop.words.judge_text import judge_note

Array = npt.NDArray[Any]

LABELS, NAMES, JUDGED = "labels", "names", "judged"
_RESAMPLED = 4_000
"""Means of more values have an interval from their spread: a bootstrap would say the same."""
_NORMAL = 1.96
_SMALLEST = 2
RIVAL_NAMES = {
    "shuffled": "shuffled labels",
    "top_token": "top token alone",
    "random": "random directions",
}
JUDGED_RIVAL_NAMES: dict[Of, str] = {
    "shuffled": RIVAL_NAMES["shuffled"],
    "top_token": RIVAL_NAMES["top_token"],
    "random": "labels on other features",
    "direction": "random directions",
}
METHOD_NAMES = {
    PERSON: "labels by people",
    MODEL: "labels by models",
    IMPORTED: "imported labels",
    STATISTICS: "automatic names",
}
"""Method of a label → what the mean of these labels is called beside those of others."""
_FEWEST = 5
"""Labels of a method that have a mean of their own."""
_SCORER_TITLES: dict[Scorer, str] = {
    "detection": "detection",
    "fuzzing": "fuzzing",
    "intruder": "intruder",
    "rubric": "rubric",
    "simulation": "simulation",
}


@dataclass(frozen=True)
class Source:
    """Scores of one kind that an index has."""

    id: str
    title: str


@dataclass(frozen=True, eq=False)
class Points:
    """A score (n,) and its 95% interval for some features, over another figure of them."""

    features: Array
    x: Array
    y: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Level:
    """A rival’s mean with its 95% interval, drawn across a plot."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Curve:
    """A mean over features by interval of activation (I,), with its 95% interval."""

    name: str
    value: Array
    low: Array
    high: Array
    features: Array
    """How many features each mean is of."""


@dataclass(frozen=True, eq=False)
class ScoreData:
    """All that the plots draw of one source."""

    axis: str
    """What the score is."""
    chance: float
    by_density: Points
    levels: tuple[Level, ...]
    intervals: tuple[str, ...]
    """What the intervals of activation are called, the weakest first."""
    interval_axis: str
    curves: tuple[Curve, ...]
    """By interval, the labels’ own first; none where that was not measured."""
    sensitivity: Points | None = None
    sensitivity_others: float = float("nan")
    note: str = ""
    """What must be known of the scores, beside how they are read."""


def sources(index: FeatureIndex) -> list[Source]:
    """Return which scores an index has, the most telling first."""
    found = []
    judged = _judged(index)
    for scorer in [] if judged is None else judged.scorers:
        found.append(Source(f"{JUDGED}:{scorer}", f"Judged by a model: {_SCORER_TITLES[scorer]}"))
    if index.scores is not None:
        found.append(Source(LABELS, "Labels, scored without a model"))
    if index.names is not None:
        found.append(Source(NAMES, "Automatic names"))
    return found


def read_source(index: FeatureIndex, source: str) -> ScoreData:
    """Read one of the `sources`."""
    kind, _, scorer = source.partition(":")
    readers: dict[str, Callable[[], ScoreData]] = {
        LABELS: lambda: _of_labels(index),
        NAMES: lambda: _of_names(index),
        JUDGED: lambda: _of_judge(index, scorer),
    }
    return readers[kind]()


# ---------------------------------------------------------------- parts
def _points(figures: Sequence[Array], x: Array) -> Points:
    """Return points of the features that have both a score, with its interval, and an x."""
    value, low, high = figures
    known = np.flatnonzero(np.isfinite(value) & np.isfinite(x))
    return Points(known, x[known], value[known], low[known], high[known])


def _density(index: FeatureIndex) -> Array:
    density = np.asarray(index.columns["density"], np.float32)
    return np.where(density > 0, density, np.nan)


def mean_band(values: Array) -> tuple[float, float, float]:
    """Return the mean of values (n,) with its 95% interval; NaN without any."""
    known = values[np.isfinite(values)].astype(float)
    if len(known) <= _RESAMPLED:
        return mean_interval(known)
    mean, error = float(known.mean()), float(known.std(ddof=1)) / np.sqrt(len(known))
    return mean, mean - _NORMAL * error, mean + _NORMAL * error


def _level(name: str, values: Array) -> Level:
    return Level(name, *mean_band(values))


def _by_method(values: Array, methods: Sequence[str]) -> list[Level]:
    """Return the means of (n,) scores by the methods (n,) that made the labels.

    None where all are of one method, whose mean says nothing beside itself.
    """
    of = np.asarray(methods, dtype=object)
    found = []
    for method, name in METHOD_NAMES.items():
        own = values[(of == method) & np.isfinite(values)]
        if len(own) >= _FEWEST:
            found.append(_level(f"{name} ({exact_count(len(own))})", own))
    return found if len(found) > 1 else []


def _curve(name: str, values: Array) -> Curve:
    """Return the means of (F, I) over the features that have a figure."""
    bands = np.array([mean_band(column) for column in values.T]).reshape(-1, 3)
    counts = np.isfinite(values).sum(axis=0)
    kept = np.where(counts[:, None] >= _SMALLEST, bands, np.nan)
    return Curve(name, kept[:, 0], kept[:, 1], kept[:, 2], counts)


def _known_levels(levels: list[Level]) -> tuple[Level, ...]:
    return tuple(level for level in levels if np.isfinite(level.value))


# ---------------------------------------------------------------- sources
def _of_labels(index: FeatureIndex) -> ScoreData:
    scores = index.scores
    assert scores is not None
    columns, info = scores.columns, scores.info
    own = [columns[f"label_score{end}"] for end in ("", "_low", "_high")]
    by_interval = np.asarray(scores.array("intervals"), np.float32)
    sensitive = [columns[f"label_sensitivity{end}"] for end in ("", "_low", "_high")]
    rivals = {rival.name: rival.figure for rival in info.rivals}
    levels = [
        Level(RIVAL_NAMES[name], figure.value, figure.low, figure.high)
        for name in RIVALS
        if name in RIVAL_NAMES and (figure := rivals.get(name)) is not None
    ]
    number = np.asarray(scores.array("method"))
    known = np.flatnonzero((number >= 0) & (number < len(info.methods)))
    made = [info.methods[int(n)] for n in number[known]]
    levels += _by_method(np.asarray(own[0])[known], made)
    step = 100 / max(info.intervals, 1)
    return ScoreData(
        axis="Detection AUROC",
        chance=0.5,
        by_density=_points(own, _density(index)),
        levels=_known_levels(levels),
        intervals=tuple(f"{i * step:.0f}–{(i + 1) * step:.0f}%" for i in range(info.intervals)),
        interval_axis="Detection AUROC",
        curves=(
            _curve("labels", by_interval[:, :, 0]),
            _curve(RIVAL_NAMES["top_token"], by_interval[:, :, 4]),
            _curve(RIVAL_NAMES["shuffled"], by_interval[:, :, 3]),
        ),
        sensitivity=_points(sensitive, own[0]) if np.isfinite(sensitive[0]).any() else None,
        sensitivity_others=mean_band(columns["label_sensitivity_others"])[0],
    )


def _of_names(index: FeatureIndex) -> ScoreData:
    names = index.names
    assert names is not None
    figures = names.figures
    levels = [
        _level("shuffled names", figures["shuffled"]),
        _level(RIVAL_NAMES["top_token"], figures["top_token"]),
    ]
    if names.info.random_direction is not None:
        levels.append(Level(RIVAL_NAMES["random"], *names.info.random_direction))
    return ScoreData(
        axis="Detection AUROC",
        chance=0.5,
        by_density=_points(
            [figures[name] for name in ("name_score", "score_low", "score_high")],
            _density(index),
        ),
        levels=_known_levels(levels),
        intervals=(),
        interval_axis="",
        curves=(),
    )


def _judged(index: FeatureIndex) -> JudgedLabels | None:
    return read_judged(index.path, index.features, index.info.dictionary_hash)


def _of_judge(index: FeatureIndex, name: str) -> ScoreData:
    judged = _judged(index)
    assert judged is not None
    scorer = next(scorer for scorer in judged.scorers if scorer == name)
    found = judged.points(scorer)
    density = _density(index)[found.features]
    fires = np.isfinite(density)
    others = JUDGED_RIVAL_NAMES
    levels = [Level(name, *judged.mean(scorer, of)) for of, name in others.items()]
    levels += _judged_by_method(judged, scorer)
    own = judged.curve(scorer)
    judge = judged.latest(scorer)
    count = int(own.interval.max(initial=0))
    step = 100 / max(count, 1)
    return ScoreData(
        axis="Score over chance",
        chance=0.0,
        by_density=Points(
            found.features[fires],
            density[fires],
            found.score[fires],
            found.low[fires],
            found.high[fires],
        ),
        levels=_known_levels(levels),
        note="" if judge is None else judge_note(judge, scorer, *judged.passing(scorer)),
        intervals=tuple(f"{i * step:.0f}–{(i + 1) * step:.0f}%" for i in range(count)),
        interval_axis="Rating, 0 to 3" if scorer == "rubric" else f"Judge’s {scorer} score",
        curves=tuple(
            curve
            for curve in (
                _judged_curve(judged, scorer, "label", "labels", count),
                *(_judged_curve(judged, scorer, of, name, count) for of, name in others.items()),
            )
            if np.isfinite(curve.value).any()
        ),
    )


def _judged_by_method(judged: JudgedLabels, scorer: Scorer) -> list[Level]:
    """Return the judge’s means by who made the labels."""
    own = [one for one in judged.all() if (one.scorer, one.of) == (scorer, "label")]
    corrected = [one.judgement.corrected() for one in own]
    values = np.array([np.nan if found is None else found[0] for found in corrected], float)
    return _by_method(values, [one.method for one in own])


def _judged_curve(judged: JudgedLabels, scorer: Scorer, of: Of, name: str, count: int) -> Curve:
    """Return a judge’s figures at every interval, NaN where there are none."""
    found = judged.curve(scorer, of)
    places = found.interval - 1
    there = places < count
    figures = np.full((3, count), np.nan)
    figures[:, places[there]] = np.stack([found.value, found.low, found.high])[:, there]
    features = np.zeros(count, np.int64)
    features[places[there]] = found.features[there]
    return Curve(name, figures[0], figures[1], figures[2], features)
