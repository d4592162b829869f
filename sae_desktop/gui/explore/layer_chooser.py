"""Where the open dictionary is of a set: its layers, to go up and down among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.feature_set import FeatureSet
from sae_desktop.gui.state.session import Session
from sae_desktop.words.inventory import SetItem
from sae_desktop.words.set_words import member_text, newest_index

_ROOM = 40
"""Beside the text of the list: its arrow and its edges."""
_NO_INDEX = "no index yet"


@dataclass(frozen=True)
class _Choice:
    """An entry of the list of layers."""

    text: str
    index: str = ""
    """The index to open; empty: the layer has none."""
    features: FeatureSet | None = None
    """Of a cross-layer transcoder: the features of the layer alone; None: those of all."""


class LayerChooser(QWidget):
    """Hidden but for a set of several layers. Layers without an index cannot be chosen.

    The layers of a cross-layer transcoder are in one index: choosing one lists its features alone.
    """

    def __init__(
        self,
        session: Session,
        open_index: Callable[[str], object],
        show_only: Callable[[FeatureSet | None], object],
        shown_only: Callable[[], FeatureSet | None],
    ) -> None:
        """`open_index` opens an index by its name, and keeps what is shown of it as it was;
        `show_only` lists some features of the open one, `shown_only` says which are.
        """
        super().__init__()
        self._session, self._open_index = session, open_index
        self._show_only, self._shown_only = show_only, shown_only
        self._choices: list[_Choice] = []
        self.layers = ElidedComboBox()
        # As wide as most layers need, since the tabs stand beside it.
        self.layers.setFixedWidth(self.layers.fontMetrics().horizontalAdvance("Layer 88") + _ROOM)
        self.layers.view().setMinimumWidth(self.layers.fontMetrics().averageCharWidth() * 30)
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
        self.layers.activated.connect(self._choose)
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

    # ------------------------------------------------------------------ content
    @property
    def set(self) -> SetItem | None:
        """The set of several layers that the open dictionary is of."""
        index = self._session.index
        found = self._session.inventory.set_of(index.info.dictionary) if index is not None else None
        if found is None or found.info is None:
            return None
        return found if len(found.info.layers) > 1 else None

    def refresh(self, _message: object = None) -> None:
        """Offer the layers there are now."""
        found = self.set
        self._choices = [] if found is None else self._choices_of(found)
        self.setVisible(bool(self._choices))
        with QSignalBlocker(self.layers):
            self.layers.clear()
            for place, choice in enumerate(self._choices):
                there = bool(choice.index)
                self.layers.addItem(choice.text if there else f"{choice.text}  —  {_NO_INDEX}")
                item = self.layers.model().item(place)  # type: ignore[attr-defined]
                item.setEnabled(there)
            self.layers.setCurrentIndex(self._place())
        self.down.setEnabled(self.next(-1) is not None)
        self.up.setEnabled(self.next(1) is not None)

    def _choices_of(self, found: SetItem) -> list[_Choice]:
        session = self._session
        assert session.index is not None
        if found.info is not None and found.info.kind == "cross_layer":
            choices, start = [_Choice("All layers", session.index_name)], 0
            for member in found.info.members:
                numbers = np.arange(start, start + member.features)
                title = f"Layer {member.layer}"
                choices.append(_Choice(title, session.index_name, FeatureSet(title, numbers)))
                start += member.features
            # An index of other features than those of all layers is not cut into layers.
            return choices if start == session.index.features else []
        own = session.index.info.dictionary
        return [
            _Choice(
                member_text(member.name),
                session.index_name if member.name == own else newest_index(member),
            )
            for member in found.members
        ]

    def _place(self) -> int:
        """Return which of the layers is shown."""
        only = self._shown_only()
        if any(choice.features is not None for choice in self._choices):
            titles = [choice.features.title if choice.features else "" for choice in self._choices]
            return titles.index(only.title) if only is not None and only.title in titles else 0
        names = [choice.index for choice in self._choices]
        return names.index(self._session.index_name) if self._choices else -1

    # ------------------------------------------------------------------ going
    def next(self, step: int) -> int | None:
        """Return the place of the next layer up (1) or down (−1) that has an index."""
        place = self.layers.currentIndex() + step
        while 0 <= place < len(self._choices):
            if self._choices[place].index:
                return place
            place += step
        return None

    def go(self, step: int) -> None:
        """Show the next layer up (1) or down (−1) that has an index."""
        place = self.next(step)
        if place is not None:
            self._choose(place)

    def _choose(self, place: int) -> None:
        choice = self._choices[place] if place < len(self._choices) else _Choice("")
        if choice.index and choice.index != self._session.index_name:
            self._open_index(choice.index)
        elif any(one.features is not None for one in self._choices):
            self._show_only(choice.features)
        self.refresh()
