"""Scores of labels by language models, beside their index: `features/<name>.judged`, HDF5.

Free of torch and Qt. N judgements, ordered by feature, with P parts and B bytes of labels:

    rows            (N,)    ROW_DTYPE; `scorer`, `of` and `judge` are places in SCORERS, OF and the
                            judges of the attribute `info`
    part_offsets    (N+1,)  int64, into
    parts           (P,)    PART_DTYPE; `kind` is a place in KINDS
    label_offsets   (N+1,)  int64, into
    labels          (B,)    uint8, UTF-8
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.reading.beside import judged_path
from sae_desktop.features.reading.judgement import (
    OF,
    SCORERS,
    Judge,
    JudgedLabel,
    Judgement,
    Of,
    Part,
    Scorer,
)
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.faults import explained
from sae_desktop.storage.hdf5 import new_file, open_checked, write_header
from sae_desktop.storage.mapped import Accepted, MappedFile, extents, read_struct

KIND = "judged_labels"
SCHEMA_VERSION = 1
KINDS = ("", "random", "same_token", "neighbour", "moved")
RESAMPLES = 2000

Array = npt.NDArray[Any]

_FIGURES = ("value", "low", "high", "chance", "as_wrong", "as_right")
ROW_DTYPE = np.dtype(
    [("feature", "<i4"), ("scorer", "i1"), ("of", "i1"), ("judge", "<i2"), ("method", "<i2"),
     ("asked", "<i4"), ("answered", "<i4"), *((name, "<f4") for name in _FIGURES)]
)  # fmt: skip
PART_DTYPE = np.dtype(
    [("interval", "i1"), ("kind", "i1"), ("value", "<f4"), ("low", "<f4"), ("high", "<f4"),
     ("items", "<i4")]
)  # fmt: skip
ARRAYS = {
    "rows": Accepted(ROW_DTYPE, ("N",)),
    "part_offsets": Accepted("iu", ("N+1",)),
    "parts": Accepted(PART_DTYPE, ("P",)),
    "label_offsets": Accepted("iu", ("N+1",)),
    "labels": Accepted("iu", ("B",)),
}
"""What the reader takes."""


class JudgedInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the file's numbers stand for; an attribute of it."""

    dictionary_hash: str
    features: int
    judges: list[Judge] = []
    methods: list[str] = []


def write_judged(
    index: Path,
    dictionary_hash: str,
    features: int,
    judged: Sequence[JudgedLabel],
    tried: Sequence[Judge] = (),
) -> None:
    """Write all judgements of an index in one step. Raises UserError when the disk is full.

    `tried` are judges of which there may be none: they did no better than chance.
    """
    judged = sorted(
        judged,
        key=lambda o: (o.feature, o.label, SCORERS.index(o.scorer), OF.index(o.of), o.judge.model),
    )
    by_key = {_judge_key(judge): judge for judge in (*tried, *(one.judge for one in judged))}
    judges = list(by_key)
    methods = list(dict.fromkeys(one.method for one in judged))
    info = JudgedInfo(
        dictionary_hash=dictionary_hash, features=features, judges=[by_key[k] for k in judges],
        methods=methods,
    )  # fmt: skip
    rows = np.array(
        [
            (one.feature, SCORERS.index(one.scorer), OF.index(one.of),
             judges.index(_judge_key(one.judge)), methods.index(one.method),
             one.judgement.asked, one.judgement.answered,
             *(_stored(getattr(one.judgement, name)) for name in _FIGURES))
            for one in judged
        ],
        ROW_DTYPE,
    )  # fmt: skip
    parts = np.array(
        [
            (p.interval, KINDS.index(p.kind), p.value, p.low, p.high, p.items)
            for one in judged
            for p in one.judgement.parts
        ],
        PART_DTYPE,
    )
    texts = [one.label.encode("utf-8", "replace") for one in judged]
    path = judged_path(index)
    with explained(path), replacing(path) as part, new_file(part) as file:
        write_header(file, KIND, SCHEMA_VERSION, {"info": msgspec.json.encode(info).decode()})
        file.create_dataset("rows", data=rows)
        file.create_dataset("part_offsets", data=_offsets(len(o.judgement.parts) for o in judged))
        file.create_dataset("parts", data=parts)
        file.create_dataset("label_offsets", data=_offsets(map(len, texts)))
        file.create_dataset("labels", data=np.frombuffer(b"".join(texts), np.uint8))


