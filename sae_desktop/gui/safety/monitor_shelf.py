"""The monitors of the open project, read beside the window."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.session import Session
from sae_desktop.safety.monitors.listing import MonitorItem, take_monitors


class MonitorShelf(QObject):
    """Holds what was read last; `changed` comes whenever it was read again."""

    changed = Signal()

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self.items: list[MonitorItem] = []
        self._reading = Background(self)
        self._reading.answered.connect(self._on_read)
        session.contentsChanged.connect(self.look)
        session.projectChanged.connect(self.look)
        if session.project is not None:
            self.look()

    def look(self) -> None:
        """Read them again."""
        project = self._session.project
        if project is None:
            self.items = []
            self.changed.emit()
            return
        self._reading.run(project.path, lambda: take_monitors(project))

    def item(self, name: str) -> MonitorItem | None:
        return next((item for item in self.items if item.name == name), None)

    def names(self) -> list[str]:
        return [item.name for item in self.items]

    def _on_read(self, answer: tuple[object, list[MonitorItem]]) -> None:
        project = self._session.project
        if project is not None and answer[0] == project.path:
            self.items = answer[1]
            self.changed.emit()
