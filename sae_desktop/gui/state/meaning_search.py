"""Search by meaning as the window's parts share it: what is lacking, and how it is provided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
from PySide6.QtCore import QObject, Signal

from sae_desktop.engine.protocol import JobProgress
from sae_desktop.features.reading.beside import meaning_path
from sae_desktop.gui.state.session import Session
from sae_desktop.labels.search.config import (
    EmbedLabelsConfig,
    SearchMeaningConfig,
    encoder_is_here,
)
from sae_desktop.language_model.config import GetModelConfig
from sae_desktop.language_model.names import MINILM

if TYPE_CHECKING:
    from sae_desktop.client.job import Job

Lack = Literal["", "index", "encoder", "vectors"]


class MeaningSearch(QObject):
    """Tells what a search by meaning lacks, and starts the jobs that provide it."""

    changed = Signal()
    """Something that was lacking is there, or a job that provides it has come further."""
    requested = Signal(str)
    """A text is to be searched by meaning in the list; empty: the field is wanted."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.job: Job | None = None
        """The job under way that provides what is lacking."""
        self._warmed = ""
        session.indexOpened.connect(lambda _index: self.changed.emit())
        session.client.jobAdded.connect(self._on_job_added)

    @classmethod
    def of(cls, session: Session) -> MeaningSearch:
        """Return the session's one instance."""
        found = session.findChild(cls)
        return found if found is not None else cls(session)

    @property
    def lack(self) -> Lack:
        """What is lacking; empty: a search has an answer."""
        if self._session.index is None:
            return "index"
        if meaning_path(self._session.index.path).is_file():
            return "" if encoder_is_here() else "encoder"
        return "vectors" if encoder_is_here() else "encoder"

    def provide(self) -> None:
        """Get the encoder if it is not here, then read the labels and contexts of the index."""
        if self.job is not None or self._session.index is None:
            return
        if self.lack == "encoder":
            self._session.run(GetModelConfig(name=MINILM))
        else:
            self.read()

    def read(self) -> None:
        """Read what is new or has changed in the open index."""
        if self._session.index is not None:
            self._session.run(
                EmbedLabelsConfig(
                    project=self._session.project_path, index=self._session.index_name
                )
            )

    def warm(self) -> None:
        """Have the engine load the encoder before anything is asked, once for each index."""
        if not self.lack and self._warmed != self._session.index_name:
            self._warmed = self._session.index_name
            self._session.run(
                SearchMeaningConfig(
                    project=self._session.project_path, index=self._session.index_name, text=""
                )
            )

    def progress(self) -> JobProgress | None:
        """Return how far the job is that provides what is lacking."""
        return None if self.job is None else self.job.progress

    # ------------------------------------------------------------------ jobs
    def _on_job_added(self, job: Job) -> None:
        config = job.config
        getting = isinstance(config, GetModelConfig) and config.name == MINILM
        reading = isinstance(config, EmbedLabelsConfig) and self._session.is_here(job)
        if not getting and not reading:
            return
        self.job = job
        job.progressed.connect(lambda _progress: self.changed.emit())
        job.finished.connect(lambda _result: self._on_finished(job))
        job.failed.connect(lambda _error: self._on_ended(job))
        job.cancelled.connect(lambda _message: self._on_ended(job))
        self.changed.emit()

    def _on_finished(self, job: Job) -> None:
        self._on_ended(job)
        # Whoever asked for the encoder wants to search; to read is the rest of the same wish.
        if isinstance(job.config, GetModelConfig) and self.lack == "vectors":
            self.read()

    def _on_ended(self, job: Job) -> None:
        if self.job is job:
            self.job = None
        self.changed.emit()


def asked(session: Session, text: str, **more: object) -> SearchMeaningConfig:
    """Return the question for the features of the open index that are about `text`."""
    config = SearchMeaningConfig(project=session.project_path, index=session.index_name, text=text)
    return msgspec.structs.replace(config, **more)
