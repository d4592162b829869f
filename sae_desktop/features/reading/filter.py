"""Which features a list shows and in which order. Free of torch and Qt.

F features; the answers are arrays of feature numbers, so that a million rows cost a few
milliseconds and no object each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.reading.categories import category_names
from sae_desktop.features.reading.columns import (
    COLUMNS,
    MODALITIES,
    ColumnInfo,
    Modality,
    column_info,
)
from sae_desktop.features.reading.name_search import name_answer_is_known, names_with_text
from sae_desktop.features.reading.same_concept import CONCEPT_COLUMN, KIND_COLUMNS
from sae_desktop.features.reading.search import (
    context_answer_is_known,
    features_firing_on,
    features_raising,
    features_with_context,
)
from sae_desktop.features.reading.shown_names import automatically_named
from sae_desktop.language_names import language_name
from sae_desktop.project_labels import IMPORTED, MODEL, PERSON, STATISTICS

if TYPE_CHECKING:  # it brings h5py, which the window does without until an index is opened
    from sae_desktop.features.reading.reader import FeatureIndex

Array = npt.NDArray[Any]
NameKind = Literal["", "mine", "model", "imported", "automatic"]
NAME_KINDS: tuple[NameKind, ...] = ("mine", "model", "imported", "automatic")


class Range(msgspec.Struct, frozen=True):
    """Bounds of a column, both inclusive; None: no bound."""

    column: str
    least: float | None = None
    most: float | None = None


class FeatureFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The conditions a feature meets to be listed, all of them; the default lists all."""

    text: str = ""
    """Words of the label, the note or the automatic name, or the beginning of the number."""
    context: str = ""
    """Text near the chosen token of one of its contexts."""
    token: str = ""
    """A token among those on which it fires most often."""
    raises: str = ""
    """A token among those it raises most."""
    ranges: tuple[Range, ...] = ()
    languages: tuple[str, ...] = ()
    """The language of most of its firings is one of these."""
    sources: tuple[str, ...] = ()
    modalities: tuple[Modality, ...] = ()
    """It fires mostly on pictures, mostly on text or on both: one of these."""
    concepts: tuple[str, ...] = ()
    """The concept it tells best from others is one of these."""
    clusters: tuple[int, ...] = ()
    alive_only: bool = False
    dead_only: bool = False
    starred_only: bool = False
    labelled_only: bool = False
    named: NameKind = ""
    """Whose name is shown: a person's, a model's, imported, or an automatic one where there is no
    label; empty: anybody's."""
    member_of: str = ""
    """Name of a list it is on."""

    @property
    def lists_all(self) -> bool:
        return self == FeatureFilter()

    def range_of(self, column: str) -> Range:
        """Return the bounds of a column."""
        return next((r for r in self.ranges if r.column == column), Range(column))

    def with_range(self, bounds: Range) -> FeatureFilter:
        """Return this filter with other bounds for one column."""
        others = tuple(r for r in self.ranges if r.column != bounds.column)
        bounded = bounds.least is not None or bounds.most is not None
        return msgspec.structs.replace(self, ranges=(*others, bounds) if bounded else others)


_METHODS = {"mine": (PERSON, STATISTICS), "model": (MODEL,), "imported": (IMPORTED,)}
"""A name by statistics is among the labels once a person has agreed to it: it is theirs."""


class Marks(Protocol):
    """What a person wrote about the features of a dictionary."""

    def starred_features(self) -> Array:
        """Return the features with a star."""

    def labelled_features(self) -> Array:
        """Return the features with a label, in the order of their labels."""

    def labelled_by(self, method: str) -> Array:
        """Return the features whose shown label was made by a method of `project_labels`."""

    def named_features(self, index: FeatureIndex) -> Array:
        """Return the features with a label or an automatic name, in the order of these names."""

    def scored_features(self) -> tuple[Array, Array]:
        """Return (features, scores) of those whose label was scored."""

    def found_features(self, text: str) -> Array:
        """Return the features whose label or note has words beginning with those of `text`."""

    def found_names(self, index: FeatureIndex, text: str) -> Array:
        """Return the features that show an automatic name with words beginning so."""

    def list_members(self, name: str) -> Array | None:
        """Return the features of a list in its order; None when there is no such list."""


