"""Writes what a person notes, in a thread beside the window, which never waits for the disk."""

from __future__ import annotations

import threading
import time
from collections import deque
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from sae_desktop.errors import UserError
from sae_desktop.gui.state.error_hook import describe
from sae_desktop.project_changes import (
    Change,
    ManyChange,
    forget_kept,
    is_busy,
    keep_for_later,
    kept_for_later,
)
from sae_desktop.project_notes import Notes

SETTLE_SECONDS = 0.05
"""How long a reader waits for what was just written; a commit takes some milliseconds."""
LAST_SECONDS = 10.0
"""How long is tried, once the project is closed, before what is left is kept in a file."""
_BUSY_MS = 100
_SAY_AFTER_SECONDS = 2.0
_LOOK_SECONDS = 1.0


class NotesWriter(QObject):
    """One project's changes, written in the order they were made. Signals come in the window."""

    refused = Signal(object)
    """(Change, UserError or ErrorInfo): it was not written, and will not be."""
    delayed = Signal(bool)
    """Something else keeps the file busy and changes wait; false: they are written."""
    changedElsewhere = Signal()
    """Another window or job has written notes."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._condition = threading.Condition()
        self._changes: deque[Change] = deque()
        self._ending_since: float | None = None
        self._stuck = False
        self._taken_up = False
        # Not a daemon: the program's end waits until what was written is on the disk.
        self._thread = threading.Thread(target=self._run, name="notes")
        self._thread.start()

    # ------------------------------------------------------------------ the window's side
    def write(self, change: Change) -> None:
        """Have a change written."""
        with self._condition:
            alive = self._thread.is_alive()
            if alive:
                self._changes.append(change)
                self._condition.notify_all()
        if not alive:
            self.refused.emit(
                (
                    change,
                    UserError(
                        f"{change.title} could not be saved: the notes file cannot be opened.",
                        next_step="Reopen the project.",
                    ),
                )
            )

    def waiting(self) -> list[Change]:
        """Return the changes that are not written yet, oldest first."""
        with self._condition:
            return list(self._changes)

    def settle(self) -> bool:
        """Wait a moment for what was written, unless the file is known to be busy."""
        with self._condition:
            self._condition.wait_for(lambda: not self._changes or self._stuck, SETTLE_SECONDS)
            return not self._changes

    def finish(self) -> None:
        """Write what is left and end; what cannot be written is kept in a file for later."""
        with self._condition:
            self._ending_since = time.monotonic()
            self._condition.notify_all()
        self.settle()
        if not self.waiting():
            self._thread.join()

    # ------------------------------------------------------------------ the thread's side
    def _run(self) -> None:
        notes = None
        try:
            notes = Notes(self._path)
            notes.database.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            self._take_up()
            self._serve(notes)
        except Exception as error:  # told in the window, and the changes are kept
            for change in self.waiting():
                self.refused.emit((change, describe(error)))
        finally:
            self._end(notes)

    def _take_up(self) -> None:
        left = kept_for_later(self._path)
        with self._condition:
            self._changes.extendleft(reversed(left))
        self._taken_up = bool(left)

    def _serve(self, notes: Notes) -> None:
        version, since = _version(notes), 0.0
        while True:
            with self._condition:
                self._condition.wait_for(
                    lambda: self._changes or self._ending_since is not None, _LOOK_SECONDS
                )
                change = self._changes[0] if self._changes else None
                # However the program ends, the thread does not keep it from ending.
                if self._ending_since is None and not threading.main_thread().is_alive():
                    self._ending_since = time.monotonic()
                ending = self._ending_since
            if change is None:
                if self._taken_up:
                    forget_kept(self._path)
                    self._taken_up = False
                if ending is not None:
                    return
                now = _version(notes)
                if now != version:
                    version = now
                    self.changedElsewhere.emit()
                continue
            if ending is not None and time.monotonic() - ending > LAST_SECONDS:
                return
            since = self._write_one(notes, change, since)

    def _write_one(self, notes: Notes, change: Change, since: float) -> float:
        """Try to write a change; return since when the file is busy, 0 when it is not."""
        error: object = None
        try:
            change.apply(notes)
        except UserError as refusal:
            if is_busy(refusal):
                return self._wait(since)
            error = refusal
        except Exception as fault:
            error = describe(fault)
        with self._condition:
            self._changes.popleft()
            was_delayed, self._stuck = self._stuck, bool(self._changes) and self._stuck
            self._condition.notify_all()
        if error is not None:
            self.refused.emit((change, error))
        elif isinstance(change, ManyChange):
            self.changedElsewhere.emit()  # whoever showed lists and counts meanwhile reads again
        if was_delayed and not self._stuck:
            self.delayed.emit(False)
        return 0.0 if not self._stuck else since

    def _wait(self, since: float) -> float:
        now = time.monotonic()
        with self._condition:
            self._stuck = True
            self._condition.notify_all()
            self._condition.wait_for(lambda: False, _BUSY_MS / 1000)
        if not since:
            return now
        if now - since > _SAY_AFTER_SECONDS:
            self.delayed.emit(True)
            return float("inf")
        return since

    def _end(self, notes: Notes | None) -> None:
        left = self.waiting()
        if left:
            try:
                keep_for_later(self._path, left)
            except UserError as error:
                self.refused.emit((left[0], error))
        with self._condition:
            self._changes.clear()
            self._condition.notify_all()
        if notes is not None:
            notes.close()


def _version(notes: Notes) -> int:
    """Return a number that changes when others write; this connection's own writes do not count."""
    return int(notes.database.execute("PRAGMA data_version").fetchone()[0])
