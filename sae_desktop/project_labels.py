"""Labels of a feature: the one that is shown, the others, and what became of them.

A label is a person's, a model's, imported, or a name by statistics that a person agreed to. One
of a feature's labels is shown; it stands in the feature's row of `notes`, the others in `labels`.
"""

from __future__ import annotations

import getpass
import math
import sqlite3
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Literal, TypeVar

import msgspec

PERSON, MODEL, IMPORTED, STATISTICS = "", "model", "imported", "statistics"
METHODS = (PERSON, MODEL, IMPORTED, STATISTICS)
State = Literal["proposed", "agreed", "rejected"]
PROPOSED: State = "proposed"
AGREED: State = "agreed"
REJECTED: State = "rejected"
STATES: tuple[State, ...] = (PROPOSED, AGREED, REJECTED)
WRITTEN, UNWRITTEN = "written", "unwritten"
"""Steps of the history: a label was written; that was undone."""
DETECTION = "detection AUROC"
"""The measure that labels are scored by first of all."""
NAMING = f"{DETECTION} when it was named"
"""The same of a name by statistics, found as it was made: by its facts, not by its words."""
MOST_CHARACTERS = 10_000
"""Of a label; what is longer is cut. A list shows some sixty of them."""
MOST_EVIDENCE = 100_000
MOST_STARS = 5
AT_ONCE = 500
"""Keys in one question; SQLite bounds how many it takes."""
SHIFT = 32
MASK = (1 << SHIFT) - 1

T = TypeVar("T")


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """One label of one feature."""

    number: int = 0
    """Which of the feature's labels it is. 0: the one that a person wrote in the label field; in
    what is to be added: not numbered yet."""
    feature: int
    text: str
    method: str = PERSON
    """What made it: nothing for a person, or MODEL, IMPORTED, STATISTICS."""
    author: str = ""
    """The person, or the model, that wrote it."""
    made: str = ""
    """When, as “2026-01-31 12:00:00” in UTC; nothing: now, when it is added."""
    score: float | None = None
    """How well it fits, 0 to 1; None: not scored."""
    score_low: float | None = None
    score_high: float | None = None
    """The 95% interval of the score."""
    measure: str = ""
    """What the score is, such as “detection AUROC”."""
    evidence: str = ""
    """JSON of what it was made from."""
    state: State = PROPOSED
    """What a person said of it; a person's own is agreed to."""
    rating: int = 0
    """How well it fits in a person's opinion, 1 to 5; 0: not rated."""
    shown: bool = False
    """Whether it is the one that is shown."""


class GivenScore(msgspec.Struct, frozen=True, kw_only=True):
    """What a scorer found of one label."""

    feature: int
    number: int
    text: str
    """What was scored; a label that was edited since keeps no score of its earlier text."""
    score: float
    score_low: float | None = None
    score_high: float | None = None
    measure: str = ""


class LabelStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the history of a feature's labels."""

    at: str
    who: str
    what: str
    """written, edited, removed, agreed, rejected, chosen, restored: a key of label_words.py."""
    number: int
    text: str
    """What the label said: before it was edited or removed."""
    method: str
    author: str


LABEL_COLUMNS = (
    "number", "text", "method", "author", "made", "score", "score_low", "score_high", "measure",
    "evidence", "state", "rating",
)  # fmt: skip
SHOWN_COLUMNS = tuple("label" if name == "text" else name for name in LABEL_COLUMNS)
"""The same columns of the table `notes`."""
SHOWN_VALUES = ", ".join(
    "CASE made WHEN '' THEN changed ELSE made END" if name == "made" else name
    for name in SHOWN_COLUMNS
)
"""They are read so: a label of an earlier schema was made when its note was last changed."""
_LABELS, _SHOWN = ", ".join(LABEL_COLUMNS), ", ".join(SHOWN_COLUMNS)

_ADD = (
    f"INSERT OR REPLACE INTO labels(key, {_LABELS}) VALUES (?{', ?' * len(LABEL_COLUMNS)})"
)  # fmt: skip
_MOVE = (
    f"INSERT OR REPLACE INTO labels(key, {_LABELS}) "
    f"SELECT key, {_SHOWN} FROM notes WHERE key = ? AND label != ''"
)


def system_user() -> str:
    """Return what this machine calls whoever runs the program; nothing where it does not say."""
    try:
        return label_text(getpass.getuser())
    except (OSError, KeyError, ImportError):
        return ""


