"""The page of one monitor: what it promises, a run over text, and what happens when it fires."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QTabWidget, QVBoxLayout, QWidget

from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.safety.mitigation_view import MitigationView
from sae_desktop.gui.safety.promise_view import PromiseView
from sae_desktop.gui.safety.run_view import RunView
from sae_desktop.gui.state.asked_job import AskedJob
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.trash import Trash
from sae_desktop.safety.monitors.config import ExportMonitorConfig, ExportMonitorResult
from sae_desktop.safety.monitors.listing import MonitorItem
from sae_desktop.words.monitor_text import reads_text


class MonitorPage(QWidget):
    """Shows one monitor; a change of what it reads is said above everything."""

    recalibrationRequested = Signal(str)
    """The corpus to calibrate it on; empty: that of before."""
    serveRequested = Signal()
    renameRequested = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("safety.monitor_page")
        self._session = session
        self.item: MonitorItem | None = None
        self.exporting = AskedJob(session, self)
        self.exporting.answered.connect(self._on_exported)
        self.name = ElidedLabel()
        self.name.setProperty("role", "title")
        self.reads = ElidedLabel()
        self.reads.setProperty("role", "small")
        self.warning = label("", "warning", wrap=True)
        self.again_button = push_button(
            "Calibrate again…", lambda: self.recalibrationRequested.emit(""),
            icon="arrows-clockwise", tip="Find the threshold again, on ordinary text as it is now",
        )  # fmt: skip
        self.serve_button = push_button(
            "Serve…", self.serveRequested.emit, icon="broadcast",
            tip="Answer other programs with this model, watched by this monitor",
        )  # fmt: skip
        self.export_button = push_button(
            "Export…", self.ask_export, icon="export",
            tip="Write a folder that runs it elsewhere with only torch and transformers",
        )  # fmt: skip
        self.rename_button = push_button(
            "", self.renameRequested.emit, icon="pencil-simple", flat=True, tip="Rename (F2)"
        )
        self.rename_button.setAccessibleName("Rename the monitor")
        self.delete_button = push_button(
            "Delete", self.delete, icon="trash", tip="Move it to the trash; Ctrl+Z restores it"
        )
        self.promise = PromiseView(session)
        self.run = RunView(session)
        self.mitigation = MitigationView(session)
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName("Parts of the monitor")
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.promise, "Promise and power")
        self.tabs.addTab(self.run, "Run over text")
        self.tabs.addTab(self.mitigation, "When it fires")
        self.run.recalibrationRequested.connect(self.recalibrationRequested)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.name)
        head.addWidget(self.rename_button)
        head.addStretch(1)
        for button in (
            self.again_button, self.serve_button, self.export_button, self.delete_button
        ):  # fmt: skip
            head.addWidget(button)
        top = QVBoxLayout()
        top.setContentsMargins(16, 12, 16, 4)
        top.setSpacing(4)
        top.addLayout(head)
        top.addWidget(self.reads)
        top.addWidget(self.warning)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(self.tabs, 1)
        self.tabs.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def show_item(self, item: MonitorItem) -> None:
        """Show a monitor; what is shown already is left alone where it is unchanged."""
        before, self.item = self.item, item
        monitor = item.monitor
        self.name.setText(item.name)
        self.warning.setText(item.trouble)
        self.warning.setVisible(bool(item.trouble))
        self.reads.setText(reads_text(monitor) if monitor is not None else "")
        for button in (
            self.rename_button, self.again_button, self.serve_button, self.export_button
        ):  # fmt: skip
            button.setEnabled(monitor is not None)
        self.tabs.setVisible(monitor is not None)
        if monitor is None:
            return
        if before is None or before.monitor != monitor:
            self.promise.show_monitor(monitor)
            self.run.show_monitor(monitor)
            self.mitigation.show_monitor(monitor)
        else:
            self.run.look()

    def delete(self) -> None:
        """Move it to the trash, which can be undone."""
        if self.item is not None:
            Trash(self._session).delete("monitor", self.item.name)

    def ask_export(self) -> None:
        """Ask for a folder, and write the monitor into it."""
        if self.item is None:
            return
        chosen = QFileDialog.getExistingDirectory(self, "A new or empty folder for the monitor")
        if chosen:
            self.export_to(chosen)

    def export_to(self, folder: str) -> None:
        """Write the monitor into a new or empty folder."""
        if self.item is not None:
            self.exporting.ask(
                ExportMonitorConfig(
                    project=self._session.project_path, monitor=self.item.name, path=folder
                )
            )

    def _on_exported(self, result: ExportMonitorResult) -> None:
        self._session.notify(
            f"Written to {result.path}. There, “python monitor.py "
            '"a text"” tells whether a text fires.'
        )
