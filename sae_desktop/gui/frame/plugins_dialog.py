"""The plug-ins: what each adds, whether it works, why not, and a switch.

The list is there at once, from what packages say of themselves; whether each works is tried in
another process meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.errors import UserError
from sae_desktop.gui.parts.default_button import set_default_button
from sae_desktop.gui.parts.labels import label, line, push_button, set_property
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.toasts import DetailsDialog
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.session import Session
from sae_desktop.plugins import kept
from sae_desktop.plugins.checking import PluginReport, checked, listed
from sae_desktop.plugins.installed import WITHOUT, read_again
from sae_desktop.words.plugin_text import STATES, none_text, of_package, why_text

_SIZE = (640, 480)
_ROLES = {"broken": "error", "failed": "error"}
_SWITCH = "Switched off, it is installed and never loaded. Switching it on tries it again."
_RESTART = "The engine uses what was switched here once it is restarted."


class PluginRow(QWidget):
    """A plug-in: its name, what it adds and of which package, how it does, its switch."""

    def __init__(self, report: PluginReport, dialog: PluginsDialog) -> None:
        super().__init__()
        self.report = report
        self._dialog = dialog
        self.state = label("")
        self.switch = QCheckBox("On")
        self.switch.setAccessibleName(f"{report.name}: on")
        self.switch.setToolTip(plain_tip(_SWITCH))
        self.switch.toggled.connect(partial(dialog.switch, report.key))
        self.why = label("", "small", wrap=True, selectable=True)
        self.details = push_button("Details", self._show_details, flat=True)
        self.details.setAccessibleName(f"Details of {report.name}")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 8, 0, 8)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(2)
        name = label(report.name, "heading")
        name.setToolTip(plain_tip(report.summary))
        grid.addWidget(name, 0, 0)
        grid.addWidget(self.state, 0, 1, Qt.AlignmentFlag.AlignRight)
        grid.addWidget(self.switch, 0, 2)
        grid.addWidget(label(report.adds, wrap=True), 1, 0, 1, 3)
        grid.addWidget(label(of_package(report), "muted", wrap=True), 2, 0, 1, 3)
        grid.addWidget(self.why, 3, 0, 1, 3)
        grid.addWidget(self.details, 4, 0, Qt.AlignmentFlag.AlignLeft)
        grid.setColumnStretch(0, 1)
        self.tell(report)

    def tell(self, report: PluginReport) -> None:
        """Show how the plug-in does by now."""
        self.report = report
        self.state.setText(STATES[report.state])
        set_property(self.state, "role", _ROLES.get(report.state, "muted"))
        with QSignalBlocker(self.switch):
            self.switch.setChecked(report.state != "off")
        self.why.setText(why_text(report))
        self.why.setVisible(bool(why_text(report)))
        self.details.setVisible(bool(report.details))

    def _show_details(self) -> None:
        told = ErrorInfo(
            what=self.report.why, next_step=self.report.next_step, details=self.report.details
        )
        DetailsDialog(told, self._dialog).open()


class PluginsDialog(QDialog):
    """A switch takes effect at once for what is started afterwards. Esc closes."""

    def __init__(self, window: QWidget, session: Session) -> None:
        super().__init__(window)
        self.setWindowTitle("Plug-ins")
        self._session = session
        self.rows: dict[str, PluginRow] = {}
        self.nothing = label(none_text(without=bool(os.environ.get(WITHOUT))), "muted", wrap=True)
        self.check_button = push_button(
            "Check again", self.check, tip="Load each of them in a process of its own"
        )
        self.restart_button = push_button("Restart the engine", self._on_restart, tip=_RESTART)
        self.restart_button.hide()
        self._checking = Background(self)
        self._checking.answered.connect(self._on_checked)
        self._checking.refused.connect(self._on_refused)
        self._build()

    def _build(self) -> None:
        self._inner = QWidget()
        self._column = QVBoxLayout(self._inner)
        self._column.setContentsMargins(0, 0, 12, 0)
        self._column.setSpacing(0)
        self._column.addWidget(self.nothing)
        self._column.addStretch()
        scroll = QScrollArea()
        scroll.setWidget(self._inner)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        close = push_button("Close", self.reject)
        foot = QHBoxLayout()
        for button in (self.check_button, self.restart_button):
            foot.addWidget(button)
        foot.addStretch()
        foot.addWidget(close)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addWidget(scroll, 1)
        column.addLayout(foot)
        set_default_button(self, close)
        self.resize(*_SIZE)

    def present(self) -> None:
        """Open with what is installed now, and find out how each does."""
        read_again()
        self._fill(listed())
        self.open()
        self.check()

    def _fill(self, reports: Sequence[PluginReport]) -> None:
        if [report.key for report in reports] != list(self.rows):
            while self._column.count() > 2:  # the sentence first, the stretch last
                item = self._column.takeAt(1)
                widget = item.widget() if item is not None else None
                if widget is not None:
                    widget.deleteLater()
            self.rows = {}
            for report in reports:
                if self.rows:
                    self._column.insertWidget(self._column.count() - 1, line())
                self.rows[report.key] = PluginRow(report, self)
                self._column.insertWidget(self._column.count() - 1, self.rows[report.key])
        for report in reports:
            self.rows[report.key].tell(report)
        self.nothing.setVisible(not reports)
        self.check_button.setVisible(bool(reports))

    # ------------------------------------------------------------------ checking
    def check(self) -> None:
        """Try each plug-in that is on, beside the window."""
        if self.rows:
            self._fill(listed())
            self.check_button.setEnabled(False)
            self._checking.run("check", checked)

    def _on_checked(self, answer: tuple[object, list[PluginReport]]) -> None:
        self.check_button.setEnabled(True)
        self._fill(answer[1])

    def _on_refused(self, answer: tuple[object, UserError]) -> None:
        self.check_button.setEnabled(True)
        self._session.show_error(answer[1])

    # ------------------------------------------------------------------ hands
    def switch(self, key: str, on: bool) -> None:
        """Switch a plug-in on or off."""
        try:
            kept.switch(key, on=on)
        except UserError as error:
            self._session.show_error(error)
        read_again()
        self.restart_button.setVisible(not self._session.running_jobs())
        self.check()

    def _on_restart(self) -> None:
        self.restart_button.hide()
        self._session.client.restart()
