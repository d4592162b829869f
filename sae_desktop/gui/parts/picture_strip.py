"""The pictures that stand before a text: their names, each to be looked at or removed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QWidget
from superqt import QFlowLayout

from sae_desktop.errors import UserError
from sae_desktop.gui.parts.brought_pictures import ENDINGS
from sae_desktop.gui.parts.labels import push_button
from sae_desktop.gui.parts.lit_drawing import decoded_thumbnail
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.described_model import DescribedModel
from sae_desktop.steering.kept_pictures import Fate, KeptPicture, fate, keep, restored
from sae_desktop.storage.scratch import ScratchFolder
from sae_desktop.words.kept_picture_words import MARKS, fate_sentence, fates_text

_NAME = 24
"""Characters of a name that are shown."""


class PictureStrip(QWidget):
    """Names of pictures in a row, with a button that adds some."""

    changed = Signal()
    shownChanged = Signal(int)
    """Which picture is to be looked at."""

    def __init__(self, *, looked_at: bool = False) -> None:
        """`looked_at`: one of them is shown elsewhere, which a press on its name chooses."""
        super().__init__()
        self._looked_at = looked_at
        self._files: list[str] = []
        self._shown = 0
        self._read = True
        """Whether the model reads pictures."""
        self._pasted = ScratchFolder()
        self._known: dict[str, KeptPicture] = {}
        """By file, what is known of those that a model has read or a preset has."""
        self._fates: dict[str, Fate] = {}
        """Of those of a preset or a run."""
        self._count = 0
        self.add_button = push_button(
            "Add a picture…",
            self._on_add,
            icon="image",
            tip="Put a picture before the text. One that is dropped or pasted is taken, too",
        )
        self._row = QFlowLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setHorizontalSpacing(4)
        self._row.setVerticalSpacing(4)
        self._row.addWidget(self.add_button)
        self._chips: list[QWidget] = []
        self.names: list[QPushButton] = []
        self.removers: list[QPushButton] = []

    def follow(self, model: DescribedModel) -> None:
        """Be there where the model of the open index reads pictures, or where some are held."""
        model.picturesRead.connect(self._on_pictures_read)
        self._on_pictures_read(model.reads_pictures)

    def _on_pictures_read(self, read: bool) -> None:
        self._read = read
        self.setVisible(read or bool(self._files))

    @property
    def files(self) -> list[str]:
        """The pictures, in their order."""
        return list(self._files)

    @property
    def kept(self) -> list[str]:
        """Those that will still be there another time: pasted ones will not."""
        return [file for file in self._files if not self._pasted.holds(file)]

    @property
    def shown(self) -> int:
        """Which one is looked at."""
        return self._shown

    def as_kept(self, *, whole: bool) -> list[KeptPicture]:
        """Return the pictures as a preset keeps them; pasted ones, or all, with their files.

        Raises UserError for one that is gone or too large.
        """
        own = [file for file in self._files if file not in self.kept]
        found = keep(self._files, list(self._known.values()), self._files if whole else own)
        return [msgspec.structs.replace(one, place=self._place(one.place)) for one in found]

    def _place(self, file: str) -> str:
        """Return where a picture is said to be: of one that a preset kept whole, what that says."""
        known = self._known.get(file)
        return file if known is None else known.place

    def take(self, kept: Sequence[KeptPicture]) -> str:
        """Hold the pictures of a preset or a run; return what became of their files.

        Nothing of those that are as they were. Raises UserError where one that was kept whole
        cannot be written.
        """
        files = [restored(one, self._pasted.path()) for one in kept]
        fates = [fate(msgspec.structs.replace(one, place=file))
                 for one, file in zip(kept, files, strict=True)]  # fmt: skip
        self._known = dict(zip(files, kept, strict=True))
        self._fates = dict(zip(files, fates, strict=True))
        self.set_files(files)
        return fates_text(list(zip(kept, fates, strict=True)))

    def learn(self, read: Sequence[KeptPicture]) -> None:
        """Take what a model has read of these pictures, for their small copies."""
        new = {
            one.place: msgspec.structs.replace(one, place=self._place(one.place))
            for one in read
            if one.place in self._files
        }
        if any(self._known.get(place) != one for place, one in new.items()):
            self._known |= new
            self._show()

    def set_files(self, files: Sequence[str]) -> None:
        """Hold these pictures."""
        self._files = list(dict.fromkeys(files))
        self._fates = {file: known for file, known in self._fates.items() if file in self._files}
        self._shown = min(self._shown, max(len(self._files) - 1, 0))
        self._show()
        self.setVisible(self._read or bool(self._files))
        self.changed.emit()

    def add(self, files: Sequence[str]) -> None:
        """Add pictures, and look at the first of them."""
        if files:
            self._shown = len(self._files)
            self.set_files([*self._files, *files])

    def add_pasted(self, image: QImage) -> None:
        """Add a picture that was pasted; it is kept in a file as long as this widget lives."""
        self._count += 1
        try:
            path = str(self._pasted.path() / f"pasted {self._count}.png")
        except OSError as error:
            path, why = "", str(error)
        else:
            why = "the file could not be written"
        if not path or not image.save(path):
            raise UserError(
                f"The picture that was pasted could not be kept: {why}.",
                kept="The text and the other pictures are unchanged.",
                next_step="Free some space in the folder of temporary files, or save the picture "
                "as a file and add that.",
            )
        self.add([path])

    def look_at(self, number: int) -> None:
        """Say which picture is looked at."""
        self._shown = number
        self._show()
        self.shownChanged.emit(number)

    def _on_add(self) -> None:
        endings = " ".join(f"*.{ending}" for ending in ENDINGS)
        names, _ = QFileDialog.getOpenFileNames(
            self, "Pictures", "", f"Pictures ({endings});;All (*)"
        )
        self.add(names)

    def _remove(self, number: int) -> None:
        self.set_files([*self._files[:number], *self._files[number + 1 :]])
        self.add_button.setFocus()

    def _show(self) -> None:
        for chip in self._chips:
            self._row.removeWidget(chip)
            chip.deleteLater()
        self.names, self.removers = [], []
        self._chips = [self._chip(number) for number in range(len(self._files))]
        for chip in self._chips:
            self._row.addWidget(chip)
            chip.show()

    def _chip(self, number: int) -> QWidget:
        file = self._files[number]
        known, became = self._known.get(file), self._fates.get(file, "there")
        name = Path(file).name if known is None else known.name
        shown = name if len(name) <= _NAME else f"{name[: _NAME // 2]}…{name[-_NAME // 2 + 1 :]}"
        chip = QWidget()
        row = QHBoxLayout(chip)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        mark = f" · {MARKS[became]}" if MARKS[became] else ""
        named = self._named(f"{shown}{mark}".replace("&", "&&"), number)
        if known is not None and known.thumbnail:
            named.setIcon(QIcon(QPixmap.fromImage(decoded_thumbnail(known.thumbnail))))
        told = "" if known is None else fate_sentence(known, became)
        named.setToolTip(plain_tip(f"{file}\n{told}".strip()))
        named.setAccessibleName(f"Picture {number + 1}: {name}{mark}")
        remove = push_button("", partial(self._remove, number), icon="x", flat=True, tip="Remove")
        remove.setAccessibleName(f"Remove {name}")
        row.addWidget(named)
        row.addWidget(remove)
        self.names.append(named)
        self.removers.append(remove)
        return chip

    def _named(self, text: str, number: int) -> QPushButton:
        """Return a picture's name: where there is a choice, it says which is shown."""
        if not self._looked_at or len(self._files) < 2:
            name = push_button(text, flat=True)
            name.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            return name
        chosen = number == self._shown
        name = push_button(text, partial(self.look_at, number), icon="eye" if chosen else "")
        name.setCheckable(True)
        name.setChecked(chosen)
        name.setProperty("chosen", "true" if chosen else "false")
        return name
