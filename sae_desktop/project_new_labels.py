"""New labels beside those a feature has: which are added, and which one is shown."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from sae_desktop.project_labels import (
    AGREED,
    MOST_EVIDENCE,
    PERSON,
    REJECTED,
    SHOWN_COLUMNS,
    Label,
    in_batches,
    label_text,
    new_number,
    now,
    put_others,
    read_labels,
    row_of,
)

_SHOW = (
    f"INSERT INTO notes(key, chosen, {', '.join(SHOWN_COLUMNS)}) "
    f"VALUES (?, 0{', ?' * len(SHOWN_COLUMNS)}) "
    "ON CONFLICT(key) DO UPDATE SET changed = CURRENT_TIMESTAMP, "
    "chosen = CASE number WHEN excluded.number THEN chosen ELSE 0 END, "
    + ", ".join(f"{name} = excluded.{name}" for name in SHOWN_COLUMNS)
)


class _Adding:
    """Which of new labels are added to those of a feature, and which of all is shown."""

    def __init__(self, labels: Sequence[Label], chosen: bool) -> None:
        self.shown = next((label for label in labels if label.shown), None)
        self.others = {label.number: label for label in labels if not label.shown}
        self.changed: dict[int, Label] = {}
        """Others to be written."""
        self._chosen = chosen

    def add(self, new: Label) -> bool:
        """Take a label; False where the same method was rejected with it, or has it already."""
        held = [*self.others.values(), *([self.shown] if self.shown else [])]
        same = [h for h in held if (h.method, _folded(h)) == (new.method, _folded(new))]
        if any(label.state == REJECTED for label in same):
            return False
        known = next(
            (label for label in same if label.author == new.author or label.method == PERSON), None
        )
        if known is not None:
            self._refresh(known, new)
        elif new.state == REJECTED or not self._gives_way(new):
            self._put_other(new)
        else:
            if self.shown is not None:
                self._put_other(msgspec.structs.replace(self.shown, shown=False))
            self.shown = msgspec.structs.replace(new, shown=True)
        return known is None

    def _gives_way(self, new: Label) -> bool:
        """Whether the shown label makes room: a person neither wrote, agreed to nor chose it, and
        the new one is scored where it is, not lower by the same measure."""
        shown = self.shown
        if shown is None:
            return True
        if self._chosen or shown.method == PERSON or shown.state == AGREED:
            return False
        better = shown.score is not None and (
            new.score is None or (shown.measure == new.measure and shown.score > new.score)
        )
        return new.method == PERSON or not better

    def _refresh(self, known: Label, new: Label) -> None:
        """Take what is newly known of a label that is there."""
        if new.score is None and not new.evidence:
            return
        fresh = msgspec.structs.replace(
            known, score=new.score, score_low=new.score_low, score_high=new.score_high,
            measure=new.measure, evidence=new.evidence or known.evidence,
        )  # fmt: skip
        if known.shown:
            self.shown = fresh
        else:
            self._put_other(fresh)

    def _put_other(self, label: Label) -> None:
        self.others[label.number] = self.changed[label.number] = label


def _folded(label: Label) -> str:
    return label.text.casefold()


def add_labels(database: sqlite3.Connection, first: int, labels: Iterable[Label]) -> int:
    """Add labels within the caller's transaction; return how many were new.

    `first` is the key of the dictionary's feature 0. A label is shown where no person wrote,
    agreed to or chose one. What the same method was rejected with is left out.
    """
    number, made, added = new_number(), now(), 0
    for some in in_batches(labels):
        fresh = []
        for label in some:
            text = label_text(label.text)
            if text:
                state = label.state if label.method or label.state == REJECTED else AGREED
                fresh.append(
                    msgspec.structs.replace(
                        label, text=text, number=number, made=label.made or made, shown=False,
                        state=state, evidence=label.evidence[:MOST_EVIDENCE],
                    )
                )  # fmt: skip
                number += 1
        added += _add_some(database, first, fresh)
    return added


def _add_some(database: sqlite3.Connection, first: int, labels: Sequence[Label]) -> int:
    keys = sorted({first | label.feature for label in labels})
    there = dict(read_labels(database, keys))
    marks = ",".join("?" * len(keys))
    chosen = {
        row[0]
        for row in database.execute(
            f"SELECT key FROM notes WHERE chosen AND key IN ({marks})", keys
        )
    }
    adding = {key: _Adding(there.get(key, ()), key in chosen) for key in keys}
    before = {key: one.shown for key, one in adding.items()}
    added = sum(adding[first | label.feature].add(label) for label in labels)
    put_others(
        database, ((key, label) for key, one in adding.items() for label in one.changed.values())
    )
    database.executemany(
        _SHOW,
        (
            (key, *row_of(one.shown))
            for key, one in adding.items()
            if one.shown is not None and one.shown != before[key]
        ),
    )
    return added
