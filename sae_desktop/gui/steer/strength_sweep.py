"""What the rack does at many strengths: a table, curves, and where the text breaks."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLineEdit,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.parts.kept_fields import keep_fields
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.sweep_plot import SweepPlot
from sae_desktop.gui.steer.sweep_table import SweepTableModel
from sae_desktop.steering.config import (
    Intervention,
    SteerConfig,
    SweepStrengthsConfig,
    SweepStrengthsResult,
    scaled,
)
from sae_desktop.words.strength_list import parse_strengths

STRENGTHS = "-10, -5, -2, -1, -0.5, 0, 0.5, 1, 2, 5, 10"
_FIGURE = 76


class StrengthSweepPanel(QWidget):
    """The factors of the sliders to try, the tokens to watch, and what came of it."""

    strengthsChosen = Signal(object)
    """list[Intervention]: what was steered with in a row, to be put on the sliders."""

    def __init__(
        self,
        session: Session,
        asked: Callable[[], SteerConfig | None],
    ) -> None:
        """`asked` returns what would be generated now: its steered variant is swept."""
        super().__init__()
        self.setObjectName("steer.sweep")
        self._session, self._asked = session, asked
        self._watched: list[str] = []
        self._swept: list[Intervention] = []
        """What the factors of the last sweep multiply."""
        self.strengths = QLineEdit(STRENGTHS)
        self.strengths.setAccessibleName("Factors of the sliders")
        self.strengths.setToolTip("Factors to multiply the sliders by, one after another")
        self.watch = QLineEdit()
        self.watch.setPlaceholderText("Tokens to watch, separated by commas")
        self.watch.setAccessibleName("Tokens to watch")
        self.watch.setToolTip("Shows their probabilities after the prompt; a leading space counts")
        self.run_button = push_button("Sweep", self.run, primary=True, tip="Try every factor")
        self.state = label("", "small", wrap=True)
        self.model = SweepTableModel(self)
        self.table = QTableView()
        self.plot = SweepPlot()
        self.latest = LatestJob(session, 0, self)
        self._build()
        self.table.activated.connect(self._on_activated)
        self.latest.answered.connect(self._on_answered)
        self.latest.failed.connect(self._on_failed)
        self.latest.busyChanged.connect(self._on_busy)
        session.indexOpened.connect(self._on_index_opened)
        self._show(None)
        keep_fields(session, self, {"strengths": self.strengths, "watch": self.watch})

    def _build(self) -> None:
        table = self.table
        table.setModel(self.model)
        table.setAccessibleName("Texts by strength")
        table.setToolTip("Press Return to set the sliders to a row’s strengths")
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        table.setWordWrap(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(24)
        table.horizontalHeader().setStretchLastSection(True)
        self.results = QSplitter(Qt.Orientation.Horizontal)
        self.results.setChildrenCollapsible(False)
        self.results.addWidget(table)
        self.results.addWidget(self.plot)
        self.results.setSizes([640, 360])
        bar = QHBoxLayout()
        bar.setSpacing(8)
        bar.addWidget(label("Sliders ×", "small"))
        bar.addWidget(self.strengths, 3)
        bar.addWidget(self.watch, 2)
        bar.addWidget(push_button("Copy data", self.copy_data, flat=True))
        bar.addWidget(self.run_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(4)
        column.addLayout(bar)
        column.addWidget(self.state)
        column.addWidget(self.results, 1)
        column.addStretch()
        self.setMinimumHeight(140)

    # ------------------------------------------------------------------ asking
    def run(self) -> None:
        """Steer at every strength."""
        asked = self._asked()
        if asked is None or not asked.variants[1].interventions:
            self._say("Type a prompt and turn a feature up or down first.")
            return
        try:
            strengths = parse_strengths(self.strengths.text())
        except ValueError as error:
            self._say(f"“{error}” is not a number. Enter numbers such as {STRENGTHS[:11]}…")
            return
        self._watched = [part for part in self.watch.text().split(",") if part.strip()]
        self._swept = asked.variants[1].interventions
        self._say("Generating a text with every factor…")
        self.latest.ask(
            SweepStrengthsConfig(
                project=asked.project, index=asked.index, prompt=asked.prompt,
                variant=asked.variants[1], strengths=strengths, watched=self._watched,
                sampling=asked.sampling, chat=asked.chat, pictures=asked.pictures,
            )
        )  # fmt: skip

    # ------------------------------------------------------------------ answers
    def _on_answered(self, result: SweepStrengthsResult) -> None:
        self._show(result)

    def _on_failed(self, error: ErrorInfo) -> None:
        self._say(" ".join(part for part in (error.what, error.next_step) if part))

    def _on_busy(self, busy: bool) -> None:
        self.run_button.setEnabled(not busy)

    def _on_index_opened(self, _index: object) -> None:
        self.latest.forget()
        self._show(None)

    def _show(self, result: SweepStrengthsResult | None) -> None:
        self.model.show_result(result, self._watched)
        self.plot.show_result(result, self._watched)
        self.results.setVisible(result is not None)
        if result is None:
            self._say(
                "Multiplies the sliders that are on by each factor and reads the resulting text."
            )
            return
        for column in range(self.model.columnCount() - 1):
            self.table.setColumnWidth(column, _FIGURE)
        broken = sum(point.broken for point in result.points)
        self._say(f"{broken} of {len(result.points)} texts have broken down: {result.criterion}.")

    def _say(self, text: str) -> None:
        self.state.setText(text)

    def _on_activated(self, index: QModelIndex) -> None:
        if self.model.result is not None and index.row() > 0:
            factor = self.model.result.points[index.row() - 1].strength
            self.strengthsChosen.emit(scaled(self._swept, factor))

    def copy_data(self) -> None:
        """Put the table on the clipboard, tab-separated."""
        QGuiApplication.clipboard().setText(self.model.text())