def now() -> str:
    """Return the time as the file has it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())


def new_number() -> int:
    """Return a number for a label; later ones have larger numbers, and JSON can hold them."""
    return time.time_ns() // 1_000


def label_text(text: str) -> str:
    """Return a label as it is kept: one line, no control characters, of bounded length."""
    head = text[: 4 * MOST_CHARACTERS]
    head = head.encode("utf-8", "replace").decode()  # half a surrogate pair is no text
    plain = "".join(" " if unicodedata.category(c) == "Cc" else c for c in head)
    line = " ".join(plain.split())
    cut = len(line) > MOST_CHARACTERS or len(text) > len(head)
    return f"{line[: MOST_CHARACTERS - 1]}…" if cut else line


def in_batches(things: Iterable[T]) -> Iterator[list[T]]:
    """Yield as many at once as one question may name."""
    held: list[T] = []
    for thing in things:
        held.append(thing)
        if len(held) == AT_ONCE:
            yield held
            held = []
    if held:
        yield held


# ---------------------------------------------------------------- reading
def text_of(value: object, most: int = MOST_CHARACTERS) -> str:
    """Return a value that should be a text; SQLite keeps any type in any column."""
    return value[:most] if isinstance(value, str) else ""


def number_of(value: object) -> float | None:
    """Return a value that should be a number, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def rating_of(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value <= MOST_STARS else 0


def label_of(key: int, row: Sequence[Any], *, shown: bool) -> Label:
    """Return the label of a row of LABEL_COLUMNS, whatever types it holds."""
    number, text, method, author, made, score, low, high, measure, evidence, state, rating = row
    method = text_of(method)
    return Label(
        number=number if isinstance(number, int) else 0,
        feature=key & MASK,
        text=text_of(text),
        method=method,
        author=text_of(author),
        made=text_of(made),
        score=number_of(score),
        score_low=number_of(low),
        score_high=number_of(high),
        measure=text_of(measure),
        evidence=text_of(evidence, MOST_EVIDENCE),
        state=state if state in STATES else (PROPOSED if method else AGREED),
        rating=rating_of(rating),
        shown=shown,
    )


def read_labels(
    database: sqlite3.Connection, keys: Iterable[int]
) -> Iterator[tuple[int, list[Label]]]:
    """Yield (key, labels) of those keys that have labels: the shown one first, then as made."""
    wanted = list(keys)
    for first in range(0, len(wanted), AT_ONCE):
        some = wanted[first : first + AT_ONCE]
        where = f"key IN ({','.join('?' * len(some))})"
        yield from _read(database, where, some)


def read_labels_between(
    database: sqlite3.Connection, first: int, last: int
) -> Iterator[tuple[int, list[Label]]]:
    """Yield (key, labels) of a range of keys, ascending."""
    yield from _read(database, "key BETWEEN ? AND ?", (first, last))


def _read(
    database: sqlite3.Connection, where: str, values: Sequence[int]
) -> Iterator[tuple[int, list[Label]]]:
    rows = database.execute(
        f"SELECT key, 0, {SHOWN_VALUES} FROM notes WHERE {where} AND label != '' "
        f"UNION ALL SELECT key, 1, {_LABELS} FROM labels WHERE {where} ORDER BY 1, 2, 3",
        (*values, *values),
    )
    for key, group in groupby(rows, key=lambda row: row[0]):
        yield key, [label_of(key, row[2:], shown=not row[1]) for row in group]


def read_history(database: sqlite3.Connection, key: int) -> list[LabelStep]:
    rows = database.execute(
        "SELECT at, who, what, number, text, method, author FROM label_history WHERE key = ? "
        "ORDER BY rowid DESC",
        (key,),
    )
    return [
        LabelStep(
            at=text_of(at), who=text_of(who), what=text_of(what),
            number=number if isinstance(number, int) else 0,
            text=text_of(text), method=text_of(method), author=text_of(author),
        )
        for at, who, what, number, text, method, author in rows
    ]  # fmt: skip


def whole_history(steps: Sequence[LabelStep], labels: Iterable[Label]) -> list[LabelStep]:
    """Return the steps of a feature with those that nobody wrote down: a label that is there was
    written once, by a person, a model or another program. The latest step comes first."""
    told = {(step.number, step.text) for step in steps if step.what == WRITTEN}
    written = [
        LabelStep(
            at=label.made, who=label.author, what=WRITTEN, number=label.number,
            text=label.text, method=label.method, author=label.author,
        )
        for label in labels
        if label.method != STATISTICS and (label.number, label.text) not in told
    ]  # fmt: skip
    return sorted([*written, *steps], key=lambda step: step.at, reverse=True)


def with_others(database: sqlite3.Connection, keys: Sequence[int]) -> set[int]:
    """Return those of at most AT_ONCE keys that have labels beside the one shown."""
    marks = ",".join("?" * len(keys))
    rows = database.execute(f"SELECT DISTINCT key FROM labels WHERE key IN ({marks})", keys)
    return {row[0] for row in rows}


# ---------------------------------------------------------------- writing
def row_of(label: Label) -> tuple[Any, ...]:
    """Return a label's LABEL_COLUMNS."""
    return tuple(getattr(label, name) for name in LABEL_COLUMNS)


def put_aside(database: sqlite3.Connection, keys: Iterable[int]) -> None:
    """Move the shown labels of these keys to the others; their rows still have to be written."""
    database.executemany(_MOVE, ((key,) for key in keys))


def put_others(database: sqlite3.Connection, keyed: Iterable[tuple[int, Label]]) -> None:
    """Write labels that are not shown."""
    database.executemany(_ADD, ((key, *row_of(label)) for key, label in keyed))


def take_out(database: sqlite3.Connection, key: int, number: int) -> str:
    """Take a label from those not shown; return its evidence."""
    row = database.execute(
        "SELECT evidence FROM labels WHERE key = ? AND number = ?", (key, number)
    ).fetchone()
    database.execute("DELETE FROM labels WHERE key = ? AND number = ?", (key, number))
    return text_of(row[0], MOST_EVIDENCE) if row else ""


def record(
    database: sqlite3.Connection, key: int, who: str, what: str, label: Label, at: str
) -> None:
    """Write a step of the history of a feature's labels."""
    database.execute(
        "INSERT INTO label_history VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (key, at, who, what, label.number, label.text, label.method, label.author),
    )


def score_labels(database: sqlite3.Connection, first: int, scores: Iterable[GivenScore]) -> None:
    """Write scores to their labels, shown or not, within the caller's transaction."""
    rows = [
        (s.score, s.score_low, s.score_high, s.measure, first | s.feature, s.number, s.text)
        for s in scores
    ]
    for table, text in (("notes", "label"), ("labels", "text")):
        database.executemany(
            f"UPDATE {table} SET score = ?, score_low = ?, score_high = ?, measure = ? "
            f"WHERE key = ? AND number = ? AND {text} != '' AND {text} = ?",
            rows,
        )