def _stored(value: float | None) -> float:
    return float("nan") if value is None else value


def _read_figure(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)


def _judge_key(judge: Judge) -> bytes:
    return msgspec.json.encode(judge)


def _offsets(lengths: Any) -> Array:
    return np.concatenate([[0], np.cumsum(list(lengths), dtype=np.int64)]).astype(np.int64)


def merged(before: Sequence[JudgedLabel], now: Sequence[JudgedLabel]) -> list[JudgedLabel]:
    """Return both, without what was judged again by the same model since."""
    found = {
        (one.feature, one.label, one.scorer, one.of, one.judge.model): one
        for one in (*before, *now)
    }
    return list(found.values())


class ScorePoints(NamedTuple):
    """Scores of features by one scorer, chance-corrected: 0 chance, 1 perfect. (n,) each."""

    features: Array
    score: Array
    low: Array
    high: Array


class IntervalCurve(NamedTuple):
    """A figure over the intervals of activation, 1 the weakest: mean over features. (I,) each.

    Of the rubric it is a rating, 0–3, else the scorer's own figure, not corrected for chance.
    """

    interval: Array
    value: Array
    low: Array
    high: Array
    """Of a bootstrap over features."""
    features: Array
    """How many features the mean is of."""


class JudgedLabels:
    """The judgements of an index."""

    def __init__(self, info: JudgedInfo, arrays: dict[str, Array]) -> None:
        """Take over what the file holds; `read_judged` opens it."""
        self._info = info
        self._rows = arrays["rows"]
        self._part_offsets, self._parts = arrays["part_offsets"], arrays["parts"]
        self._label_offsets, self._labels = arrays["label_offsets"], arrays["labels"]

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def judges(self) -> list[Judge]:
        """All that were tried, also those that judged nothing since they were at chance."""
        return self._info.judges

    @cached_property
    def features(self) -> Array:
        """Features with a judgement, ascending."""
        return np.unique(self._rows["feature"])

    @cached_property
    def scorers(self) -> list[Scorer]:
        """Scorers with a judgement, in the order of SCORERS."""
        return [SCORERS[i] for i in np.unique(self._rows["scorer"])]

    def of(self, feature: int) -> list[JudgedLabel]:
        """Return a feature's judgements and their baselines."""
        first, last = np.searchsorted(self._rows["feature"], [feature, feature + 1])
        return [self._read(place) for place in range(int(first), int(last))]

    def all(self) -> Iterator[JudgedLabel]:
        """Yield every judgement."""
        yield from (self._read(place) for place in range(len(self)))

    def _read(self, place: int) -> JudgedLabel:
        row = self._rows[place]
        parts = self._parts[self._part_offsets[place] : self._part_offsets[place + 1]]
        text = self._labels[self._label_offsets[place] : self._label_offsets[place + 1]]
        return JudgedLabel(
            feature=int(row["feature"]),
            label=text.tobytes().decode("utf-8", "replace"),
            method=self._info.methods[row["method"]],
            scorer=SCORERS[row["scorer"]],
            of=OF[row["of"]],
            judge=self._info.judges[row["judge"]],
            judgement=Judgement(
                asked=int(row["asked"]),
                answered=int(row["answered"]),
                parts=tuple(
                    Part(
                        interval=int(p["interval"]), kind=KINDS[p["kind"]], value=float(p["value"]),
                        low=float(p["low"]), high=float(p["high"]), items=int(p["items"]),
                    )
                    for p in parts
                ),
                chance=float(row["chance"]),
                **{name: _read_figure(row[name]) for name in _FIGURES if name != "chance"},
            ),
        )  # fmt: skip

    # ------------------------------------------------------------------ for plots
    def points(self, scorer: Scorer, of: Of = "label") -> ScorePoints:
        """Return a score for each feature that has one; of several labels, the best."""
        rows = self._rows[self._chosen(scorer, of)]
        rows = rows[np.lexsort((-rows["value"], rows["feature"]))]
        rows = rows[np.unique(rows["feature"], return_index=True)[1]]
        span = 1 - rows["chance"]
        score, low, high = ((rows[k] - rows["chance"]) / span for k in ("value", "low", "high"))
        return ScorePoints(rows["feature"].astype(np.int64), score, low, high)

    def curve(self, scorer: Scorer, of: Of = "label") -> IntervalCurve:
        """Return the figure in each interval of activation; empty: none was measured."""
        chosen = np.flatnonzero(self._chosen(scorer, of))
        spans = [np.arange(*self._part_offsets[[n, n + 1]]) for n in chosen]
        places = np.concatenate([np.empty(0, np.int64), *spans]).astype(np.int64)
        parts = self._parts[places]
        parts = parts[(parts["interval"] > 0) & np.isfinite(parts["value"])]
        intervals = np.unique(parts["interval"]).astype(np.int64)
        found = [mean_interval(parts["value"][parts["interval"] == i]) for i in intervals]
        value, low, high = np.array(found, float).reshape(-1, 3).T
        counts = np.bincount(parts["interval"], minlength=1)[intervals]
        return IntervalCurve(intervals, value, low, high, counts)

    def mean(self, scorer: Scorer, of: Of = "label") -> tuple[float, float, float]:
        """Return the mean score over features, chance-corrected, with its interval of 95%."""
        return mean_interval(self.points(scorer, of).score)

    def passing(self, scorer: Scorer) -> tuple[int, int]:
        """Return how many features have a label whose whole interval is above chance, and of how
        many with a score."""
        points = self.points(scorer)
        return int((points.low > 0).sum()), len(points.features)

    def latest(self, scorer: Scorer) -> Judge | None:
        """Return the judge that was tried last in a way of judging."""
        tried = [judge for judge in self.judges if judge.test(scorer) is not None]
        return max(tried, key=lambda judge: judge.made, default=None)

    def _chosen(self, scorer: Scorer, of: Of) -> Array:
        rows = self._rows
        of_scorer = (rows["scorer"] == SCORERS.index(scorer)) & (rows["of"] == OF.index(of))
        return np.asarray(of_scorer & np.isfinite(rows["value"]))


