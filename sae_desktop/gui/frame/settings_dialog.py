"""The settings: a search, and each with its control and what it does in a sentence."""

from __future__ import annotations

import os

from PySide6.QtCore import QSignalBlocker, Qt, QTimer
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.caches.sizes import Size
from sae_desktop.caches.table import kept_things
from sae_desktop.errors import UserError
from sae_desktop.gui.frame.kept_control import Clearing, KeptControl, SizeCounter
from sae_desktop.gui.frame.preferences import Preferences
from sae_desktop.gui.frame.settings_table import SettingInfo, found_settings, settings
from sae_desktop.gui.parts.default_button import set_default_button
from sae_desktop.gui.parts.dialogs import reveal
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.number_fields import WholeField
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.session import Session
from sae_desktop.project_labels import system_user

_SIZE = (640, 620)
_LONGEST_NAME = 80
_CONTROL_WIDTH = 260
_MOST_GB = 100_000


class _Row(QWidget):
    """A setting: its name, its control, its sentence."""

    def __init__(self, info: SettingInfo, control: QWidget) -> None:
        super().__init__()
        self.info, self.control = info, control
        self.title = label(info.title)
        control.setAccessibleName(info.title)
        control.setAccessibleDescription(info.sentence)
        control.setToolTip(plain_tip(info.sentence))
        control.setMaximumWidth(_CONTROL_WIDTH * 2)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 8)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(2)
        grid.addWidget(self.title, 0, 0)
        grid.addWidget(control, 0, 1)
        grid.addWidget(label(info.sentence, "small", wrap=True), 1, 0, 1, 2)
        if isinstance(control, KeptControl):
            grid.addWidget(control.path, 2, 0, 1, 2)
        grid.setColumnStretch(0, 2)
        grid.setColumnStretch(1, 3)