def matching(
    conditions: FeatureFilter, index: FeatureIndex, marks: Marks, among: Array | None = None
) -> Array:
    """Return the numbers of the features that meet the conditions, ascending.

    `among` gives the only features that come into question. Raises UserError for a condition
    on what this index does not have.
    """
    count = index.features
    kept = np.ones(count, dtype=bool) if among is None else _members(among, count)
    for bounds in conditions.ranges:
        kept &= _in_range(_column(index, bounds.column), bounds)
    density = index.columns["density"]
    if conditions.alive_only:
        kept &= density > 0.0
    if conditions.dead_only:
        kept &= density <= 0.0
    if conditions.languages:
        codes = index.info.languages
        told = {language_name(code).casefold(): code for code in codes}  # as they are shown
        wanted = tuple(told.get(name.casefold(), name) for name in conditions.languages)
        kept &= _of_categories(index, "language", codes, wanted)
    if conditions.sources:
        kept &= _of_categories(index, "source", index.info.sources, conditions.sources)
    if conditions.modalities:
        kept &= _of_categories(index, "modality", list(MODALITIES), conditions.modalities)
    if conditions.concepts:
        names = category_names(index, CONCEPT_COLUMN) or []
        kept &= _of_categories(index, CONCEPT_COLUMN, names, conditions.concepts)
    if conditions.clusters:
        kept &= np.isin(_column(index, "cluster"), conditions.clusters)
    if conditions.starred_only:
        kept &= _members(marks.starred_features(), count)
    if conditions.labelled_only:
        kept &= _members(marks.labelled_features(), count)
    if conditions.named:
        kept &= _named_by(conditions.named, index, marks)
    if conditions.member_of:
        kept &= _members(_list_members(marks, conditions.member_of), count)
    text = conditions.text.strip().removeprefix("#")
    if text:
        named = _members(marks.found_names(index, text), count)
        kept &= named | _members(marks.found_features(text), count) | _number_begins(text, count)
    if conditions.token.strip():
        kept &= _members(features_firing_on(index, conditions.token), count)
    if conditions.raises.strip():
        kept &= _members(features_raising(index, conditions.raises), count)
    if conditions.context.strip() and kept.any():
        kept &= _members(features_with_context(index, conditions.context), count)
    return np.flatnonzero(kept)


def read_first(index: FeatureIndex, conditions: FeatureFilter) -> Callable[[], object] | None:
    """Return what takes long to read for these conditions; None: they are answered at once."""
    context, text = conditions.context, conditions.text.strip().removeprefix("#")
    if context.strip() and not context_answer_is_known(index, context):
        return lambda: features_with_context(index, context)
    if text and not name_answer_is_known(index, text):
        return lambda: names_with_text(index, text)
    return None


def _named_by(kind: NameKind, index: FeatureIndex, marks: Marks) -> Array:
    """Return the mask of the features whose name is shown by somebody."""
    count = index.features
    if kind == "automatic":
        return automatically_named(index) & ~_members(marks.labelled_features(), count)
    named = np.zeros(count, dtype=bool)
    for method in _METHODS[kind]:
        named |= _members(marks.labelled_by(method), count)
    return named


def _column(index: FeatureIndex, name: str) -> Array:
    values = index.columns.get(name)
    if values is None:
        raise UserError(
            f"The index “{index.path.stem}” has no column “{name}”.", next_step=_way_to(index, name)
        )
    return values


def _way_to(index: FeatureIndex, column: str) -> str:
    if column in KIND_COLUMNS:
        return "Measure it first, by “Kinds of instance” or `sae-desktop concept-kinds`."
    if any(one.name == column for one in COLUMNS):
        return "Build the index again to measure it."
    return f"Its columns are {', '.join(index.columns)}."


def _in_range(values: Array, bounds: Range) -> Array:
    kept = np.ones(len(values), dtype=bool)
    # A float64, or the bound would be rounded to the column's precision.
    if bounds.least is not None:
        kept &= values >= np.float64(bounds.least)
    if bounds.most is not None:
        kept &= values <= np.float64(bounds.most)
    return kept


def _of_categories(
    index: FeatureIndex, column: str, names: list[str], wanted: tuple[str, ...]
) -> Array:
    values = _column(index, column)
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        raise UserError(
            f"No feature of the index “{index.path.stem}” has the {column} “{unknown[0]}”.",
            next_step=f"Available: {', '.join(names) or 'none'}.",
        )
    return np.isin(values, [names.index(name) for name in wanted])


def _list_members(marks: Marks, name: str) -> Array:
    members = marks.list_members(name)
    if members is None:
        raise UserError(f"This dictionary has no list “{name}”.", next_step="Choose another list.")
    return members


