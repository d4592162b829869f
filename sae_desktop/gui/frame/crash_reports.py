"""The reports of crashes: to be read, copied, kept and deleted."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.errors import UserError
from sae_desktop.gui.frame.preferences import Preferences
from sae_desktop.gui.frame.settings_table import SETTINGS
from sae_desktop.gui.parts.default_button import set_default_button
from sae_desktop.gui.parts.dialogs import reveal
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.session import Session
from sae_desktop.reports.crash_reports import CrashReport

_SIZE = (820, 520)
_LIST_WIDTH = 250
_WHAT = (
    "What is known of each time the window or the engine failed. People, folders and this machine "
    "are not named in it, and it is never sent: copy it to where you report the fault, once you "
    "have read it."
)
_NONE = "Nothing has crashed since the program was started, and no earlier report is kept."
_SETTING = "keep_crashes"


class CrashReportsDialog(QDialog):
    """Stays open beside the window; what crashes meanwhile comes to the top of the list."""

    def __init__(self, parent: QWidget, session: Session, preferences: Preferences) -> None:
        super().__init__(parent)
        self.setWindowTitle("Crash reports")
        self._session, self._reports = session, session.crashes
        self._preferences = preferences
        self._shown: list[CrashReport] = []
        self.list = QListWidget()
        self.list.setAccessibleName("Crash reports")
        self.list.setMinimumWidth(180)
        self.list.setWordWrap(True)
        self.list.setSpacing(2)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.currentRowChanged.connect(lambda _row: self._tell())
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setTabChangesFocus(True)
        self.text.setAccessibleName("The report")
        self.nothing = label(_NONE, "muted", wrap=True)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.copy_button = push_button("Copy", self.copy, icon="copy", tip="Copy the whole report")
        self.keep_button = push_button(
            "Keep", self.keep, tip="Keep this report when the program ends"
        )
        self.delete_button = push_button("Delete", self.delete)
        self.folder_button = push_button(
            "Show the folder", lambda: reveal(self._reports.folder), flat=True
        )
        info = next(one for one in SETTINGS if one.id == _SETTING)
        self.always = QCheckBox("Keep every report")
        self.always.setToolTip(plain_tip(info.sentence))
        self.always.setChecked(preferences.value(_SETTING))
        self.always.toggled.connect(lambda on: preferences.choose(_SETTING, on))
        self.close_button = push_button("Close", self.reject)
        self._lay_out()
        set_default_button(self, self.close_button)
        self.resize(*_SIZE)
        preferences.changed.connect(self._on_setting)
        session.crashesChanged.connect(self.refresh)
        self.refresh()

    def _lay_out(self) -> None:
        self.split = QSplitter()
        self.split.addWidget(self.list)
        self.split.addWidget(self.text)
        self.split.setChildrenCollapsible(False)
        self.split.setSizes([_LIST_WIDTH, _SIZE[0] - _LIST_WIDTH])
        self.split.setStretchFactor(1, 1)
        buttons = QHBoxLayout()
        for widget in (self.copy_button, self.keep_button, self.delete_button, self.folder_button):
            buttons.addWidget(widget)
        buttons.addStretch(1)
        buttons.addWidget(self.always)
        buttons.addSpacing(8)
        buttons.addWidget(self.close_button)
        whole = QVBoxLayout(self)
        whole.setSpacing(12)
        whole.addWidget(label(_WHAT, "muted", wrap=True))
        whole.addWidget(self.split, 1)
        whole.addWidget(self.nothing, 1)
        whole.addLayout(buttons)

    def refresh(self) -> None:
        """Show what there is now; the report that is being read stays, where it still is."""
        before = self.current()
        self._shown = self._reports.every()
        self.list.clear()
        for report in self._shown:
            state = "" if report.path else " (not kept)"
            item = QListWidgetItem(f"{report.when:%Y-%m-%d %H:%M}{state}\n{report.what}")
            item.setToolTip(plain_tip(report.what))
            self.list.addItem(item)
        texts = [report.text for report in self._shown]
        if before is not None and before.text in texts:
            self.list.setCurrentRow(texts.index(before.text))
        else:
            self.list.setCurrentRow(0 if self._shown else -1)
        self.split.setVisible(bool(self._shown))
        self.nothing.setVisible(not self._shown)
        self._tell()

    def open_at_newest(self) -> None:
        """Show the dialog, with the keyboard at the reports where there are any."""
        self.refresh()
        self.show()
        self.raise_()
        self.activateWindow()
        (self.list if self._shown else self.close_button).setFocus()

    def current(self) -> CrashReport | None:
        row = self.list.currentRow()
        return self._shown[row] if 0 <= row < len(self._shown) else None

    def _tell(self) -> None:
        report = self.current()
        self.text.setPlainText(report.text if report else "")
        self.copy_button.setEnabled(report is not None)
        self.delete_button.setEnabled(report is not None)
        self.keep_button.setEnabled(report is not None and report.path is None)
        self.folder_button.setEnabled(self._reports.folder.is_dir())

    def _on_setting(self, name: str) -> None:
        if name == _SETTING:
            self.always.setChecked(self._preferences.value(_SETTING))

    # ------------------------------------------------------------------ hands
    def copy(self) -> None:
        """Put the report that is shown on the clipboard."""
        if (report := self.current()) is not None:
            QGuiApplication.clipboard().setText(report.text)

    def keep(self) -> None:
        """Keep the report that is shown when the program ends."""
        self._do(self._reports.keep)

    def delete(self) -> None:
        """Forget the report that is shown."""
        self._do(self._reports.remove)

    def _do(self, what: Callable[[CrashReport], object]) -> None:
        report = self.current()
        if report is None:
            return
        try:
            what(report)
        except UserError as error:
            self._session.show_error(error)
