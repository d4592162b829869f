"""The lens: what the model would answer already after each layer, at each token."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.circuits.lens_config import FitLensConfig, LensConfig, LensResult
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.circuits.asked_page import lay_out
from sae_desktop.gui.circuits.cell_grid import CellGrid
from sae_desktop.gui.circuits.model_choice import ModelChoice
from sae_desktop.gui.circuits.open_graph import OpenGraph
from sae_desktop.gui.parts.copy_code import copy_code_button
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.kept_fields import keep_fields
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.asked_job import AskedJob
from sae_desktop.gui.state.session import Session
from sae_desktop.words.graph_words import quoted
from sae_desktop.words.lens_text import LENS_TOP, lens_cells, lens_text

_FIRST = (
    "A lens reads the model’s state after every layer as if it were the last one: you see at "
    "which layer, and at which token, the answer comes up. Write a prompt and press Read."
)


class LensPlace(QWidget):
    """Asks, and shows layers × tokens, the last layer at the top."""

    def __init__(self, session: Session, opened: OpenGraph) -> None:
        super().__init__()
        self.setObjectName("circuits.lens")
        self._session, self._opened = session, opened
        self._result: LensResult | None = None
        self.asked = AskedJob(session, self)
        self.fit = AskedJob(session, self)
        self.prompt = QLineEdit()
        self.prompt.setPlaceholderText("A prompt")
        self.prompt.setAccessibleName("Prompt for the lens")
        self.model = ModelChoice(session, opened)
        self.kind = QComboBox()
        self.kind.setAccessibleName("Kind of lens")
        self.kind.addItem("Logit lens", "logit")
        self.kind.addItem("Averaged Jacobian", "jacobian")
        self.kind.setToolTip(
            plain_tip(
                "The logit lens reads the state as it is. The averaged Jacobian first does to it "
                "what the layers above do on average, and so sees answers in earlier layers."
            )
        )
        self.follow = QComboBox()
        self.follow.setAccessibleName("What the cells show")
        self.follow.setToolTip(
            plain_tip("The likeliest next token in every cell, or the probability of one token")
        )
        self.follow.addItem("Most likely token", -1)
        self.read_button = push_button(
            "Read", self.read, icon="eye", primary=True, tip="Read every layer (Return)"
        )
        self.fit_button = push_button(
            "Measure the averages", self.measure, icon="chart-line-up",
            tip="Average the Jacobians of every layer over a text, once for a model",
        )  # fmt: skip
        self.grid = CellGrid("Layers and tokens")
        self.told = ElidedLabel()
        self.told.setProperty("role", "small")
        self.told.setContentsMargins(12, 2, 12, 4)
        self._build()
        self.prompt.returnPressed.connect(self.read)
        self.prompt.textChanged.connect(lambda _text: self._show_buttons())
        self.kind.currentIndexChanged.connect(self._on_kind)
        self.follow.currentIndexChanged.connect(lambda _index: self._show())
        self.asked.answered.connect(self._on_read)
        self.asked.failed.connect(self._on_failed)
        self.asked.busyChanged.connect(lambda _busy: self._show_buttons())
        self.fit.busyChanged.connect(lambda _busy: self._show_buttons())
        self.fit.answered.connect(self._on_measured)
        opened.opened.connect(self._on_opened)
        session.projectChanged.connect(self.forget)
        keep_fields(session, self, {"prompt": self.prompt, "kind": self.kind})
        self._on_opened()

    def _build(self) -> None:
        row = QHBoxLayout()
        row.setContentsMargins(12, 8, 12, 6)
        row.setSpacing(8)
        row.addWidget(self.prompt, 1)
        copy = copy_code_button(self._session, self.config)
        for widget in (self.model, self.kind, self.fit_button, self.read_button, copy):
            row.addWidget(widget)
        shown = QHBoxLayout()
        shown.setContentsMargins(12, 4, 12, 4)
        shown.setSpacing(8)
        shown.addWidget(label("Cells show"))
        shown.addWidget(self.follow)
        shown.addStretch(1)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(shown)
        column.addWidget(self.grid, 1)
        column.addWidget(self.told)
        self._stack = lay_out(self, row, _FIRST, page)
        self.fit_button.hide()
        self.setFocusProxy(self.prompt)

    def _on_opened(self) -> None:
        """Offer the prompt of the graph where none is written."""
        graph = self._opened.graph
        if graph is not None and not self.prompt.text():
            self.prompt.setText(graph.info.prompt)
        self._show_buttons()

    def forget(self) -> None:
        """Show nothing: another project is open."""
        self._result = None
        self._stack.setCurrentIndex(0)

    def _on_kind(self, _index: int) -> None:
        self.fit_button.hide()
        if self._result is not None and self.kind.currentData() != self._result.kind:
            self.read()

    def _show_buttons(self) -> None:
        ready = bool(self.prompt.text().strip()) and bool(self.model.chosen)
        self.read_button.setEnabled(ready and not self.asked.busy and not self.fit.busy)
        self.read_button.setText("Reading…" if self.asked.busy else "Read")
        self.fit_button.setEnabled(not self.fit.busy)

    # ------------------------------------------------------------------ asking
    def read(self) -> None:
        """Ask for what every layer would answer."""
        config = self.config()
        if config is not None:
            self.asked.ask(config)

    def config(self) -> LensConfig | None:
        """Return what is asked; None while something is not filled in."""
        project = self._session.project
        if not self.prompt.text().strip() or not self.model.chosen or project is None:
            return None
        return LensConfig(
            model=self.model.chosen, prompt=self.prompt.text(), project=str(project.path),
            kind=self.kind.currentData(), top=LENS_TOP,
        )  # fmt: skip

    def measure(self) -> None:
        """Average the Jacobians of the model."""
        project = self._session.project
        if project is not None and self.model.chosen:
            self.fit.ask(FitLensConfig(project=str(project.path), model=self.model.chosen))

    def _on_measured(self, _result: object) -> None:
        self.fit_button.hide()
        self.read()

    def _on_failed(self, _error: ErrorInfo) -> None:
        self.fit_button.setVisible(self.kind.currentData() == "jacobian")

    def _on_read(self, result: LensResult) -> None:
        self._result = result
        with QSignalBlocker(self.follow):
            chosen = self.follow.currentText()
            self.follow.clear()
            self.follow.addItem("Most likely token", -1)
            for number, token in enumerate(result.followed):
                self.follow.addItem(f"Probability of “{quoted(token)}”", number)
            self.follow.setCurrentIndex(max(self.follow.findText(chosen), 0))
        self._stack.setCurrentIndex(1)
        self._show()
        self.told.setText(lens_text(result))

    def _show(self) -> None:
        if self._result is not None and self.follow.currentData() is not None:
            self.grid.cells.show_cells(*lens_cells(self._result, self.follow.currentData()))
            self.grid.scrollTo(self.grid.model().index(0, self.grid.model().columnCount() - 1))
