"""What the window is about right now: the project, the open index, the selected feature.

Panels get the session and nothing else; they speak to one another through its signals.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer, Signal
from PySide6.QtGui import QUndoStack

from sae_desktop.activations.config import (
    HarvestConfig,
    HarvestResult,
)
from sae_desktop.client.detached_jobs import DetachedJobs
from sae_desktop.engine.protocol import ErrorInfo, JobConfig, ProjectRefused
from sae_desktop.engine.registry import job_kind
from sae_desktop.errors import UserError
from sae_desktop.features.config import IndexResult
from sae_desktop.gui.state.history import History, Place
from sae_desktop.gui.state.notes_writer import NotesWriter
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.project import Project
from sae_desktop.project_changes import Change
from sae_desktop.project_notes import Notes
from sae_desktop.steering.effect_config import OutputEffectResult
from sae_desktop.training.config import TrainResult
from sae_desktop.words.inventory import Inventory, take_inventory
from sae_desktop.words.running_jobs import Written, being_written

if TYPE_CHECKING:
    from sae_desktop.client.engine_client import EngineClient
    from sae_desktop.client.job import Job
    from sae_desktop.features.reading.reader import FeatureIndex

_FOLDERS = (
    "activations",
    "dictionaries",
    "features",
    "sweeps",
    "matches",
    "concepts",
    "completeness",
)
_SETTLE_MS = 1_000
"""A folder that has just changed is still being synced: looking into it at once would wait."""


def _unreadable(name: str, error: Exception) -> UserError:
    return UserError(
        f"The index “{name}” cannot be read: {error or type(error).__name__}.",
        kept="It was left unchanged, and everything else can be used.",
        next_step="Restore it from a copy, or build it again under another name.",
    )


class Session(QObject):
    """The state panels share. Signals carry structs, names or nothing."""

    projectChanged = Signal()
    """Another project (or none) is open."""
    contentsChanged = Signal()
    """Stores, dictionaries or indexes came, went or changed."""
    leaving = Signal()
    """Another index or project is about to be opened: what is being typed belongs to this one."""
    notesDelayed = Signal(bool)
    """Something else keeps the notes file busy, and changes wait; false: they are written."""
    notesChanged = Signal()
    """Another window or job has written notes, or changes of this one were not taken."""
    selectionChanged = Signal()
    """The store, dictionary or index in focus changed."""
    indexOpened = Signal(object)
    """FeatureIndex, or None when it was closed."""
    featureSelected = Signal(int)
    writableChanged = Signal()
    historyChanged = Signal()
    errorRaised = Signal(object)
    """ErrorInfo, to be shown as a toast."""
    noticeRaised = Signal(str)
    """One sentence to be shown as a passing toast."""
    workspaceRequested = Signal(str)
    """Id of the workspace to show: project, harvest, train, explore, steer."""
    harvestRequested = Signal(object)
    """dict of HarvestConfig fields to fill into the Harvest panel, such as {"model": path}."""
    harvestDrafted = Signal()
    """`harvest_draft` changed."""
    storeRequested = Signal(str)
    """Name of a store whose rows the Harvest panel is to show."""
    trainRequested = Signal(str)
    """Name of the store to train on."""
    sweepRequested = Signal(str)
    """Name of a sweep over settings whose runs are to be compared."""
    steerRequested = Signal(int)
    """A feature to be put in the rack of sliders."""
    featuresRequested = Signal(object)
    """FeatureSet, to be shown alone in the list of features."""
    columnMade = Signal(str)
    """A job has given the open index a column of this name."""
    textRequested = Signal(str)
    """A text to be tried on the features."""

    def __init__(self, client: EngineClient, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.client = client
        self.project: Project | None = None
        self._notes: Notes | None = None
        self._writer: NotesWriter | None = None
        self.index: FeatureIndex | None = None
        self.harvest_draft = HarvestConfig(project="", name="")
        """What the Harvest panel is set to; a training may read it as a stream."""
        self.feature: int | None = None
        self.store = ""
        self.dictionary = ""
        self.inventory = Inventory()
        self.refusal: ErrorInfo | None = None
        self.history = History()
        self.undo_stack = QUndoStack(self)
        self.workspace = "project"
        self._watcher = QFileSystemWatcher(self)
        self._watcher.directoryChanged.connect(self._on_folder_changed)
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settle.timeout.connect(self._on_settled)
        self.detached = DetachedJobs(self)
        """Jobs of an engine that works on the project without a window."""
        self.detached.found.connect(client.adopt)
        self.detached.ended.connect(self.take_lock)
        client.projectRefused.connect(self._on_project_refused)
        client.projectOpened.connect(self._on_project_opened)
        client.jobAdded.connect(self._on_job_added)

    # ------------------------------------------------------------------ project
    @property
    def project_path(self) -> str:
        """The open project's folder as a job's config wants it. Raises UserError without one."""
        if self.project is None:
            raise UserError("No project is open.", next_step="Open or create one first.")
        return str(self.project.path)

    @property
    def read_only(self) -> bool:
        return self.refusal is not None

    @property
    def written(self) -> Written:
        """What jobs under way write into the open project, as (kind, name)."""
        running = [j.config for j in self.client.jobs if not j.ended and self._is_here(j)]
        return being_written(running, self.inventory.sweeps)

    @property
    def engine_stopped(self) -> bool:
        """Whether the engine must be started before a job can run."""
        return self.client.state in ("stopped", "crashed")

    def open_project(self, path: Path, *, create: bool = False) -> bool:
        """Open a project folder and take its lock in the engine; errors become toasts."""
        try:
            project = Project.open_or_create(path) if create else Project.open(path)
            notes = Notes(project.notes_path)
        except UserError as error:
            self.show_error(error)
            return False
        self.close_project()
        self.project, self._notes = project, notes
        if not notes.read_only:
            self._begin_writing(notes)
        self._watch_folders()
        self.take_lock()
        self.inventory = take_inventory(project)
        self.projectChanged.emit()
        self.contentsChanged.emit()
        self._open_newest()
        return True

    def _open_newest(self) -> None:
        if self.inventory.indexes:
            self.open_index(max(self.inventory.indexes, key=lambda item: item.modified).name)
            return
        if self.inventory.stores:
            self.store = max(self.inventory.stores, key=lambda item: item.modified).name
        if self.inventory.dictionaries:
            newest = max(self.inventory.dictionaries, key=lambda item: item.modified)
            self.dictionary = newest.name
        self.selectionChanged.emit()

    def take_lock(self) -> None:
        """Ask the engine for the right to write, again after it was refused."""
        if self.project is not None:
            self.client.open_project(str(self.project.path))

    def close_project(self) -> None:
        """Let go of the project's files."""
        self.leaving.emit()
        self.detached.watch(None)
        if self._writer is not None:
            self._writer.finish()
        if self._notes is not None:
            self._notes.close()
        self._settle.stop()
        if self._watcher.directories():
            self._watcher.removePaths(self._watcher.directories())
        self.project = self.index = self.feature = self.refusal = None
        self._notes = self._writer = None
        self.store = self.dictionary = ""
        self.inventory = Inventory()
        self.undo_stack.clear()
        self.history = History()
        self.historyChanged.emit()

    # ------------------------------------------------------------------ notes
    @property
    def notes(self) -> Notes | None:
        """What is written in the project, for reading; what was just written is in it."""
        if self._writer is not None:
            self._writer.settle()
        return self._notes

    def notes_to_come(self) -> list[Change]:
        """Return the changes of notes that are not on the disk yet, oldest first."""
        return self._writer.waiting() if self._writer is not None else []

    def may_write_notes(self) -> bool:
        """Whether notes can be changed; that a project is read-only is said."""
        if self.refusal is not None:
            self.show_error(self.refusal)
        elif self.project is not None and self._writer is None:
            self.show_error(
                UserError(
                    f"The project “{self.project.path.name}” is read-only. Nothing was changed.",
                    next_step="Copy it to a folder you can write to.",
                )
            )
        return self.refusal is None and self._writer is not None

    def write_notes(self, change: Change) -> None:
        """Have a change of notes written, beside the window."""
        if self._writer is not None:
            self._writer.write(change)

    def _begin_writing(self, notes: Notes) -> None:
        self._writer = NotesWriter(notes.path)
        self._writer.refused.connect(self._on_change_refused)
        self._writer.delayed.connect(self.notesDelayed)
        self._writer.changedElsewhere.connect(self.notesChanged)

    def _on_change_refused(self, refused: tuple[Change, UserError | ErrorInfo]) -> None:
        self.show_error(refused[1])
        self.notesChanged.emit()

    # ------------------------------------------------------------------ selection
    def select_store(self, name: str) -> None:
        if name != self.store:
            self.store = name
            self.selectionChanged.emit()

    def draft_harvest(self, config: HarvestConfig) -> None:
        """Say what the Harvest panel is set to."""
        if config != self.harvest_draft:
            self.harvest_draft = config
            self.harvestDrafted.emit()

    def select_dictionary(self, name: str) -> None:
        if name != self.dictionary:
            self.dictionary = name
            self.selectionChanged.emit()

    def open_index(self, name: str) -> bool:
        """Open an index for Explore and Steer; errors become toasts."""
        # h5py: not before the first show
        from sae_desktop.features.reading.reader import FeatureIndex

        if self.project is None:
            return False
        try:
            index = FeatureIndex(self.project.index_path(name))
        except Exception as error:  # the project stays open whatever an index of it is
            self.show_error(error if isinstance(error, UserError) else _unreadable(name, error))
            return False
        self.leaving.emit()
        self.index = index
        self.dictionary, self.store = index.info.dictionary, index.info.activations
        self.feature = None
        self.indexOpened.emit(index)
        self.selectionChanged.emit()
        return True

    def close_index(self) -> None:
        """Let go of the open index."""
        self.leaving.emit()
        self.index = self.feature = None
        self.indexOpened.emit(None)
        self.selectionChanged.emit()

    @property
    def index_name(self) -> str:
        """Name of the open index, or nothing."""
        return self.index.path.stem if self.index is not None else ""

    def select_feature(self, feature: int, *, remember: bool = True) -> None:
        """Show a feature of the open index, and remember where one came from."""
        if self.index is None:
            return
        try:
            self.index.check_feature(feature)
        except UserError as error:
            self.show_error(error)
            return
        self.feature = feature
        if remember:
            self._remember()
        self.featureSelected.emit(feature)

    def go_to_feature(self, index: str, feature: int) -> None:
        """Show a feature of an index of the project, which is opened unless it is open."""
        if index == self.index_name or self.open_index(index):
            self.select_feature(feature)

    # ------------------------------------------------------------------ places
    def show_workspace(self, name: str) -> None:
        """Ask the window for a workspace."""
        self.workspaceRequested.emit(name)

    def enter_workspace(self, name: str) -> None:
        """Say which workspace is in front; the window calls this."""
        if name != self.workspace:
            self.workspace = name
            self._remember()

    def go_back(self) -> None:
        if self.history.can_go_back:
            self._go(self.history.back())

    def go_forward(self) -> None:
        if self.history.can_go_forward:
            self._go(self.history.forward())

    def _remember(self) -> None:
        self.history.visit(Place(self.workspace, self.index_name, self.feature))
        self.historyChanged.emit()

    def _go(self, place: Place) -> None:
        self.workspace = place.workspace
        self.workspaceRequested.emit(place.workspace)
        if place.index and place.index != self.index_name and not self.open_index(place.index):
            return
        if place.feature is not None and place.feature != self.feature:
            self.select_feature(place.feature, remember=False)
        self.historyChanged.emit()

    # ------------------------------------------------------------------ jobs and errors
    def run(self, config: JobConfig) -> Job | None:
        """Start a job. On a read-only project a job that writes is refused with a toast: None."""
        if self.refusal is not None and job_kind(config).writes:
            self.show_error(self.refusal)
            return None
        try:
            refuse_beyond_limits(config)
        except UserError as error:
            self.show_error(error)
            return None
        return self.client.start_job(config)

    def _is_here(self, job: Job) -> bool:
        """Whether a job is of the open project, or of none."""
        project = str(getattr(job.config, "project", ""))
        here = self.project.path.resolve() if self.project is not None else None
        return not project or Path(project).resolve() == here

    def run_again(self, job: Job) -> Job | None:
        """Start an ended job once more, as it was; the engine is started where none runs.

        None where the job is of another project, or the project is read-only.
        """
        if not self._is_here(job):
            project = str(getattr(job.config, "project", ""))
            self.notify(f"That job belongs to the project “{Path(project).stem}”: open it first.")
            return None
        if self.engine_stopped:
            self.client.restart()
        return self.run(job.config)

    def running_jobs(self) -> list[Job]:
        """Return the jobs of this window's engine that change something and have not ended."""
        return [j for j in self.client.jobs if not (j.ended or j.elsewhere or j.quiet)]

    def show_error(self, error: UserError | ErrorInfo) -> None:
        """Show what happened, what was kept and what to do, as a toast."""
        if isinstance(error, UserError):
            error = ErrorInfo(what=error.what, kept=error.kept, next_step=error.next_step)
        self.errorRaised.emit(error)

    def notify(self, sentence: str) -> None:
        """Show one sentence for a moment."""
        self.noticeRaised.emit(sentence)

    def refresh(self) -> None:
        """Look at the project folder again."""
        self._settle.start()

    # ------------------------------------------------------------------ from the engine
    def _on_project_opened(self, _message: object) -> None:
        if self.project is not None:
            self.detached.watch(self.project.path)  # what it has finished meanwhile
        if self.refusal is not None:
            self.refusal = None
            self.writableChanged.emit()

    def _on_project_refused(self, message: ProjectRefused) -> None:
        if self.project is None:
            return
        self.refusal = message.error
        self.detached.watch(self.project.path)
        at_work = [job.title for job in self.detached.at_work]
        if at_work:
            self.refusal = ErrorInfo(
                what=f"An engine is working on this project without a window: "
                f"{', '.join(at_work)}.",
                next_step="The job list shows its progress and can stop it; you can change the "
                "project again once it has finished.",
            )
        self.writableChanged.emit()

    def _on_job_added(self, job: Job) -> None:
        if job.quiet:
            return  # whoever asked shows the answer, or why there is none
        job.finished.connect(lambda result: self._on_job_finished(job, result))
        if job.elsewhere:
            job.finished.connect(lambda _result: self.notify(f"{job.title}: finished."))
        job.cancelled.connect(self._on_job_ended)
        job.failed.connect(self._on_job_failed)

    def _on_job_finished(self, job: Job, result: msgspec.Struct) -> None:
        if not self._is_here(job):
            return  # what it has made belongs to another project
        if isinstance(result, HarvestResult):
            self.store = result.name
        elif isinstance(result, TrainResult) and self.index is None:
            self.dictionary = result.name
        elif isinstance(result, OutputEffectResult):
            self._take_effects(result)
        self._on_settled()
        if isinstance(result, IndexResult) and self.index is None:
            self.open_index(result.name)

    def _take_effects(self, result: OutputEffectResult) -> None:
        """Have the open index show what was just measured of its features."""
        if self.index is None or result.index != self.index_name:
            return
        try:
            self.index.read_output_effects()
        except UserError as error:
            self.show_error(error)
            return
        self.columnMade.emit("output_effect")

    def _on_job_ended(self, _message: object = None) -> None:
        self._on_settled()

    def _on_job_failed(self, error: ErrorInfo) -> None:
        self._on_settled()
        # After a crash one banner tells of the engine and of every job that ended with it.
        if self.client.state != "crashed":
            self.show_error(error)

    # ------------------------------------------------------------------ the folder
    def _watch_folders(self) -> None:
        if self.project is None:
            return
        folders = [self.project.path, *(self.project.path / name for name in _FOLDERS)]
        found = {str(folder) for folder in folders if folder.is_dir()}
        new = found - set(self._watcher.directories())
        if new:
            self._watcher.addPaths(sorted(new))

    def _on_folder_changed(self, _path: str) -> None:
        self._settle.start()

    def _on_settled(self) -> None:
        self._settle.stop()
        self._watch_folders()
        if self.project is not None:
            self.inventory = take_inventory(self.project)
            self.contentsChanged.emit()
