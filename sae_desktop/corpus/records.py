"""What every reader of a corpus returns: records, and a report of what was left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sae_desktop.corpus.config import ColumnDescription, TableDescription
from sae_desktop.errors import UserError

MOST_TABLES = 200
"""Tables whose columns are remembered."""
_NAMED = 5


class Message(NamedTuple):
    """What one role says in a chat."""

    role: str
    content: str
    beside: str = ""
    """What else the message holds, such as calls of tools: a JSON object, or nothing."""


@dataclass(frozen=True)
class Record:
    """A text as its source gives it, before it has a place in the corpus."""

    text: str
    source: str = ""
    language: str = ""
    title: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()


class LeftOutError(UserError):
    """A file that gives no texts: the end of a corpus that is this file, counted in a folder.

    `kind` is what several such files are called, such as “binary files”.
    """

    def __init__(self, kind: str, what: str, *, next_step: str = "") -> None:
        super().__init__(what, next_step=next_step)
        self.kind = kind


class UnreadableError(UserError):
    """A file that cannot be read on: the end of a corpus that is this file, counted in a folder."""


class LostConnectionError(UserError):
    """The hub gave some of a dataset and then no more."""

    def __init__(self, name: str, documents: int = 0) -> None:
        after = f" after {documents:,} document{'s' * (documents > 1)}" if documents else ""
        again = ": it continues after what was kept" if documents else ""
        super().__init__(
            f"The connection to the hub was lost{after} while “{name}” was being read.",
            next_step=f"Reconnect and start the same job again{again}.",
        )
        self.name = name


class BadRowError(UserError):
    """A row, or a chat, that cannot be read, among others that may be."""


FEW_BAD = 10
"""So many rows may be left out of any corpus, unless none may."""


@dataclass
class Report:
    """What is learnt of a corpus while it is read."""

    formats: Counter[str] = field(default_factory=Counter)
    """Files read so far, by the name of their format."""
    columns: list[ColumnDescription] = field(default_factory=list)
    """Of the first table."""
    column: str = ""
    left_out: Counter[str] = field(default_factory=Counter)
    """Files, folders and rows that gave no text, by what they are called."""
    duplicates: int = 0
    tables: list[TableDescription] = field(default_factory=list)
    """The first tables and which of their columns is read."""
    rows: int = 0
    """Rows and texts looked at."""
    bad: int = 0
    """Of these, those that could not be read."""
    first_bad: UserError | None = None
    stretches: list[str] = field(default_factory=list)
    """Files that are too large to be mixed as a whole: they are read from their beginning on."""
    stretch: int = 0
    """Over so many characters these are mixed."""
    first_ragged: str = ""
    """Where the first row stands that has more fields than its table has columns."""

    def leave_out(self, error: UserError, limit: float) -> None:
        """Count what cannot be read. Raises UserError where more than the share `limit` is bad.

        With a limit of 0 the error itself is raised.
        """
        if limit <= 0:
            raise error
        self.bad += 1
        self.first_bad = self.first_bad or error
        if self.bad > max(FEW_BAD, limit * self.rows):
            raise UserError(
                f"{self.bad:,} of {max(self.rows, self.bad):,} rows cannot be read, more than the "
                f"share of {limit:.3g} that may be left out. The first: {self.first_bad.what}",
                next_step=f"{self.first_bad.next_step} Or allow more to be left out.".lstrip(),
            )

    def table(self, found: TableDescription) -> None:
        """Remember a table's columns, of very many the first."""
        if len(self.tables) < MOST_TABLES:
            self.tables.append(found)

    @property
    def format(self) -> str:
        """The formats in words, the most frequent first."""
        if sum(self.formats.values()) <= 1:
            return next(iter(self.formats), "")
        names = (f"{name} ({count:,})" for name, count in self.formats.most_common())
        return "Folder: " + ", ".join(names)

    def notes(self) -> list[str]:
        """Return sentences on what was left out."""
        found = []
        if self.left_out:
            kinds = (_counted(kind, count) for kind, count in sorted(self.left_out.items()))
            found.append(f"Left out: {', '.join(kinds)}.")
        without = [table.name for table in self.tables if not table.column]
        if without and len(self.tables) > 1:
            shown = ", ".join(f"“{name}”" for name in without[:_NAMED])
            more = f" and {len(without) - _NAMED:,} more" if len(without) > _NAMED else ""
            found.append(f"Tables not read: {shown}{more}.")
        if self.bad and self.first_bad is not None:
            what = "One row" if self.bad == 1 else f"{self.bad:,} rows"
            rest = "" if self.bad == 1 else " The first:"
            found.append(
                f"{what} could not be read and {'was' if self.bad == 1 else 'were'} "
                f"left out.{rest} {self.first_bad.what}"
            )
        if self.stretches:
            shown = ", ".join(f"“{name}”" for name in self.stretches[:_NAMED])
            others = len(self.stretches) - _NAMED
            shown += f" and {others:,} more" if others > 0 else ""
            found.append(
                f"{shown} can only be read from the beginning to the end. What is in there is "
                f"shuffled within stretches of about {self.stretch:,} characters, not over the "
                "whole file. To shuffle all of it, unpack it, and save it as JSON lines."
            )
        return found


def _counted(kind: str, count: int) -> str:
    if count == 1:
        kind = re.sub(r"\b(file|folder|table|row)s\b", r"\1", kind, count=1)
    return f"{count:,} {kind}"