class SettingsDialog(QDialog):
    """Everything takes effect as it is chosen; there is nothing to apply. Esc closes."""

    def __init__(self, window: QWidget, session: Session, preferences: Preferences) -> None:
        super().__init__(window)
        self.setWindowTitle("Settings")
        self._session, self._preferences = session, preferences
        self.field = QLineEdit()
        self.field.setPlaceholderText("Search the settings")
        self.field.setAccessibleName("Search the settings")
        self.field.setClearButtonEnabled(True)
        self.rows: dict[str, _Row] = {}
        self._headings: dict[str, QWidget] = {}
        self.nothing = label("", "muted", wrap=True)
        self.reset_button = push_button(
            "Reset the settings", self._on_reset, tip="Set every setting back to its default"
        )
        self.restart_button = push_button("Restart the engine", self._on_restart)
        self.restart_button.hide()
        self._threads_in_use = session.client.threads
        self.told = label("", wrap=True)
        self.told.hide()
        self._kept = {one.id: one for one in kept_things()}
        self._sizes = SizeCounter(self)
        self._clearing = Clearing(self, session)
        self._build()
        self._sizes.counted.connect(self._on_counted)
        self._clearing.done.connect(self._on_cleared)
        self._clearing.refused.connect(self._on_refused)
        self.finished.connect(self._sizes.stop)
        self.field.textChanged.connect(self._on_searched)
        preferences.changed.connect(self._show_values)
        self._show_values()

    def _build(self) -> None:
        inner = QWidget()
        rows = QVBoxLayout(inner)
        rows.setContentsMargins(0, 0, 12, 0)
        rows.setSpacing(4)
        for info in settings():
            if info.group not in self._headings:
                heading = self._headings[info.group] = label(info.group, "heading")
                heading.setContentsMargins(0, 8 if len(self._headings) > 1 else 0, 0, 4)
                rows.addWidget(self._headings[info.group])
            self.rows[info.id] = _Row(info, self._control(info))
            rows.addWidget(self.rows[info.id])
        rows.addWidget(self.nothing)
        rows.addStretch()
        self._scroll = QScrollArea()
        self._scroll.setWidget(inner)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        close = push_button("Close", self.reject)
        foot = QHBoxLayout()
        foot.addWidget(self.reset_button)
        foot.addWidget(self.restart_button)
        foot.addStretch()
        foot.addWidget(close)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addWidget(self.field)
        column.addWidget(self._scroll, 1)
        column.addWidget(self.told)
        column.addLayout(foot)
        set_default_button(self, close)
        self.resize(*_SIZE)

    # ------------------------------------------------------------------ controls
    def _control(self, info: SettingInfo) -> QWidget:
        choose = self._preferences.choose
        if info.choices:
            box = QComboBox()
            for value, text in info.choices:
                box.addItem(text, value)
            box.activated.connect(lambda _index: choose(info.id, box.currentData()))
            return box
        if info.id == "threads":
            field = WholeField(0, 0, os.cpu_count() or 1)
            field.setSpecialValueText("automatic")
            field.valueChanged.connect(lambda _value: choose("threads", field.value()))
            return field
        if info.id == "memory_gb":
            field = WholeField(0, 0, _MOST_GB)
            field.setSpecialValueText("all that is free")
            field.setSuffix(" GB")
            field.valueChanged.connect(lambda _value: choose("memory_gb", field.value()))
            return field
        if info.id == "person":
            line = QLineEdit()
            line.setPlaceholderText(system_user())
            line.setMaxLength(_LONGEST_NAME)
            line.editingFinished.connect(lambda: choose("person", line.text().strip()))
            return line
        if info.id == "projects_folder":
            return self._projects_folder()
        if info.id in self._kept:
            kept = KeptControl(self._kept[info.id])
            kept.clearAsked.connect(self._clearing.ask)
            return kept
        check = QCheckBox("On")
        check.toggled.connect(lambda on: choose(info.id, on))
        return check

    def _projects_folder(self) -> QWidget:
        """Return the folder’s path, and buttons to choose and to show it."""
        whole = QWidget()
        row = QHBoxLayout(whole)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        path = ElidedLabel()
        path.setObjectName("path")
        row.addWidget(path, 1)
        row.addWidget(push_button("Choose…", self._choose_folder))
        row.addWidget(
            push_button(
                "Show in folder",
                lambda: reveal(self._preferences.projects_folder()),
                tip="Show it in the file manager",
            )
        )
        return whole

    def _choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(
            self, "Folder for new projects", str(self._preferences.projects_folder())
        )
        if name:
            self._preferences.choose("projects_folder", name)

    # ------------------------------------------------------------------ showing
    def show_setting(self, name: str) -> None:
        """Open the dialog; with the id of a setting, at its control."""
        self.field.clear()
        self.told.hide()
        self._show_values()
        self._count()
        self.open()
        if name in self.rows:
            QTimer.singleShot(0, self, lambda: self._bring(self.rows[name]))
        else:
            self.field.setFocus()

    def _bring(self, row: _Row) -> None:
        self._scroll.ensureWidgetVisible(row)
        stops = [row.control, *row.control.findChildren(QWidget)]
        for widget in stops:
            if widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
                widget.setFocus(Qt.FocusReason.TabFocusReason)
                return

    def _show_values(self, _name: str = "") -> None:
        for name, row in self.rows.items():
            control = row.control
            with QSignalBlocker(control):
                if isinstance(control, QComboBox):
                    control.setCurrentIndex(control.findData(self._preferences.value(name)))
                elif isinstance(control, WholeField):
                    control.setValue(self._preferences.value(name))
                elif isinstance(control, QLineEdit):
                    control.setText(self._preferences.value(name))
                elif isinstance(control, QCheckBox):
                    control.setChecked(self._preferences.value(name))
                elif name == "projects_folder":
                    self._show_projects_folder(control)
        self.reset_button.setEnabled(not self._preferences.is_reset())
        waits = self._session.client.threads != self._threads_in_use
        self.restart_button.setVisible(waits and not self._session.running_jobs())

    def _show_projects_folder(self, control: QWidget) -> None:
        shown = control.findChild(ElidedLabel, "path")
        assert shown is not None
        shown.setText(str(self._preferences.projects_folder()))

    # ------------------------------------------------------------------ what is kept
    def _count(self) -> None:
        """Have the sizes counted again; each is shown once it is known."""
        for name in self._kept:
            control = self.rows[name].control
            assert isinstance(control, KeptControl)
            control.wait()
        self._sizes.start(list(self._kept.values()))

    def _on_counted(self, counted: tuple[str, Size]) -> None:
        name, size = counted
        control = self.rows[name].control
        assert isinstance(control, KeptControl)
        control.show_size(size)

    def _on_cleared(self, sentence: str) -> None:
        self._tell(sentence)
        self._count()

    def _on_refused(self, error: UserError) -> None:
        self._tell(" ".join(filter(None, (error.what, error.kept, error.next_step))), "warning")
        self._count()

    def _tell(self, text: str, role: str = "muted") -> None:
        self.told.setText(text)
        set_property(self.told, "role", role)
        self.told.show()

    def _on_searched(self, text: str) -> None:
        found = {info.id for info in (found_settings(text) if text.strip() else settings())}
        for name, row in self.rows.items():
            row.setVisible(name in found)
        for group, heading in self._headings.items():
            heading.setVisible(
                any(row.info.id in found and row.info.group == group for row in self.rows.values())
            )
        self.nothing.setText(f"No setting answers “{text.strip()}”. Try another word.")
        self.nothing.setVisible(not found)

    # ------------------------------------------------------------------ hands
    def _on_reset(self) -> None:
        self._preferences.reset()

    def _on_restart(self) -> None:
        self._threads_in_use = self._session.client.threads
        self._session.client.restart()
        self._show_values()
