"""A dialog that asks when a slider works, or where a text ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.errors import UserError
from sae_desktop.gui.parts.default_button import set_default_button
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.number_fields import NumberField, WholeField
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.safety.monitors.file import read_monitor
from sae_desktop.steering.gate_config import Gate, Where
from sae_desktop.words.monitor_text import promise_text

if TYPE_CHECKING:
    from sae_desktop.features.reading.reader import FeatureIndex

NEVER: Literal["never"] = "never"
Chosen = Gate | Literal["never"] | None
"""A condition; None: always; NEVER: the slider is to be switched off."""
Take = Callable[[Gate | Literal["never"] | None], object]
_MOST = 1e6
_SEEDS = 9999
_WIDTH = 480
_NAME = 60
_FIELD = 112
_INSET = 24
_READS: tuple[tuple[str, Where], ...] = (
    ("the prompt and the output", "all"),
    ("the prompt", "prompt"),
    ("the output", "output"),
)


class ConditionDialog(QDialog):
    """Four kinds of condition; the fields of the chosen one alone can be set.

    `take` gets what is chosen, once it is.
    """

    def __init__(
        self,
        parent: QWidget,
        session: Session,
        gate: Gate | None,
        take: Take,
        *,
        stop: bool = False,
        first: int = 0,
    ) -> None:
        """`stop`: it says where a text ends, and not when a slider works.

        `first`: the feature of the open index that is offered.
        """
        super().__init__(parent.window())
        self.setWindowTitle("End the text" if stop else "When the slider works")
        self._session, self._take = session, take
        self._notes = FeatureNotes.of(session)
        self._others: dict[str, FeatureIndex] = {}
        self.always = QRadioButton("At every token")
        self.by_feature = QRadioButton("When a feature is above a number")
        self.by_monitor = QRadioButton("When a monitor fires")
        self.by_random = QRadioButton("When a random direction is above a number")
        self.by_random.setToolTip("For comparison: a condition that means nothing")
        self.never = QRadioButton("Never: switch the slider off")
        self.feature = WholeField()
        self.index = ElidedComboBox(10)
        self.above = NumberField(0.0, -_MOST, _MOST)
        self.random_above = NumberField(0.0, -_MOST, _MOST)
        self.named = label("", "small", wrap=True)
        self.monitor = ElidedComboBox(18)
        self.promise = label("", "small", wrap=True)
        self.seed = WholeField()
        self.reads = QComboBox()
        self.since = QCheckBox("From the first such token on")
        self.since.setToolTip("Not only on the tokens that meet the condition")
        self.make = push_button(
            "Make a monitor", self._on_make, flat=True, tip="Go to the monitors in Safety"
        )
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.use_button = self._buttons.addButton("Use it", QDialogButtonBox.ButtonRole.AcceptRole)
        set_property(self.use_button, "primary", "true")
        self._fill()
        self.feature.setValue(first)
        self._build(stop)
        self._show_gate(gate, stop=stop)
        self._connect()
        self._look()

    def _fill(self) -> None:
        session, project = self._session, self._session.project
        names = [] if project is None else project.indexes()
        self.index.addItem("the open index", "")
        for name in names:
            if name != session.index_name:
                self.index.addItem(name, name)
        self.feature.setRange(0, 2**31 - 1)
        self.seed.setRange(1, _SEEDS)
        self.seed.setValue(1)
        for title, where in _READS:
            self.reads.addItem(title, where)
        for name in [] if project is None else project.monitors():
            self.monitor.addItem(name)
        for field, name in (
            (self.feature, "Feature"), (self.index, "Index of the feature"),
            (self.above, "Activation above which it works"),
            (self.monitor, "Monitor"), (self.seed, "Number of the random direction"),
            (self.random_above, "Product above which it works"), (self.reads, "Read on"),
        ):  # fmt: skip
            field.setAccessibleName(name)
        self.feature.setPrefix("#")
        for field in (self.feature, self.above, self.seed, self.random_above):
            field.setFixedWidth(_FIELD)

    def _build(self, stop: bool) -> None:
        column = self._column = QVBoxLayout(self)
        column.setSpacing(8)
        told = (
            "The text ends after the first token that meets the condition."
            if stop
            else "The slider changes only tokens that meet the condition, each read before "
            "anything is changed there."
        )
        said = label(told, "small", wrap=True)
        explain(said, "Condition")
        column.addWidget(said)
        if not stop:
            column.addWidget(self.always)
        of = label("of")
        self._of_feature = _inset(
            _line(self.feature, of, self.index, label(">"), self.above), self.named
        )
        several = self.index.count() > 1
        of.setVisible(several)
        self.index.setVisible(several)
        self._of_monitor = _inset(_line(self.monitor), self.promise)
        self._of_random = _inset(_line(label("number"), self.seed, label(">"), self.random_above))
        for button, part in (
            (self.by_feature, self._of_feature),
            (self.by_monitor, self._of_monitor),
            (self.by_random, self._of_random),
        ):
            column.addWidget(button)
            column.addWidget(part)
        none = label("This project has no monitors yet.", "small")
        self._no_monitors = _line(none, self.make)
        column.insertWidget(column.indexOf(self.by_random), self._no_monitors)
        if not stop:
            column.addWidget(self.never)
        rows = QFormLayout()
        rows.addRow("Read on", self.reads)
        if not stop:
            rows.addRow("", self.since)
        self._rows = QWidget()
        self._rows.setLayout(rows)
        rows.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._rows)
        column.addWidget(self._buttons)
        set_default_button(self, self.use_button)
        self.setMinimumWidth(_WIDTH)

    def _show_gate(self, gate: Gate | None, *, stop: bool) -> None:
        chosen = self.by_feature if stop else self.always
        if gate is not None:
            if gate.monitor:
                chosen = self.by_monitor
                if self.monitor.findText(gate.monitor) < 0:  # deleted since: it is said so
                    self.monitor.addItem(gate.monitor)
                self.monitor.setCurrentText(gate.monitor)
            elif gate.feature is not None:
                chosen = self.by_feature
                self.feature.setValue(gate.feature)
                if self.index.findData(gate.index) < 0:
                    self.index.addItem(gate.index, gate.index)
                self.index.setCurrentIndex(self.index.findData(gate.index))
                self.above.setValue(gate.above or 0.0)
            else:
                chosen = self.by_random
                self.seed.setValue((gate.seed or 0) + 1)
                self.random_above.setValue(gate.above or 0.0)
            self.reads.setCurrentIndex(self.reads.findData(gate.where))
            self.since.setChecked(gate.since)
        self._shown = gate
        chosen.setChecked(True)

    def _connect(self) -> None:
        for button in (
            self.always, self.by_feature, self.by_monitor, self.by_random, self.never,
        ):  # fmt: skip
            button.toggled.connect(self._look)
        self.feature.valueChanged.connect(self._look)
        self.index.currentIndexChanged.connect(self._look)
        self.monitor.currentIndexChanged.connect(self._look)
        for field in (self.feature, self.above, self.seed, self.random_above):
            field.problemChanged.connect(self._look)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)

    # ------------------------------------------------------------------ what is chosen
    def chosen(self) -> Chosen:
        """Return what is set."""
        if self.never.isChecked():
            return NEVER
        if self.always.isChecked():
            return None
        where, since = self.reads.currentData(), self.since.isChecked()
        known = self._shown
        if self.by_monitor.isChecked():
            name = self.monitor.currentText()
            # A threshold of one's own comes with a preset; there is no field that takes it away.
            above = known.above if known is not None and known.monitor == name else None
            return Gate(monitor=name, above=above, where=where, since=since)
        if self.by_random.isChecked():
            index = known.index if known is not None and known.seed is not None else ""
            return Gate(seed=int(self.seed.value()) - 1, above=self.random_above.value(),
                        index=index, where=where, since=since)  # fmt: skip
        feature, index = int(self.feature.value()), self.index.currentData()
        other = self._other(index) if index else None
        known_hash = "" if other is None else other.info.dictionary_hash
        return Gate(feature=feature, index=index, index_hash=known_hash,
                    above=self.above.value(), where=where, since=since)  # fmt: skip

    def accept(self) -> None:
        if self.use_button.isEnabled():
            super().accept()
            self._take(self.chosen())

    def _on_make(self) -> None:
        self.reject()
        self._session.show_workspace("safety.monitors")

    # ------------------------------------------------------------------ what is shown
    def _look(self, _value: object = None) -> None:
        """Show the fields of what is chosen, and whether it can be used."""
        problem = ""
        self._of_feature.setVisible(self.by_feature.isChecked())
        self._of_random.setVisible(self.by_random.isChecked())
        monitors = self.monitor.count() > 0
        self._of_monitor.setVisible(self.by_monitor.isChecked() and monitors)
        self._no_monitors.setVisible(not monitors)
        self.by_monitor.setEnabled(monitors)
        self._rows.setVisible(not (self.always.isChecked() or self.never.isChecked()))
        if self.by_feature.isChecked():
            problem = self._name_feature() or self.feature.problem or self.above.problem
        elif self.by_monitor.isChecked():
            problem = self._name_monitor()
        elif self.by_random.isChecked():
            problem = self.seed.problem or self.random_above.problem
        self.use_button.setEnabled(not problem)
        self.use_button.setToolTip(plain_tip(problem))
        self._fit()

    def _fit(self) -> None:
        """Be as high as what is shown needs."""
        self._column.activate()
        high = self._column.totalHeightForWidth(self.width())
        self.resize(self.width(), high if high > 0 else self.sizeHint().height())

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._fit()

    def _name_feature(self) -> str:
        """Say which feature it is; return why there is none."""
        name, feature = self.index.currentData(), int(self.feature.value())
        try:
            index = self._other(name) if name else self._session.index
            if index is None:
                return ""
            index.check_feature(feature)
        except UserError as error:
            self.named.setText(str(error))
            return str(error)
        said = "" if name else self._notes.named(feature, _NAME)
        top = float(index.columns["max_activation"][feature])
        told = f"Its maximum on the indexed text is {top:.3g}." if top > 0 else ""
        self.named.setText("\n".join(filter(None, [said, told])))
        return ""

    def _other(self, name: str) -> FeatureIndex:
        """Return another index of the project. Raises UserError for one that cannot be read."""
        from sae_desktop.features.reading.reader import FeatureIndex  # h5py: not before the show

        if name not in self._others:
            assert self._session.project is not None
            self._others[name] = FeatureIndex(self._session.project.index_path(name))
        return self._others[name]

    def _name_monitor(self) -> str:
        project = self._session.project
        self.promise.setText("")
        if project is None:
            return "No project is open."
        with suppress(UserError):
            monitor = read_monitor(project, self.monitor.currentText())
            self.promise.setText(
                f"It fires above {monitor.threshold:.3g}. {promise_text(monitor.promise)}"
            )
            return ""
        problem = "This monitor is not in the project, or cannot be read."
        self.promise.setText(problem)
        return problem


def _line(*widgets: QWidget) -> QWidget:
    line = QWidget()
    row = QHBoxLayout(line)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(8)
    for widget in widgets:
        row.addWidget(widget, 1 if isinstance(widget, ElidedComboBox) else 0)
    row.addStretch()
    return line


def _inset(*widgets: QWidget) -> QWidget:
    part = QWidget()
    column = QVBoxLayout(part)
    column.setContentsMargins(_INSET, 0, 0, 0)
    column.setSpacing(4)
    for widget in widgets:
        column.addWidget(widget)
    return part
