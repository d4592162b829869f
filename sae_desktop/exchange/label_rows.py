"""The rows of a table of labels: what each says, and how they become labels again.

A feature has a row for each label that is written, the shown one first; its star, note and tags
stand in the first. A row without the column `method` is a label from elsewhere: imported.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.exchange.label_names import LABEL_NAMES
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project_labels import (
    AGREED,
    IMPORTED,
    MODEL,
    MOST_STARS,
    PERSON,
    PROPOSED,
    STATES,
    STATISTICS,
    Label,
    label_text,
)
from sae_desktop.project_note import FeatureNote, clean_tags
from sae_desktop.project_notes import Notes

COLUMNS = {
    "feature": int, "label": str, "score": float, "starred": bool, "note": str,
    "method": str, "author": str, "made": str, "score_low": float, "score_high": float,
    "measure": str, "state": str, "rating": int, "shown": bool, "tags": str,
}  # fmt: skip
"""Of the tables that are written, with their types."""
METHOD_NAMES = {PERSON: "person", MODEL: "model", IMPORTED: "imported", STATISTICS: "automatic"}
_METHODS = {name: method for method, name in METHOD_NAMES.items()} | {STATISTICS: STATISTICS}
NUMBER_NAMES = ("feature", "index", "feature_index", "id")


# ---------------------------------------------------------------- written
def label_rows(
    notes: Notes,
    index: FeatureIndex,
    features: Iterable[int],
    *,
    every: bool,
    automatic: bool,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of features of which something is written, or that have an automatic name.

    `every`: all labels, rejected ones too; otherwise the shown one. `automatic`: a row of the
    name by statistics where no label is shown.
    """
    dictionary = index.info.dictionary
    for feature in features:
        note = notes.note(dictionary, feature)
        labels = notes.labels_of(dictionary, feature) if every else []
        if not every and note.shown is not None:
            labels = [note.shown]
        if automatic and not note.label:
            labels += _automatic(index, feature)
        for place, label in enumerate(labels or ([None] if _says(note) else [])):
            yield _row(feature, label, None if place else note)


def _says(note: FeatureNote) -> bool:
    return bool(note.note or note.starred or note.tags or note.score is not None)


def _row(feature: int, label: Label | None, note: FeatureNote | None) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"feature": feature, "label": "", "note": "", "tags": ""}
    if note is not None:
        row |= {"starred": note.starred, "note": note.note, "tags": ", ".join(note.tags)}
    if label is not None:
        row |= {
            "label": label.text, "score": label.score, "method": METHOD_NAMES.get(label.method),
            "author": label.author, "made": label.made, "score_low": label.score_low,
            "score_high": label.score_high, "measure": label.measure, "state": label.state,
            "rating": label.rating or None, "shown": label.shown,
        }  # fmt: skip
    return row


def _automatic(index: FeatureIndex, feature: int) -> list[Label]:
    name = index.name(feature)
    if name is None:
        return []
    score, low, high = (
        None if math.isnan(value) else value
        for value in (name.score, name.score_low, name.score_high)
    )
    return [
        Label(
            feature=feature, text=label_text(name.short), method=STATISTICS, score=score,
            score_low=low, score_high=high, measure=name.measure,
        )
    ]  # fmt: skip


# ---------------------------------------------------------------- read
class ToldRow(msgspec.Struct, frozen=True):
    """What a row tells of a feature."""

    feature: int
    label: Label | None
    fields: dict[str, Any]
    """Of FeatureNote: starred, note, tags; and the score of a label that the row does not name."""
    signed: bool = False
    """Whether the row says who made the label."""


def told_row(row: Mapping[str, Any], number: int, index: FeatureIndex, source: str = "") -> ToldRow:
    """Return what a row tells; `source` is where labels come from that do not say it.

    Raises UserError that names the row for what is no feature of the index, and no score.
    """
    feature = _feature(row, number, index)
    text = next((row[name] for name in LABEL_NAMES if row.get(name) not in (None, "")), None)
    fields: dict[str, Any] = {}
    if row.get("starred") not in (None, ""):
        fields["starred"] = _is_true(row["starred"])
    if row.get("note") not in (None, ""):
        fields["note"] = str(row["note"])
    if row.get("tags") not in (None, ""):
        fields["tags"] = clean_tags(str(row["tags"]).split(","))
    score = _score(row, "score", number)
    told = "" if text is None else label_text(str(text))
    if not told:
        if score is not None:
            fields["score"] = score
        return ToldRow(feature, None, fields)
    method = _METHODS.get(str(row.get("method") or "").strip().casefold())
    state = str(row.get("state") or "").strip().casefold()
    label = Label(
        feature=feature,
        text=told,
        method=IMPORTED if method is None else method,
        author=label_text(str(row.get("author") or "")) or (source if method is None else ""),
        made=str(row.get("made") or "")[:40],
        score=score,
        score_low=_score(row, "score_low", number),
        score_high=_score(row, "score_high", number),
        measure=label_text(str(row.get("measure") or ""))[:200],
        state=next((s for s in STATES if s == state), PROPOSED if method else AGREED),
        rating=_rating(row.get("rating")),
        shown=_is_true(row.get("shown")),
    )
    return ToldRow(feature, label, fields, signed=method is not None)


