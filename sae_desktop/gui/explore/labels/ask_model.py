"""The tab in which a model names features or scores their labels: one flow from top to bottom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy.typing as npt
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QPlainTextEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.explore.labels import model_asks
from sae_desktop.gui.explore.labels.model_asks import (
    EXPLAIN,
    JUDGE,
    LISTED,
    WHICH,
    Wanted,
)
from sae_desktop.gui.forms.chat_model_form import ChatModelForm
from sae_desktop.gui.forms.queue_view import QueueView
from sae_desktop.gui.parts.copy_code import copy_code_button
from sae_desktop.gui.parts.kept_fields import keep_fields
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.number_fields import CountField, NumberField
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import explain_all
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.session import Session
from sae_desktop.labels.explaining.config import (
    ExplainFeaturesConfig,
    ExplanationPreview,
    PreviewExplanationConfig,
)
from sae_desktop.labels.judging.config import (
    JudgeLabelsConfig,
    JudgingPreview,
    PreviewJudgingConfig,
)
from sae_desktop.labels.models.choice import ModelChoice

Array = npt.NDArray[Any]

_PAUSE_MS = 400
_ABREAST = 720
_MOST_FEATURES = 1_000_000
_DEAREST = 1_000_000.0
_INTRODUCTION = (
    "A language model of yours can read where a feature fires and write a name, or judge how well "
    "a name fits. You see exactly what it is asked, and what that costs, before anything is sent. "
    "Without a model, the automatic names and scores do."
)
_WITHOUT = (
    "Or choose “A model that the engine runs”. The automatic names need no model: read them one "
    "by one."
)


class AskModel(QScrollArea):
    """Which model, what it does with which features, what is sent, start, and how far it is."""

    def __init__(self, session: Session, listed: Callable[[], Array]) -> None:
        """`listed` gives the features that the list shows, or those selected in it."""
        super().__init__()
        self.setObjectName("explore.labels.model")
        self._session, self._listed = session, listed
        self.model = ChatModelForm(session)
        self.task = _choice(
            "What the model does", ((EXPLAIN, "Name features"), (JUDGE, "Score labels"))
        )
        self.which = _choice("Which features", WHICH[EXPLAIN])
        self.prompt = _choice("What a name is made from", model_asks.PROMPTS)
        self.most = CountField(model_asks.MOST, 0, _MOST_FEATURES)
        self.most.setSpecialValueText("all of them")
        self.most.setAccessibleName("How many features at most")
        self.cap = NumberField(0.0, 0.0, _DEAREST)
        self.cap.setSpecialValueText("no limit")
        self.cap.setAccessibleName("Spend at most")
        self.where = label("", "muted", wrap=True)
        self.cost = label("", wrap=True, selectable=True)
        self.problem = label("", "muted", wrap=True)
        self.sent = QPlainTextEdit()
        self.sent.setReadOnly(True)
        self.sent.setMinimumHeight(150)
        self.sent.setAccessibleName("What is sent")
        self.start = push_button("", self.begin, icon="robot", primary=True)
        self.queue = QueueView(session)
        self._preview = LatestJob(session, _PAUSE_MS, self)
        self._preview.answered.connect(self._on_preview)
        self._preview.failed.connect(self._on_failed)
        self._preview.busyChanged.connect(self._on_busy)
        self._build()
        self.task.currentIndexChanged.connect(self._on_task)
        for field in (self.task, self.which, self.prompt):
            field.currentIndexChanged.connect(self.refresh)
        for number in (self.most, self.cap):
            number.valueChanged.connect(self.refresh)
            number.problemChanged.connect(self.refresh)
        self.model.changed.connect(self.refresh)
        session.indexOpened.connect(self.refresh)
        session.client.jobAdded.connect(self._show_queue)
        keep_fields(
            session,
            self,
            {
                "task": self.task,
                "which": self.which,
                "prompt": self.prompt,
                "most": self.most,
                "cap": self.cap,
            },
        )
        session.place.add(self, self._kept_model, self._give_model, part="model")
        self._show_queue()
        self.refresh()

    # ------------------------------------------------------------------ layout
    def _build(self) -> None:
        content = QWidget()
        content.setProperty("ground", "surface")
        content.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        left, right = QVBoxLayout(), QVBoxLayout()
        for side in (left, right):
            side.setSpacing(8)
        self._rows = QFormLayout()
        self._rows.setSpacing(8)
        self._rows.addRow("Task", self.task)
        self._rows.addRow("Features", self.which)
        self._rows.addRow("At most", self.most)
        self._rows.addRow("Made from", self.prompt)
        self._rows.addRow("Spend at most", self.cap)
        left.addWidget(label("Which model answers", "heading"))
        left.addWidget(self.model)
        left.addSpacing(8)
        left.addWidget(label("What it does", "heading"))
        left.addLayout(self._rows)
        left.addStretch()
        right.addWidget(label("What is sent", "heading"))
        for widget in (self.where, self.cost, self.sent, self.problem):
            right.addWidget(widget, 1 if widget is self.sent else 0)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.start)
        row.addWidget(copy_code_button(self._session, self.config))
        row.addStretch(1)
        right.addLayout(row)
        self._sides = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._sides.setSpacing(24)
        self._sides.addLayout(left, 1)
        self._sides.addLayout(right, 1)
        column = QVBoxLayout(content)
        column.setContentsMargins(16, 8, 16, 16)
        column.setSpacing(12)
        column.addWidget(self.queue)
        column.addWidget(label(_INTRODUCTION, "muted", wrap=True))
        column.addLayout(self._sides, 1)
        explain_all(content)
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setProperty("ground", "surface")
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Ask a model")

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        direction = QBoxLayout.Direction
        wide = self.viewport().width() >= _ABREAST
        self._sides.setDirection(direction.LeftToRight if wide else direction.TopToBottom)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def choose_task(self, task: str) -> None:
        """Have the model do this."""
        self.task.setCurrentIndex(self.task.findData(task))

    def _on_task(self, _number: int) -> None:
        """Offer the features that the task can be about."""
        chosen = self.which.currentData()
        with QSignalBlocker(self.which):
            self.which.clear()
            for value, text in WHICH[self.task.currentData()]:
                self.which.addItem(text, value)
            self.which.setCurrentIndex(max(self.which.findData(chosen), 0))

    # ------------------------------------------------------------------ what is chosen
    def wanted(self) -> Wanted:
        """Return what is chosen beside the model."""
        listed = self.which.currentData() == LISTED
        return Wanted(
            task=self.task.currentData(),
            which=self.which.currentData(),
            listed=tuple(self._listed().tolist()) if listed else (),
            most=int(self.most.value()),
            prompt=self.prompt.currentData(),
            most_cost=self.cap.value(),
        )

    def config(self) -> ExplainFeaturesConfig | JudgeLabelsConfig | None:
        """Return the job that asks; None where `missing` says what is not chosen yet."""
        model, session = self.model.choice(), self._session
        if model is None or session.index is None or self.missing():
            return None
        return model_asks.job_config(
            session.project_path, session.index_name, model, self.model.prices(), self.wanted()
        )

    def missing(self) -> str:
        """Return what keeps one from starting; empty: nothing."""
        if problem := self.model.problem() or self.most.problem or self.cap.problem:
            return problem
        if self.which.currentData() == LISTED and not len(self._listed()):
            return "The list at the left shows no features."
        return ""

    # ------------------------------------------------------------------ what would be sent
    def refresh(self, _changed: object = None) -> None:
        """Show what follows from the choices: where it goes, what is sent, what one can start."""
        explains = self.task.currentData() == EXPLAIN
        self._rows.setRowVisible(self.prompt, explains)
        self._rows.setRowVisible(self.cap, any(self.model.prices()))
        if not self.isVisible() or self._session.index is None:
            return
        missing, config = self.missing(), self.config()
        without = f" {_WITHOUT}" if self.model.problem() else ""
        self.problem.setText(f"{missing}{without}")
        self.problem.setVisible(bool(missing))
        self.start.setEnabled(config is not None)
        wanted = self.wanted()
        listed = len(wanted.listed) if wanted.which == LISTED else None
        self.start.setText(model_asks.start_text(wanted.task, wanted.most, listed))
        self.start.setAccessibleName(self.start.text())
        choice = self.model.choice()
        self.where.setText("" if choice is None else model_asks.where_text(choice))
        self.where.setVisible(choice is not None)
        asked = config or model_asks.job_config(
            self._session.project_path,
            self._session.index_name,
            ModelChoice(server="http://localhost/v1", model="model"),
            (0.0, 0.0),
            wanted,
        )
        if isinstance(asked, ExplainFeaturesConfig):
            self._preview.ask(PreviewExplanationConfig(explain=asked))
        else:
            self._preview.ask(PreviewJudgingConfig(judge=asked))

    def _on_preview(self, preview: ExplanationPreview | JudgingPreview) -> None:
        if isinstance(preview, JudgingPreview):
            self.cost.setText(model_asks.judging_words(preview))
        else:
            self.cost.setText(model_asks.preview_words(preview))
        text = model_asks.messages_text(preview.messages)
        if text != self.sent.toPlainText():
            self.sent.setPlainText(text)

    def _on_busy(self, busy: bool) -> None:
        if busy and not self.sent.toPlainText():
            self.cost.setText("Putting the question together…")

    def _on_failed(self, error: ErrorInfo) -> None:
        self.cost.setText(" ".join(part for part in (error.what, error.next_step) if part))
        self.sent.setPlainText("")

    # ------------------------------------------------------------------ asking
    def begin(self) -> None:
        """Start the job; its progress is shown above."""
        config = self.config()
        if config is not None and self._session.run(config) is not None:
            self.verticalScrollBar().setValue(0)

    def _show_queue(self, _job: object = None) -> None:
        self.queue.setVisible(self.queue.job is not None)

    # ------------------------------------------------------------------ kept with the project
    def _kept_model(self) -> dict[str, Any]:
        choice = self.model.choice()
        if choice is None:
            return {}
        return {"server": choice.server, "model": choice.model, "prices": self.model.prices()}

    def _give_model(self, kept: dict[str, Any]) -> None:
        if kept:
            choice = ModelChoice(server=kept["server"], model=kept["model"])
            self.model.set_choice(choice, (kept["prices"][0], kept["prices"][1]))


def _choice(name: str, entries: tuple[tuple[str, str], ...]) -> QComboBox:
    box = QComboBox()
    for value, text in entries:
        box.addItem(text, value)
    box.setAccessibleName(name)
    box.setToolTip(plain_tip(name))
    return box
