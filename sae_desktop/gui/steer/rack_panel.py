"""The rack: one slider for each feature or direction that is turned up or down."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from PySide6.QtCore import QStringListModel, Qt, QTimer, Signal
from PySide6.QtWidgets import QCompleter, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from sae_desktop.errors import UserError
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.name_finder import NameFinder
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer import rack as racks
from sae_desktop.gui.steer.card_column import CardColumn
from sae_desktop.gui.steer.condition_dialog import NEVER, Chosen, ConditionDialog, Take
from sae_desktop.gui.steer.direction_menu import DirectionButton
from sae_desktop.gui.steer.how_fields import HowFields
from sae_desktop.gui.steer.known_strengths import UNKNOWN, KnownStrengths, first_strength
from sae_desktop.gui.steer.rack import How, Key, Rack, RackEntry
from sae_desktop.gui.steer.rack_change import ChangeRack
from sae_desktop.gui.steer.slider_card import SliderCard
from sae_desktop.language_model.sites.site_names import Site, parse_site
from sae_desktop.project import existing
from sae_desktop.steering.config import Direction, Intervention, Variant
from sae_desktop.steering.gate_config import Gate
from sae_desktop.training.run_folder import DictionarySummary, read_summary
from sae_desktop.words.steered_sites import steered_outputs, steered_sites_text

_NAMES = 2000
"""Labels offered while a name is typed."""


class SteeringRack(QWidget):
    """Sliders, a field to add one, and the way back."""

    rackChanged = Signal()
    strengthSettled = Signal(int)
    """The feature whose slider waits for its strength no longer."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("steer.rack")
        self._session = session
        self._notes = FeatureNotes.of(session)
        self._finder = NameFinder(session, self)
        self.rack: Rack = ()
        self._typical_norm = 0.0
        self._dictionary = self._notes.dictionary
        self._written = ""
        self._summary: DictionarySummary | None = None
        """Of the open index's dictionary, where it is there."""
        self.strengths = KnownStrengths(session, self)
        self.cards = CardColumn(session, self.strengths)
        self.dialog: ConditionDialog | None = None
        """That which asked for a condition last."""
        self._unset: set[int] = set()
        """Features whose sliders wait at their first strength for the one that works."""
        self._names = QStringListModel(self)
        self.add_field = QLineEdit()
        self.add_field.setPlaceholderText("Name or number")
        self.add_field.setAccessibleName("Add a feature by its name or number")
        self.add_direction = DirectionButton(
            session, self.add_direction_entry, self.add_feature_elsewhere, self.ask_stop
        )
        self.all_off = push_button(
            "All off", self.switch_all_off, flat=True, tip="Switch every feature off"
        )
        self.form = HowFields()
        self.form.changed.connect(self._on_how_chosen)
        self.form.range.activated.connect(lambda _index: self._show())
        self._connect_cards()
        self.sites_line = label("", "small", wrap=True)
        self._build()
        self.add_field.returnPressed.connect(self._on_add_entered)
        session.steerRequested.connect(self.add_feature)
        session.columnMade.connect(self._on_column_made)
        self.strengths.found.connect(self._on_strength_found)
        session.indexOpened.connect(self._on_index_changed)
        session.projectChanged.connect(self._on_index_changed)
        self._notes.noteChanged.connect(self._name_features)
        self._notes.reloaded.connect(self._name_features)
        self._on_index_changed()

    def _build(self) -> None:
        completer = QCompleter(self._names, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.add_field.setCompleter(completer)
        # Later: the completer writes its choice into the field after it has told of it.
        completer.activated.connect(lambda _: QTimer.singleShot(0, self, self._on_add_entered))
        top = QHBoxLayout()
        top.setSpacing(4)
        top.addWidget(self.add_field, 1)
        top.addWidget(self.add_direction)
        top.addWidget(self.all_off)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 4, 8)
        column.setSpacing(8)
        column.addLayout(top)
        column.addWidget(self.cards, 1)
        column.addWidget(self.form)
        column.addWidget(self.sites_line)

    def _connect_cards(self) -> None:
        cards = self.cards
        cards.strengthChosen.connect(self._on_strength_chosen)
        cards.switched.connect(self._on_switched)
        cards.resetChosen.connect(self._on_reset_chosen)
        cards.removeChosen.connect(self._on_remove_chosen)
        cards.soloChosen.connect(self._on_solo_chosen)
        cards.conditionAsked.connect(self._on_condition_asked)

    def interventions(self) -> list[Intervention]:
        """Return what the sliders that are on do."""
        return racks.interventions(self.rack, self.how())

    def variant(self) -> Variant:
        """Return what is done to the model, and where its text ends."""
        return Variant(
            name="steered", interventions=self.interventions(), stop=racks.stops(self.rack)
        )

    def how(self) -> How:
        """Return what all sliders do, and where; what cannot be read counts as not given."""
        return self.form.how(self._sites())

    def take(self, acts: Sequence[Intervention], gates: Sequence[Gate] = ()) -> None:
        """Set the sliders to what was kept, as far as they can show it.

        `gates`: those that end the text.
        """
        rack, how = racks.from_interventions(acts, gates)
        self._push(rack, "apply a preset")
        if acts:
            self.form.take(how)

    def set_rack(self, rack: Rack) -> None:
        """Show sliders as they were kept: no step that can be undone."""
        self._change(None, rack)

    def set_typical_norm(self, norm: float) -> None:
        """Say of each feature how long its strength is in typical norms of the site."""
        self._typical_norm = norm
        self._show_norms()

    def _show_norms(self) -> None:
        # A factor is of the activation there is, an ablation takes that: neither has a length.
        meant = self.form.mode.currentData() in ("clamp", "add")
        self.cards.set_typical_norm(self._typical_norm if meant else 0.0)

    def set_strengths(self, acts: Sequence[Intervention]) -> None:
        """Set the sliders of these features and directions to what was steered with."""
        rack = self.rack
        for entry in racks.from_interventions(acts)[0]:
            rack = racks.moved(rack, entry.key, entry.strength, racks.LIMITS[-1])
        self._push(rack, "strengths of a sweep")

    def _sites(self) -> tuple[str, ...]:
        index = self._session.index
        if index is None or not index.info.model:
            return ()
        try:
            hook = parse_site(self._written or index.info.site).hook
        except UserError:  # of another program's naming: the job says so, once it is started
            return ()
        return tuple(str(Site(layer, hook)) for layer in self.form.more_layers())

    def _show_sites(self) -> None:
        """Say of other than plain dictionaries where features are read, and what sliders change."""
        index, project = self._session.index, self._session.project
        self._written, self._summary = "", None
        outputs: tuple[str, ...] = ()
        if index is not None and project is not None:
            with suppress(UserError):  # a dictionary that is gone: the job says so
                summary = read_summary(project.dictionary_path(index.info.dictionary))
                self._written, self._summary = summary.site_out, summary
                outputs = tuple(end.site for end in steered_outputs(summary))
        self.form.allow_more_layers(len(outputs) < 2)
        self.form.offer_outputs(outputs)

    def _on_how_chosen(self) -> None:
        output = self.form.output.currentData() or ""
        told = "" if self._summary is None else steered_sites_text(self._summary, output)
        self.sites_line.setVisible(bool(told))
        self.sites_line.setText(told)
        self._show_norms()
        self.rackChanged.emit()

    # ------------------------------------------------------------------ what hands do
    def add_feature(self, feature: int) -> None:
        """Put a feature in the rack, on at the strength that works; one there gets the focus.

        Of a feature that was not measured that strength is found out, and set unless the slider
        was moved meanwhile.
        """
        index = self._session.index
        if index is None:
            return
        try:
            index.check_feature(feature)
        except UserError as error:
            self._session.show_error(error)
            return
        known = self.strengths.of(feature)
        entry = RackEntry(feature=feature, strength=first_strength(known), on=True)
        self._push(racks.added(self.rack, entry), f"add feature {feature}")
        self.slider(feature).slider.setFocus()
        if known is None:
            self._unset.add(feature)
            self.strengths.ask(feature)
            self.cards.show_known()

    def scale(self, factor: float) -> None:
        """Multiply the strengths of the sliders that are on."""
        rack = self.rack
        for entry in rack:
            if entry.on:
                strength = float(f"{entry.strength * factor:.3g}")
                rack = racks.moved(rack, entry.key, strength, racks.LIMITS[-1])
        self._push(rack, "strengths that were proposed")

    def _on_strength_found(self, feature: int) -> None:
        self.cards.show_known()
        entry = next((entry for entry in self.rack if entry.key == feature), None)
        waited = feature in self._unset
        self._unset.discard(feature)
        if waited and entry is not None and entry.on and entry.strength == UNKNOWN:
            self.scale_to(feature, first_strength(self.strengths.of(feature)))
        self.strengthSettled.emit(feature)

    def scale_to(self, feature: int, strength: float) -> None:
        """Set one slider, as a part of adding it."""
        self._push(racks.moved(self.rack, feature, strength, racks.LIMITS[-1]),
                   f"strength of feature {feature}", moved=feature)  # fmt: skip

    def settled(self, feature: int) -> bool:
        """Return whether a feature's slider waits for nothing."""
        return feature not in self._unset or not self.strengths.asking(feature)

    def _on_column_made(self, _name: str) -> None:
        self.cards.show_known()

    def add_direction_entry(self, direction: Direction) -> None:
        """Put a direction in the rack, off."""
        entry = RackEntry(direction=direction)
        self._push(racks.added(self.rack, entry), f"add {racks.direction_title(direction)}")
        self.slider(entry.key).slider.setFocus()

    def add_feature_elsewhere(self, name: str, feature: int) -> None:
        """Put a feature of another index in the rack, off."""
        project = self._session.project
        if project is None:
            return
        # h5py: not before the first show
        from sae_desktop.features.reading.reader import FeatureIndex

        try:
            index = FeatureIndex(project.index_path(existing("index", name, project.indexes())))
            index.check_feature(feature)
        except UserError as error:
            self._session.show_error(error)
            return
        entry = RackEntry(feature=feature, index=name, index_hash=index.info.dictionary_hash)
        self._push(racks.added(self.rack, entry), f"add {entry.title}")
        self.slider(entry.key).slider.setFocus()

    def switch_all_off(self) -> None:
        """Switch every slider off; their clamps stay."""
        rack = self.rack
        for entry in rack:
            rack = racks.switched(rack, entry.key, False)
        self._push(rack, "switch all features off")

    def _on_add_entered(self) -> None:
        index = self._session.index
        if index is None:
            return
        text = self.add_field.text()
        number = text.split()[0] if text.startswith("#") else text
        found = racks.found_features(number, index.features, self._labels_for(number))
        if found:
            self._add_found(found[0])
        elif text.strip():
            self._finder.find(text, self._add_found)

    def _add_found(self, feature: int | None) -> None:
        index = self._session.index
        if index is None:
            return
        if feature is not None:
            self.add_field.clear()
            self.add_feature(feature)
            return
        self._session.show_error(
            UserError(
                f"No feature is called “{self.add_field.text().strip()}”.",
                next_step=f"Features are numbered 0 to {index.features - 1}.",
            )
        )

    def _on_strength_chosen(self, key: Key, strength: float) -> None:
        rack = racks.moved(self.rack, key, strength, racks.LIMITS[-1])
        self._push(rack, f"strength of {_name(key)}", moved=key)

    def _on_switched(self, key: Key, on: bool) -> None:
        self._push(racks.switched(self.rack, key, on), f"{_name(key)} {'on' if on else 'off'}")

    def _on_solo_chosen(self, key: Key) -> None:
        self._push(racks.soloed(self.rack, key), f"{_name(key)} alone")

    def _on_reset_chosen(self, key: Key) -> None:
        self._push(racks.reset(self.rack, key), f"reset of {_name(key)}")

    def _on_remove_chosen(self, key: Key) -> None:
        self._push(racks.removed(self.rack, key), f"remove {_name(key)}")

    # ------------------------------------------------------------------ conditions
    def ask_stop(self) -> None:
        """Ask under which condition the text ends."""
        self._ask(None, self.add_stop, stop=True)

    def add_stop(self, chosen: Chosen) -> None:
        """Put into the rack that the text ends where a condition is met, on."""
        if isinstance(chosen, Gate):
            entry = RackEntry(stop=chosen, on=True)
            self._push(racks.added(self.rack, entry), "stop of the text")

    def set_condition(self, key: Key, gate: Gate | None) -> None:
        """Let a slider work only under a condition, or at every token."""
        self._push(racks.conditioned(self.rack, key, gate), f"condition of {_name(key)}")

    def _on_condition_asked(self, key: Key) -> None:
        entry = next(entry for entry in self.rack if entry.key == key)

        def take(chosen: Chosen) -> None:
            if chosen == NEVER:
                self._on_switched(key, False)
            else:
                self.set_condition(key, chosen)

        first = 0 if entry.index else entry.feature or 0
        self._ask(entry.when or entry.stop, take, stop=entry.stop is not None, first=first)

    def _ask(self, gate: Gate | None, take: Take, *, stop: bool, first: int = 0) -> None:
        self.dialog = ConditionDialog(self, self._session, gate, take, stop=stop, first=first)
        self.dialog.open()

    def _push(self, rack: Rack, text: str, *, moved: Key | None = None) -> None:
        if rack != self.rack:
            self._session.undo_stack.push(ChangeRack(self._change, self.rack, rack, text, moved))

    # ------------------------------------------------------------------ what is shown
    def _change(self, dictionary: str | None, rack: Rack) -> str:
        """Show a rack; one of another dictionary is no longer meant. Return the dictionary."""
        if dictionary is None or dictionary == self._dictionary:
            self.rack = rack
            self._show()
        return self._dictionary

    def _show(self) -> None:
        limit = racks.limit_for(self.rack, self.form.range.currentData())
        self.form.range.setCurrentIndex(racks.LIMITS.index(limit))
        self.cards.show_rack(self.rack, limit)
        self._show_norms()
        self.all_off.setEnabled(any(entry.on for entry in self.rack))
        self.rackChanged.emit()

    def slider(self, key: Key) -> SliderCard:
        """Return the slider of a feature or a direction. Raises KeyError without one."""
        card = self.cards.card(key)
        if not isinstance(card, SliderCard):
            raise KeyError(key)
        return card

    def _labels_for(self, text: str) -> dict[int, str]:
        return self._notes.labels(self._notes.found_features(text)[:_NAMES])

    def _name_features(self, _feature: int = 0) -> None:
        self._names.setStringList(self._finder.offered(_NAMES))

    def _on_index_changed(self, _index: object = None) -> None:
        index = self._session.index
        dictionary = "" if index is None else index.info.dictionary
        self._unset.clear()
        if dictionary != self._dictionary:
            self._dictionary = dictionary
            self._typical_norm = 0.0
            self.rack = ()
        self._show_sites()
        self.setEnabled(index is not None)
        self._name_features()
        self._show()
        self._on_how_chosen()


def _name(key: Key) -> str:
    return f"feature {key}" if isinstance(key, int) else "the slider"
