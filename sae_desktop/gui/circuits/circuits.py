"""The Circuits workspace: why the model writes a token, as a graph of features."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sae_desktop.gui.parts.actions import ActionInfo
from sae_desktop.gui.parts.empty_state import EmptyState
from sae_desktop.gui.parts.workspace import DockInfo
from sae_desktop.gui.state.session import Session

_NO_SET = (
    "An attribution graph shows which features made the model’s next token, step by step. It "
    "needs transcoders for every layer of the model: a set. This project has none."
)


class CircuitsPanel(QWidget):
    """Without a set of transcoders, the way to one."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("circuits")
        self.setProperty("ground", "window")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session = session
        self.empty = EmptyState(
            _NO_SET,
            "Train transcoders",
            lambda: session.show_workspace("train"),
            icon="tree-structure",
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.empty)
        self.setFocusProxy(self.empty.button)

    def docks(self) -> list[DockInfo]:
        """Return what stands beside."""
        return []

    def action_infos(self) -> list[ActionInfo]:
        """Return what can be done here, for menus, shortcuts and the palette."""
        return []
