"""What harvest, training and index will take: a few numbers, and a table that follows them.

The first thing one sees is the answer for what is set now, on this machine. One changes a number or
the machine, and the table follows; below it stands where the chosen figure comes from.
"""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHeaderView,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.described import setting
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.parts.engine_offer import EngineOffer
from sae_desktop.gui.parts.field_ranges import least_count
from sae_desktop.gui.parts.glossary import Glossary
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.number_fields import CountField, problems_of
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.names import shipped_models
from sae_desktop.sizing.cards import known_cards
from sae_desktop.sizing.config import MeasureMachineConfig, SizeConfig, SizeResult
from sae_desktop.words import sizing_text
from sae_desktop.words.architecture_titles import TITLES

ASK_MS = 300
_LEFT_ALIGNED = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT_ALIGNED = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_SIZE = (860, 600)
_TITLE = "What will it take?"
_SPECIAL = {
    "features": "8 × the width",
    "width": "the model’s",
    "parameters": "the model’s",
    "rows": "all tokens",
}
_LEFT = ("model", "site", "tokens", "width", "parameters", "dtype")
_RIGHT = ("card", "features", "architecture", "k", "batch", "rows")


class SizingDialog(QDialog):
    """Asks the engine after every change; nothing is started from here."""

    def __init__(self, session: Session, config: SizeConfig, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle(_TITLE)
        self.resize(*_SIZE)
        self._session = session
        self._result: SizeResult | None = None
        self._job = LatestJob(session, ASK_MS, self)
        self._job.answered.connect(self._on_answered)
        self._job.failed.connect(self._on_failed)
        self._measuring = LatestJob(session, 0, self)
        self._measuring.answered.connect(lambda _rates: self.ask())
        self._measuring.failed.connect(self._on_failed)
        self._measuring.busyChanged.connect(self._on_measuring)
        self._config = config
        self.fields = {name: self._field(name) for name in (*_LEFT, *_RIGHT)}
        self.stream = QCheckBox(setting(SizeConfig, "stream").title)
        self.stream.setToolTip(plain_tip(setting(SizeConfig, "stream").description))
        self.stream.setChecked(config.stream)
        self.stream.toggled.connect(self.ask)
        self.table = self._table()
        self._heading = label("", "heading", wrap=True)
        self._why = label("", wrap=True, selectable=True)
        self._verdict = label("", "warning", wrap=True, selectable=True)
        self._basis = label("", "small", wrap=True)
        self.measure_button = push_button(
            "Measure this machine", self.measure, icon="timer",
            tip="Multiplies, copies, sorts, writes and reads for about ten seconds, and keeps how "
            "fast that was; best when nothing else runs",
        )  # fmt: skip
        self._lay_out()
        self.ask()

    # ------------------------------------------------------------------ building
    def _field(self, name: str) -> QWidget:
        told, value = setting(SizeConfig, name), getattr(self._config, name)
        field: QWidget
        if name == "model":
            box = QComboBox()
            box.setEditable(True)
            names = [item.name for item in self._session.inventory.models]
            box.addItems(list(dict.fromkeys([value, *names, *shipped_models(), "smollm2"])))
            box.setCurrentText(value)
            box.editTextChanged.connect(self.ask)
            field = box
        elif name == "site":
            field = QLineEdit(value)
            field.setPlaceholderText("after the middle layer")
            field.textChanged.connect(self.ask)
        elif name in ("card", "architecture", "dtype"):
            field = self._choice(name, value)
        else:
            field = CountField(value, least_count(SizeConfig, name))
            field.setSpecialValueText(_SPECIAL.get(name, ""))
            field.valueChanged.connect(self.ask)
            field.problemChanged.connect(self.ask)
        field.setAccessibleName(told.title)
        field.setToolTip(plain_tip(told.description))
        return field

    def _choice(self, name: str, value: str) -> QComboBox:
        box = QComboBox()
        items = {
            "card": [("This machine", ""), *((card.name, card.name) for card in known_cards())],
            "architecture": [(title, key) for key, title in TITLES.items()],
            "dtype": [(key, key) for key in ("float16", "bfloat16", "float32", "int8")],
        }[name]
        for title, key in items:
            box.addItem(title, key)
        box.setCurrentIndex(max(0, box.findData(value)))
        box.currentIndexChanged.connect(self.ask)
        return box

    def _table(self) -> QTableWidget:
        table = QTableWidget(len(sizing_text.TITLES), 1 + len(sizing_text.COLUMNS))
        for column, name in enumerate(["Job", *sizing_text.COLUMNS]):
            heading = QTableWidgetItem(name)
            heading.setTextAlignment(_RIGHT_ALIGNED if column else _LEFT_ALIGNED)
            table.setHorizontalHeaderItem(column, heading)
        for row, title in enumerate(sizing_text.TITLES.values()):
            table.setItem(row, 0, QTableWidgetItem(title))
        table.setAccessibleName("What each job takes")
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        table.horizontalHeader().setHighlightSections(False)
        table.verticalHeader().hide()
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.currentCellChanged.connect(lambda *_cells: self._explain())
        return table

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        for side, names in ((0, _LEFT), (1, _RIGHT)):
            for row, name in enumerate(names):
                told = setting(SizeConfig, name)
                title = label(told.title)
                title.setToolTip(plain_tip(told.description))
                title.setBuddy(self.fields[name])
                grid.addWidget(title, row, 2 * side)
                grid.addWidget(self.fields[name], row, 2 * side + 1)
            grid.setColumnStretch(2 * side + 1, 1)
        grid.addWidget(self.stream, len(_LEFT), 1)
        # None is pressed by Return, which ends the typing of a number.
        close = push_button("Close", self.reject)
        buttons = QDialogButtonBox()
        buttons.addButton(close, QDialogButtonBox.ButtonRole.RejectRole)
        buttons.addButton(self.measure_button, QDialogButtonBox.ButtonRole.ResetRole)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 12)
        column.setSpacing(12)
        column.addLayout(grid)
        column.addWidget(self._heading)
        column.addWidget(self.table)
        column.addWidget(self._why)
        column.addWidget(self._verdict)
        column.addStretch(1)
        column.addWidget(EngineOffer(self._session, "The engine, which counts, is not running."))
        column.addWidget(self._basis)
        column.addWidget(buttons)
        # The window’s own key does not reach a dialog that stands before it.
        self.glossary = Glossary(self)
        QShortcut(QKeySequence("F1"), self, self.glossary.open)
        self._fit_table()

    def _fit_table(self) -> None:
        rows = sum(self.table.rowHeight(row) for row in range(self.table.rowCount()))
        head = self.table.horizontalHeader().sizeHint().height()
        self.table.setFixedHeight(rows + head + 2 * self.table.frameWidth())

    def present(self) -> None:
        """Open it over its window, until it is closed."""
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.open()

    # ------------------------------------------------------------------ asking
    def config(self) -> SizeConfig:
        """Return what is set."""
        found: dict[str, object] = {}
        for name, field in self.fields.items():
            if isinstance(field, CountField):
                found[name] = field.value()
            elif isinstance(field, QLineEdit):
                found[name] = field.text().strip()
            elif isinstance(field, QComboBox):
                found[name] = (
                    field.currentText().strip() if name == "model" else field.currentData()
                )
        project = self._session.project
        return SizeConfig(
            stream=self.stream.isChecked(),
            folder=str(project.path) if project else "",
            precision=self._config.precision,
            **found,  # type: ignore[arg-type]
        )

    def ask(self, _changed: object = None) -> None:
        """Ask what it takes, once the changes pause."""
        wrong = problems_of(self)
        if wrong:
            self._job.forget()
            self._say(wrong[0])
        else:
            self._job.ask(self.config())

    def measure(self) -> None:
        """Measure this machine; the table then follows what was found."""
        self._measuring.ask(MeasureMachineConfig())

    def _on_measuring(self, busy: bool) -> None:
        self.measure_button.setEnabled(not busy)
        if busy:
            self._basis.setText("Measuring this machine, which takes about ten seconds…")

    def _on_answered(self, result: SizeResult) -> None:
        self._result = result
        self._heading.setText(sizing_text.heading(result))
        for row, stage in enumerate(result.stages):
            figures = zip(sizing_text.cells(stage), sizing_text.why_texts(stage), strict=True)
            for column, (text, why) in enumerate(figures, start=1):
                item = QTableWidgetItem(text)
                item.setTextAlignment(_RIGHT_ALIGNED)
                item.setToolTip(plain_tip(why))
                self.table.setItem(row, column, item)
        if self.table.currentRow() < 0:
            self.table.setCurrentCell(1, 1)
        problems = filter(None, map(sizing_text.verdict, result.stages))
        set_property(self._verdict, "role", "warning")
        self._say("\n".join(problems))
        self._basis.setText("\n".join([*result.notes, sizing_text.basis_text(result)]))
        self._explain()

    def _explain(self) -> None:
        """Say where the chosen figure comes from."""
        row, column = self.table.currentRow(), max(0, self.table.currentColumn() - 1)
        if self._result is None or row < 0:
            return
        stage = self._result.stages[row]
        what = f"{sizing_text.TITLES[stage.stage]}, {sizing_text.COLUMNS[column].lower()}"
        self._why.setText(f"{what}: {sizing_text.why_texts(stage)[column]}")

    def _on_failed(self, error: ErrorInfo) -> None:
        set_property(self._verdict, "role", "error")
        self._say(f"{error.what} {error.next_step}".strip())

    def _say(self, text: str) -> None:
        self._verdict.setText(text)
        self._verdict.setVisible(bool(text))
