"""Lists of features that a person keeps, and named filters, stored with the notes."""

from __future__ import annotations

import sqlite3

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.project_notes import Notes


class ListMember(msgspec.Struct, frozen=True, kw_only=True):
    feature: int
    annotation: str = ""


class FeatureList(msgspec.Struct, frozen=True, kw_only=True):
    """Features of one dictionary, in an order of their own."""

    name: str
    annotation: str = ""
    members: list[ListMember] = []

    @property
    def features(self) -> list[int]:
        return [member.feature for member in self.members]


class FeatureLists:
    """The lists of one project. Each change is one transaction."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def names(self, dictionary: str) -> list[tuple[str, int]]:
        """Return (name, number of features) of a dictionary's lists, by name."""
        rows = self._notes.database.execute(
            "SELECT l.name, count(m.feature) FROM lists l JOIN dictionaries d "
            "ON d.number = l.dictionary LEFT JOIN list_members m ON m.list = l.number "
            "WHERE d.name = ? GROUP BY l.number ORDER BY l.name COLLATE NOCASE",
            (dictionary,),
        )
        return [(str(name), int(count)) for name, count in rows]

    def read(self, dictionary: str, name: str) -> FeatureList | None:
        """Return a list, or None when there is none of this name."""
        row = self._notes.database.execute(
            "SELECT l.number, l.annotation FROM lists l JOIN dictionaries d "
            "ON d.number = l.dictionary WHERE d.name = ? AND l.name = ?",
            (dictionary, name),
        ).fetchone()
        if row is None:
            return None
        members = self._notes.database.execute(
            "SELECT feature, annotation FROM list_members WHERE list = ? ORDER BY place", row[:1]
        )
        return FeatureList(
            name=name,
            annotation=row[1],
            members=[ListMember(feature=f, annotation=a) for f, a in members],
        )

    def write(self, dictionary: str, name: str, content: FeatureList | None) -> None:
        """Put `content` in the place of the list `name`; None takes the list away.

        A `content` of another name renames it. Raises UserError for a name that is empty or
        taken, and when the project is read-only.
        """
        if content is not None:
            self._check_name(dictionary, name, content.name)
        try:
            with self._notes.database:
                self.put(dictionary, name, content)
        except sqlite3.OperationalError as error:
            raise self._notes.refused(f"The list “{name}”", error) from error

    def put(self, dictionary: str, name: str, content: FeatureList | None) -> None:
        """Do what `write` does within the caller's transaction, for a name that can be given.

        Raises sqlite3.OperationalError.
        """
        database = self._notes.database
        database.execute(
            "DELETE FROM lists WHERE name = ? AND dictionary IN "
            "(SELECT number FROM dictionaries WHERE name = ?)",
            (name, dictionary),
        )
        if content is None:
            return
        database.execute("INSERT OR IGNORE INTO dictionaries(name) VALUES (?)", (dictionary,))
        done = database.execute(
            "INSERT INTO lists(dictionary, name, annotation) "
            "SELECT number, ?, ? FROM dictionaries WHERE name = ?",
            (content.name, content.annotation, dictionary),
        )
        database.executemany(
            "INSERT INTO list_members(list, place, feature, annotation) VALUES (?, ?, ?, ?)",
            [
                (done.lastrowid, place, m.feature, m.annotation)
                for place, m in enumerate(content.members)
            ],
        )

    def _check_name(self, dictionary: str, before: str, after: str) -> None:
        if not after.strip():
            raise UserError("A list needs a name.", next_step="Give it one.")
        taken = {name for name, _ in self.names(dictionary)} - {before}
        if after in taken:
            raise UserError(f"There is a list “{after}” already.", next_step="Choose another name.")


class SavedFilters:
    """Filters of the list of features, kept under a name, as JSON."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def all(self) -> dict[str, str]:
        """Return name → conditions as JSON, by name."""
        rows = self._notes.database.execute(
            "SELECT name, conditions FROM filters ORDER BY name COLLATE NOCASE"
        )
        return dict(rows.fetchall())

    def write(self, name: str, conditions: str | None) -> None:
        """Keep a filter under a name; None takes it away. Raises UserError when read-only."""
        try:
            with self._notes.database as database:
                database.execute("DELETE FROM filters WHERE name = ?", (name,))
                if conditions is not None:
                    database.execute("INSERT INTO filters VALUES (?, ?)", (name, conditions))
        except sqlite3.OperationalError as error:
            raise self._notes.refused(f"The filter “{name}”", error) from error
