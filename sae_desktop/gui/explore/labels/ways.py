"""The ways on from the overview: a button each, what it takes beside it, one of them the next."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QGridLayout, QWidget

from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.labels import label, push_button, set_property

UNDER_WAY = "Under way: the bar at the bottom shows how far it is."


class Way:
    """A button with what is said beside it."""

    def __init__(self, text: str, icon: str, said: str, go: Callable[[], object]) -> None:
        self.button = push_button(text, go, icon=icon)
        self._icon, self._said = icon, said
        self.said = label(said, "muted", wrap=True)

    def show_as(self, *, offered: bool, next_step: bool, running: bool) -> None:
        """Show it where it is offered; highlighted, or as something that is being done."""
        self.button.setVisible(offered and not running)
        self.said.setVisible(offered)
        set_property(self.button, "primary", "true" if next_step else "false")
        icons.set_icon(self.button, self._icon, "accent_text" if next_step else "text")
        self.said.setText(f"{self.button.text()}: {UNDER_WAY}" if running else self._said)


class Ways(QWidget):
    """Ways on, one under another."""

    def __init__(self, ways: dict[str, Way]) -> None:
        super().__init__()
        self.ways = ways
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        for row, way in enumerate(ways.values()):
            way.show_as(offered=False, next_step=False, running=False)
            grid.addWidget(way.button, row, 0)
            grid.addWidget(way.said, row, 1)

    def show_ways(self, offered: dict[str, bool], next_step: str) -> None:
        """Show the ways that are offered (name → whether it is under way), one highlighted."""
        for name, way in self.ways.items():
            way.show_as(
                offered=name in offered,
                next_step=name == next_step,
                running=offered.get(name, False),
            )
