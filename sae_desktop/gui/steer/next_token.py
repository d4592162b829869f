"""The likeliest next tokens, plain and steered, asked for as the sliders move."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.probability_bars import ProbabilityBars, TokenProbability
from sae_desktop.steering.config import NextToken, SteerConfig, SteerResult

PAUSE_MS = 60
"""The next token is asked for no more often than this while a slider moves."""


class NextTokenBars(QWidget):
    """Bars of the next token's probabilities, and beside their heading why there are none."""

    answered = Signal(object)
    """SteerResult of the question asked last."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.bars = ProbabilityBars()
        self._state = label("", "small")
        self._gated = False
        """Whether what was asked for last works under conditions alone."""
        self._job = LatestJob(session, PAUSE_MS, self, live=True)
        head = QHBoxLayout()
        head.setSpacing(16)
        head.addWidget(label("Next token", "heading"))
        head.addWidget(self._state)
        head.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addLayout(head)
        column.addWidget(self.bars)
        self._job.answered.connect(self._on_answer)
        self._job.failed.connect(self._on_failed)
        self._job.busyChanged.connect(self._on_busy)

    def ask(self, config: SteerConfig) -> None:
        """Ask how the next token's probabilities are now, once the hand pauses."""
        acts = [act for variant in config.variants[1:] for act in variant.interventions]
        self._gated = bool(acts) and all(act.when is not None for act in acts)
        self._job.ask(config)

    def forget(self, why: str) -> None:
        """Show nothing, and say why."""
        self._job.forget()
        self.bars.set_tokens([])
        self._state.setText(why)

    def show_written(self, tokens: list[NextToken]) -> None:
        """Show what a generation tells of its first token, unless something newer was asked."""
        if not self._job.busy:
            self._show(tokens)

    def _on_answer(self, result: SteerResult) -> None:
        self.answered.emit(result)
        self._show(result.next_tokens)
        if any(variant.stopped for variant in result.variants[1:]):
            self._state.setText("A condition is met on the prompt: steered, no text is written.")
        elif self._gated and all(max(t.probabilities) == min(t.probabilities)
                                 for t in result.next_tokens):  # fmt: skip
            self._state.setText("No condition is met on the prompt: nothing is changed yet.")

    def _show(self, tokens: list[NextToken]) -> None:
        self.bars.set_tokens(
            [TokenProbability(t.token, t.probabilities[0], t.probabilities[1]) for t in tokens]
        )
        self._state.setText("")

    def _on_failed(self, error: ErrorInfo) -> None:
        self._state.setText(" ".join(part for part in (error.what, error.next_step) if part))

    def _on_busy(self, busy: bool) -> None:
        if busy and not self.bars.rows():
            self._state.setText("Reading…")
