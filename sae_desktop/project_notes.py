"""What is written about features in a project: labels, stars, notes, tags, in its SQLite file.

How the file is laid out is told in `notes_file.py`, what a feature's labels are in
`project_labels.py`, what its note is in `project_note.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop import project_labels
from sae_desktop.errors import UserError
from sae_desktop.notes_file import TOKENIZER, open_notes_file
from sae_desktop.project_labels import (
    AT_ONCE,
    MASK,
    SHIFT,
    GivenScore,
    Label,
    LabelStep,
    in_batches,
    text_of,
)
from sae_desktop.project_new_labels import add_labels
from sae_desktop.project_note import LABEL, PARTS, STAR, FeatureNote, put_notes, read_notes
from sae_desktop.project_searches import Searches

__all__ = ["FeatureNote", "Features", "Notes"]

Features = npt.NDArray[np.int64]


class Notes:
    """Labels, stars, notes and tags of one project. Each change is one transaction."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; where the folder is read-only, open it for reading only.

        A file of an earlier schema is carried over. Raises UserError when the file is not a notes
        file, or a newer one.
        """
        self.path = path
        self._tokenizer: sqlite3.Connection | None = None
        self.database, self.read_only = open_notes_file(path)
        self._searches = Searches(self.database)

    # ------------------------------------------------------------------ keys
    def _number(self, dictionary: str, *, make: bool = False) -> int:
        """Return a dictionary's number; 0 for one without notes."""
        row = self.database.execute(
            "SELECT number FROM dictionaries WHERE name = ?", (dictionary,)
        ).fetchone()
        if row is None and make:
            done = self.database.execute("INSERT INTO dictionaries(name) VALUES (?)", (dictionary,))
            return int(done.lastrowid or 0)
        return int(row[0]) if row else 0

    def _range(self, dictionary: str) -> tuple[int, int]:
        number = self._number(dictionary)
        return number << SHIFT, (number << SHIFT) | MASK

    def _features(self, query: str, values: Sequence[Any]) -> Features:
        """Return the features of a query whose one column is a key."""
        rows = self.database.execute(query, values)
        return np.fromiter((row[0] for row in rows), dtype=np.int64) & MASK

    # ------------------------------------------------------------------ reading
    def dictionaries(self) -> list[str]:
        """Return the names of the dictionaries of which something is written."""
        rows = self.database.execute("SELECT name FROM dictionaries ORDER BY name")
        return [text_of(row[0]) for row in rows]

    def rename_dictionaries(self, renames: Mapping[str, str]) -> None:
        """Let what is written of dictionaries be of them under other names.

        For a transaction of the caller's. A name that is taken keeps what it has.
        """
        self.database.executemany(
            "UPDATE OR IGNORE dictionaries SET name = ? WHERE name = ?",
            [(new, old) for old, new in renames.items()],
        )

    def note(self, dictionary: str, feature: int) -> FeatureNote:
        """Return a feature's note, an empty one where nothing was written."""
        return self.notes(dictionary, [feature]).get(feature) or FeatureNote(feature=feature)

    def notes(self, dictionary: str, features: Iterable[int]) -> dict[int, FeatureNote]:
        """Return feature → note for those of `features` that have one."""
        number = self._number(dictionary)
        keys = [(number << SHIFT) | int(feature) for feature in features]
        found: dict[int, FeatureNote] = {}
        for first in range(0, len(keys), AT_ONCE):
            some = keys[first : first + AT_ONCE]
            marks = ",".join("?" * len(some))
            told = read_notes(self.database, f"key IN ({marks})", some)
            found |= {note.feature: note for note in told}
        return found

    def label_reader(self, dictionary: str) -> Callable[[Iterable[int]], dict[int, str]]:
        """Return what gives feature → label for those of some features that have one."""

        def read(features: Iterable[int]) -> dict[int, str]:
            notes = self.notes(dictionary, features) if self.count_labels(dictionary) else {}
            return {feature: note.label for feature, note in notes.items() if note.label}

        return read

    def all(self, dictionary: str) -> dict[int, FeatureNote]:
        """Return feature → note for every feature of the dictionary that has one."""
        told = read_notes(self.database, "key BETWEEN ? AND ?", self._range(dictionary))
        return {note.feature: note for note in told}

    def starred(self, dictionary: str) -> Features:
        """Return the features with a star, ascending."""
        return self._features(
            "SELECT key FROM notes WHERE starred AND key BETWEEN ? AND ? ORDER BY key",
            self._range(dictionary),
        )

    def scores(self, dictionary: str) -> tuple[Features, npt.NDArray[np.float32]]:
        """Return (features, scores) of the features whose label was scored."""
        rows = self.database.execute(
            "SELECT key, score FROM notes WHERE score IS NOT NULL AND key BETWEEN ? AND ?",
            self._range(dictionary),
        ).fetchall()
        features = np.array([row[0] for row in rows], dtype=np.int64) & MASK
        return features, np.array([row[1] for row in rows], dtype=np.float32)

    def by_label(self, dictionary: str) -> Features:
        """Return the features with a label in the order of their labels, case left aside."""
        return self._features(
            "SELECT key FROM notes INDEXED BY notes_by_label "
            "WHERE label != '' AND key BETWEEN ? AND ? ORDER BY label COLLATE NOCASE",
            self._range(dictionary),
        )

    def shown_labels(self, dictionary: str) -> Iterator[tuple[int, str]]:
        """Yield (feature, label) of the features with a label, in no order."""
        rows = self.database.execute(
            "SELECT key, label FROM notes WHERE label != '' AND key BETWEEN ? AND ?",
            self._range(dictionary),
        )
        return ((key & MASK, text_of(label)) for key, label in rows)

    def count_labels(self, dictionary: str) -> int:
        """Return how many features have a label."""
        row = self.database.execute(
            "SELECT count(*) FROM notes WHERE label != '' AND key BETWEEN ? AND ?",
            self._range(dictionary),
        ).fetchone()
        return int(row[0])

    def search(self, dictionary: str, text: str) -> Features:
        """Return the features whose label or note has words beginning with those of `text`.

        Those that are tagged with the text are among them. Not to be written to.
        """
        return self._searches.found((dictionary, text), lambda: self._search(dictionary, text))

    def _search(self, dictionary: str, text: str) -> Features:
        words = " ".join(f'"{word}"*' for word in self._words(text))
        if not words:
            return np.empty(0, dtype=np.int64)
        # One string of all keys is read in half the time of as many rows.
        row = self.database.execute(
            f"SELECT group_concat(rowid & {MASK}) FROM note_search "
            "WHERE note_search MATCH ? AND rowid BETWEEN ? AND ?",
            (words, *self._range(dictionary)),
        ).fetchone()
        # The full-text index gives them in the order of their keys.
        found = np.fromstring(row[0] or "", dtype=np.int64, sep=",")
        tagged = self.tagged(dictionary, project_labels.label_text(text))
        return np.union1d(found, tagged) if len(tagged) else found

    def _words(self, text: str) -> list[str]:
        """Return the words of `text` as the full-text index has them.

        The index keeps no positions (detail=none), so it refuses a word that its tokenizer
        takes for several, such as “don’t”. Only the tokenizer knows which those are.
        """
        if self._tokenizer is None:
            self._tokenizer = sqlite3.connect(":memory:", isolation_level=None)
            self._tokenizer.executescript(TOKENIZER)
        self._tokenizer.execute("DELETE FROM asked")
        whole = text.encode("utf-8", "replace").decode()  # half a surrogate pair is no text
        self._tokenizer.execute("INSERT INTO asked VALUES (?)", (whole,))
        return [row[0] for row in self._tokenizer.execute("SELECT term FROM asked_words")]

    # ------------------------------------------------------------------ all labels
    def labels_of(self, dictionary: str, feature: int) -> list[Label]:
        """Return all labels of a feature, also rejected ones: the shown one first."""
        return self.labels(dictionary, [feature]).get(feature, [])

    def labels(self, dictionary: str, features: Iterable[int]) -> dict[int, list[Label]]:
        """Return feature → all its labels, of those of `features` that have any."""
        first = self._number(dictionary) << SHIFT
        keys = [first | int(feature) for feature in features]
        found = project_labels.read_labels(self.database, keys)
        return {key & MASK: labels for key, labels in found}

    def all_labels(self, dictionary: str) -> Iterator[Label]:
        """Yield all labels of a dictionary, by feature, the shown one of each first."""
        between = project_labels.read_labels_between(self.database, *self._range(dictionary))
        for _, labels in between:
            yield from labels

    def history(self, dictionary: str, feature: int) -> list[LabelStep]:
        """Return what became of a feature's labels, the latest step first."""
        key = (self._number(dictionary) << SHIFT) | feature
        return project_labels.read_history(self.database, key)

    def shown_by(self, dictionary: str, method: str) -> Features:
        """Return the features whose shown label was made by a method, ascending."""
        made = self._features(
            "SELECT key FROM notes WHERE method != '' AND label != '' AND key BETWEEN ? AND ?"
            + (" AND method = ?" if method else ""),
            (*self._range(dictionary), *([method] if method else [])),
        )
        if method:
            return np.sort(made)
        return np.setdiff1d(self.by_label(dictionary), made, assume_unique=True)

    def authors(self, dictionary: str, method: str) -> dict[str, int]:
        """Return author → how many features show a label of theirs, made by a method."""
        rows = self.database.execute(
            "SELECT author, count(*) FROM notes WHERE key BETWEEN ? AND ? AND label != '' "
            "AND method = ? GROUP BY author",
            (*self._range(dictionary), method),
        )
        found: dict[str, int] = {}
        for author, count in rows:
            name = text_of(author)
            found[name] = found.get(name, 0) + int(count)
        return found

    def agreed(self, dictionary: str) -> Features:
        """Return the features whose shown label a person wrote or agreed to, ascending."""
        return self._features(
            "SELECT key FROM notes WHERE label != '' AND state = 'agreed' "
            "AND key BETWEEN ? AND ? ORDER BY key",
            self._range(dictionary),
        )

    def labelled_by(self, dictionary: str, method: str) -> Features:
        """Return the features for which a method made any label, shown, other or rejected."""
        values = (method, *self._range(dictionary))
        where = "WHERE method = ? AND key BETWEEN ? AND ?"
        return np.unique(
            self._features(
                f"SELECT key FROM notes {where} AND label != '' "
                f"UNION ALL SELECT key FROM labels {where}",
                (*values, *values),
            )
        )

    def rejected(self, dictionary: str, method: str) -> dict[int, set[str]]:
        """Return feature → the labels of a method that a person rejected, case left aside."""
        rows = self.database.execute(
            "SELECT key, text FROM labels WHERE method = ? AND state = 'rejected' "
            "AND key BETWEEN ? AND ?",
            (method, *self._range(dictionary)),
        )
        found: dict[int, set[str]] = {}
        for key, text in rows:
            found.setdefault(key & MASK, set()).add(text_of(text).casefold())
        return found

    def ratings(self, dictionary: str) -> tuple[Features, npt.NDArray[np.int64]]:
        """Return (features, ratings) of the features whose label a person rated."""
        rows = self.database.execute(
            "SELECT key, rating FROM notes WHERE rating AND key BETWEEN ? AND ?",
            self._range(dictionary),
        ).fetchall()
        rated = [(key & MASK, project_labels.rating_of(rating)) for key, rating in rows]
        pairs = np.array(rated, dtype=np.int64).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]

    def tags(self, dictionary: str) -> list[tuple[str, int]]:
        """Return (tag, how many features have it), by name."""
        rows = self.database.execute(
            "SELECT tag, count(*) FROM tags WHERE key BETWEEN ? AND ? GROUP BY tag ORDER BY tag",
            self._range(dictionary),
        )
        return [(text_of(tag), int(count)) for tag, count in rows]

    def tagged(self, dictionary: str, tag: str) -> Features:
        """Return the features with a tag, ascending."""
        return self._features(
            "SELECT key FROM tags WHERE tag = ? AND key BETWEEN ? AND ? ORDER BY key",
            (tag, *self._range(dictionary)),
        )

    # ------------------------------------------------------------------ writing
    @contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """One transaction. Raises UserError when the file takes no changes."""
        try:
            with self.database:
                yield
        except sqlite3.OperationalError as error:
            raise self.refused(what, error) from error

    def save(self, dictionary: str, note: FeatureNote) -> None:
        """Store one feature's note. Raises UserError when the project is read-only."""
        with self.writing(f"The label of feature {note.feature}"):
            self.put_all(dictionary, [note])

    def change(
        self,
        dictionary: str,
        note: FeatureNote,
        parts: Sequence[str] = PARTS,
        *,
        others: Sequence[Label] = (),
        without: Sequence[int] = (),
        who: str = "",
        steps: Sequence[tuple[str, Label]] = (),
    ) -> None:
        """Store some parts of a note within the caller's transaction; labels beside the shown one
        are written and taken out.

        `steps` are (what, label) for the history. Raises sqlite3.OperationalError.
        """
        self.put_all(dictionary, [note], parts, who=who)
        key = (self._number(dictionary) << SHIFT) | note.feature
        project_labels.put_others(self.database, ((key, label) for label in others))
        for number in without:
            project_labels.take_out(self.database, key, number)
        for what, label in steps:
            project_labels.record(self.database, key, who, what, label, project_labels.now())

    def put_all(
        self,
        dictionary: str,
        notes: Iterable[FeatureNote],
        parts: Sequence[str] = PARTS,
        *,
        who: str = "",
    ) -> None:
        """Store many notes within the caller's transaction. Raises sqlite3.OperationalError.

        A label that another takes the place of is kept beside it; the earlier text of an edited
        one goes to the history, with `who` changed it.
        """
        first = self._number(dictionary, make=True) << SHIFT
        for some in in_batches(notes):
            put_notes(self.database, first, some, parts, who)

    def set_labels(self, dictionary: str, labels: Iterable[tuple[int, str]]) -> None:
        """Label many features at once; stars and notes stay. Raises UserError as `save` does."""
        with self.writing("The labels"):
            notes = (FeatureNote(feature=feature, label=label) for feature, label in labels)
            self.put_all(dictionary, notes, [LABEL])

    def add_labels(self, dictionary: str, labels: Iterable[Label]) -> int:
        """Add labels beside those there are; return how many were new. Raises UserError.

        A feature for which no person wrote, agreed to or chose a label shows the new one, unless
        the one it shows has a higher score by the same measure. What a person has rejected of the
        same method is not added again.
        """
        with self.writing("The labels"):
            return self.add_within(dictionary, labels)

    def add_within(self, dictionary: str, labels: Iterable[Label]) -> int:
        """Do what `add_labels` does within the caller's transaction."""
        return add_labels(self.database, self._number(dictionary, make=True) << SHIFT, labels)

    def score_labels(self, dictionary: str, scores: Iterable[GivenScore]) -> None:
        """Write the scores of labels. Raises UserError as `save` does."""
        with self.writing("The scores"):
            first = self._number(dictionary, make=True) << SHIFT
            project_labels.score_labels(self.database, first, scores)

    def set_stars(self, dictionary: str, features: Iterable[int], starred: bool) -> None:
        """Star many features at once, or take their stars away. Raises UserError as `save`."""
        with self.writing("The stars"):
            notes = (FeatureNote(feature=int(f), starred=starred) for f in features)
            self.put_all(dictionary, notes, [STAR])

    def refused(self, what: str, error: Exception) -> UserError:
        """Return the error of a change that the file did not take."""
        return UserError(
            f"{what} could not be saved: {error}.",
            next_step="Copy the project to a folder you can write to.",
        )

    def close(self) -> None:
        self.database.close()
        if self._tokenizer is not None:
            self._tokenizer.close()
