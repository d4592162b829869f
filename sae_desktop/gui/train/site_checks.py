"""A short list of sites or stores, several of which can be checked."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QListWidget, QListWidgetItem

from sae_desktop.gui.parts.check_rows import row_size
from sae_desktop.gui.parts.plain_text import plain_tip

_MOST_SHOWN = 6


class SiteChecks(QListWidget):
    """Names with a box each; new ones begin checked, unless they are asked to begin empty."""

    changed = Signal()

    def __init__(self, *, begin_checked: bool = True) -> None:
        super().__init__()
        self._begin_checked = begin_checked
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.itemChanged.connect(lambda _item: self.changed.emit())

    def show_sites(self, sites: Sequence[str]) -> None:
        """Offer sites; those that stay keep their box as it is."""
        if [self.item(row).text() for row in range(self.count())] == list(sites):
            return
        before = {self.item(row).text() for row in range(self.count())}
        checked = set(self.checked())
        with QSignalBlocker(self):
            self.clear()
            for site in sites:
                item = QListWidgetItem(site)
                item.setSizeHint(row_size(self))
                item.setToolTip(plain_tip(site))
                on = site in checked if site in before else self._begin_checked
                item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
                self.addItem(item)
        shown = min(max(len(sites), 1), _MOST_SHOWN)
        self.setFixedHeight(row_size(self).height() * shown + 8)

    def checked(self) -> tuple[str, ...]:
        return tuple(self._named(Qt.CheckState.Checked))

    def check(self, sites: Sequence[str]) -> None:
        """Check these and no others; none named: what they began as."""
        for row in range(self.count()):
            on = (self._begin_checked and not sites) or self.item(row).text() in sites
            self.item(row).setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)

    def _named(self, state: Qt.CheckState) -> list[str]:
        items = (self.item(row) for row in range(self.count()))
        return [item.text() for item in items if item.checkState() is state]
