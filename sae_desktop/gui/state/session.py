"""What the window is about right now: the project, the open index, the selected feature.

Panels get the session and nothing else; they speak to one another through its signals.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoStack

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.client.detached_jobs import DetachedJobs
from sae_desktop.engine.protocol import ErrorInfo, JobConfig, ProjectRefused
from sae_desktop.errors import UserError
from sae_desktop.gui.state.folder_watch import FolderWatch
from sae_desktop.gui.state.history import History, Place
from sae_desktop.gui.state.index_file import read_index
from sae_desktop.gui.state.job_results import JobResults
from sae_desktop.gui.state.job_start import on_device, why_refused
from sae_desktop.gui.state.kept_place import KeptPlace
from sae_desktop.gui.state.open_notes import OpenNotes
from sae_desktop.gui.state.place_keeper import PlaceKeeper
from sae_desktop.notes_copies import copies, is_sound
from sae_desktop.project import Project
from sae_desktop.project_changes import Change
from sae_desktop.project_labels import system_user
from sae_desktop.project_notes import Notes
from sae_desktop.reports.crash_reports import CrashReports
from sae_desktop.words.inventory import Inventory, take_inventory
from sae_desktop.words.job_text import engine_alone
from sae_desktop.words.running_jobs import Written, being_written

if TYPE_CHECKING:
    from sae_desktop.client.engine_client import EngineClient
    from sae_desktop.client.job import Job
    from sae_desktop.features.reading.reader import FeatureIndex


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
    """Id of the workspace to show: project, harvest, train, explore, steer, circuits, safety."""
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
    setRequested = Signal(str)
    """Name of a set whose layers’ curves are to be shown."""
    setWanted = Signal()
    """The Training panel is to be set to the training of a set."""
    traceRequested = Signal(str)
    """Name of a set of transcoders with which a prompt is to be traced."""
    changeRequested = Signal(str, str)
    """A comparison, watch or benchmark to be shown, or what to train further: kind and name."""
    graphBrought = Signal(object)
    """Path of a circuit-tracer graph that is to be read into the project."""
    steerRequested = Signal(int)
    """A feature to be put in the rack of sliders."""
    featuresRequested = Signal(object)
    """FeatureSet, to be shown alone in the list of features."""
    columnMade = Signal(str)
    """A job has given the open index a column of this name."""
    textRequested = Signal(str)
    """A text to be tried on the features."""
    monitorRequested = Signal(object)
    """MonitorDraft: features, and the concept set they were found for, to make a monitor of."""
    crashesChanged = Signal()
    notesDamaged = Signal(object, object)
    """Project, NotesCopy: its notes cannot be read, and there is a copy of them."""
    safetyRequested = Signal(object)
    """SafetyRequest: a scan or a concept set to be shown."""

    def __init__(self, client: EngineClient, places: Path | None = None) -> None:
        """`places`: where to keep the state of the window for each project; None: nowhere."""
        super().__init__()
        self.client = client
        self.project: Project | None = None
        self._notes = OpenNotes(self)
        self._notes.refused.connect(self._on_change_refused)
        self._notes.delayed.connect(self.notesDelayed)
        self._notes.changedElsewhere.connect(self.notesChanged)
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
        self.place = PlaceKeeper(self, places, self)
        """Where panels say what of them is kept for each project."""
        self.device = "auto"
        """Where jobs compute whose own settings leave it open."""
        self.person = system_user()
        """Who writes labels; Settings may say another name."""
        self.workspace = "project"
        self.crashes = CrashReports(changed=self.crashesChanged.emit)
        """What is known of the crashes of this start, and of those that are kept."""
        self._folder = FolderWatch(self)
        self._folder.settled.connect(self.look_again)
        self.detached = DetachedJobs(self)
        """Jobs of an engine that works on the project without a window."""
        self.detached.found.connect(client.adopt)
        self.detached.ended.connect(self.take_lock)
        client.projectRefused.connect(self._on_project_refused)
        client.projectOpened.connect(self._on_project_opened)
        self._results = JobResults(self)

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
        running = [j.config for j in self.client.jobs if not j.ended and self.is_here(j)]
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
            self._offer_copy(path)
            return False
        self.close_project()
        self.project = project
        self._notes.open(notes)
        self._folder.watch(project.path)
        self.take_lock()
        self.inventory = take_inventory(project)
        self.place.enter(project.path)
        self.projectChanged.emit()
        self.contentsChanged.emit()
        self.place.restore()
        return True

    def _offer_copy(self, path: Path) -> None:
        """Offer the newest copy of notes that are damaged, so that their project can be opened."""
        try:
            project = Project.open(path)
        except UserError:
            return
        if project.notes_path.is_file() and not is_sound(project.notes_path):
            copy = next((one for one in copies(project) if not one.replaced), None)
            if copy is not None:
                self.notesDamaged.emit(project, copy)

    def take_lock(self) -> None:
        """Ask the engine for the right to write, again after it was refused."""
        if self.project is not None:
            self.client.open_project(str(self.project.path))

    def close_project(self) -> None:
        """Let go of the project's files."""
        self.leaving.emit()
        self.place.leave()
        self.detached.watch(None)
        self._notes.close()
        self._folder.leave()
        self.project = self.index = self.feature = self.refusal = None
        self.store = self.dictionary = ""
        self.inventory = Inventory()
        self.undo_stack.clear()
        self.history = History()
        self.historyChanged.emit()

    # ------------------------------------------------------------------ notes
    @property
    def notes(self) -> Notes | None:
        """What is written in the project, for reading; what was just written is in it."""
        return self._notes.read()

    def notes_to_come(self) -> list[Change]:
        """Return the changes of notes that are not on the disk yet, oldest first."""
        return self._notes.waiting()

    def may_write_notes(self) -> bool:
        """Whether notes can be changed; that a project is read-only is said."""
        if self.refusal is not None:
            self.show_error(self.refusal)
        elif self.project is not None and not self._notes.writable:
            self.show_error(
                UserError(
                    f"The project “{self.project.path.name}” is read-only. Nothing was changed.",
                    next_step="Copy it to a folder you can write to.",
                )
            )
        return self.refusal is None and self._notes.writable

    def write_notes(self, change: Change) -> None:
        """Have a change of notes written, beside the window."""
        self._notes.write(change)

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

    def has_index(self, name: str) -> bool:
        """Whether the project has an index of this name."""
        return any(item.name == name for item in self.inventory.indexes)

    def open_index(self, name: str, kept: KeptPlace | None = None) -> bool:
        """Open an index for Explore and Steer; errors become toasts.

        `kept`: its feature is selected at once, where it is one of the same index.
        """
        if self.project is None:
            return False
        try:
            index = read_index(self.project, name)
        except UserError as error:
            self.show_error(error)
            return False
        self.leaving.emit()
        self.index = index
        self.dictionary, self.store = index.info.dictionary, index.info.activations
        self.feature = None if kept is None else kept.feature_of(index)
        self.indexOpened.emit(index)
        if self.feature is not None:
            self.featureSelected.emit(self.feature)
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

    def return_to(self, workspace: str) -> None:
        """Show a project as it was left; no workspace: in the one that is in front."""
        self.selectionChanged.emit()
        self.historyChanged.emit()
        if workspace:
            self.workspace = workspace  # one was there: that is no new step on the way
            self.workspaceRequested.emit(workspace)

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
        error = why_refused(config, self.refusal)
        if error is not None:
            self.show_error(error)
            return None
        return self.client.start_job(on_device(config, self.device))

    def is_here(self, job: Job) -> bool:
        """Whether a job is of the open project, or of none."""
        project = str(getattr(job.config, "project", ""))
        here = self.project.path.resolve() if self.project is not None else None
        return not project or Path(project).resolve() == here

    def running_jobs(self) -> list[Job]:
        """Return the jobs of this window's engine that change something and have not ended."""
        return [j for j in self.client.jobs if not (j.ended or j.elsewhere or j.quiet)]

    def show_error(self, error: UserError | ErrorInfo) -> None:
        """Show what happened, what was kept and what to do, as a toast."""
        if isinstance(error, UserError):
            error = ErrorInfo(what=error.what, kept=error.kept, next_step=error.next_step)
        self.errorRaised.emit(error)

    def take_crash(self, error: ErrorInfo) -> None:
        """Take a fault of the program itself into the reports of crashes."""
        self.crashes.add(error.what, error.details)

    def notify(self, sentence: str) -> None:
        """Show one sentence for a moment."""
        self.noticeRaised.emit(sentence)

    def refresh(self) -> None:
        """Look at the project folder again."""
        self._folder.look_soon()

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
            self.refusal = engine_alone(at_work)
        self.writableChanged.emit()

    # ------------------------------------------------------------------ the folder
    def look_again(self) -> None:
        """Take stock of what the project holds now."""
        self._folder.looked()
        if self.project is not None:
            self._folder.watch(self.project.path)
            self.inventory = take_inventory(self.project)
            self.contentsChanged.emit()
