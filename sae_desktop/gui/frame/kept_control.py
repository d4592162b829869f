"""A thing that the program keeps, in the settings: where it is, how much, Show and Clear."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QMessageBox, QWidget

from sae_desktop.caches.clearing import clear, cleared_text, question, refuse_in_use
from sae_desktop.caches.sizes import Size, measured
from sae_desktop.caches.table import Kept
from sae_desktop.errors import UserError
from sae_desktop.gui.parts.dialogs import reveal
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.session import Session

_SIZE_WIDTH = 92
_COUNTING = "counting…"


class SizeCounter(QObject):
    """Counts sizes one after another in a thread; what was asked for before is given up."""

    counted = Signal(object)
    """(id, Size)."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._given_up = threading.Event()

    def start(self, things: Sequence[Kept]) -> None:
        """Count each; `counted` is emitted in the window's thread."""
        self.stop()
        self._given_up = threading.Event()
        # A daemon: nothing is lost when the window closes meanwhile.
        threading.Thread(
            target=self._count, args=(list(things), self._given_up), name="sizes", daemon=True
        ).start()

    def stop(self) -> None:
        """Give up what is being counted."""
        self._given_up.set()

    def _count(self, things: list[Kept], given_up: threading.Event) -> None:
        for kept in things:
            size = measured(kept.parts, given_up.is_set)
            if size is None or given_up.is_set():
                return
            with suppress(RuntimeError):  # the window is gone
                self.counted.emit((kept.id, size))


class KeptControl(QWidget):
    """The size, with a button to show it and, where it can be cleared, one to clear it.

    `path` is a label of its own, which has room below.
    """

    clearAsked = Signal(object)
    """(Kept, Size)."""

    def __init__(self, kept: Kept) -> None:
        super().__init__()
        self.kept, self.told = kept, Size()
        self.path = ElidedLabel()
        set_property(self.path, "role", "small")
        self.figure = label(_COUNTING)
        self.figure.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.figure.setMinimumWidth(_SIZE_WIDTH)
        self.figure.setContentsMargins(0, 0, 8, 0)
        self.show_button = push_button("Show in folder", lambda: reveal(kept.place()))
        self.clear_button = push_button("Clear…", self._on_clear)
        self.clear_button.setVisible(not kept.stays)
        self.show_button.setAccessibleName(f"Show in folder: {kept.title}")
        self.clear_button.setAccessibleName(f"Clear: {kept.title}")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addStretch(1)
        for widget in (self.figure, self.show_button, self.clear_button):
            row.addWidget(widget)
        self.wait()

    def _on_clear(self) -> None:
        self.clearAsked.emit((self.kept, self.told))

    def wait(self) -> None:
        """Say that the size is being counted."""
        place = self.kept.place()
        self.path.setText(str(place))
        self.figure.setText(_COUNTING)
        self.clear_button.setEnabled(False)
        self.clear_button.setToolTip(plain_tip("Its size is being counted"))
        there = place.is_dir()
        self.show_button.setEnabled(there)
        self.show_button.setToolTip(
            plain_tip("Show it in the file manager" if there else "It does not exist yet")
        )

    def show_size(self, size: Size) -> None:
        self.told = size
        self.figure.setText(size.text)
        self.figure.setToolTip(plain_tip(size.details))
        something = bool(size.files or size.unreadable)
        self.clear_button.setEnabled(something)
        self.clear_button.setToolTip(
            plain_tip(self.kept.back if something else "There is nothing to clear")
        )


class Clearing(QObject):
    """Asks, clears in a thread, and tells what was freed or why not."""

    done = Signal(object)
    """A sentence."""
    refused = Signal(object)
    """UserError."""

    def __init__(self, window: QWidget, session: Session) -> None:
        super().__init__(window)
        self._session = session
        self._work = Background(self)
        self._work.answered.connect(self._on_cleared)
        self._work.refused.connect(self._on_refused)

    def ask(self, asked: tuple[Kept, Size]) -> None:
        """Say what clearing something of a size costs, and do it if that is wanted."""
        kept, size = asked
        try:
            self._refuse_in_use(kept)
        except UserError as error:
            self.refused.emit(error)
            return
        box = QMessageBox(
            QMessageBox.Icon.Warning,
            f"Clear: {kept.title}",
            question(kept, size),
            QMessageBox.StandardButton.Cancel,
            cast(QWidget, self.parent()),
        )
        box.setTextFormat(Qt.TextFormat.PlainText)
        clear_button = box.addButton("Clear", QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        box.setEscapeButton(QMessageBox.StandardButton.Cancel)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        clear_button.clicked.connect(lambda: self.clear(kept))
        box.open()

    def clear(self, kept: Kept) -> None:
        """Clear it, unless it has come into use meanwhile."""
        try:
            self._refuse_in_use(kept)
        except UserError as error:
            self.refused.emit(error)
            return
        self._work.run(kept, lambda: clear(kept))

    def _refuse_in_use(self, kept: Kept) -> None:
        client = self._session.client
        refuse_in_use(
            kept,
            model=client.status.model if client.status is not None else "",
            jobs=[job.title for job in client.jobs if not job.ended],
            engine=client.process_id,
        )

    def _on_refused(self, answer: tuple[Kept, UserError]) -> None:
        self.refused.emit(answer[1])

    def _on_cleared(self, answer: tuple[Kept, Size]) -> None:
        kept, freed = answer
        self.done.emit(cleared_text(kept, freed))
