"""Scores of labels that need no language model, beside their index: `features/<name>.scores`.

Free of torch and Qt; HDF5. F features, I intervals of activation, K = 3 kinds of silent text. A
feature that was not scored has NaN throughout, no digest and detector 0:

    columns/<name>           (F,) float16, the names of COLUMN_NAMES; only those measured
    shuffled, top_token      (F, 3) float16: detection and its interval by rival labels
    intervals, silences      (F, I, 5), (F, K, 5) uint8: value, low, high, shuffled, top token, in
                             STEPS of 1; UNKNOWN where not measured
    places                   (F, I + K) uint8: firings and silent texts behind them, 255 or more
    matching                 (F, I) float16: of the places the label's words apply to, the share
                             at which it fires in each interval
    matching_places          (F,) uint16
    detector, method         (F,) int8: places in DETECTORS and in the info's `methods`
    digest                   (F, 8) uint8: of the label's text

A file belongs to the index whose dictionary and text it names, and is passed over beside another.
A label that has changed has another digest: its score is told as old, never as its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.config import BucketScheme
from sae_desktop.features.reading.beside import scores_path
from sae_desktop.features.reading.label_score import (
    DETECTORS,
    SILENCES,
    Figure,
    LabelScore,
    Part,
    Rival,
    label_digest,
)
from sae_desktop.features.reading.layout import IndexInfo
from sae_desktop.features.reading.names_file import spans
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.faults import explained
from sae_desktop.storage.hdf5 import new_file, open_checked, write_header
from sae_desktop.storage.mapped import FLOATS, WHOLE, Accepted, MappedFile, extents, read_struct

KIND = "label_scores"
SCHEMA_VERSION = 1
STEPS, UNKNOWN = 200, 255
_ENDS = ("", "_low", "_high")
_DETECTION = ("label_score", "label_score_low", "label_score_high")
_FIGURES = {
    "specificity": "label_specificity",
    "sensitivity": "label_sensitivity",
    "log_probability": "label_log_probability",
}
"""Field of a LabelScore → its column."""
COLUMN_NAMES = (
    *_DETECTION,
    *(f"{name}{end}" for name in _FIGURES.values() for end in _ENDS),
    "label_sensitivity_others",
)
ARRAYS = {
    **{
        f"columns/{name}": Accepted(FLOATS, ("F",), needed=name in _DETECTION)
        for name in COLUMN_NAMES
    },
    "shuffled": Accepted(FLOATS, ("F", 3)),
    "top_token": Accepted(FLOATS, ("F", 3)),
    "intervals": Accepted(np.dtype("u1"), ("F", "I", 5)),
    "silences": Accepted(np.dtype("u1"), ("F", len(SILENCES), 5)),
    "places": Accepted(WHOLE, ("F", f"I+{len(SILENCES)}")),
    "matching": Accepted(FLOATS, ("F", "I")),
    "matching_places": Accepted(WHOLE, ("F",)),
    "detector": Accepted(WHOLE, ("F",)),
    "method": Accepted(WHOLE, ("F",)),
    "digest": Accepted(np.dtype("u1"), ("F", 8)),
}
"""What the reader takes."""

Array = npt.NDArray[Any]


class ScoresInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What scores were made from, and how; an attribute of the file."""

    dictionary_hash: str
    spans: list[tuple[str, int, int]]
    """The store, first row and rows of each text of the index."""
    rows: int
    features: int
    intervals: int
    scheme: BucketScheme
    seed: int = 0
    per_interval: int = 0
    """Firings of each interval that a label was held against, at most."""
    silent: int = 0
    """Silent texts of each kind, at most."""
    known_from: str = ""
    """How it is known where features are silent: kept, read or contexts."""
    rows_read: int = 0
    """Rows that the model read again when labels were last scored, for where features are silent
    and for random directions; 0: none, or an earlier release did not say."""
    encoder: str = ""
    """Identity of the sentence encoder; empty: words alone."""
    model: str = ""
    """Identity of the subject model that read new texts; empty: none did."""
    method: int = 1
    """Counts up when scores are made otherwise."""
    methods: list[str] = []
    rivals: list[Rival] = []
    """Of all labels scored together, and what the random directions were is in `random_of`."""
    random_of: str = ""
    """directions or features: what “random” stands for in `rivals`."""
    made: str = ""
    """When, ISO 8601, UTC."""

    def same_way(self, other: ScoresInfo) -> bool:
        """Tell whether scores of both can stand beside one another in one file."""
        return self._way() == other._way()

    def _way(self) -> ScoresInfo:
        return msgspec.structs.replace(
            self, methods=[], rivals=[], random_of="", rows_read=0, made=""
        )


def _known(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)


