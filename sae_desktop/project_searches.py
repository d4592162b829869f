"""The answers of the latest searches in a project's notes, for as long as nothing is written."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

_KEPT = 8
"""Answers; one of a million features takes eight megabytes."""


class Searches:
    """What was found before: the same words are asked for again with every other condition."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._state: tuple[int, int] | None = None
        self._found: OrderedDict[Hashable, npt.NDArray[np.int64]] = OrderedDict()

    def found(
        self, question: Hashable, ask: Callable[[], npt.NDArray[np.int64]]
    ) -> npt.NDArray[np.int64]:
        """Return the answer to a question, which is asked where it is not known; read-only."""
        row: Any = self._database.execute("PRAGMA data_version").fetchone()
        # The one tells of what others wrote, the other of what was written here.
        state = int(row[0]), self._database.total_changes
        if state != self._state:
            self._found.clear()
            self._state = state
        if question not in self._found:
            answer = ask()
            answer.setflags(write=False)
            self._found[question] = answer
            if len(self._found) > _KEPT:
                self._found.popitem(last=False)
        self._found.move_to_end(question)
        return self._found[question]
