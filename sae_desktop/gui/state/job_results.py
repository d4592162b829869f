"""What the session makes of jobs that end: what they made is selected, and why they failed said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec
from PySide6.QtCore import SignalInstance

from sae_desktop.activations.config import HarvestResult
from sae_desktop.benchmark.config import BenchmarkResult
from sae_desktop.benchmark.kinds.config import ConceptKindsResult
from sae_desktop.client.job import Job
from sae_desktop.engine.protocol import ErrorInfo, JobOutput
from sae_desktop.errors import UserError
from sae_desktop.features.config import FirstFeatures, IndexResult, NameFeaturesResult
from sae_desktop.features.set_index_config import IndexSetResult
from sae_desktop.labels.scoring.config import ScoreLabelsResult
from sae_desktop.steering.effect_config import OutputEffectResult
from sae_desktop.training.config import TrainResult
from sae_desktop.words.strength_words import strengths_text
from sae_desktop.words.unfinished_text import rows_so_far

if TYPE_CHECKING:
    from sae_desktop.client.engine_client import EngineClient
    from sae_desktop.features.reading.reader import FeatureIndex


class Selecting(Protocol):
    """What is selected in the window, and who is told: the session."""

    client: EngineClient
    store: str
    dictionary: str
    index: FeatureIndex | None
    columnMade: SignalInstance

    @property
    def index_name(self) -> str: ...
    def is_here(self, job: Job) -> bool: ...
    def look_again(self) -> None: ...
    def open_index(self, name: str) -> bool: ...
    def notify(self, sentence: str) -> None: ...
    def show_error(self, error: UserError | ErrorInfo) -> None: ...


class JobResults:
    """Listens to every job of the session's engine."""

    def __init__(self, session: Selecting) -> None:
        self._session = session
        session.client.jobAdded.connect(self._on_job_added)

    def _on_job_added(self, job: Job) -> None:
        if job.quiet:
            return  # whoever asked shows the answer, or why there is none
        job.outputReceived.connect(lambda output: self._on_output(job, output))
        job.finished.connect(lambda result: self._on_job_finished(job, result))
        job.cancelled.connect(self._on_job_ended)
        job.failed.connect(self._on_job_failed)

    def _on_output(self, job: Job, output: JobOutput) -> None:
        """Have the first features of an index read as soon as they are there."""
        first = output.data
        if not isinstance(first, FirstFeatures) or not self._session.is_here(job):
            return
        self._session.look_again()
        if self._session.index is None:
            self._session.open_index(first.name)
        so_far = rows_so_far(first.rows, first.whole_rows)
        self._session.notify(f"The first features of “{first.name}” can be read, from {so_far}.")

    def _on_job_finished(self, job: Job, result: msgspec.Struct) -> None:
        if not self._session.is_here(job):
            return  # what it has made belongs to another project
        if isinstance(result, HarvestResult):
            self._session.store = result.name
        elif isinstance(result, TrainResult) and self._session.index is None:
            self._session.dictionary = result.name
        elif isinstance(result, OutputEffectResult):
            self._take_effects(result)
        elif isinstance(result, NameFeaturesResult):
            self._take_names(result)
        elif isinstance(result, ScoreLabelsResult):
            self._take_scores(result)
        elif isinstance(result, ConceptKindsResult):
            self._take_kinds(result)
        elif isinstance(result, BenchmarkResult):
            self._take_returns()
        self._session.look_again()
        if self._session.index is None:
            if isinstance(result, IndexResult):
                self._session.open_index(result.name)
            elif isinstance(result, IndexSetResult) and result.indexes:
                self._session.open_index(result.indexes[0].name)

    def _take_effects(self, result: OutputEffectResult) -> None:
        """Have the open index show what was just measured of its features."""
        if self._session.index is None or result.index != self._session.index_name:
            return
        try:
            self._session.index.read_output_effects()
        except UserError as error:
            self._session.show_error(error)
            return
        self._session.columnMade.emit("output_effect")
        if told := strengths_text(result):
            self._session.notify(told)

    def _take_names(self, result: NameFeaturesResult) -> None:
        """Have the open index show the names that were just made."""
        if self._session.index is None or result.index != self._session.index_name:
            return
        try:
            self._session.index.read_names()
        except UserError as error:
            self._session.show_error(error)
            return
        self._session.columnMade.emit("name_score")

    def _take_scores(self, result: ScoreLabelsResult) -> None:
        """Have the open index show the scores that its labels were just given."""
        if self._session.index is None or result.index != self._session.index_name:
            return
        if not result.kept:
            return
        try:
            self._session.index.read_scores()
        except UserError as error:
            self._session.show_error(error)
            return
        self._session.columnMade.emit("label_score")

    def _take_kinds(self, result: ConceptKindsResult) -> None:
        """Have the open index show which features were found to be one concept in both."""
        index = self._session.index
        if index is None or result.index != self._session.index_name or result.modality is None:
            return
        index.read_kinds()
        self._session.columnMade.emit("same_concept")

    def _take_returns(self) -> None:
        """Have the open index show in which other seeds its features were found again."""
        index = self._session.index
        if index is None:
            return
        index.read_seed_returns()
        if "seed_returns" in index.columns:
            self._session.columnMade.emit("seed_returns")

    def _on_job_ended(self, _message: object = None) -> None:
        self._session.look_again()

    def _on_job_failed(self, error: ErrorInfo) -> None:
        self._session.look_again()
        # After a crash one banner tells of the engine and of every job that ended with it.
        if self._session.client.state != "crashed":
            self._session.show_error(error)