def interval_names(count: int) -> list[str]:
    """Return what intervals of activation are called, the weakest first."""
    step = 100 / max(count, 1)
    return [f"{i * step:.0f}-{(i + 1) * step:.0f}%" for i in range(count)]


class Scores:
    """The scores of an index's labels, read from their file."""

    def __init__(self, info: ScoresInfo, arrays: Mapping[str, Array]) -> None:
        self.info = info
        self._arrays = dict(arrays)
        nothing = np.full(info.features, np.nan, np.float32)
        self.columns = {
            name: np.asarray(self._arrays.get(f"columns/{name}", nothing), np.float32)
            for name in COLUMN_NAMES
        }
        self.measured = [name for name in COLUMN_NAMES if f"columns/{name}" in self._arrays]
        """The columns that have a figure."""

    def score(self, feature: int, label: str | None = None) -> LabelScore | None:
        """Return a feature's score; None where it was not scored.

        With the text of its label: None, too, where another text was scored.
        """
        a = self._arrays
        if not 0 <= feature < self.info.features or not a["detector"][feature]:
            return None
        digest = a["digest"][feature].tobytes().hex()
        if label is not None and label_digest(label) != digest:
            return None
        detection = Figure(*(float(self.columns[name][feature]) for name in _DETECTION))
        number, matching = int(a["method"][feature]), int(a["matching_places"][feature])
        methods = self.info.methods
        return LabelScore(
            feature=feature,
            method=methods[number] if 0 <= number < len(methods) else "",
            digest=digest,
            detector=DETECTORS[min(max(int(a["detector"][feature]), 0), len(DETECTORS) - 1)],
            detection=detection,
            shuffled=Figure(*map(float, a["shuffled"][feature])),
            top_token=Figure(*map(float, a["top_token"][feature])),
            intervals=self._parts("intervals", feature, interval_names(self.info.intervals), 0),
            silences=self._parts("silences", feature, SILENCES, self.info.intervals),
            matching=matching,
            matching_share=tuple(map(float, a["matching"][feature])) if matching else (),
            sensitivity_others=_known(self.columns["label_sensitivity_others"][feature]),
            **{field: self._figure(column, feature) for field, column in _FIGURES.items()},
        )

    def array(self, name: str) -> Array:
        """Return a dataset of all features (F, …) by its name at the top of this module."""
        found = self._arrays[name]
        return _from_steps(found) if name in ("intervals", "silences") else found

    def all(self) -> dict[int, LabelScore]:
        """Return feature → score of every label that was scored."""
        found = (self.score(int(f)) for f in np.flatnonzero(self._arrays["detector"]))
        return {one.feature: one for one in found if one is not None}

    def stale(self, labels: Mapping[int, str], names: Sequence[str]) -> Array:
        """Return the features whose label is another than the one that was scored, ascending.

        labels: feature → label of those that have one; of the others the name, where there are
        `names`, is the label.
        """
        scored = np.flatnonzero(self._arrays["detector"])
        found = []
        for feature, digest in zip(scored.tolist(), self._arrays["digest"][scored], strict=True):
            label = labels.get(feature) or (names[feature] if feature < len(names) else "")
            if label_digest(label) != digest.tobytes().hex():
                found.append(feature)
        return np.asarray(found, np.int64)

    def detection(self, feature: int, label: str) -> Figure | None:
        """Return how well a label tells where its feature fires; None: this text has no score."""
        if not 0 <= feature < self.info.features or not self._arrays["detector"][feature]:
            return None
        if label_digest(label) != self._arrays["digest"][feature].tobytes().hex():
            return None
        found = Figure(*(float(self.columns[name][feature]) for name in _DETECTION))
        return None if np.isnan(found.value) else found

    def is_of(self, feature: int, label: str) -> bool:
        """Tell whether it was this text that was scored."""
        return self.score(feature, label) is not None

    def _figure(self, column: str, feature: int) -> Figure | None:
        found = [float(self.columns[f"{column}{end}"][feature]) for end in _ENDS]
        return None if np.isnan(found[0]) else Figure(*found)

    def _parts(
        self, array: str, feature: int, names: Sequence[str], first: int
    ) -> tuple[Part, ...]:
        values = _from_steps(self._arrays[array][feature])
        places = self._arrays["places"][feature]
        return tuple(
            Part(
                name=name,
                figure=Figure(*map(float, values[at, :3])),
                places=int(places[first + at]),
                shuffled=float(values[at, 3]),
                top_token=float(values[at, 4]),
            )
            for at, name in enumerate(names)
            if not np.isnan(values[at, 0])
        )


