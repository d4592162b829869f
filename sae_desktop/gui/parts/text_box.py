"""Fields on which files can be dropped: for the text they hold, or for their path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit

from sae_desktop.errors import UserError
from sae_desktop.gui.parts.brought_pictures import brings_pictures, pasted_image, picture_files
from sae_desktop.gui.state.background import Background

if TYPE_CHECKING:
    from sae_desktop.gui.parts.picture_strip import PictureStrip  # it takes longer than all fields

MOST_CHARACTERS = 4_000_000
"""Of a dropped file, what is read: no field is for more."""


def file_text(path: Path, most: int = MOST_CHARACTERS) -> str:
    """Return the text of a file, decompressed; of a table or JSON lines the texts of its rows.

    Raises UserError for a file without text, and for one of more than `most` characters.
    """
    if path.is_dir():
        raise UserError(f"“{path.name}” is a folder.", next_step="Drop a text file.")
    from sae_desktop.corpus.one_text import text_of  # it brings the readers of tables

    return text_of(path, most)


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


class PlainTextField(QPlainTextEdit):
    """A field for more than a line, on which a text of any length may be dropped.

    Qt's own scrolls to a dropped text before that has its lines: where a long one is dropped on
    another, it reads a line that is not there, and the program ends.
    """

    _dropping = False

    def dropEvent(self, event: QDropEvent) -> None:
        self._dropping = True
        try:
            super().dropEvent(event)
        finally:
            self._dropping = False
        self.ensureCursorVisible()

    def insertFromMimeData(self, source: QMimeData) -> None:
        if self._dropping:
            self.insertPlainText(source.text())
        else:
            super().insertFromMimeData(source)


class TextBox(PlainTextField):
    """Takes dropped and pasted files for their content, everything else as it is.

    Files are read beside the window, and take the place of all that stands there: Ctrl+Z brings
    that back.
    """

    refused = Signal(object)
    """UserError: why a file was not taken."""
    readingChanged = Signal(str)
    """Name of the file that is being read; empty once it is read or refused."""

    def __init__(
        self, read: Callable[[Path], str] = file_text, pictures: PictureStrip | None = None
    ) -> None:
        """`read` gives the text that a file stands for, away from the window's thread.

        Raises UserError. Pictures that are dropped or pasted go to the strip `pictures`.
        """
        super().__init__()
        self._read = read
        self._pictures = pictures
        self._reading = Background(self)
        self._reading.answered.connect(self._on_read)
        self._reading.refused.connect(self._on_refused)

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        if self._pictures is not None and brings_pictures(source):
            return True
        return bool(local_files(source)) or super().canInsertFromMimeData(source)

    def insertFromMimeData(self, source: QMimeData) -> None:
        files = local_files(source)
        if self._pictures is not None and brings_pictures(source):
            image, pictures = pasted_image(source), picture_files(source)
            if image is not None:
                self._pictures.add_pasted(image)
            self._pictures.add(pictures)
            files = [file for file in files if str(file) not in {str(Path(p)) for p in pictures}]
            if not files:
                return
        if not files:
            super().insertFromMimeData(source)
            return
        read = self._read
        self.readingChanged.emit(files[0].name)
        self._reading.run(files, lambda: "\n".join(read(path) for path in files))

    def _on_read(self, answer: tuple[object, str]) -> None:
        self.readingChanged.emit("")
        # In place of all: a file is a whole text, and where it was let go means nothing.
        self.selectAll()
        self.insertPlainText(answer[1])

    def _on_refused(self, answer: tuple[object, UserError]) -> None:
        self.readingChanged.emit("")
        self.refused.emit(answer[1])


def local_files(source: QMimeData) -> list[Path]:
    """Return the files and folders that are dragged."""
    return [Path(url.toLocalFile()) for url in source.urls() if url.isLocalFile()]
