"""The cards of the rack, one below the other, as many as there are entries."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.known_strengths import KnownStrengths
from sae_desktop.gui.steer.rack import Key, Rack, RackEntry
from sae_desktop.gui.steer.slider_card import SliderCard
from sae_desktop.gui.steer.stop_card import StopCard


class CardColumn(QScrollArea):
    """Sliders and what ends the text; what hands want of one is told with its key."""

    strengthChosen = Signal(object, float)
    switched = Signal(object, bool)
    resetChosen = Signal(object)
    removeChosen = Signal(object)
    soloChosen = Signal(object)
    conditionAsked = Signal(object)

    def __init__(self, session: Session, strengths: KnownStrengths) -> None:
        super().__init__()
        self._session, self._strengths = session, strengths
        self._cards: dict[Key, SliderCard | StopCard] = {}
        self.hint = label(
            "No features yet. Add one by its number or name, or press Steer on a feature’s page.",
            "muted",
            wrap=True,
        )
        self.choose = push_button(
            "Choose a feature", lambda: session.show_workspace("explore"), icon="magnifying-glass"
        )
        inner = QWidget()
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(0, 0, 4, 0)
        self._column.setSpacing(8)
        self._column.addWidget(self.hint)
        self._column.addWidget(self.choose, 0, Qt.AlignmentFlag.AlignLeft)
        self._column.addStretch()
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def show_rack(self, rack: Rack, limit: float) -> None:
        """Show a rack, its sliders reaching from −limit to limit."""
        wanted = {entry.key for entry in rack}
        for key in set(self._cards) - wanted:
            card = self._cards.pop(key)
            if isinstance(card, SliderCard):
                card.strengthChosen.disconnect()  # of what is typed in it as it goes
            self._column.removeWidget(card)
            card.hide()
            card.deleteLater()
        for place, entry in enumerate(rack):
            if entry.key not in self._cards:
                card = self._cards[entry.key] = self._make(entry)
                self._column.insertWidget(2 + place, card)
            card = self._cards[entry.key]
            if isinstance(card, SliderCard):
                card.set_limit(limit)
            card.set_entry(entry)
        self.hint.setVisible(not rack)
        self.choose.setVisible(not rack)

    def _make(self, entry: RackEntry) -> SliderCard | StopCard:
        card: SliderCard | StopCard
        if entry.stop is not None:
            card = StopCard(self._session, entry)
        else:
            used = {slider.colour for slider in self.sliders()}
            colour = next(number for number in range(len(used) + 1) if number not in used)
            card = SliderCard(self._session, entry, colour)
            card.strengthChosen.connect(self.strengthChosen)
            card.resetChosen.connect(self.resetChosen)
            card.soloChosen.connect(self.soloChosen)
            self._show_known(card)
        card.switched.connect(self.switched)
        card.removeChosen.connect(self.removeChosen)
        card.conditionAsked.connect(self.conditionAsked)
        return card

    def sliders(self) -> list[SliderCard]:
        """Return those of features and directions."""
        return [card for card in self._cards.values() if isinstance(card, SliderCard)]

    def card(self, key: Key) -> SliderCard | StopCard:
        """Return one of them. Raises KeyError without it."""
        return self._cards[key]

    def set_typical_norm(self, norm: float) -> None:
        """Say of each feature how long its strength is in typical norms; 0: of none."""
        for slider in self.sliders():
            slider.set_typical_norm(norm)

    def show_known(self) -> None:
        """Show on each feature's slider from where to where texts stay whole."""
        for slider in self.sliders():
            self._show_known(slider)

    def _show_known(self, slider: SliderCard) -> None:
        feature = slider.feature
        if feature is not None:
            known, asking = self._strengths.of(feature), self._strengths.asking(feature)
            slider.show_known(known, asking=asking)
