"""The offer to show a picture itself in the place of its small copy; the engine finds it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sae_desktop.activations.original_config import SIDE, OriginalPictureConfig
from sae_desktop.activations.original_config import OriginalPicture as Found
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.lit_drawing import LitPicture, decoded_webp
from sae_desktop.gui.parts.picture_gallery import ShownPicture
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.session import Session

_SMALL_COPY = "The small copy kept with the index, which shows no fine detail."
_LARGE = "The picture itself, read again from where it was."


class OriginalPicture(QWidget):
    """Says what is shown, and reads the picture itself when it is asked to."""

    found = Signal(object)
    """LitPicture, with the picture itself."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._entry: ShownPicture | None = None
        self.said = label("", "muted", wrap=True)
        self.show_it = push_button("Show the picture itself", self._ask)
        self.latest = LatestJob(session, 0, self)
        self.latest.answered.connect(self._on_answered)
        self.latest.failed.connect(self._on_failed)
        self.latest.busyChanged.connect(lambda busy: self.show_it.setEnabled(not busy))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.said)
        column.addWidget(self.show_it)

    def set_entry(self, entry: ShownPicture) -> None:
        """Offer another picture; what is still being read of the one before is dropped."""
        self.latest.forget()
        self._entry = entry
        layout, image = entry.picture.layout, entry.picture.image
        whole = image.width() == layout.width and image.height() == layout.height
        self.setVisible(not whole and bool(entry.digest))
        self.show_it.setVisible(True)
        self.show_it.setEnabled(True)
        self._say(_SMALL_COPY)

    def _say(self, text: str, role: str = "muted") -> None:
        set_property(self.said, "role", role)
        self.said.setText(text)

    def _ask(self) -> None:
        entry, index, project = self._entry, self._session.index, self._session.project
        if entry is None or index is None:
            return
        self._say("Reading the picture…")
        self.latest.ask(
            OriginalPictureConfig(
                digest=entry.digest,
                name=entry.name,
                place=entry.place,
                project="" if project is None else str(project.path),
                stores=[text.activations for text in index.info.texts],
            )
        )

    def _on_answered(self, result: Found) -> None:
        image = decoded_webp(result.picture, SIDE)
        if self._entry is None or image.isNull():
            self._say("The picture was read but cannot be drawn here.", "error")
            return
        self.show_it.setVisible(False)
        self._say(_LARGE)
        picture = self._entry.picture
        self.found.emit(LitPicture(image, picture.layout, picture.activations))

    def _on_failed(self, error: ErrorInfo) -> None:
        parts = (error.what, error.kept, error.next_step)
        self._say(" ".join(part for part in parts if part), "error")
