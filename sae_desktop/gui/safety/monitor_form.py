"""What a monitor is to be: what it reads, what is promised of it, and on which ordinary text."""

from __future__ import annotations

from typing import Any

import msgspec
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.described import default, setting
from sae_desktop.engine.protocol import JobProgress
from sae_desktop.gui.forms.job_forms import free_name, name_problem
from sae_desktop.gui.forms.text_source import TextSource
from sae_desktop.gui.parts.copy_code import copy_code_button
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.engine_offer import EngineOffer
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.more_button import MoreButton
from sae_desktop.gui.parts.number_fields import CountField, NumberField, problems_of
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.safety.concept_choice import ConceptChoice
from sae_desktop.gui.safety.feature_field import NO_FEATURE, FeatureField
from sae_desktop.gui.safety.own_texts import OwnTexts
from sae_desktop.gui.state.asked_job import AskedJob
from sae_desktop.gui.state.session import Session
from sae_desktop.safety.monitors.config import CalibrateMonitorConfig, Made
from sae_desktop.safety.monitors.file import Monitor
from sae_desktop.words.inventory import IndexItem
from sae_desktop.words.job_text import progress_text
from sae_desktop.words.monitor_text import MADE, needed_text, set_text

_CONFIG = CalibrateMonitorConfig
_AUTO = {
    "features": "automatic: its highest token",
    "classifier": "automatic: its highest token or the mean, whichever tells texts better",
    "difference": "automatic: the mean of its tokens",
    "probe": "automatic: the mean of its tokens",
    "like": "as before",
}
"""How a text’s tokens become its score, by what is read."""
_NO_TEXTS = "Give texts of the concept, and texts without it."
_NO_CONCEPT = "Choose a concept set, or give texts of your own."
_MISSING = (NO_FEATURE, _NO_TEXTS, _NO_CONCEPT)


