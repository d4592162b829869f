"""Which features a job is to name or to judge, and in which order. Free of torch and Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.described import said
from sae_desktop.errors import UserError
from sae_desktop.features.reading.filter import FeatureFilter, matching, ordered
from sae_desktop.features.reading.noted import NotedMarks, hide_stale_scores
from sae_desktop.limits import CountOrNone
from sae_desktop.project_lists import SavedFilters
from sae_desktop.project_notes import Notes

if TYPE_CHECKING:  # it brings h5py, which the window does without until an index is opened
    from sae_desktop.features.reading.reader import FeatureIndex

Array = npt.NDArray[Any]
FEATURES = "Features"
NAME_SCORE = "name_score"
"""The column with the scores of automatic names; an index without them has none."""
Labelled = Literal["any", "without", "with"]
Order = Literal["densest", "rarest", "surest", "number"]


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Features of an index: those named one by one, or of a list, or of a filter, or all; less
    those that the other fields leave out."""

    features: Annotated[
        tuple[int, ...],
        said("Features", "Numbers of features, in the order in which they are taken.", FEATURES),
    ] = ()
    list: Annotated[
        str, said("List", "The features of this list, in its order; empty: no list.", FEATURES)
    ] = ""
    filter: Annotated[
        str,
        said("Filter", "The features that a saved filter shows; empty: no filter.", FEATURES),
    ] = ""
    alive: Annotated[bool, said("Alive only", "Leave out features that never fired.", FEATURES)] = (
        True
    )
    labelled: Annotated[
        Labelled,
        said(
            "Labels",
            "Features with a label, without one, or any. An automatic name by statistics does not "
            "count as a label until a person agrees to it.",
            FEATURES,
        ),
    ] = "any"
    order: Annotated[
        Order,
        said(
            "Order",
            "Which features are taken first where a limit, a cap or a person ends the job early. "
            "surest: those of the best-scored automatic names. A list and numbers keep their own "
            "order.",
            FEATURES,
        ),
    ] = "densest"
    limit: Annotated[
        CountOrNone, said("Limit", "How many features at most; 0: all of them.", FEATURES)
    ] = 0


def select(index: FeatureIndex, notes: Notes | None, selection: Selection) -> Array:
    """Return the numbers of the features selected, in the order in which they are to be taken.

    `notes`: None where the project has none. Raises UserError for a list, filter or feature that
    does not exist, and where nothing is left.
    """
    marks = NotedMarks(notes, index.info.dictionary)
    chosen, own_order = _named(index, marks, selection)
    conditions = _conditions(notes, selection.filter)
    if selection.filter:
        hide_stale_scores(index, notes)
    if selection.alive:
        conditions = msgspec.structs.replace(conditions, alive_only=True)
    kept = matching(conditions, index, marks, among=chosen)
    if selection.labelled != "any":
        has_label = np.isin(kept, marks.labelled_features())
        kept = kept[has_label if selection.labelled == "with" else ~has_label]
    if own_order and chosen is not None:
        kept = chosen[np.isin(chosen, kept)]
    elif selection.order == "surest" and NAME_SCORE in index.columns:
        kept = ordered(kept, NAME_SCORE, True, index, marks)
    elif selection.order != "number":
        kept = ordered(kept, "density", selection.order != "rarest", index, marks)
    kept = kept[: selection.limit or None]
    if not len(kept):
        raise UserError(
            f"None of the features of the index “{index.path.stem}” is selected: "
            f"{selected_words(selection)}.",
            kept="Nothing was changed.",
            next_step="Select other features.",
        )
    return kept.astype(np.int64)


def _named(
    index: FeatureIndex, marks: NotedMarks, selection: Selection
) -> tuple[Array | None, bool]:
    """Return (the only features in question, or None for all, whether they have an order)."""
    if selection.features and selection.list:
        raise UserError(
            "Features are given one by one and as a list.", next_step="Give one of the two."
        )
    if selection.list:
        members = marks.list_members(selection.list)
        if members is None:
            raise UserError(
                f"The dictionary “{index.info.dictionary}” has no list “{selection.list}”.",
                next_step="Choose another list.",
            )
        return _once(members[(members >= 0) & (members < index.features)]), True
    if not selection.features:
        return None, False
    wrong = next((f for f in selection.features if not 0 <= f < index.features), None)
    if wrong is not None:
        raise UserError(
            f"The index “{index.path.stem}” has no feature {wrong}.",
            next_step=f"Its features are 0 to {index.features - 1:,}.",
        )
    return _once(np.asarray(selection.features, dtype=np.int64)), True


def _once(features: Array) -> Array:
    """Return features in their order, each once."""
    _, first = np.unique(features, return_index=True)
    return features[np.sort(first)]


def _conditions(notes: Notes | None, name: str) -> FeatureFilter:
    if not name:
        return FeatureFilter()
    kept = {} if notes is None else SavedFilters(notes).all()
    if name not in kept:
        there = ", ".join(kept) or "none yet"
        raise UserError(f"The project has no filter “{name}”.", next_step=f"Available: {there}.")
    try:
        return msgspec.json.decode(kept[name], type=FeatureFilter)
    except msgspec.DecodeError as error:
        raise UserError(
            f"The filter “{name}” cannot be read: {error}.",
            next_step="Delete it and save it again.",
        ) from error


def selected_words(selection: Selection) -> str:
    """Return in words which features are selected: “alive, without a label, densest first”."""
    words = []
    if selection.features:
        count = len(selection.features)
        words.append(
            f"{count:,} given by number" if count > 1 else f"number {selection.features[0]}"
        )
    if selection.list:
        words.append(f"of the list “{selection.list}”")
    if selection.filter:
        words.append(f"of the filter “{selection.filter}”")
    if selection.alive:
        words.append("alive")
    if selection.labelled != "any":
        words.append("with a label" if selection.labelled == "with" else "without a label")
    if not (selection.features or selection.list) and selection.order != "number":
        words.append(f"{selection.order} first")
    if selection.limit:
        words.append(f"at most {selection.limit:,}")
    return ", ".join(words) or "all"
