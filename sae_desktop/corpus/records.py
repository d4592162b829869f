"""What every reader of a corpus gives and tells: records, and a report of what was left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sae_desktop.corpus.config import ColumnDescription
from sae_desktop.errors import UserError


class Message(NamedTuple):
    """What one role says in a chat."""

    role: str
    content: str


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

    @property
    def format(self) -> str:
        """The formats in words, the most frequent first."""
        if sum(self.formats.values()) <= 1:
            return next(iter(self.formats), "")
        names = (f"{name} ({count:,})" for name, count in self.formats.most_common())
        return "Folder: " + ", ".join(names)

    def notes(self) -> list[str]:
        """Return sentences on what was left out."""
        if not self.left_out:
            return []
        kinds = (_counted(kind, count) for kind, count in sorted(self.left_out.items()))
        return [f"Left out: {', '.join(kinds)}."]


def _counted(kind: str, count: int) -> str:
    if count == 1:
        kind = re.sub(r"\b(file|folder|table|row)s\b", r"\1", kind, count=1)
    return f"{count:,} {kind}"
