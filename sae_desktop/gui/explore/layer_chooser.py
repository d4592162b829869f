"""Where the open dictionary is a layer of a set: its layers, to go up and down among them."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.session import Session
from sae_desktop.words.inventory import SetItem
from sae_desktop.words.set_words import member_text, newest_index

_SHOWN_CHARACTERS = 12


class LayerChooser(QWidget):
    """Hidden but for a set of several dictionaries. Layers without an index cannot be chosen."""

    def __init__(self, session: Session, open_index: Callable[[str], object]) -> None:
        """`open_index` opens an index by its name, and keeps what is shown of it as it was."""
        super().__init__()
        self._session, self._open_index = session, open_index
        self._indexes: list[str] = []
        """Of each layer the index to open; empty: it has none."""
        self.layers = ElidedComboBox(_SHOWN_CHARACTERS)
        self.layers.setMaxVisibleItems(16)
        self.layers.setAccessibleName("Layer of the set")
        self.layers.setToolTip("The layer of the set whose features are listed")
        self.down = self._button("caret-left", "Previous layer (Alt+Page Up)", lambda: self.go(-1))
        self.up = self._button("caret-right", "Next layer (Alt+Page Down)", lambda: self.go(1))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 8, 0)
        row.setSpacing(0)
        for widget in (self.down, self.layers, self.up):
            row.addWidget(widget)
        self.layers.activated.connect(self._on_chosen)
        session.indexOpened.connect(self.refresh)
        session.contentsChanged.connect(self.refresh)
        session.projectChanged.connect(self.refresh)
        self.refresh()

    @staticmethod
    def _button(icon: str, tip: str, do: Callable[[], object]) -> QToolButton:
        button = QToolButton()
        icons.set_icon(button, icon)
        button.setProperty("flat", "true")
        button.setToolTip(plain_tip(tip))
        button.setAccessibleName(tip.partition(" (")[0])
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.clicked.connect(lambda _checked=False: do())
        return button

    @property
    def set(self) -> SetItem | None:
        """The set of several dictionaries that the open one is of."""
        index = self._session.index
        found = self._session.inventory.set_of(index.info.dictionary) if index is not None else None
        return found if found is not None and len(found.members) > 1 else None

    def refresh(self, _message: object = None) -> None:
        """Offer the layers there are now."""
        found, session = self.set, self._session
        self.setVisible(found is not None)
        if found is None or session.index is None:
            self._indexes = []
            return
        own = session.index.info.dictionary
        self._indexes = [
            session.index_name if member.name == own else newest_index(member)
            for member in found.members
        ]
        with QSignalBlocker(self.layers):
            self.layers.clear()
            for place, member in enumerate(found.members):
                there = bool(self._indexes[place])
                title = member_text(member.name)
                self.layers.addItem(title if there else f"{title}  —  no index yet")
                item = self.layers.model().item(place)  # type: ignore[attr-defined]
                item.setEnabled(there)
            names = [member.name for member in found.members]
            self.layers.setCurrentIndex(names.index(own))
        self.down.setEnabled(self.next(-1) is not None)
        self.up.setEnabled(self.next(1) is not None)

    def next(self, step: int) -> str | None:
        """Return the index of the next layer up (1) or down (−1) that has one."""
        place = self.layers.currentIndex() + step
        while 0 <= place < len(self._indexes):
            if self._indexes[place]:
                return self._indexes[place]
            place += step
        return None

    def go(self, step: int) -> None:
        """Open the next layer up (1) or down (−1) that has an index."""
        name = self.next(step)
        if name is not None:
            self._open_index(name)

    def _on_chosen(self, place: int) -> None:
        name = self._indexes[place] if place < len(self._indexes) else ""
        if name and name != self._session.index_name:
            self._open_index(name)
        else:
            self.refresh()
