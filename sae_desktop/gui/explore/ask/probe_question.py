"""What is asked of the engine about a text: one question at a time, the last one counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from PySide6.QtCore import QObject, Signal

from sae_desktop.described import default
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.errors import UserError
from sae_desktop.features.config import ProbeConfig, ProbeResult
from sae_desktop.features.reading.chat_text import parse_chat
from sae_desktop.gui.explore.ask.probe_summary import Measure, ProbeTable, usual_shares
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.session import Session
from sae_desktop.storage.scratch import ScratchFolder
from sae_desktop.words.amounts import exact_count

PAUSE_MS = 40
"""Pause in the typing after which the engine is asked: leaves it most of the 150 ms."""
LONGEST = 2_000_000
"""Characters of a text that are probed; the engine counts its tokens."""


@dataclass(frozen=True)
class Asked:
    """How a text is read, and which of its features are told."""

    chat: bool
    rank: Measure
    most_density: float
    features: Sequence[int] = ()
    """Told whatever their rank and density."""
    token: int | None = None
    """The token that is looked at, counted from the beginning of the text."""
    pictures: Sequence[str] = ()
    """Files that stand before the text."""


class ProbeQuestion(QObject):
    """Asks which features fire on a text of the open index's model."""

    answered = Signal(object)
    """ProbeTable"""
    refused = Signal(str)
    """Why there is no answer, and what to do: to be said beside the text."""
    busyChanged = Signal(bool)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._folder = ScratchFolder()
        self._latest = LatestJob(session, PAUSE_MS, self)
        self._reading = Background(self)
        self._latest.answered.connect(self._on_answered)
        self._latest.failed.connect(self._on_failed)
        self._latest.busyChanged.connect(self.busyChanged)
        self._reading.answered.connect(lambda answer: self.answered.emit(answer[1]))
        self._reading.refused.connect(lambda answer: self._on_failed(answer[1]))

    @property
    def busy(self) -> bool:
        return self._latest.busy or self._reading.busy

    def ask(self, text: str, asked: Asked) -> None:
        """Ask once the typing pauses; a text that is too long is refused at once."""
        if len(text) > LONGEST:
            self._latest.forget()
            self.refused.emit(
                f"The text has {exact_count(len(text))} characters, and at most "
                f"{exact_count(LONGEST)} are read here. Enter a shorter text."
            )
            return
        config = self.config(text, asked)
        try:
            spill = str(self._folder.path())
        except OSError:  # the answer then comes by the pipe
            spill = ""
        self._latest.ask(msgspec.structs.replace(config, spill=spill))

    def config(self, text: str, asked: Asked) -> ProbeConfig:
        """Return the question as a job, whose answer comes whole."""
        return ProbeConfig(
            project=self._session.project_path,
            index=self._session.index_name,
            text="" if asked.chat else text,
            chat=parse_chat(text) if asked.chat else [],
            pictures=list(asked.pictures),
            views=bool(asked.pictures),
            features=list(asked.features),
            # What runs through a text may be weak on each of its tokens: all of them come.
            rank="share" if asked.rank == "excess" else asked.rank,
            per_token=0 if asked.rank == "excess" else default(ProbeConfig, "per_token"),
            most_density=asked.most_density,
            attribute_at=asked.token if asked.rank == "attribution" else None,
        )

    def forget(self) -> None:
        """Ask nothing more, and drop what is under way."""
        self._latest.forget()

    def _on_answered(self, result: ProbeResult) -> None:
        index = self._session.index
        maxima = None if index is None else index.columns["max_activation"]
        usual = None if index is None else usual_shares(index.columns)
        if not result.file:
            self.answered.emit(ProbeTable(result, maxima, usual))
            return

        def read() -> ProbeTable:
            try:
                return ProbeTable(result, maxima, usual)
            except (OSError, ValueError) as error:
                raise UserError(
                    f"The answer cannot be read: {error}.", next_step="Try again."
                ) from error

        self._reading.run(result.file, read)

    def _on_failed(self, error: ErrorInfo | UserError) -> None:
        # In place and not as a toast: the next key may well ask again.
        self.refused.emit(" ".join(part for part in (error.what, error.next_step) if part))
