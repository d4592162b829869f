"""What changed between checkpoints of a model, and the folders that are watched."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.engine.protocol import JobOutput
from sae_desktop.errors import UserError
from sae_desktop.gui.parts.kept_fields import keep_fields
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.text_box import local_files
from sae_desktop.gui.safety.changes.calibration_page import CalibrationPage
from sae_desktop.gui.safety.changes.change_forms import CompareForm
from sae_desktop.gui.safety.changes.change_page import ChangePage
from sae_desktop.gui.safety.changes.running_strip import RunningStrip
from sae_desktop.gui.safety.changes.things_list import Thing, ThingsList
from sae_desktop.gui.safety.changes.watch_forms import CalibrateForm, WatchForm
from sae_desktop.gui.safety.changes.watch_page import WatchPage
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.save_file import ask_file
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.trash import Trash
from sae_desktop.project import Project
from sae_desktop.safety.change.config import (
    CalibrateWatchConfig,
    CompareCheckpointsConfig,
    WatchConfig,
    WatchedCheckpoint,
    config_of,
)
from sae_desktop.safety.change.watch_file import comparison_name, read_record
from sae_desktop.words.change_ways import named, summary
from sae_desktop.words.change_words import alert_sentence

if TYPE_CHECKING:
    from sae_desktop.client.job import Job

_TITLE = "Compare two models, or follow one in training"
_FIRST = (
    "Name the model that training started from, and one or more checkpoints of it. The same texts "
    "are put through each, and a page says what changed, how sure that is, since which checkpoint, "
    "and which way of looking saw it."
)
_SECOND = (
    "Or watch the folder of a training: every new checkpoint is compared with the one before, and "
    "an alert says when it changed more than harmless training does."
)
_NO_PROJECT = "Open a project first: it keeps what is found."
_WIDTH = 220


class ChangesPlace(QWidget):
    """A list at the left; beside it the chosen thing, or what one can do here."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("safety.changes")
        self._session = session
        self._trash = Trash(session)
        self.shown: Thing | None = None
        """What is beside the list."""
        self._saving = Background(self)
        self._saving.answered.connect(lambda done: session.notify(f"Saved as “{done[0]}”."))
        self._saving.refused.connect(lambda refused: session.show_error(refused[1]))
        self.compare_button = push_button(
            "Compare models…", self.compare, icon="git-diff", primary=True,
            tip="Say what changed from one model to another",
        )  # fmt: skip
        self.watch_button = push_button(
            "Watch a folder…", self.watch, icon="eye",
            tip="Compare every checkpoint that a training saves with the one before",
        )  # fmt: skip
        self.first_buttons = (
            push_button("Compare models…", self.compare, icon="git-diff", primary=True),
            push_button("Watch a folder…", self.watch, icon="eye"),
        )
        """The same, under the words that explain them, while there is nothing else."""
        self.things = ThingsList()
        self.running = RunningStrip()
        self.page = ChangePage(session)
        self.watched = WatchPage(session)
        self.calibration = CalibrationPage(session)
        self.stack = QStackedWidget()
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self._build()
        self.things.chosen.connect(self._on_chosen)
        self.things.deleteAsked.connect(self.ask_delete)
        self.page.saveAsked.connect(self.save_page)
        self.page.deleteAsked.connect(self.ask_delete)
        self.page.againAsked.connect(self.compare_again)
        self.watched.deleteAsked.connect(self.ask_delete)
        self.watched.againAsked.connect(self.watch_again)
        self.watched.calibrateAsked.connect(self.calibrate)
        self.watched.comparisonAsked.connect(self._show_comparison)
        self.calibration.deleteAsked.connect(self.ask_delete)
        session.projectChanged.connect(self._on_project)
        session.contentsChanged.connect(self.refresh)
        session.changeRequested.connect(self._show_made)
        session.client.jobAdded.connect(self._on_job_added)
        keep_fields(session, self, {"split": self.split})
        self._on_project()

    def _build(self) -> None:
        self._left = QWidget()
        column = QVBoxLayout(self._left)
        column.setContentsMargins(12, 8, 4, 8)
        column.setSpacing(8)
        column.addWidget(self.compare_button)
        column.addWidget(self.watch_button)
        column.addWidget(self.things, 1)
        self.stack.addWidget(self._beginning())
        for page in (self.page, self.watched, self.calibration):
            self.stack.addWidget(page)
        self.split.setChildrenCollapsible(False)
        right = QWidget()
        beside = QVBoxLayout(right)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.setSpacing(0)
        beside.addWidget(self.running)
        beside.addWidget(self.stack, 1)
        self.split.addWidget(self._left)
        self.split.addWidget(right)
        self.split.setStretchFactor(1, 1)
        self.split.setSizes([_WIDTH, 1000])
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.split)
        self.setAcceptDrops(True)

    def _beginning(self) -> QWidget:
        """Return what stands here before anything is chosen."""
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(48, 24, 48, 24)
        column.setSpacing(12)
        column.addStretch(2)
        self.first = [label(_TITLE, "title", wrap=True)]
        self.first += [label(text, "muted", wrap=True) for text in (_FIRST, _SECOND)]
        for words in self.first:
            words.setAlignment(Qt.AlignmentFlag.AlignCenter)
            words.setMaximumWidth(560)
            row = QHBoxLayout()
            row.addStretch(1)
            row.addWidget(words, 100)
            row.addStretch(1)
            column.addLayout(row)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addStretch(1)
        for button in self.first_buttons:
            buttons.addWidget(button)
        buttons.addStretch(1)
        column.addLayout(buttons)
        column.addStretch(3)
        return page

    # ------------------------------------------------------------------ what there is
    def _on_project(self) -> None:
        self.shown = None
        self.stack.setCurrentIndex(0)
        self.things.clear()
        self.refresh()

    def _on_job_added(self, job: Job) -> None:
        """Show a watch as soon as it is started, and what a comparison found at its end."""
        config = job.config
        if not self._session.is_here(job):
            return
        if isinstance(config, WatchConfig):
            self.refresh()
            self.things.choose("watch", config.name)
            job.outputReceived.connect(self._on_watched)
            job.finished.connect(lambda _result: self.refresh())
        elif isinstance(config, CompareCheckpointsConfig | CalibrateWatchConfig):
            kind = "comparison" if isinstance(config, CompareCheckpointsConfig) else "calibration"
            shown = self.shown
            self.running.follow(job)
            job.finished.connect(lambda _result: self._on_made(kind, config.name, shown))

    def _on_watched(self, output: JobOutput) -> None:
        """Say an alert wherever one is in the window."""
        watched = output.data
        if isinstance(watched, WatchedCheckpoint) and watched.alert is not None:
            self._session.notify(alert_sentence(watched.alert))

    def _on_made(self, kind: str, name: str, shown: Thing | None) -> None:
        """Show what was made, unless something else was turned to meanwhile."""
        if self.shown == shown:
            within = self.isAncestorOf(self.window().focusWidget() or self.window())
            self._show_made(kind, name)
            if within:  # not on a button that has come where another one was
                self.things.setFocus()
        else:
            self.refresh()
            self._session.notify(f"The {kind} “{name}” is in the list of Changes.")

    def _show_made(self, kind: str, name: str) -> None:
        self.refresh()
        self.things.choose(kind, name)

    def refresh(self) -> None:
        """Look at the project's comparisons and watches again."""
        project = self._session.project
        for button in (self.compare_button, self.watch_button, *self.first_buttons):
            button.setEnabled(project is not None)
        self.first[1].setText(_NO_PROJECT if project is None else _FIRST)
        self.first[2].setVisible(project is not None)
        things = {} if project is None else self._things(project)
        self.things.show_things(things)
        there = self.things.count() > 0
        self._left.setVisible(there)
        for button in self.first_buttons:
            button.setVisible(not there)
        self.setFocusProxy(self.compare_button if there else self.first_buttons[0])
        if project is None or self.shown is None:
            return
        kind, name = self.shown
        if name not in (project.changes() if kind == "comparison" else things[kind]):
            self.shown = None
            self.stack.setCurrentIndex(0)
        elif kind == "watch":
            self.watched.refresh()

    def _things(self, project: Project) -> dict[str, list[str]]:
        running = {
            job.config.name
            for job in self._session.client.jobs
            if isinstance(job.config, WatchConfig) and not job.ended
        }
        of_watches: set[str] = set()
        for watch in project.watches():
            with suppress(UserError):
                record = read_record(project.watch_path(watch))
                of_watches |= {comparison_name(watch, one.name) for one in record.watched}
        return {
            "comparison": [name for name in project.changes() if name not in of_watches],
            "watch": sorted({*project.watches(), *running}),
            "calibration": project.calibrations(),
        }

    def _on_chosen(self, kind: str, name: str) -> None:
        shown = {
            "comparison": self._open_comparison,
            "watch": self.watched.show_watch,
            "calibration": self.calibration.show_calibration,
        }[kind](name)
        pages = {"comparison": self.page, "watch": self.watched, "calibration": self.calibration}
        self.shown = (kind, name) if shown else None
        self.stack.setCurrentIndex(self.stack.indexOf(pages[kind]) if shown else 0)

    def _open_comparison(self, name: str) -> bool:
        project = self._session.project
        if project is None:
            return False
        # h5py: not before the first show
        from sae_desktop.safety.change.change_file import read_change

        try:
            self.page.show_change(read_change(project.change_path(name)))
        except UserError as error:
            self._session.show_error(error)
            return False
        return True

    def _show_comparison(self, name: str) -> None:
        project = self._session.project
        if project is not None and name in project.changes():
            self._on_chosen("comparison", name)
        else:
            self._session.notify(f"No comparison of this checkpoint is kept: “{name}”.")

    # ------------------------------------------------------------------ what is done
    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self._session.project is not None and local_files(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self.compare(local_files(event.mimeData()))

    def compare(self, folders: Sequence[Path] = ()) -> None:
        """Ask for models to be compared, those in `folders` first of all."""
        if self._session.project is not None:
            form = CompareForm(self._session)
            form.present(self)
            if folders:
                form.checkpoints.add(folders)

    def compare_again(self) -> None:
        """Ask for the comparison that is shown with other settings."""
        change = self.page.change
        kept = None if change is None else config_of(change.info.config, CompareCheckpointsConfig)
        if kept is not None:
            CompareForm(self._session, kept).present(self)

    def watch(self) -> None:
        """Ask for a folder to be watched."""
        if self._session.project is not None:
            WatchForm(self._session).present(self)

    def watch_again(self) -> None:
        """Ask for another folder to be watched with the settings of the one that is shown."""
        WatchForm(self._session, self.watched.config).present(self)

    def calibrate(self) -> None:
        """Ask which watches were of harmless runs."""
        CalibrateForm(self._session).present(self)

    def save_page(self) -> None:
        """Ask for a file, and write the comparison that is shown as a page."""
        change = self.page.change
        if change is None:
            return
        first = Path.home() / f"{change.info.name}.html"
        chosen = ask_file(self, "Save as a page", first, "Page (*.html)")
        if chosen is not None:
            self.write_page(chosen.path)

    def write_page(self, path: Path) -> None:
        """Write the comparison that is shown as a page, beside the window."""
        change = self.page.change
        if change is None:
            return
        from sae_desktop.exchange.change_page import write_change_page

        self._saving.run(path.name, lambda: write_change_page(path, named(change), summary(change)))

    def ask_delete(self) -> None:
        """Say what a deletion takes, and do it if that is wanted."""
        if self.shown is not None:
            self._trash.ask_to_delete(*self.shown, self.window())

    def delete(self, kind: str, name: str) -> None:
        """Move something to the trash; Ctrl+Z brings it back."""
        self._trash.delete(kind, name)