def _feature(row: Mapping[str, Any], number: int, index: FeatureIndex) -> int:
    named = next((row[name] for name in NUMBER_NAMES if row.get(name) not in (None, "")), None)
    try:
        return index.check_feature(_number(named))
    except (ValueError, OverflowError, UserError) as error:
        reason = error.what if isinstance(error, UserError) else f"“{named}” is not a feature."
        raise UserError(
            f"Row {number}: {reason}",
            kept="Nothing was changed.",
            next_step="The table needs a column “feature” with the numbers of features in this "
            "index.",
        ) from error


def _number(value: object) -> int:
    """Return a feature's number, also one that a spreadsheet wrote as 5.0 or 5,0.

    Raises ValueError for what is none.
    """
    text = str(value).strip().removeprefix("#")
    try:
        return int(text)
    except ValueError:
        number = float(text.replace(",", "."))
        if not number.is_integer():
            raise ValueError(text) from None
        return int(number)


def _is_true(value: object) -> bool:
    return str(value).strip().lower() in ("true", "1", "yes")


def _rating(value: object) -> int:
    try:
        rating = _number(value)
    except (ValueError, OverflowError):
        return 0
    return rating if 0 <= rating <= MOST_STARS else 0


def _score(row: Mapping[str, Any], name: str, number: int) -> float | None:
    value = row.get(name)
    if value in (None, ""):
        return None
    try:
        score = float(str(value).strip().replace(",", "."))
    except ValueError:
        score = math.nan
    if math.isnan(score) and isinstance(value, float):
        return None  # how a table without gaps says that there is none
    if not 0.0 <= score <= 1.0:
        raise UserError(
            f"Row {number}: “{value}” is not a score.",
            kept="Nothing was changed.",
            next_step="A score is a number from 0 to 1.",
        )
    return score


# ---------------------------------------------------------------- taken
def take_rows(notes: Notes, dictionary: str, rows: Sequence[ToldRow]) -> int:
    """Write what rows tell, within the caller's transaction; return how many labels were new.

    Labels are added beside those there are; one's own are not written over, but for those that
    the same person has changed in the table. What rows do not tell stays.
    """
    before = notes.labels(dictionary, {row.feature for row in rows})
    edited: list[tuple[Label, Label]] = []
    added: list[Label] = []
    for row in rows:
        if row.label is not None:
            known = before.get(row.feature, [])
            same = _edited(row, known)
            if same is None:
                added.append(row.label)
            else:
                edited.append((row.label, same))
    count = notes.add_within(dictionary, added)
    notes.put_all(
        dictionary,
        _noted(notes, dictionary, rows),
        ["star", "note", "tags"],
    )
    for label, same in edited:
        kept = msgspec.structs.replace(label, number=same.number, state=AGREED)
        note = notes.note(dictionary, label.feature)
        notes.put_all(dictionary, [note.showing(kept, chosen=note.chosen)], ["label"])
    _show(notes, dictionary, rows, before)
    return count


def _edited(row: ToldRow, known: Sequence[Label]) -> Label | None:
    """Return the shown label that the row is another text of: the same person's own."""
    shown = next((label for label in known if label.shown), None)
    if shown is None or row.label is None or not row.signed or not row.label.shown:
        return None
    own = shown.method == row.label.method == PERSON and shown.author == row.label.author
    return shown if own else None


def _noted(notes: Notes, dictionary: str, rows: Sequence[ToldRow]) -> Iterator[FeatureNote]:
    told: dict[int, dict[str, Any]] = {}
    for row in rows:
        told.setdefault(row.feature, {}).update(row.fields)
    there = notes.notes(dictionary, told)
    for feature, fields in told.items():
        note = there.get(feature) or FeatureNote(feature=feature)
        fields.pop("score", None)
        yield msgspec.structs.replace(note, **fields)


def _show(
    notes: Notes, dictionary: str, rows: Sequence[ToldRow], before: Mapping[int, list[Label]]
) -> None:
    """Show what the table says was shown, where nothing was shown before; score what is there."""
    for row in rows:
        if row.label is not None and row.label.shown and not before.get(row.feature):
            labels = notes.labels_of(dictionary, row.feature)
            same = next(
                (
                    label
                    for label in labels
                    if (label.text, label.method) == (row.label.text, row.label.method)
                ),
                None,
            )
            if same is not None and not same.shown:
                note = notes.note(dictionary, row.feature).showing(same, chosen=True)
                notes.put_all(dictionary, [note], ["label"])
        elif row.label is None and "score" in row.fields:
            note = notes.note(dictionary, row.feature)
            scored = msgspec.structs.replace(note, score=row.fields["score"])
            notes.put_all(dictionary, [scored], ["label"])