def write_scores(index: Path, info: ScoresInfo, scores: Sequence[LabelScore]) -> None:
    """Write the scores of an index's labels in one step. Raises UserError when the disk is full."""
    methods = list(dict.fromkeys(one.method for one in scores))
    info = msgspec.structs.replace(info, methods=methods)
    arrays = _empty(info)
    for one in scores:
        _put(arrays, one, methods, info.intervals)
    path = scores_path(index)
    with explained(path), replacing(path) as part, new_file(part) as file:
        write_header(file, KIND, SCHEMA_VERSION, {"info": msgspec.json.encode(info).decode()})
        for name, data in arrays.items():
            optional = name in ARRAYS and not ARRAYS[name].needed
            if not (optional and np.isnan(data).all()):
                file.create_dataset(name, data=data)


def _in_steps(figures: Sequence[float]) -> Array:
    """Return figures between 0 and 1 as they are kept."""
    values = np.asarray(figures)
    steps = np.rint(np.nan_to_num(values) * STEPS).clip(0, STEPS)
    return np.where(np.isnan(values), UNKNOWN, steps).astype(np.uint8)


def _from_steps(steps: Array) -> Array:
    """Return figures as floats, of what is kept."""
    return np.where(steps > STEPS, np.nan, steps / np.float32(STEPS)).astype(np.float32)


def _empty(info: ScoresInfo) -> dict[str, Array]:
    count, intervals, kinds = info.features, info.intervals, len(SILENCES)

    def none(*shape: int) -> Array:
        return np.full((count, *shape), np.nan, np.float16)

    return {
        **{f"columns/{name}": none() for name in COLUMN_NAMES},
        "shuffled": none(3),
        "top_token": none(3),
        "intervals": np.full((count, intervals, 5), UNKNOWN, np.uint8),
        "silences": np.full((count, kinds, 5), UNKNOWN, np.uint8),
        "places": np.zeros((count, intervals + kinds), np.uint8),
        "matching": none(intervals),
        "matching_places": np.zeros(count, np.uint16),
        "detector": np.zeros(count, np.int8),
        "method": np.full(count, -1, np.int8),
        "digest": np.zeros((count, 8), np.uint8),
    }


def _put(arrays: dict[str, Array], one: LabelScore, methods: list[str], intervals: int) -> None:
    at = one.feature
    for name, value in zip(_DETECTION, msgspec.structs.astuple(one.detection), strict=True):
        arrays[f"columns/{name}"][at] = value
    for field, column in _FIGURES.items():
        figure = getattr(one, field)
        if figure is not None:
            for end, value in zip(_ENDS, msgspec.structs.astuple(figure), strict=True):
                arrays[f"columns/{column}{end}"][at] = value
    if one.sensitivity_others is not None:
        arrays["columns/label_sensitivity_others"][at] = one.sensitivity_others
    arrays["shuffled"][at] = msgspec.structs.astuple(one.shuffled)
    arrays["top_token"][at] = msgspec.structs.astuple(one.top_token)
    names, kinds = interval_names(intervals), [str(kind) for kind in SILENCES]
    for array, parts, known, first in (
        ("intervals", one.intervals, names, 0),
        ("silences", one.silences, kinds, intervals),
    ):
        for part in parts:
            place = known.index(part.name)
            figures = msgspec.structs.astuple(part.figure)
            arrays[array][at, place] = _in_steps([*figures, part.shuffled, part.top_token])
            arrays["places"][at, first + place] = min(part.places, 255)
    if one.matching_share:
        arrays["matching"][at] = one.matching_share
    arrays["matching_places"][at] = min(one.matching, np.iinfo(np.uint16).max)
    arrays["detector"][at] = DETECTORS.index(one.detector)
    arrays["method"][at] = methods.index(one.method)
    arrays["digest"][at] = np.frombuffer(bytes.fromhex(one.digest), np.uint8)


def open_scores(path: Path, info: IndexInfo) -> Scores | None:
    """Read the scores in a file, if it is there and they are of the index that `info` is of.

    A damaged file counts as none: labels can be scored again.
    """
    if not path.is_file():
        return None
    try:
        with open_checked(path, KIND, SCHEMA_VERSION) as file:
            own = read_struct(file, "info", ScoresInfo)
            sizes = {"F": info.features, "I": own.intervals}
            mapped = MappedFile(path, extents(path, file, ARRAYS, sizes))
    except (UserError, OSError, ValueError):
        return None
    of = (own.dictionary_hash, own.spans, own.rows, own.features)
    if of != (info.dictionary_hash, spans(info), info.rows, info.features):
        return None
    # Copies: the file may be written again while its index is open.
    return Scores(own, {name: np.array(array) for name, array in mapped.arrays.items()})


def read_scores(index: Path, info: IndexInfo) -> Scores | None:
    """Read the scores beside an index, as `open_scores` does."""
    return open_scores(scores_path(index), info)