def mean_interval(values: Array, seed: int = 0) -> tuple[float, float, float]:
    """Return the mean of values and its interval of 95%, by bootstrap; NaN: there are none."""
    if not len(values):
        return float("nan"), float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    means = np.asarray(values, float)[rng.integers(0, len(values), (RESAMPLES, len(values)))]
    low, high = np.quantile(means.mean(1), [0.025, 0.975])
    return float(np.mean(values)), float(low), float(high)


def read_judged(index: Path, features: int, digest: str) -> JudgedLabels | None:
    """Return what was judged of an index of this dictionary; None: nothing, or of another.

    A damaged file counts as none: its labels can be judged again.
    """
    return open_judged(judged_path(index), features, digest)


def open_judged(path: Path, features: int, digest: str) -> JudgedLabels | None:
    """Return the same of a file, wherever it is."""
    if not path.is_file():
        return None
    try:
        with open_checked(path, KIND, SCHEMA_VERSION) as file:
            info = read_struct(file, "info", JudgedInfo)
            mapped = MappedFile(path, extents(path, file, ARRAYS))
        # Copies: the file may be written anew while its index is open.
        arrays = {name: np.array(array) for name, array in mapped.arrays.items()}
        _check(info, arrays)
    except (UserError, OSError, ValueError, KeyError):
        return None
    if info.dictionary_hash != digest or info.features != features:
        return None
    return JudgedLabels(info, arrays)


def _check(info: JudgedInfo, arrays: dict[str, Array]) -> None:
    """Raise ValueError unless every number of the file leads to something."""
    rows, parts = arrays["rows"], arrays["parts"]
    bounds = (
        (rows["feature"], info.features), (rows["scorer"], len(SCORERS)), (rows["of"], len(OF)),
        (rows["judge"], len(info.judges)), (rows["method"], len(info.methods)),
        (parts["kind"], len(KINDS)),
    )  # fmt: skip
    if any(len(v) and (v.min() < 0 or v.max() >= most) for v, most in bounds):
        raise ValueError("a number leads to nothing")
    for name, whole in (("part_offsets", len(parts)), ("label_offsets", len(arrays["labels"]))):
        offsets = arrays[name]
        if offsets[0] != 0 or offsets[-1] != whole or (np.diff(offsets.astype(np.int64)) < 0).any():
            raise ValueError(f"{name} are out of order")
    if (np.diff(rows["feature"]) < 0).any() or (rows["chance"] >= 1).any():
        raise ValueError("rows are out of order")
