"""What is done when a monitor fires, and how that is put to the test."""

from __future__ import annotations

import re

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QLineEdit,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.described import default, setting
from sae_desktop.features.reading.text_lists import joined_texts, split_texts
from sae_desktop.gui.forms.text_source import TextSource
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.more_button import MoreButton
from sae_desktop.gui.parts.number_fields import CountField, NumberField, problems_of
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.safety.concept_choice import ConceptChoice
from sae_desktop.gui.safety.own_texts import lines_box
from sae_desktop.gui.state.session import Session
from sae_desktop.safety.mitigation.config import REFUSALS_TOLD, MitigateConfig
from sae_desktop.safety.monitors.file import Monitor
from sae_desktop.steering.config import MOST_STRENGTH, Intervention, Sampling, Variant
from sae_desktop.steering.gate_config import Gate

_DEEDS = (
    ("ablate", "remove the features"),
    ("clamp", "hold the features at a strength"),
    ("add", "add the features"),
    ("stop", "end the text"),
)
_BEGINNING = 0.5
"""Share of a text’s words that becomes a prompt."""


_TARGETS = (
    "It occurs where one of them stands in the reply, in capitals or not, also inside a longer "
    "word."
)


class MitigationForm(QScrollArea):
    """Fields from the deed down to the test; `changed` when any of them was."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._monitor: Monitor | None = None
        self.deed, self.since, self.shown_by = QComboBox(), QComboBox(), QComboBox()
        self.index = ElidedComboBox(10)
        self.features = QLineEdit()
        self.strength = NumberField(2.0, 0.0, MOST_STRENGTH)
        self.prompts, self.harmless = (
            lines_box("Prompts", session),
            lines_box("Harmless prompts", session),
        )
        self.concept = ConceptChoice(session, "Fill from a concept set…")
        self.targets = QLineEdit()
        self.text = TextSource(session, "Ordinary text")
        self.documents = CountField(default(MitigateConfig, "documents"), 1)
        self.tries = CountField(default(MitigateConfig, "tries"), 0)
        self.tries.setSpecialValueText("none")
        self.attacked = CountField(default(MitigateConfig, "attacked"), 1)
        self.tokens = CountField(default(Sampling, "max_new_tokens"), 1, 2000)
        self.chat = QCheckBox("Prompts are chats")
        self._build()
        self._connect()
        self._show_fields()

    def _build(self) -> None:
        for deed, title in _DEEDS:
            self.deed.addItem(title, deed)
        self.since.addItem("on those tokens", False)
        self.since.addItem("from the first of them on", True)
        self.shown_by.addItem("the reply contains", "targets")
        self.shown_by.addItem("this monitor fires on the reply", "monitor")
        self.features.setPlaceholderText("Such as 12, 40")
        self.targets.setPlaceholderText("Texts, separated by |")
        self.strength.setSuffix(" × maximum")
        form = QFormLayout()
        form.setSpacing(8)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form = form
        self._row("When it fires", self.deed, "What is done to the model then")
        self._row("Where", self.since, "Only on the tokens that fire, or on all after the first")
        self._row("Index", self.index, "Of the dictionary whose features are changed")
        self._row("Features", self.features, "Those that are changed")
        self._row("Strength", self.strength, "In multiples of each feature’s maximum")
        self._row("Prompts after which the behaviour is looked for", self.prompts,
                  "One a line, or paragraphs. Each is continued by the model.")  # fmt: skip
        form.addRow(self.concept)
        self.concept.setAccessibleName("Fill the prompts from a concept set")
        self.concept.setToolTip(
            plain_tip("Takes the first half of each held-out text of the concept")
        )
        self._row("It occurs where", self.shown_by, "How the behaviour is told in what is written")
        form.addRow(self.targets)
        self.targets.setAccessibleName("Texts that show the behaviour")
        self.targets.setToolTip(plain_tip(_TARGETS))
        self._row("Harmless prompts (may be empty)", self.harmless,
                  f"Refusing these is a cost. {REFUSALS_TOLD}")  # fmt: skip
        self._add_rare()
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(16, 12, 12, 12)
        column.setSpacing(8)
        column.addLayout(form)
        column.addWidget(self.more)
        column.addWidget(self._rare)
        column.addStretch(1)
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.setFrameShape(self.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMinimumWidth(300)

    def _add_rare(self) -> None:
        self._rare = QWidget()
        rare = QFormLayout(self._rare)
        rare.setContentsMargins(0, 0, 0, 0)
        rare.setSpacing(8)
        rare.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
        rare.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rare.addRow("Ordinary text, for the cost", self.text)
        for field, name in (
            (self.documents, "documents"), (self.tries, "tries"), (self.attacked, "attacked")
        ):  # fmt: skip
            told = setting(MitigateConfig, name)
            field.setAccessibleName(told.title)
            field.setToolTip(plain_tip(told.description))
            rare.addRow(told.title, field)
        told = setting(Sampling, "max_new_tokens")
        self.tokens.setAccessibleName(told.title)
        rare.addRow(told.title, self.tokens)
        rare.addRow(self.chat)
        self.chat.setToolTip(plain_tip("Puts each prompt through the model’s chat template"))
        self.more = MoreButton(self._rare, "of the test", ("More settings", "Fewer settings"))
        self.more.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def _row(self, text: str, field: QWidget, tip: str) -> None:
        field.setAccessibleName(text)
        field.setToolTip(plain_tip(tip))
        self._form.addRow(text, field)

    def _connect(self) -> None:
        for box in (self.deed, self.since, self.shown_by, self.index):
            box.currentIndexChanged.connect(lambda _index: self._show_fields())
        for line in (self.features, self.targets):
            line.textChanged.connect(lambda _text: self._tell())
        for number in (self.strength, self.documents, self.tries, self.attacked, self.tokens):
            number.problemChanged.connect(lambda _problem: self._tell())
        self.prompts.textChanged.connect(self._tell)
        self.text.changed.connect(self._tell)
        self.concept.activated.connect(lambda _index: self._take_set())

    # ------------------------------------------------------------------ what is asked
    def show_monitor(self, monitor: Monitor) -> None:
        """Set the fields to a monitor: its features, its ordinary text."""
        self._monitor = monitor
        readout = monitor.readout
        with QSignalBlocker(self.index):
            self.index.clear()
            items = self._session.inventory.indexes
            of_model = [item for item in items if item.model == monitor.model] or items
            for item in of_model:
                self.index.addItem(item.name)
            self.index.setCurrentIndex(max(self.index.findText(readout.index), 0))
        self.features.setText(", ".join(map(str, readout.features)))
        if monitor.corpus:
            self.text.set_corpus(monitor.corpus)
        self.text.set_model(monitor.model)
        self.concept.look()
        self._show_fields()

    def fill(self, config: MitigateConfig) -> None:
        """Set the fields as a test that was run had them."""
        acts, sampling = config.variant.interventions, config.sampling
        self.deed.setCurrentIndex(max(self.deed.findData(acts[0].mode if acts else "stop"), 0))
        if acts:
            gate = acts[0].when
            self.since.setCurrentIndex(self.since.findData(gate is not None and gate.since))
            self.strength.setValue(acts[0].strength)
            self.features.setText(", ".join(str(act.feature) for act in acts))
        self.index.setCurrentIndex(max(self.index.findText(config.index), 0))
        self.prompts.setPlainText(joined_texts(config.prompts))
        self.shown_by.setCurrentIndex(0 if config.targets else 1)
        self.targets.setText(" | ".join(config.targets))
        self.harmless.setPlainText(joined_texts(config.harmless))
        for field, value in (
            (self.documents, config.documents), (self.tries, config.tries),
            (self.attacked, config.attacked), (self.tokens, sampling.max_new_tokens),
        ):  # fmt: skip
            field.setValue(value)
        self.text.set_corpus(config.corpus)
        self.chat.setChecked(config.chat)

    def _show_fields(self) -> None:
        deed = self.deed.currentData()
        for field in (self.index, self.features):
            self._form.setRowVisible(field, deed != "stop" or field is self.index)
        self._form.setRowVisible(self.strength, deed in ("clamp", "add"))
        self._form.setRowVisible(self.since, deed != "stop")
        self._form.setRowVisible(self.targets, self.shown_by.currentData() == "targets")
        self._tell()

    def _take_set(self) -> None:
        """Fill the prompts with the beginnings of the held-out texts of the chosen set."""
        found = self.concept.texts
        if found is None:
            return
        self.prompts.setPlainText(joined_texts([beginning(text) for text in found.positives]))
        self.shown_by.setCurrentIndex(self.shown_by.findData("monitor"))
        self.concept.setCurrentIndex(0)

    def _tell(self) -> None:
        self.changed.emit()

    def why_not(self) -> str:
        """Return what is still missing; empty: the test can be run."""
        if unread := problems_of(self):
            return unread[0]
        if not self.index.count():
            return "There is no index of this model, whose features could be changed."
        if self.deed.currentData() != "stop" and not self.numbers():
            return "Name the features to change, such as 12."
        if not split_texts(self.prompts.toPlainText()):
            return "Give prompts, one a line, or fill them from a concept set."
        if self.shown_by.currentData() == "targets" and not self._targets():
            return "Say which texts show the behaviour."
        return "" if self.text.corpus else "Choose ordinary text under More settings."

    def numbers(self) -> list[int]:
        """Return the features that are typed."""
        return [int(found) for found in re.findall(r"\d+", self.features.text())]

    def _targets(self) -> list[str]:
        return [part.strip() for part in self.targets.text().split("|") if part.strip()]

    def config(self) -> MitigateConfig:
        """Return the test that the fields say."""
        assert self._monitor is not None
        deed, gate = self.deed.currentData(), Gate(monitor=self._monitor.name)
        if deed == "stop":
            variant = Variant(name="steered", stop=[gate])
        else:
            gate = Gate(monitor=self._monitor.name, since=bool(self.since.currentData()))
            acts = [
                Intervention(feature=f, mode=deed, strength=self.strength.value(), when=gate)
                for f in self.numbers()
            ]
            variant = Variant(name="steered", interventions=acts)
        by_text = self.shown_by.currentData() == "targets"
        return MitigateConfig(
            project=self._session.project_path, index=self.index.currentText(), variant=variant,
            prompts=split_texts(self.prompts.toPlainText()),
            targets=self._targets() if by_text else [],
            monitor="" if by_text else self._monitor.name,
            harmless=split_texts(self.harmless.toPlainText()),
            documents=self.documents.value(), tries=self.tries.value(),
            attacked=self.attacked.value(), corpus=self.text.corpus, chat=self.chat.isChecked(),
            sampling=Sampling(max_new_tokens=self.tokens.value(), repetition_penalty=1.0),
        )  # fmt: skip


def beginning(text: str) -> str:
    """Return the first half of a text’s words, its white space kept."""
    words = list(re.finditer(r"\S+", text))
    kept = max(round(len(words) * _BEGINNING), 1)
    return text[: words[kept - 1].end()] if words else ""
