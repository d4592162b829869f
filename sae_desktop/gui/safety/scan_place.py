"""The scan: which features tell a concept’s texts from their near misses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QProgressBar,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.engine.protocol import JobProgress
from sae_desktop.errors import UserError
from sae_desktop.gui.parts.dialogs import reveal
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.empty_state import EmptyState
from sae_desktop.gui.parts.labels import label, line, push_button
from sae_desktop.gui.safety.scan_form import ScanForm
from sae_desktop.gui.safety.scan_result import ScanResult
from sae_desktop.gui.state.run_again import run_again
from sae_desktop.gui.state.save_file import ask_file
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.trash import Trash
from sae_desktop.safety.scan.config import ScanConfig
from sae_desktop.safety.scan.items import scan_items
from sae_desktop.safety.scan.kept_folder import kept_count
from sae_desktop.words.amounts import time_left_text
from sae_desktop.words.scan_words import correction_sentence, ended_early_text, headline

if TYPE_CHECKING:
    from sae_desktop.client.job import Job
    from sae_desktop.safety.scan.scan_file import Scan

_STEPS = 1000
_FIRST = (
    "A scan finds the features that tell the texts of a concept, such as deception or insecure "
    "code, from texts that only look like it, and says whether a cheap rival without the "
    "dictionary does it better."
)
_RUNNING = "The scan that is under way is shown here when it has finished."
_NO_PROJECT = "Open a project first: a scan reads with its dictionaries, and is kept in it."
_NO_INDEX = (
    "A scan finds the features that tell the texts of a concept from those that only look like "
    "it. It needs the index of a dictionary, and this project has none."
)


class ScanPlace(QWidget):
    """Starts scans, and shows one of them."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("safety.scan")
        self._session = session
        self._job: Job | None = None
        self.chooser = ElidedComboBox(16)
        self.chooser.setAccessibleName("Scan that is shown")
        self.new_button = push_button(
            "New scan…", self.start, icon="target", tip="Choose concept sets and dictionaries"
        )
        self.page_button = push_button(
            "Save as a page…", self.save_page, icon="export",
            tip="Save all of it as one page that needs nothing else, and open that",
        )  # fmt: skip
        self.show_button = push_button(
            "Show the file", self._reveal, icon="folder-open", tip="Show in the file manager"
        )
        self.delete_button = push_button(
            "Delete", self.delete, icon="trash", tip="Move the scan to the trash"
        )
        self.told = ElidedLabel(chars=12)
        self.bar = QProgressBar()
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("How far the scan is")
        self.stop_button = push_button(
            "Stop", self.stop, icon="stop", tip="Keep a scan of the sets that are finished"
        )
        self.cancel_button = push_button(
            "Cancel", self.cancel, icon="x",
            tip="Finished sets are kept: the same scan resumes from there",
        )  # fmt: skip
        self.resume_button = push_button(
            "Resume", self.resume, icon="play", tip="Scan the sets that are not finished yet"
        )
        self.result = ScanResult(session)
        self.first = EmptyState(_FIRST, "Scan…", self.start, icon="target")
        self.lacking = EmptyState(
            _NO_INDEX, "Go to the project", lambda: session.show_workspace("project")
        )
        self._build()
        self._scan: Scan | None = None
        self._unfinished: Job | None = None
        """The scan that ended early, until another is started."""
        self.chooser.currentIndexChanged.connect(self._on_chosen)
        session.contentsChanged.connect(self.refresh)
        session.projectChanged.connect(self._on_project)
        session.client.jobAdded.connect(self._on_job_added)
        session.place.add(self, self._keep, self._restore)
        self.refresh()

    def _build(self) -> None:
        self._head = QWidget()
        row = QHBoxLayout(self._head)
        row.setContentsMargins(12, 8, 12, 4)
        row.setSpacing(8)
        row.addWidget(label("Scan"))
        row.addWidget(self.chooser, 1)
        row.addStretch(1)
        for button in (self.page_button, self.show_button, self.delete_button, self.new_button):
            row.addWidget(button)
        self.running = QWidget()
        under = QHBoxLayout(self.running)
        under.setContentsMargins(12, 4, 12, 4)
        under.setSpacing(8)
        under.addWidget(self.told, 2)
        under.addWidget(self.bar, 1)
        under.addWidget(self.stop_button)
        under.addWidget(self.cancel_button)
        under.addWidget(self.resume_button)
        self.running.hide()
        self._stack = QStackedWidget()
        for widget in (self.lacking, self.first, self.result):
            self._stack.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._head)
        column.addWidget(self.running)
        column.addWidget(line())
        column.addWidget(self._stack, 1)

    # ------------------------------------------------------------------ which one
    def refresh(self) -> None:
        """List the scans again, the newest first."""
        project = self._session.project
        names = [] if project is None else [item.name for item in scan_items(project)]
        if names != [self.chooser.itemText(n) for n in range(self.chooser.count())]:
            shown = self._scan.name if self._scan is not None else ""
            with QSignalBlocker(self.chooser):
                self.chooser.clear()
                self.chooser.addItems(names)
                self.chooser.setCurrentIndex(names.index(shown) if shown in names else 0)
            self._on_chosen()
        self._show()

    def _show(self) -> None:
        has = self._scan is not None
        can = bool(self._session.inventory.indexes)
        self._head.setVisible(has or self.chooser.count() > 0)
        self.new_button.setEnabled(can)
        for button in (self.page_button, self.show_button, self.delete_button):
            button.setEnabled(has or bool(self.chooser.currentText()))
        none = self._session.project is None
        self.lacking.sentence.setText(_NO_PROJECT if none else _NO_INDEX)
        self.first.sentence.setText(_FIRST if self._job is None else _RUNNING)
        self.first.button.setVisible(self._job is None)
        page: QWidget = self.result if has else self.first if can else self.lacking
        self._stack.setCurrentWidget(page)
        focus: QWidget = self.result if has else (self.first if can else self.lacking).button
        self.setFocusProxy(focus)

    def _on_project(self) -> None:
        self._scan = self._unfinished = None
        self.running.setVisible(self._job is not None)
        self.chooser.clear()
        self.refresh()

    def _on_chosen(self, _index: int = 0) -> None:
        self.open(self.chooser.currentText())

    def open(self, name: str, *, chosen_set: str = "") -> None:
        """Show a scan of the project, and of it a set; errors become toasts."""
        # h5py: the window is shown before it is there
        from sae_desktop.safety.scan.scan_file import read_scan

        project = self._session.project
        self._scan = None
        if project is not None and name:
            try:
                self._scan = read_scan(project, name)
            except UserError as error:
                self._session.show_error(error)
        if self._scan is not None:
            self.result.show_scan(self._scan, chosen_set=chosen_set)
            place = self.chooser.findText(name)
            if place >= 0 and place != self.chooser.currentIndex():
                with QSignalBlocker(self.chooser):
                    self.chooser.setCurrentIndex(place)
        self._show()

    # ------------------------------------------------------------------ scanning
    def start(self, sets: tuple[str, ...] = ()) -> ScanForm | None:
        """Ask what is to be scanned, and scan it."""
        if self._session.project is None:
            return None
        form = ScanForm(self._session, sets, self._unfinished_config() if not sets else None)
        form.accepted.connect(lambda: self._session.run(form.config()))
        form.present(self)
        return form

    def _on_job_added(self, job: Job) -> None:
        """Follow a scan, whoever started it."""
        if not isinstance(job.config, ScanConfig) or not self._session.is_here(job):
            return
        self._job, self._unfinished = job, None
        job.progressed.connect(self._on_progress)
        job.finished.connect(lambda result: self._on_finished(job, result))
        job.failed.connect(lambda _error: self._on_ended_early(job))
        job.cancelled.connect(lambda _message: self._on_ended_early(job))
        self.bar.setValue(0)
        self.told.setText(f"“{job.config.name}” is being scanned: opening the dictionary")
        self.stop_button.setEnabled(True)
        self.cancel_button.setEnabled(True)
        self._show_running(True)

    def _on_progress(self, progress: JobProgress) -> None:
        if not (self.stop_button.isEnabled() and self.cancel_button.isEnabled()):
            return  # it is ending
        self.bar.setValue(round(_STEPS * progress.done / progress.total) if progress.total else 0)
        left = progress.seconds_left
        name = getattr(self._job.config, "name", "") if self._job is not None else ""
        done = f"“{name}”: {int(progress.done)} of {int(progress.total)} sets"
        parts = [done, progress.message]
        parts.append("" if left is None else time_left_text(left))
        self.told.setText(" · ".join(part for part in parts if part))

    def stop(self) -> None:
        """End the scan, and keep what is finished of it as one."""
        if self._job is not None:
            self._job.stop_and_keep()
            self.stop_button.setEnabled(False)
            self.told.setText("Stopping: the sets that are finished become a scan…")

    def cancel(self) -> None:
        """Cancel the scan; what is finished is kept for the next start."""
        if self._job is not None:
            self._job.cancel()
            self.cancel_button.setEnabled(False)
            self.told.setText("Cancelling…")

    def _on_finished(self, job: Job, result: object) -> None:
        self._on_ended(job)
        self._session.look_again()
        self.open(getattr(result, "name", ""))

    def _on_ended_early(self, job: Job) -> None:
        """Say what is kept of a scan, and offer the rest of it."""
        project = self._session.project
        if self._job is not job or project is None or not isinstance(job.config, ScanConfig):
            self._on_ended(job)
            return
        self._job, self._unfinished = None, job
        kept = kept_count(project.scan_path(job.config.name))
        self.told.setText(ended_early_text(job.config.name, kept))
        self._show_running(False)

    def resume(self) -> None:
        """Scan what is left of the scan that ended early."""
        if self._unfinished is not None:
            run_again(self._session, self._unfinished)

    def _unfinished_config(self) -> ScanConfig | None:
        config = None if self._unfinished is None else self._unfinished.config
        return config if isinstance(config, ScanConfig) else None

    def _show_running(self, runs: bool) -> None:
        """Show how far the scan is, or that it ended early and can be resumed."""
        had = self.running.isAncestorOf(QApplication.focusWidget() or self)
        self.resume_button.setVisible(not runs)
        for widget in (self.bar, self.stop_button, self.cancel_button):
            widget.setVisible(runs)
        self.running.show()
        if had:  # the button that was pressed is no longer there
            (self.cancel_button if runs else self.resume_button).setFocus()
        self._show()

    def _on_ended(self, job: Job) -> None:
        if self._job is job:
            self._job = None
            self.running.hide()
            self._show()

    # ------------------------------------------------------------------ what is done with one
    def save_page(self) -> None:
        """Save the scan as a page, and show that."""
        from sae_desktop.exchange.scan_page import write_scan_page

        if self._scan is None:
            return
        first = Path.home() / f"{self._scan.name}.html"
        chosen = ask_file(self, "Save as a page", first, "HTML page (*.html)")
        if chosen is None:
            return
        path = chosen.path
        try:
            scans = self._scan.scans
            write_scan_page(path, self._scan, headline(scans), correction_sentence(scans))
        except UserError as error:
            self._session.show_error(error)
            return
        self._session.notify(f"“{path.name}” was saved.")
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))

    def _reveal(self) -> None:
        project, name = self._session.project, self.chooser.currentText()
        if project is not None and name:
            reveal(project.scan_path(name))

    def delete(self) -> None:
        """Move the scan to the trash; that can be undone."""
        name = self.chooser.currentText()
        if name and self._session.refusal is not None:
            self._session.show_error(self._session.refusal)
        elif name:
            Trash(self._session).delete("scan", name)

    def _keep(self) -> dict[str, object]:
        shown = self.result.set
        return {"scan": self.chooser.currentText(), "set": shown.set if shown else ""}

    def _restore(self, kept: dict[str, object]) -> None:
        name, chosen, project = kept.get("scan"), kept.get("set"), self._session.project
        if isinstance(name, str) and project is not None and name in project.scans():
            self.open(name, chosen_set=chosen if isinstance(chosen, str) else "")
