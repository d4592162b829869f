"""Fields on which files can be dropped: for the text they hold, or for their path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QMimeData, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit

from sae_desktop.corpus.decoding import whole_text
from sae_desktop.errors import UserError

MOST_CHARACTERS = 4_000_000
"""Of a dropped file, what is read: no field is for more."""


def file_text(path: Path) -> str:
    """Return the text of a file, decompressed. Raises UserError for none, and a too long one."""
    if path.is_dir():
        raise UserError(f"“{path.name}” is a folder.", next_step="Drop a text file.")
    return whole_text(path, MOST_CHARACTERS)


class PathField(QLineEdit):
    """A field for a path: a file or folder dropped on it is named there."""

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if local_files(event.mimeData()):
            event.acceptProposedAction()
        else:
            super().dragEnterEvent(event)

    def dropEvent(self, event: QDropEvent) -> None:
        files = local_files(event.mimeData())
        if not files:
            super().dropEvent(event)
            return
        self.setText(str(files[0]))
        event.acceptProposedAction()
        self.editingFinished.emit()


class TextBox(QPlainTextEdit):
    """Takes dropped and pasted files for their content, everything else as it is."""

    refused = Signal(object)
    """UserError: why a file was not taken."""

    def __init__(self, read: Callable[[Path], str] = file_text) -> None:
        """`read` gives the text that a file stands for. Raises UserError."""
        super().__init__()
        self._read = read

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return bool(local_files(source)) or super().canInsertFromMimeData(source)

    def insertFromMimeData(self, source: QMimeData) -> None:
        files = local_files(source)
        if not files:
            super().insertFromMimeData(source)
            return
        try:
            text = "\n".join(self._read(path) for path in files)
        except UserError as error:
            self.refused.emit(error)
            return
        # In place of all: a file is a whole text, and where it was let go means nothing.
        self.selectAll()
        self.insertPlainText(text)


def local_files(source: QMimeData) -> list[Path]:
    """Return the files and folders that are dragged."""
    return [Path(url.toLocalFile()) for url in source.urls() if url.isLocalFile()]
