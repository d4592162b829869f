"""The rail of workspaces at the window's left."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QToolButton, QVBoxLayout, QWidget

from sae_desktop.gui.parts import icons, theme
from sae_desktop.gui.parts.actions import ActionInfo, tooltip
from sae_desktop.gui.parts.plain_text import plain_tip

_WIDTH = 76
_TALL, _SHORT = 60, 28
"""Height of a button with its text, and the least without."""
_SPACING, _MARGIN = 4, 8


class Rail(QWidget):
    """One checkable button a workspace, icon above text; where that finds no room, icons alone."""

    chosen = Signal(str)
    """Id of the workspace."""

    def __init__(self, infos: list[ActionInfo]) -> None:
        """`infos` are the actions `view.<workspace>`."""
        super().__init__()
        self.setObjectName("rail")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, _MARGIN, 4, _MARGIN)
        layout.setSpacing(_SPACING)
        self._group = QButtonGroup(self)
        self._buttons: dict[str, QToolButton] = {}
        for info in infos:
            name = info.id.removeprefix("view.")
            button = QToolButton()
            button.setText(info.text)
            button.setToolTip(plain_tip(tooltip(info)))
            button.setAccessibleName(info.text)
            button.setCheckable(True)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setIconSize(QSize(24, 24))
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            icons.set_icon(button, info.icon)
            button.clicked.connect(lambda _checked=False, name=name: self.chosen.emit(name))
            self._group.addButton(button)
            self._buttons[name] = button
            layout.addWidget(button)
        layout.addStretch(1)
        # However its buttons stand now: a least height that follows them would have the window and
        # the rail resize each other without end.
        least = len(self._buttons) * (_SHORT + _SPACING) - _SPACING + 2 * _MARGIN
        self.setMinimumHeight(least)
        self._fit()
        theme.manager().themeChanged.connect(self._fit)

    def _fit(self) -> None:
        """Be as wide as the widest name, in whatever size text is now."""
        names = [button.text() for button in self._buttons.values()]
        metrics = self.fontMetrics()
        width = max(_WIDTH, *(metrics.horizontalAdvance(name) + 20 for name in names))
        self.setFixedWidth(width)
        tall = max(_TALL, metrics.height() + 40)
        count, margins = len(self._buttons), 2 * _MARGIN
        short = self.height() < count * (tall + _SPACING) - _SPACING + margins
        room = (self.height() - margins + _SPACING) // count - _SPACING
        style = Qt.ToolButtonStyle
        for button in self._buttons.values():
            button.setToolButtonStyle(
                style.ToolButtonIconOnly if short else style.ToolButtonTextUnderIcon
            )
            button.setFixedSize(width - 8, max(_SHORT, min(room, tall)) if short else tall)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def mark(self, name: str) -> None:
        """Show which workspace is in front."""
        self._buttons[name].setChecked(True)
