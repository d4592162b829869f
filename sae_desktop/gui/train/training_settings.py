"""The settings of a training run, each with a line of explanation."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import msgspec
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.dictionary.set_info import SetKind
from sae_desktop.gui.parts.default_mark import (
    DefaultMark,
    fill_field,
    read_field,
    row_with_mark,
)
from sae_desktop.gui.parts.labels import label, set_property
from sae_desktop.gui.parts.more_button import MoreButton
from sae_desktop.gui.parts.number_fields import NumberField, OptionalDecimalField
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.train.architecture_offers import ArchitectureOffers
from sae_desktop.gui.train.set_draft import kind_of, member_target, set_explanation
from sae_desktop.gui.train.set_fields import SetFields
from sae_desktop.gui.train.site_offers import SiteOffers, choose, refill
from sae_desktop.gui.train.start_offers import StartOffers
from sae_desktop.gui.train.training_draft import stream_text, usual_values
from sae_desktop.gui.train.training_fields import make_fields
from sae_desktop.training.architecture_info import ArchitectureInfo
from sae_desktop.training.config import Target, TrainConfig
from sae_desktop.training.second_look import with_its_own_looks
from sae_desktop.words.amounts import short_count
from sae_desktop.words.inventory import StoreItem
from sae_desktop.words.training_catalogue import (
    SETTINGS,
    STREAM,
    SettingInfo,
    explanation,
    matters,
)

_OF_ONE = ("site", "output_site", "sites", "other_activations", "start_from")
"""Fields of one dictionary: the sites of a set follow from its layers."""
_FORM_ONLY = ("activations", *_OF_ONE, "architecture")
"""Fields whose values are put together from several, or from lists that come and go."""
_FITTED = ("tokens", "features")
"""Fields whose defaults are those that suit the store."""
_WITHOUT_DEFAULT = (*_FORM_ONLY, *_FITTED, "name")


class TrainingSettings(QScrollArea):
    """Fields for TrainConfig; those that do not matter to what is chosen are not shown."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMinimumWidth(240)
        self._base = TrainConfig(project="", name="")
        """Carries what has no field here, such as the device."""
        self._named = False
        self._problems: dict[str, str] = {}
        self._chosen: set[str] = set()
        """Of the fields that are fitted to the store: those that a person has set."""
        self.fields: dict[str, Any] = make_fields(self._base)
        self.set_fields = SetFields()
        self._offers = SiteOffers(self.fields)
        self.architectures = ArchitectureOffers(self.fields["architecture"])
        self.starts = StartOffers(self.fields)
        self._groups: dict[str, QWidget] = {}
        self._explanations: dict[str, Any] = {}
        self._marks: dict[str, DefaultMark] = {}
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 8, 16, 16)
        column.setSpacing(8)
        for info in SETTINGS:
            if not info.rare:
                column.addWidget(self._group(info))
            if info.field == "target":
                column.addWidget(self.set_fields)
        self._rare, self._headings = self._rare_part()
        self.more_button = MoreButton(
            self._rare, "of the training", ("More settings", "Fewer settings")
        )
        column.addWidget(self.more_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._rare)
        column.addStretch(1)
        self.setWidget(inside)
        self.show_architectures([])
        self._connect()
        self._show_applicable()

    def _rare_part(self) -> tuple[QWidget, dict[str, QWidget]]:
        part = QWidget()
        headings: dict[str, QWidget] = {}
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for info in SETTINGS:
            if info.rare:
                if info.group not in headings:
                    headings[info.group] = label(info.group, "heading")
                    column.addWidget(headings[info.group])
                column.addWidget(self._group(info))
        return part, headings

    def _group(self, info: SettingInfo) -> QWidget:
        group, field = QWidget(), self.fields[info.field]
        column = QVBoxLayout(group)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        mark = None
        if info.field not in _WITHOUT_DEFAULT:
            default = getattr(TrainConfig(project="", name=""), info.field)
            mark = self._marks[info.field] = DefaultMark(info.text, field, default)
        if isinstance(field, QCheckBox):
            column.addLayout(row_with_mark(field, mark))
        else:
            column.addLayout(row_with_mark(label(info.text), mark))
            column.addWidget(field)
        line = label(info.explanation, "small", wrap=True)
        column.addWidget(line)
        if info.field == "activations":
            self._activations_column = column
        field.setAccessibleName(info.text)
        field.setAccessibleDescription(info.explanation)
        if not isinstance(field, QCheckBox):  # that has its name beside it, which tells it
            explain(field, info.text)
        self._groups[info.field], self._explanations[info.field] = group, line
        return group

    def add_stream_button(self, button: QPushButton) -> None:
        """Put a button under the stream's line that leads to where it is set."""
        self._stream_button = button
        self._activations_column.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        self._show_applicable()

    def _connect(self) -> None:
        for name in _FITTED:  # before what follows a change: that leaves alone what was set
            self.fields[name].valueChanged.connect(lambda _value, name=name: self._chosen.add(name))
        for name, field in self.fields.items():
            if isinstance(field, QComboBox):
                field.currentIndexChanged.connect(self._on_changed)
            elif isinstance(field, QCheckBox):
                field.toggled.connect(self._on_changed)
            elif isinstance(field, QLineEdit):
                field.textEdited.connect(self._on_named)
            elif name in ("sites", "other_activations"):
                field.changed.connect(self._on_changed)
            else:
                field.valueChanged.connect(self._on_changed)
                field.problemChanged.connect(self._on_changed)
        self.set_fields.changed.connect(self._on_changed)
        self.fields["start_from"].activated.connect(self.take_over_start)
        self.fields["target"].activated.connect(lambda _index: self.stream_where_unfit())

    def _on_named(self, text: str) -> None:
        self._named = bool(text)
        self.changed.emit()

    def take_over_start(self, _index: int = 0) -> None:
        """Take over what the dictionary to start from decides, and as many active features."""
        self._offer_architectures()
        self.starts.take_over()
        self._on_changed()

    def _fit_to_store(self) -> None:
        """Set what nobody has set to what suits the store: how many rows, how many features."""
        name = self.fields["activations"].currentData()
        store = next((store for store in self._offers.stores if store.name == name), None)
        if store is None or not store.rows:
            return
        site = "" if self.set_kind is not None else self.fields["site"].currentData() or ""
        usual = usual_values(store, site, self.fields["batch"].value())
        for name in usual.keys() - self._chosen - {*self.starts.held}:
            with QSignalBlocker(self.fields[name]):
                self.fields[name].setValue(usual[name])

    def _on_changed(self, _value: object = None) -> None:
        self._offers.offer()
        self._fit_to_store()
        self._offer_architectures()
        self._show_applicable()
        self.changed.emit()

    # ------------------------------------------------------------------ what is shown
    @property
    def architecture(self) -> ArchitectureInfo:
        """The chosen architecture."""
        return self.architecture_named(self.fields["architecture"].currentData())

    def architecture_named(self, name: str) -> ArchitectureInfo:
        """Return what is known of an architecture; of an unknown one, what the first is."""
        return self.architectures.named(name)

    @property
    def set_kind(self) -> SetKind | None:
        """The kind of set that is to be trained; None: one dictionary is."""
        return kind_of(self.fields["target"].currentData())

    @property
    def target(self) -> Target:
        """What the dictionary, or each of a set, is to reconstruct."""
        kind = self.set_kind
        if kind is not None:
            return member_target(kind, skip=self.set_fields.skip.isChecked())
        return self.fields["target"].currentData()

    def _show_applicable(self) -> None:
        target, chosen, kind = self.target, self.architecture, self.set_kind
        self.set_fields.show_kind(kind)
        sites = len(self._offers.available_sites())
        used: set[str] = set()
        for info in SETTINGS:
            stores, known = len(self._offers.stores), self.architectures.known
            shown = matters(info.field, chosen, known, target, sites, stores)
            shown = shown and not (kind is not None and info.field in _OF_ONE)
            shown = shown and self.starts.shows(info.field, target)
            self._groups[info.field].setVisible(shown)
            used |= {info.group} if shown else set()
        for group, heading in self._headings.items():
            heading.setVisible(group in used)
        for field, default in (
            ("sparsity", 0.0 if chosen.aims_at_k else chosen.default_sparsity),
            ("sparsity_warm_up", chosen.sparsity_warm_up),
        ):
            optional: OptionalDecimalField = self.fields[field]
            optional.set_default(default)
        streams = self.fields["activations"].currentData() == STREAM
        if hasattr(self, "_stream_button"):
            self._stream_button.setVisible(streams)
        self._explain()

    def show_problems(self, problems: dict[str, str]) -> None:
        """Say at each field what keeps the training from starting."""
        self._problems = problems
        self._explain()
        if any(i.rare and i.field in problems for i in SETTINGS):
            self.more_button.setChecked(True)

    def unreadable(self) -> dict[str, str]:
        """Return what is wrong with the numbers typed in the fields that matter."""
        return {
            name: field.problem
            for name, field in self.fields.items()
            if isinstance(field, NumberField)
            and field.problem
            and not self._groups[name].isHidden()
        }

    def _explain(self) -> None:
        target, chosen, kind = self.target, self.architecture, self.set_kind
        self.set_fields.show_problem(self._problems.get("layers", ""))
        self.starts.hold()
        model, site = self._offers.model, self.fields["site"].currentData() or ""
        for info in SETTINGS:
            problem = self.unreadable().get(info.field) or self._problems.get(info.field, "")
            set_property(self.fields[info.field], "invalid", "true" if problem else "false")
            text = problem or self.starts.explanation(info.field, model, site)
            text = text or explanation(info.field, chosen, target)
            if kind is not None and not problem:
                text = set_explanation(info.field, kind) or text
            if info.field == "activations" and not problem and self.config("").stream is not None:
                text = stream_text(self._offers.stream, sites=kind is None)
            line = self._explanations[info.field]
            line.setText(text)
            set_property(line, "role", "warning" if problem else "small")

    # ------------------------------------------------------------------ choices
    def stream_where_unfit(self) -> None:
        """Take the rows of a set from a stream where the store has no layer’s sites."""
        if self.set_kind is not None and self._offers.lacks_layers():
            self.choose_store(STREAM)

    def show_architectures(self, infos: Sequence[ArchitectureInfo]) -> None:
        """Offer the architectures the engine told of."""
        self.architectures.show(infos)
        self._offer_architectures()
        self._show_applicable()

    def _offer_architectures(self) -> None:
        self.architectures.offer(self.target, self.set_kind, self.starts.architectures)

    def show_stores(self, stores: list[StoreItem], chosen: str) -> None:
        """Offer the project's stores, and none: a stream."""
        self._offers.stores = stores
        entries = [(store.name, store.name) for store in stores]
        tips = [f"{store.name}: {short_count(store.rows)} rows" for store in stores]
        box = self.fields["activations"]
        keep = box.currentData() or chosen
        refill(box, [*entries, ("While harvesting, without a store", STREAM)], keep, tips)
        if not stores and keep != STREAM:
            with QSignalBlocker(box):
                box.setCurrentIndex(-1)
        self._offers.offer()
        self._fit_to_store()
        self._show_applicable()

    def show_stream(self, stream: HarvestConfig) -> None:
        """Take over what a harvest beside the training would read."""
        self._offers.stream = stream
        self._offers.offer()
        self._explain()

    # ------------------------------------------------------------------ values
    def choose_store(self, name: str) -> None:
        box: QComboBox = self.fields["activations"]
        if box.findData(name) >= 0:
            box.setCurrentIndex(box.findData(name))

    def suggest_name(self, name: str) -> None:
        """Fill in a name, unless the person has typed one."""
        if not self._named:
            self.fields["name"].setText(name)

    @property
    def is_named(self) -> bool:
        return self._named  # by a person

    def forget_name(self) -> None:
        """Let the next suggestion in again."""
        self._named = False

    def config(self, project: str) -> TrainConfig:
        """Return what is set."""
        target, source = self.target, self.fields["activations"]
        streams = source.currentData() == STREAM
        sites, output_sites, others = self._offers.chosen(target)
        if self.set_kind is not None:
            sites, output_sites = (), ()
        values = {n: read_field(f) for n, f in self.fields.items() if n not in _FORM_ONLY}
        values["target"] = target
        stream = msgspec.structs.replace(self._offers.stream, project=project, name="stream")
        chosen = msgspec.structs.replace(
            self._base,
            project=project,
            activations="" if streams else source.currentData() or "",
            stream=stream if streams else None,
            sites=sites,
            output_sites=output_sites,
            other_activations=others,
            start_from=self.starts.name if self.set_kind is None else "",
            architecture=self.fields["architecture"].currentData(),
            **values,
        )
        return with_its_own_looks(chosen, self.architecture.settings)

    def fill(self, config: TrainConfig) -> None:
        """Show the settings of a run; a store that is gone is left as it is chosen."""
        self._named, self._base = True, config
        self._chosen = set(_FITTED)
        self.architectures.wanted = config.architecture
        if config.stream is not None:
            self._offers.stream = config.stream
        with ExitStack() as quiet:
            for field in self.fields.values():
                quiet.enter_context(QSignalBlocker(field))
            for name, field in self.fields.items():
                if name not in _FORM_ONLY:
                    fill_field(field, getattr(config, name))
            self.fields["start_from"].setCurrentIndex(0)
            choose(self.fields["start_from"], config.start_from)
            self.choose_store(STREAM if config.stream is not None else config.activations)
            self._offers.offer()
            self.fields["other_activations"].check(config.other_activations)
            self._offers.offer()
            for name, sites in (("site", config.sites), ("output_site", config.output_sites)):
                choose(self.fields[name], sites[0] if sites else "")
            self.fields["sites"].check(config.sites)
            self._offer_architectures()
            choose(self.fields["architecture"], config.architecture)
        for mark in self._marks.values():
            mark.refresh()
        self._on_changed()

    def mark(self, field: str) -> DefaultMark | None:
        """Return the mark of a field that has a default."""
        return self._marks.get(field)