def _members(features: Array, count: int) -> Array:
    mask = np.zeros(count, dtype=bool)
    mask[features[(features >= 0) & (features < count)]] = True
    return mask


def _number_begins(text: str, count: int) -> Array:
    """Mark the numbers below `count` whose decimal digits begin with `text`."""
    mask = np.zeros(count, dtype=bool)
    if not (text.isascii() and text.isdigit()) or (text.startswith("0") and text != "0"):
        return mask
    first, last = int(text), int(text) + 1
    if first == 0:
        mask[:1] = True
        return mask
    while first < count:
        mask[first:last] = True
        first, last = first * 10, last * 10
    return mask


# ---------------------------------------------------------------------- order

NUMBER, STARRED, LABEL, SCORE = "feature", "starred", "label", "score"
"""Columns a list has beside those of the index."""


def falls_first(column: str) -> bool:
    """Return whether one wants the largest on top at the first click."""
    if column in (STARRED, SCORE):
        return True
    if column in (NUMBER, LABEL):
        return False
    return column_info(column).kind not in ("category", "token")


def ordered(
    features: Array, column: str, falling: bool, index: FeatureIndex, marks: Marks
) -> Array:
    """Return `features` (ascending) sorted by a column; equal ones stay in number order.

    Features without the figure (no label, no score, NaN, no language) come last whichever way
    the others are sorted.
    """
    if column == NUMBER:
        return features[::-1] if falling else features
    keys, missing = _keys(column, index, marks)
    keys, missing = keys[features], missing[features]
    has, has_not = features[~missing], features[missing]
    return np.concatenate([has[_stable_order(keys[~missing], falling)], has_not])


def _keys(column: str, index: FeatureIndex, marks: Marks) -> tuple[Array, Array]:
    """Return (keys (F,) uint32 that rise as the column does, mask of those that have none)."""
    count = index.features
    if column == STARRED:
        return _members(marks.starred_features(), count).astype(np.uint32), _nothing(count)
    if column == LABEL:
        by_label = marks.named_features(index)
        by_label = by_label[by_label < count]
        ranks = np.zeros(count, dtype=np.uint32)
        ranks[by_label] = np.arange(len(by_label), dtype=np.uint32)
        return ranks, ~_members(by_label, count)
    if column == SCORE:
        scored, scores = marks.scored_features()
        values = np.full(count, np.nan, dtype=np.float32)
        values[scored[scored < count]] = scores[scored < count]
        return _rising_bits(values), np.isnan(values)
    values, info = _column(index, column), column_info(column)
    if info.kind in ("category", "token"):
        ranks = _name_ranks(index, info)
        missing = values < 0
        return ranks[np.where(missing, 0, values)], missing
    if values.dtype.kind == "f":
        values = values.astype(np.float32, copy=False)
        return _rising_bits(values), np.isnan(values)
    return values.astype(np.int64).clip(0, np.iinfo(np.uint32).max).astype(np.uint32), _nothing(
        count
    )


def _nothing(count: int) -> Array:
    return np.zeros(count, dtype=bool)


def _name_ranks(index: FeatureIndex, info: ColumnInfo) -> Array:
    """Return the place (n,) of each category or token in the order of the names."""
    if info.kind == "token":
        names = [index.token(i).strip().casefold() for i in range(index.vocabulary_size)]
    elif info.name == "language":
        names = [language_name(code) for code in index.info.languages]
    elif (found := category_names(index, info.name)) is not None:
        names = found
    else:
        largest = int(_column(index, info.name).max(initial=0))
        return np.arange(largest + 1, dtype=np.uint32)
    ranks = np.zeros(max(len(names), 1), dtype=np.uint32)
    ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return ranks


def _rising_bits(values: Array) -> Array:
    """Return uint32 keys that rise as the float32 values do."""
    bits = (values + np.float32(0.0)).view(np.uint32)  # −0 becomes 0
    negative = bits >> np.uint32(31) == 1
    return np.where(negative, ~bits, bits | np.uint32(1 << 31))


def _stable_order(keys: Array, falling: bool) -> Array:
    """Return the order of (n,) uint32 keys, equal ones as they stand.

    With the place below the key in one 64-bit number, a plain sort is stable and takes a tenth
    of a stable argsort's time.
    """
    both = (~keys if falling else keys).astype(np.uint64) << np.uint64(32)
    both |= np.arange(len(keys), dtype=np.uint64)
    both.sort()
    return (both & np.uint64(0xFFFFFFFF)).astype(np.int64)