class MonitorForm(QScrollArea):
    """Fills in a calibration, says beforehand whether the text suffices, and runs it."""

    made = Signal(object)
    """CalibrateMonitorResult."""
    closed = Signal()
    """It was left without a monitor."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("safety.monitor_form")
        self._session = session
        self._taken: list[str] = []
        self._like = ""
        self.asked = AskedJob(session, self)
        self.title = label("New monitor", "title")
        self.name = QLineEdit()
        self.kind = QComboBox()
        self.index = ElidedComboBox(12)
        self.features = FeatureField(session)
        self.concept = ConceptChoice(session, "None")
        self.own = OwnTexts(session)
        self.own_check = QCheckBox("My own texts")
        self.rate = NumberField(1.0, 0.01, 50.0)
        self.unit, self.pool = QComboBox(), QComboBox()
        self.text = TextSource(session, "Ordinary text")
        self.confidence = NumberField(95.0, 50.0, 99.9)
        self.method = QComboBox()
        self.role = QLineEdit()
        self.documents = CountField(default(_CONFIG, "documents"), 0)
        self.documents.setSpecialValueText("all")
        self.needed = label("", "small", wrap=True)
        self.problem = label("", "muted", wrap=True)
        self.progress = label("", "small", wrap=True)
        self.start_button = push_button(
            "Calibrate the monitor", self.start, icon="bell-ringing", primary=True
        )
        self.cancel_button = push_button("Cancel", self.cancel)
        self._build()
        self._connect()
        self._show_kind()

    # ------------------------------------------------------------------ layout
    def _build(self) -> None:
        for made, title in MADE.items():
            self.kind.addItem(title, made)
        for unit in ("message", "conversation", "token"):
            self.unit.addItem(f"per {unit}", unit)
        self.pool.addItem("", "auto")
        self.pool.addItem("its highest token", "max")
        self.pool.addItem("the mean of its tokens", "mean")
        self.method.addItem("with a confidence (bound)", "bound")
        self.method.addItem("on average (conformal)", "conformal")
        self.role.setPlaceholderText("All messages; or a role, such as assistant")
        self.rate.setSuffix("%")
        self.confidence.setSuffix("%")
        self.own_check.setToolTip("Give the texts yourself, in place of a concept set")
        form = QFormLayout()
        form.setSpacing(6)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form = form
        self._row("Name", self.name, "Its name in the project")
        self._row("It reads", self.kind, setting(_CONFIG, "made").description)
        self._row("Index", self.index, "Whose dictionary, model and site are read")
        self._row("Features", self.features, "Of several, their activations are added up")
        concept = QWidget()
        line = QHBoxLayout(concept)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.concept, 1)
        line.addWidget(self.own_check)
        self._row(
            "Concept", concept,
            "Texts that should fire, and near misses that should not. Some are learnt from; power "
            "is measured on the others.",
        )  # fmt: skip
        self.concept.setAccessibleName("Concept set")
        self.concept_text = label("", "small", wrap=True)
        form.addRow("", self.concept_text)
        form.addRow("", self.own)
        promise = QWidget()
        line = QHBoxLayout(promise)
        line.setContentsMargins(0, 0, 0, 0)
        for widget in (label("at most"), self.rate, label("of false alarms"), self.unit):
            line.addWidget(widget)
        line.addStretch(1)
        self._row("Promise", promise, setting(_CONFIG, "unit").description)
        self.rate.setAccessibleName("Promised rate of false alarms")
        self.unit.setAccessibleName("Promise per")
        self._row(
            "Ordinary text", self.text,
            "Text on which it should stay silent, of the kind that it will watch: the promise "
            "holds for such text and no other.",
        )  # fmt: skip
        self._row("Documents", self.documents, setting(_CONFIG, "documents").description)
        form.addRow("", self.needed)
        self._add_rare()
        buttons = QHBoxLayout()
        buttons.addWidget(self.start_button)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(
            copy_code_button(self._session, lambda: None if self._problem() else self.config())
        )
        buttons.addStretch(1)
        inner = QWidget()
        inner.setMaximumWidth(760)
        column = QVBoxLayout(inner)
        column.setContentsMargins(16, 12, 16, 8)
        column.setSpacing(8)
        column.addWidget(self.title)
        column.addWidget(label(
            "A monitor fires where a score is above a threshold. The threshold is set on ordinary "
            "text so that false alarms stay below the rate you choose.", "muted", wrap=True,
        ))  # fmt: skip
        column.addLayout(form)
        column.addWidget(EngineOffer(self._session, "The engine, which reads the text, is not "
                                     "running."))  # fmt: skip
        for widget in (self.problem, self.progress):
            column.addWidget(widget)
        column.addLayout(buttons)
        column.addStretch(1)
        outer = QWidget()
        row = QHBoxLayout(outer)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(inner, 1)
        row.addStretch(0)
        self.setWidget(outer)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def _add_rare(self) -> None:
        self._rare = QWidget()
        rare = QFormLayout(self._rare)
        rare.setContentsMargins(0, 0, 0, 0)
        rare.setSpacing(8)
        rare.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._rare_form = rare
        for field, name in (
            (self.pool, "pool"), (self.method, "method"), (self.confidence, "confidence"),
            (self.role, "role"),
        ):  # fmt: skip
            told = setting(_CONFIG, name)
            field.setAccessibleName(told.title)
            field.setToolTip(plain_tip(told.description))
            rare.addRow(told.title, field)
        self.more = MoreButton(self._rare, "of the promise", ("More settings", "Fewer settings"))
        self.more.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._form.addRow("", self.more)
        self._form.addRow("", self._rare)

    def _row(self, text: str, field: QWidget, tip: str) -> None:
        field.setAccessibleName(text)
        field.setToolTip(plain_tip(tip))
        self._form.addRow(text, field)
        named = self._form.labelForField(field)
        if named is not None:
            named.setToolTip(plain_tip(tip))

    def _connect(self) -> None:
        for box in (self.kind, self.unit, self.method, self.index):
            box.currentIndexChanged.connect(lambda _index: self._show_kind())
        self.name.textChanged.connect(lambda _text: self._check())
        self.features.changed.connect(self._check)
        for number in (self.rate, self.confidence, self.documents):
            number.valueChanged.connect(lambda _value: self._check())
            number.problemChanged.connect(lambda _problem: self._check())
        self.concept.changed.connect(self._check)
        self.own.changed.connect(self._check)
        self.own_check.toggled.connect(lambda _on: self._show_kind())
        self.text.changed.connect(self._check)
        self.asked.answered.connect(self.made)
        self.asked.busyChanged.connect(self._on_busy)
        self._session.client.stateChanged.connect(lambda _state: self._check())

    # ------------------------------------------------------------------ what is asked
    def begin(self, taken: list[str], **values: Any) -> None:
        """Show the form for a new monitor; `values` of its config that are known."""
        self._like, self._taken = "", taken
        self.title.setText("New monitor")
        self._list_indexes(values.get("index") or self._session.index_name)
        self.concept.look()
        if values:
            self._fill(values)
        self.name.setText(free_name(values.get("name") or "monitor", taken))
        self._show_kind()
        self.name.setFocus()
        self.name.selectAll()

    def begin_again(self, monitor: Monitor, corpus: str = "") -> None:
        """Show the form for the same monitor on ordinary text as it is now."""
        self._taken, self._like = [], monitor.name
        self.title.setText(f"Calibrate “{monitor.name}” again")
        self._list_indexes(monitor.readout.index)
        self.concept.look()
        self._fill(msgspec.json.decode(monitor.settings) if monitor.settings else {})
        if corpus:
            self.text.set_corpus(corpus)
        self.name.setText(monitor.name)
        self._show_kind()
        self.rate.setFocus()

    def _list_indexes(self, wanted: str) -> None:
        with QSignalBlocker(self.index):
            self.index.clear()
            for item in self._session.inventory.indexes:
                self.index.addItem(item.name, item.model)
            self.index.setCurrentIndex(max(self.index.findText(wanted), 0))

    def _fill(self, values: dict[str, Any]) -> None:
        """Put in values of a config; what is not named stays."""
        for box, name in ((self.kind, "made"), (self.unit, "unit"), (self.pool, "pool"),
                          (self.method, "method")):  # fmt: skip
            if name in values:
                box.setCurrentIndex(max(box.findData(values[name]), 0))
        if "features" in values:
            self.features.set_numbers(values["features"])
        for field, name in ((self.rate, "rate"), (self.confidence, "confidence")):
            if name in values:
                field.setValue(round(100 * values[name], 6))
        if "documents" in values:
            self.documents.setValue(values["documents"])
        if "role" in values:
            self.role.setText(values["role"])
        if values.get("corpus"):
            self.text.set_corpus(values["corpus"])
        self.concept.choose(values.get("set", ""))
        own = values.get("on") or values.get("positives")
        self.own_check.setChecked(bool(own))
        if own:
            self.own.fill(values.get("on") or [], values.get("off") or [])

    def _show_kind(self) -> None:
        """Show what belongs to what it reads, to the unit and to the method."""
        features = self.kind.currentData() == "features" and not self._like
        self._form.setRowVisible(self.kind, not self._like)
        self._form.setRowVisible(self.index, not self._like)
        self._form.setRowVisible(self.features, features)
        self._form.setRowVisible(self.own, self.own_check.isChecked())
        self._rare_form.setRowVisible(self.pool, self.unit.currentData() != "token")
        self.pool.setItemText(0, _AUTO["like" if self._like else self.kind.currentData()])
        self.concept.setEnabled(not self.own_check.isChecked())
        self.name.setReadOnly(bool(self._like))
        self.confidence.setEnabled(self.method.currentData() == "bound")
        self.start_button.setText("Calibrate again" if self._like else "Calibrate the monitor")
        self.text.set_model(str(self.index.currentData() or ""))
        self._check()

    def _check(self) -> None:
        """Say how much text the promise takes, and what is still missing."""
        rate, confidence = self.rate.value() / 100, self.confidence.value() / 100
        told, enough = needed_text(
            rate, confidence, self.method.currentData() or "bound",
            self.unit.currentData() or "message", self.text.documents, self.documents.value(),
        )  # fmt: skip
        self.needed.setText(told)
        set_property(self.needed, "role", "small" if enough else "warning")
        self.concept_text.setText(self._concept_words())
        self.concept_text.setVisible(bool(self.concept_text.text()))
        problem = self._problem()
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        set_property(self.problem, "role", "muted" if problem in _MISSING else "error")
        ready = not problem and enough and not self.asked.busy
        self.start_button.setEnabled(ready and not self._session.engine_stopped)

    def _index_item(self) -> IndexItem | None:
        name = self.index.currentText()
        return next((i for i in self._session.inventory.indexes if i.name == name), None)

    def _concept_words(self) -> str:
        if self.own_check.isChecked():
            return "A third of your texts is held out to measure power on; like ones together."
        found = self.concept.texts
        if found is not None:
            return set_text(found.on, found.off, len(found.positives), len(found.negatives))
        if self.kind.currentData() == "features":
            return "Without texts of the concept nothing says how much of it is caught."
        return ""

    def _problem(self) -> str:
        unread = problems_of(self)
        if unread:
            return unread[0]
        if not self._like and (wrong := name_problem(self.name.text(), self._taken)):
            return wrong
        if not self.index.count():
            return "There is no index yet: a monitor reads with the dictionary of one."
        if self._like:
            return ""
        if self.kind.currentData() == "features":
            return self.features.problem(self._index_item())
        if self.own_check.isChecked():
            on, off = self.own.texts()
            return "" if on and off else _NO_TEXTS
        return "" if self.concept.name else _NO_CONCEPT

    def config(self) -> CalibrateMonitorConfig:
        """Return what is to be run."""
        own = self.own_check.isChecked()
        on, off = self.own.texts() if own else ([], [])
        made: Made = "features" if self._like else self.kind.currentData()
        return CalibrateMonitorConfig(
            project=self._session.project_path, name=self.name.text(), made=made,
            index="" if self._like else self.index.currentText(), like=self._like,
            features=self.features.numbers() if made == "features" and not self._like else [],
            set="" if own else self.concept.name, on=on, off=off,
            unit=self.unit.currentData(), pool=self.pool.currentData(),
            rate=self.rate.value() / 100, confidence=self.confidence.value() / 100,
            method=self.method.currentData(), role=self.role.text().strip(),
            documents=self.documents.value(), corpus=self.text.corpus, replace=bool(self._like),
        )  # fmt: skip

    # ------------------------------------------------------------------ running
    def start(self) -> None:
        """Calibrate."""
        if self.start_button.isEnabled() and self.asked.ask(self.config()):
            job = self.asked.job
            assert job is not None
            job.progressed.connect(self._on_progress)

    def cancel(self) -> None:
        """Cancel what is under way; without that, leave the form."""
        if self.asked.busy:
            self.asked.cancel()
        else:
            self.closed.emit()

    def _on_busy(self, busy: bool) -> None:
        self.progress.setText("Reading the model and the text…" if busy else "")
        self.progress.setVisible(busy)
        self._check()

    def _on_progress(self, progress: JobProgress) -> None:
        self.progress.setText(progress_text("running", progress))
