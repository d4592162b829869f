"""The line of the Harvest panel that says what the harvest takes, or why it cannot start."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from sae_desktop.activations.config import EstimateHarvestConfig, HarvestConfig, HarvestEstimate
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.harvest.harvest_draft import (
    StorePlan,
    estimate_text,
    memory_warning,
    room_problem,
)
from sae_desktop.gui.parts.labels import label, set_property
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.session import Session

ESTIMATE_MS = 600
_NOTHING = HarvestConfig(project="", name="")


class HarvestEstimateLine(QWidget):
    """Asks the engine after a pause; what it answered stands until the settings change."""

    answered = Signal()
    """There is an estimate: there may be room, or none."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._config = _NOTHING
        self._plan = StorePlan("new", "")
        self._answer: HarvestEstimate | ErrorInfo | None = None
        self._label = label("", "muted", wrap=True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._label)
        self._job = LatestJob(session, ESTIMATE_MS, self)
        self._job.answered.connect(self._on_answered)
        self._job.failed.connect(self._on_answered)

    def text(self) -> str:
        return self._label.text()

    def role(self) -> str:
        return str(self._label.property("role"))

    def consider(self, config: HarvestConfig, plan: StorePlan) -> None:
        """Say what a harvest takes: what is known already, or once it has been timed."""
        self._plan = plan
        if config == self._config and (self._answer is not None or self._job.busy):
            self._show()
            return
        self._config, self._answer = config, None
        self._show()
        self._job.ask(EstimateHarvestConfig(harvest=config))

    def say(self, text: str) -> None:
        """Say something else, and ask nothing."""
        self.forget()
        self._say(text)

    def forget(self) -> None:
        """Drop what was estimated: it holds no longer."""
        self._job.forget()
        self._config, self._answer = _NOTHING, None

    @property
    def lacking(self) -> str:
        """What the disk lacks; empty: it does, or it is not known."""
        return room_problem(self._answer) if isinstance(self._answer, HarvestEstimate) else ""

    def _on_answered(self, answer: HarvestEstimate | ErrorInfo) -> None:
        self._answer = answer
        self._show()
        self.answered.emit()

    def _show(self) -> None:
        answer = self._answer
        if answer is None:
            self._say(f"{self._plan.sentence()} Timing a short run…".strip())
        elif isinstance(answer, ErrorInfo):
            self._say(f"{answer.what} {answer.next_step}".strip(), "error")
        elif self.lacking:
            self._say(self.lacking, "error")
        else:
            warning = memory_warning(answer)
            parts = (self._plan.sentence(), estimate_text(answer, self._config), warning)
            self._say(" ".join(filter(None, parts)), "warning" if warning else "muted")

    def _say(self, text: str, role: str = "muted") -> None:
        self._label.setText(text)
        set_property(self._label, "role", role)
