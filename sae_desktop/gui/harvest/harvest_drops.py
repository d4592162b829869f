"""A panel that model folders and texts can be dropped on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QLineEdit, QWidget

from sae_desktop.errors import UserError
from sae_desktop.gui.parts import theme
from sae_desktop.gui.state.drops import harvest_fields
from sae_desktop.gui.state.session import Session

_INSET = 4


class HarvestDrops(QWidget):
    """Fills itself with what is dropped; while something hangs over it, it has a frame."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._hovered = False
        self.setAcceptDrops(True)

    def fill(self, fields: Mapping[str, Any]) -> None:
        """Put values of HarvestConfig's fields into the panel."""
        raise NotImplementedError

    def leave_drops_to_panel(self) -> None:
        """Let no field take a dropped file as its text."""
        for field in self.findChildren(QLineEdit):
            field.setAcceptDrops(False)

    def take(self, paths: list[Path]) -> None:
        """Make use of dropped files and folders; what they cannot be becomes a toast."""
        try:
            fields = harvest_fields(paths)
        except UserError as error:
            self._session.show_error(error)
        else:
            self.fill(fields)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()
            self._hover(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._hover(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self._hover(False)
        urls = [url for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        self.take([Path(url.toLocalFile()) for url in urls])

    def _hover(self, on: bool) -> None:
        self._hovered = on
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._hovered:
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(theme.palette().focus, 2))
            painter.drawRoundedRect(self.rect().adjusted(_INSET, _INSET, -_INSET, -_INSET), 8, 8)
