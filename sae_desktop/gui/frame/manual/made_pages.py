"""The manual's pages, of which some are made by a process of their own when they are asked for.

They are made from the command line and from readers of files, which the window does not import.
"""

from __future__ import annotations

import json
from functools import partial

from PySide6.QtCore import QObject, QProcess, QTimer, Signal

from sae_desktop.client.engine_process import EngineProcess
from sae_desktop.client.own_program import own_program
from sae_desktop.errors import UserError
from sae_desktop.words.manual.contents import MADE, Manual

_IN_SEARCH = ("commands", "settings")
"""Made for a search; the third takes seconds, since it needs the readers."""
_IN_NO_HURRY_MS = 1500
_ENDING_MS = 2000


class MadePages(QObject):
    """The manual; asks for what is missing, once."""

    made = Signal(str)
    """Id of a page that can be read now."""
    failed = Signal(str, object)
    """Id, UserError."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.manual = Manual()
        self._asked: dict[str, EngineProcess] = {}
        self._soon = QTimer(self, singleShot=True, interval=_IN_NO_HURRY_MS)
        self._soon.timeout.connect(lambda: self.need(_IN_SEARCH[0]))

    def need(self, page: str) -> None:
        """Have a page made, unless it is there, is being made, or is none that is made."""
        if page not in MADE or self.manual.has(page) or page in self._asked:
            return
        process = self._asked[page] = EngineProcess(self)
        process.finished.connect(partial(self._on_finished, page))
        process.errorOccurred.connect(partial(self._on_error, page))
        command = [*own_program(), "manual", page, "--json"]
        process.start(command[0], command[1:])

    def need_for_search(self) -> None:
        """Have those pages made that a search looks into."""
        for page in _IN_SEARCH:
            self.need(page)

    def need_soon(self) -> None:
        """Have the commands made once nobody has typed for a while."""
        if not self.manual.has(_IN_SEARCH[0]):
            self._soon.start()

    def end(self) -> None:
        """End what is being made: the window closes."""
        self._soon.stop()
        asked, self._asked = self._asked, {}
        for process in asked.values():
            process.silence()
            process.kill()
            process.waitForFinished(_ENDING_MS)
            process.deleteLater()

    def _on_finished(self, page: str, _code: int = 0, _status: object = None) -> None:
        process = self._asked.pop(page, None)
        if process is None:
            return
        lines = bytes(process.readAllStandardOutput().data()).splitlines()
        process.deleteLater()
        try:
            text = str(json.loads(lines[-1])["text"])
        except (ValueError, LookupError, TypeError):
            self._fail(page)
            return
        self.manual.add(page, text)
        self.made.emit(page)

    def _on_error(self, page: str, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart and page in self._asked:
            self._asked.pop(page).deleteLater()
            self._fail(page)

    def _fail(self, page: str) -> None:
        error = UserError(
            f"The page “{MADE[page]}” could not be made.",
            next_step=f"In a terminal, “sae-desktop manual {page}” shows it, or says why not.",
        )
        self.failed.emit(page, error)
