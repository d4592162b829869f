"""The file of an index, opened: its arrays, mapped, and its text. Free of torch and Qt.

What the file holds stands in `layout.py`. Files of the first schema are read too; they hold
three columns, and contexts of one fixed width.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.activations.store_pictures import StorePictures
from sae_desktop.errors import UserError
from sae_desktop.features.reading.columns import COLUMNS
from sae_desktop.features.reading.effect_file import read_effects, strength_of
from sae_desktop.features.reading.first_schema import FIRST_ARRAYS, upgraded_arrays
from sae_desktop.features.reading.kinds_file import KindScores, read_kinds
from sae_desktop.features.reading.known_strength import KnownStrength
from sae_desktop.features.reading.label_score import Figure
from sae_desktop.features.reading.layout import (
    ARRAYS,
    KIND,
    SCHEMA_VERSION,
    IndexInfo,
    stages_of,
)
from sae_desktop.features.reading.names_file import (
    COLUMN,
    NO_NAMES,
    FeatureName,
    Names,
    ShortNames,
    read_names,
)
from sae_desktop.features.reading.picture_arrays import pictures_of
from sae_desktop.features.reading.scores_file import Scores, read_scores
from sae_desktop.features.reading.seed_returns import COLUMN as SEED_RETURNS
from sae_desktop.features.reading.seed_returns import seed_returns
from sae_desktop.features.stages import StageTime
from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.project_labels import DETECTION
from sae_desktop.storage.hdf5 import open_checked
from sae_desktop.storage.mapped import MappedFile, extents, read_struct

Array = npt.NDArray[Any]

_PAGES_MAPPED = 16


def read_info(path: Path) -> IndexInfo:
    """Return what an index was made from. Raises UserError when it is missing or damaged."""
    with open_checked(path, KIND, SCHEMA_VERSION) as file:
        return _info(path, file)


def read_stages(path: Path) -> tuple[StageTime, ...]:
    """Return what took how long when an index was made; nothing of an earlier version's.

    Raises UserError when it is missing or damaged.
    """
    with open_checked(path, KIND, SCHEMA_VERSION) as file:
        return stages_of(file)


def _info(path: Path, file: h5py.File) -> IndexInfo:
    try:
        return read_struct(file, "info", IndexInfo)
    except ValueError as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(
        f"The index “{path.name}” is damaged: {error}.",
        next_step="Restore it from a copy, or build it again under another name.",
    )


class IndexFile:
    """An index of F features over R rows of text, its arrays mapped from the file."""

    def __init__(self, path: Path) -> None:
        """Open an index. Raises UserError when it is missing, damaged or too new."""
        self.path = path
        self._token_texts: dict[int, str] = {}
        self._pages_read = 0
        with open_checked(path, KIND, SCHEMA_VERSION) as file:
            self.info = _info(path, file)
            first = file.attrs["schema_version"] == 1
            sizes = {"F": self.features, "B": self.info.buckets}
            sizes |= {"G": len(self.info.languages), "S": len(self.info.sources)}
            if self.info.inputs:
                sizes |= {"I": len(self.info.inputs), "O": len(self.info.outputs)}
            try:
                found = extents(path, file, FIRST_ARRAYS if first else ARRAYS, sizes)
                self._file = MappedFile(path, found)
                arrays = dict(self._file.arrays)
                if first:
                    arrays = upgraded_arrays(arrays)
                self._check(arrays)
            except (KeyError, ValueError, IndexError) as error:
                raise _damaged(path, error) from error
        self._mapped = arrays
        self._columns = {
            column.name: arrays[f"columns/{column.name}"]
            for column in COLUMNS
            if f"columns/{column.name}" in arrays
        }
        self._effects: dict[str, Array] = {}
        self.read_output_effects()
        self._names: Names | None = None
        self.read_names()
        self._scores: Scores | None = None
        self.read_scores()
        self._kinds: KindScores | None = None
        self.read_kinds()
        self.read_seed_returns()

    @property
    def arrays(self) -> dict[str, Array]:
        """Every dataset by its path in `layout.py`. Raises UserError for a cut file."""
        self._file.check_whole()
        return self._mapped

    @property
    def columns(self) -> dict[str, Array]:
        """The figures (F,) that were measured, by name. Raises UserError for a cut file."""
        self._file.check_whole()
        return self._columns

    def _check(self, arrays: dict[str, Array]) -> None:
        """Raise ValueError or KeyError unless what every page needs is there."""
        if len(arrays["passages"]) == 0 or len(arrays["tokens"]) < self.info.rows:
            raise ValueError("the text is cut short")

    def read_output_effects(self) -> None:
        """Take over what a job has written of the features' effects on the output."""
        effects = read_effects(self.path, self.features, self.info.dictionary_hash)
        if effects is not None:
            self._effects = effects
            named = {column.name for column in COLUMNS}
            self.columns.update({name: effects[name] for name in named & effects.keys()})

    def strength(self, feature: int) -> KnownStrength | None:
        """Return at which strengths steering with a feature works; None: not measured."""
        return strength_of(self._effects, feature)

    def read_names(self) -> None:
        """Take over the names that a job has made of the features."""
        self._names = read_names(self.path, self.info)
        if self._names is not None:
            self.columns[COLUMN] = self._names.figures[COLUMN]

    @property
    def names(self) -> Names | None:
        """What the features are called by statistics; None where they were not named."""
        return self._names

    def read_scores(self) -> None:
        """Take over the scores that a job has given the features' labels."""
        self._scores = read_scores(self.path, self.info)
        if self._scores is not None:
            named = {column.name for column in COLUMNS}
            found = self._scores.columns
            measured = named.intersection(self._scores.measured)
            self.columns.update({name: found[name].copy() for name in measured})

    def read_kinds(self) -> None:
        """Take over which features a job has found to be one concept in words and pictures."""
        for name in () if self._kinds is None else self._kinds.columns:
            self.columns.pop(name)
        self._kinds = read_kinds(self.path, self.features, self.info.dictionary_hash)
        if self._kinds is not None:
            self.columns.update(self._kinds.columns)

    @property
    def kinds(self) -> KindScores | None:
        """Which features are one concept in words and pictures; None where it was not measured."""
        return self._kinds

    def read_seed_returns(self) -> None:
        """Take over in which other seeds a benchmark has found the features again."""
        found = seed_returns(self.path, self.info.dictionary_hash, self.features)
        if found is not None:
            self.columns[SEED_RETURNS] = found

    def hide_scores(self, features: Array) -> bool:
        """Leave the scores of some features out of the columns, as of labels that have changed.

        Returns whether that changes what the columns show.
        """
        if self._scores is None:
            return False
        changed = False
        for name in {column.name for column in COLUMNS}.intersection(self._scores.measured):
            shown = self._scores.columns[name].copy()
            shown[features] = np.nan
            changed |= not np.array_equal(shown, self.columns[name], equal_nan=True)
            self.columns[name] = shown
        return changed

    @property
    def scores(self) -> Scores | None:
        """How far to believe the features' labels; None where none was scored."""
        return self._scores

    def name(self, feature: int) -> FeatureName | None:
        """Return what a feature is called by statistics; None: it has no name.

        Its score is the one that was found of the name as a label, where there is one.
        """
        if self._names is None or not 0 <= feature < self.features:
            return None
        name = self._names.name(feature, self.arrays["contexts/row"][feature])
        found = None if name is None else self.label_score(feature, name.short)
        if name is None or found is None:
            return name
        return msgspec.structs.replace(
            name, score=found.value, score_low=found.low, score_high=found.high, measure=DETECTION
        )

    def label_score(self, feature: int, label: str) -> Figure | None:
        """Return the score of a feature's label; None: this very text was not scored."""
        return None if self._scores is None else self._scores.detection(feature, label)

    def short_names(self) -> ShortNames:
        """Return the short names of all features, none where they were not named."""
        return NO_NAMES if self._names is None else self._names.short

    def array(self, name: str) -> Array | None:
        """Return a dataset of the file by its path in `layout.py`; None when it is not there."""
        return self.arrays.get(name)

    @property
    def features(self) -> int:
        """F."""
        return self.info.features

    def check_feature(self, feature: int) -> int:
        """Return `feature` if it exists. Raises UserError otherwise."""
        if not 0 <= feature < self.features:
            raise UserError(
                f"There is no feature {feature} in the index “{self.path.stem}”.",
                next_step=f"Features are numbered 0 to {self.features - 1}.",
            )
        return feature

    # ------------------------------------------------------------------ text
    @property
    def tokens(self) -> Array:
        """(R,) int32, the token of every row."""
        return self.arrays["tokens"]

    @property
    def passages(self) -> Array:
        """(P,) of PASSAGE_DTYPE, ascending."""
        return self.arrays["passages"]

    @property
    def documents(self) -> Array:
        """(D,) of DOCUMENT_DTYPE."""
        return self.arrays["documents"]

    @cached_property
    def pictures(self) -> StorePictures | None:
        """The pictures among its text, read as a store's; None where all rows are of words."""
        return pictures_of(self.path, self._mapped)

    @cached_property
    def picture_rows(self) -> int:
        """Rows that are tokens of pictures."""
        found = self.array("picture")
        return 0 if found is None else int(np.count_nonzero(found >= 0))

    def token(self, token_id: int) -> str:
        """Return a token of the vocabulary as text."""
        text = self._token_texts.get(token_id)
        if text is None:
            text = self._token_texts[token_id] = self._read_token(token_id)
        return text

    def token_bytes(self, token_id: int) -> bytes | None:
        """Return a token's bytes; None for a number that is not of the vocabulary."""
        offsets = self.arrays["vocabulary/offsets"]
        if not 0 <= token_id < len(offsets) - 1:
            return None
        return self.arrays["vocabulary/bytes"][offsets[token_id] : offsets[token_id + 1]].tobytes()

    def _read_token(self, token_id: int) -> str:
        data = self.token_bytes(token_id)
        return f"⟨{token_id}⟩" if data is None else token_text(data)

    @property
    def vocabulary_size(self) -> int:
        """V; 0 for an index of imported activations."""
        return max(len(self.arrays["vocabulary/offsets"]) - 1, 0)

    def passage_at(self, row: int) -> int:
        """Return which passage a row of the text is in."""
        return int(np.searchsorted(self.passages["first_row"], row, side="right")) - 1

    def kept_around(self, rows: Array) -> Array:
        """Return (k, 2) first rows, and those past the last, of what is kept around the chosen
        rows (k,) of contexts: which of these rows a feature fires on."""
        rows, reach = rows.astype(np.int64), self.info.context_reach
        passage = self.passages[np.searchsorted(self.passages["first_row"], rows, side="right") - 1]
        first = np.maximum(passage["first_row"], rows - reach)
        last = np.minimum(passage["first_row"] + passage["length"], rows + reach + 1)
        if self.pictures is not None:
            number, table = self.arrays["picture"][rows], self.arrays["pictures"]
            own = table[np.maximum(number, 0)]
            first = np.where(number >= 0, own["first_row"], first)
            last = np.where(number >= 0, own["first_row"] + own["rows"], last)
        return np.stack([first, last], axis=1)

    def read_ahead(self, feature: int, around: int) -> None:
        """Have the system read what a page tells of a feature, with `around` tokens on either
        side of its contexts: all at once where the file is not in memory, not piece after piece.
        """
        for name in self._by_feature:
            self._file.will_need(name, feature, feature + 1)
        a, slots = self.arrays, self.arrays["contexts/row"].shape[1]
        self._file.will_need("contexts/offsets", feature * slots, (feature + 1) * slots + 1)
        rows = np.unique(a["contexts/row"][feature])
        rows = rows[rows >= 0]
        ends = a["contexts/offsets"][[feature * slots, (feature + 1) * slots]].tolist()
        for name in ("contexts/positions", "contexts/values"):
            self._file.will_need(name, *ends)
        for row in rows.tolist():
            self._file.will_need("tokens", row - around, row + around)
        passages = np.searchsorted(self.passages["first_row"], rows, side="right") - 1
        for document in np.unique(self.passages["document"][passages]).tolist():
            self._file.will_need("documents", document, document + 1)

    @cached_property
    def _by_feature(self) -> list[str]:
        """The datasets of the file that a page reads, an entry of a few bytes a feature."""
        return [
            name
            for name, array in self._file.arrays.items()
            if array.ndim and len(array) == self.features
        ]

    def release_maps(self) -> None:
        """Now and then let go of what was mapped of features looked at before.

        A kernel may map two megabytes around each byte that is read: a walk through a million
        features would seem to fill the memory, although all of it can be read again.
        """
        self._pages_read += 1
        if self._pages_read % _PAGES_MAPPED == 0:
            self._file.release(
                name for name in self._file.arrays if not name.startswith("columns/")
            )


def decoded(value: bytes) -> str:
    """Return text as the file holds it."""
    return value.decode("utf-8", "replace")
