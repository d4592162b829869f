"""The log: what the window, the engine and commands have said, as it is said."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtGui import QFontDatabase, QGuiApplication, QHideEvent, QShowEvent, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui.parts.default_button import set_default_button
from sae_desktop.gui.parts.dialogs import reveal
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.background import Background
from sae_desktop.storage.own_folders import log_folder
from sae_desktop.words.log_lines import (
    LEVELS,
    SOURCES,
    LogEntry,
    files_state,
    filtered,
    newest_entries,
)

_SIZE = (900, 520)
_FOLLOW_MS = 1000
_WHAT = (
    "What the window, the engine and commands have said on this machine, the newest last. It "
    "names files and folders as they are, and is never sent."
)
_NONE = (
    "Nothing has been said yet. Warnings and failures of the window, all that the engine and its "
    "libraries print, and what commands with --json print beside their answers are written to "
    "{folder}."
)
_NO_MATCH = "No line fits. Choose another level or source, or clear the text."


class LogDialog(QDialog):
    """Stays open beside the window; while it follows, what is said comes to its end."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Log")
        self._entries: list[LogEntry] = []
        self._state: object = None
        self.source = _combo("Said by", SOURCES)
        self.level = _combo("Level", LEVELS)
        self.field = QLineEdit()
        self.field.setPlaceholderText("Lines with this text")
        self.field.setAccessibleName("Lines with this text")
        self.field.setClearButtonEnabled(True)
        self.follow = QCheckBox("Follow")
        self.follow.setToolTip("Show what is said while it is said, and stay at the end")
        self.follow.setChecked(True)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setTabChangesFocus(True)
        self.text.setAccessibleName("The log")
        self.nothing = label("", "muted", wrap=True)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.copy_button = push_button(
            "Copy", self.copy, icon="copy", tip="Copy the lines that are shown"
        )
        self.folder_button = push_button("Show in folder", lambda: reveal(log_folder()), flat=True)
        self.close_button = push_button("Close", self.reject)
        self._reading = Background(self)
        self._reading.answered.connect(self._on_read)
        self._timer = QTimer(self, interval=_FOLLOW_MS)
        self._timer.timeout.connect(self._look)
        self._lay_out()
        set_default_button(self, self.close_button)
        self.resize(*_SIZE)
        self.source.currentIndexChanged.connect(self._show)
        self.level.currentIndexChanged.connect(self._show)
        self.field.textChanged.connect(self._show)
        self.follow.toggled.connect(self._on_follow)
        self._show()

    def _lay_out(self) -> None:
        filters = QHBoxLayout()
        filters.setSpacing(8)
        filters.addWidget(self.source)
        filters.addWidget(self.level)
        filters.addWidget(self.field, 1)
        filters.addWidget(self.follow)
        foot = QHBoxLayout()
        foot.addWidget(self.copy_button)
        foot.addWidget(self.folder_button)
        foot.addStretch(1)
        foot.addWidget(self.close_button)
        whole = QVBoxLayout(self)
        whole.setSpacing(12)
        whole.addWidget(label(_WHAT, "muted", wrap=True))
        whole.addLayout(filters)
        whole.addWidget(self.text, 1)
        whole.addWidget(self.nothing, 1)
        whole.addLayout(foot)

    def open_at_newest(self, source: str = "") -> None:
        """Show the dialog with what one source has said; without one, with everything."""
        self.source.setCurrentIndex(self.source.findData(source))
        self.follow.setChecked(True)
        self.show()
        self.raise_()
        self.activateWindow()
        self.field.setFocus()

    def copy(self) -> None:
        """Put the lines that are shown on the clipboard."""
        QGuiApplication.clipboard().setText(self.text.toPlainText())

    # ------------------------------------------------------------------ following
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._state = None
        self._look()
        self._on_follow()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()

    def _on_follow(self, _on: bool = True) -> None:
        if self.follow.isChecked() and self.isVisible():
            self._timer.start()
            self._look()
        else:
            self._timer.stop()

    def _look(self) -> None:
        state = files_state()
        if state != self._state:
            self._state = state
            self._reading.run("log", newest_entries)

    def _on_read(self, answer: tuple[str, list[LogEntry]]) -> None:
        self._entries = answer[1]
        self._show()

    def _show(self, _changed: object = None) -> None:
        shown = filtered(
            self._entries,
            source=self.source.currentData(),
            level=self.level.currentData(),
            text=self.field.text(),
        )
        bar = self.text.verticalScrollBar()
        before = bar.value()
        self.text.setPlainText("\n".join(entry.line for entry in shown))
        bar.setValue(bar.maximum() if self.follow.isChecked() else before)
        self.text.setVisible(bool(shown))
        self.nothing.setVisible(not shown)
        self.nothing.setText(_NO_MATCH if self._entries else _NONE.format(folder=log_folder()))
        self.copy_button.setEnabled(bool(shown))
        self.folder_button.setEnabled(log_folder().is_dir())


def _combo(name: str, choices: tuple[tuple[str, str], ...]) -> QComboBox:
    box = QComboBox()
    for value, text in choices:
        box.addItem(text, value)
    box.setAccessibleName(name)
    box.setToolTip(plain_tip(name))
    return box
