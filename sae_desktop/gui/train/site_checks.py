"""A short list of sites, several of which can be checked."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QListWidget, QListWidgetItem

from sae_desktop.gui.parts.plain_text import plain_tip

_MOST_SHOWN = 6


class SiteChecks(QListWidget):
    """Sites with a box each; new ones begin checked."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.itemChanged.connect(lambda _item: self.changed.emit())

    def show_sites(self, sites: Sequence[str]) -> None:
        """Offer sites; those that stay keep their box as it is."""
        if [self.item(row).text() for row in range(self.count())] == list(sites):
            return
        unchecked = set(self._named(Qt.CheckState.Unchecked))
        with QSignalBlocker(self):
            self.clear()
            for site in sites:
                item = QListWidgetItem(site)
                item.setToolTip(plain_tip(site))
                on = site not in unchecked
                item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
                self.addItem(item)
        shown = min(max(len(sites), 1), _MOST_SHOWN)
        self.setFixedHeight(self.fontMetrics().height() * shown * 3 // 2 + 8)

    def checked(self) -> tuple[str, ...]:
        return tuple(self._named(Qt.CheckState.Checked))

    def check(self, sites: Sequence[str]) -> None:
        """Check these and no others; none named: all."""
        for row in range(self.count()):
            on = not sites or self.item(row).text() in sites
            self.item(row).setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)

    def _named(self, state: Qt.CheckState) -> list[str]:
        items = (self.item(row) for row in range(self.count()))
        return [item.text() for item in items if item.checkState() is state]
