"""The dock of a training's settings: the form, what it amounts to, and Start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.corpus.config import brought_up
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.parts.engine_offer import EngineOffer
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.train.training_draft import copied, default_name, problems, resumes, summary
from sae_desktop.gui.train.training_settings import TrainingSettings
from sae_desktop.training.config import ArchitectureInfo, TrainConfig
from sae_desktop.training.planning.preflight_config import PreflightConfig, PreflightResult
from sae_desktop.training.sweeps.sweep_config import AXES
from sae_desktop.words.preflight_text import preflight_details, preflight_problem, preflight_text

PREFLIGHT_MS = 400
"""After so long without a change the engine is asked what the training needs."""


_START = "Start the training"


class TrainingSetup(QWidget):
    """Builds a TrainConfig; Start is blocked with the reason."""

    startRequested = Signal()
    changed = Signal()
    """The settings, or what they can be."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._is_live = False
        self._asked: TrainConfig | None = None
        """The settings last asked about."""
        self._answered: TrainConfig | None = None
        self._found: PreflightResult | None = None
        """The last answer, and for which settings; it is shown until the next one comes."""
        self._failure = ""
        self._preflight = LatestJob(session, PREFLIGHT_MS, self)
        self._preflight.answered.connect(self._on_answered)
        self._preflight.failed.connect(self._on_preflight_failed)
        self._preflight.busyChanged.connect(self._on_busy)
        self.form = TrainingSettings()
        self.form.add_stream_button(
            push_button(
                "Change it in Harvest", lambda: session.show_workspace("harvest"), flat=True
            )
        )
        self._summary = label("", "small", wrap=True)
        self._needs = label("", "small", wrap=True)
        self.measure_button = push_button(
            "Measure",
            self.measure,
            icon="timer",
            tip="Runs a few real steps to estimate how long the training will take",
        )
        self.start_button = push_button(
            _START,
            self.startRequested.emit,
            icon="play",
            primary=True,
            tip="Ctrl+Shift+T",
        )
        foot = QVBoxLayout()
        foot.setContentsMargins(16, 8, 16, 12)
        foot.setSpacing(8)
        foot.addWidget(EngineOffer(session, "The engine, which does the training, is not running."))
        foot.addWidget(self._summary)
        foot.addWidget(self._needs)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.start_button, 1)
        row.addWidget(self.measure_button)
        foot.addLayout(row)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.form, 1)
        column.addLayout(foot)
        self.form.changed.connect(self.refresh)
        session.writableChanged.connect(self.refresh)
        session.harvestDrafted.connect(self._on_harvest_drafted)

    def config(self) -> TrainConfig:
        """Return what the settings say."""
        project = self._session.project
        return self.form.config(str(project.path) if project else "")

    def keep_draft(self, owner: QObject) -> None:
        """Keep what is set with the project: an interrupted training is then resumed from here."""
        self._session.place.add(owner, self._kept, self._give, part="draft")

    def _kept(self) -> dict[str, Any]:
        return {"config": msgspec.to_builtins(self.config()), "named": self.form.is_named}

    def _give(self, kept: dict[str, Any]) -> None:
        config = msgspec.convert(brought_up(kept["config"]), TrainConfig)
        if _unnamed(config) != _unnamed(self.config()) or kept["named"]:
            self.form.fill(config)
            if not kept["named"]:
                self.form.forget_name()
        self.refresh()

    def copy_settings(self, config: TrainConfig) -> None:
        """Fill the form with the settings of a run, under a new name."""
        project = self._session.project
        taken = [item.name for item in self._session.inventory.dictionaries]
        self.form.fill(copied(config, str(project.path) if project else "", taken))
        self._session.notify(f"These are the settings of “{config.name}”.")
        self.refresh()

    def show_architectures(self, infos: Sequence[ArchitectureInfo]) -> None:
        """Offer the architectures there are."""
        self.form.show_architectures(infos)
        self.refresh()

    def show_live(self, live: bool) -> None:
        """Say whether a training runs now."""
        self._is_live = live
        self.refresh()

    def _on_harvest_drafted(self) -> None:
        self.form.show_stream(self._session.harvest_draft)
        self.refresh()

    def show_contents(self) -> None:
        """Offer what the project holds now."""
        self.form.show_stores(self._session.inventory.stores, self._session.store)
        self.refresh()

    def refresh(self, _value: object = None) -> None:
        """Look again at what the settings amount to, and at what keeps them from starting."""
        inventory = self._session.inventory
        config = self.config()
        taken = [item.name for item in inventory.dictionaries]
        written = self._session.written
        idle = [i for i in inventory.dictionaries if ("dictionary", i.name) not in written]
        self.form.suggest_name(default_name(config, taken, idle))
        config = self.config()
        same = next((item for item in idle if item.name == config.name), None)
        goes_on = same is not None and resumes(config, same)
        self.start_button.setText("Resume the training" if goes_on else _START)
        found = self._problems(config)
        # An empty project is no mistake: the middle says what to do.
        self.form.show_problems(found if inventory.stores or config.stream else {})
        reason = self._reason(found)
        self._ask(config, answerable=not found and not reason)
        reason = reason or self._too_much(config)
        self.start_button.setEnabled(not reason)
        self.start_button.setToolTip(plain_tip(reason or "Ctrl+Shift+T"))
        store = next((s for s in inventory.stores if s.name == config.activations), None)
        self._summary.setText(reason or summary(config, store))
        set_property(self._summary, "role", "warning" if reason else "small")
        self._show_needs(config, shown=not reason)
        self.changed.emit()

    # ------------------------------------------------------------------ what it needs
    def _ask(self, config: TrainConfig, *, answerable: bool) -> None:
        """Ask what the settings need, unless that was asked; a name needs nothing."""
        asked = _unnamed(config)
        if asked == self._asked or not self.isVisible():
            return
        self._asked = None
        # Of a stream the engine would harvest first: that is left to the button.
        if answerable and config.stream is None and self._session.client.state == "ready":
            self._asked = asked
            self._preflight.ask(PreflightConfig(train=config, measure=False))
        else:
            self._preflight.forget()

    def measure(self) -> None:
        """Take a few steps, to tell the time."""
        config = self.config()
        if not self.blocked():
            self._asked = _unnamed(config)
            self._needs.setText("Taking a few steps…")
            self._preflight.ask(PreflightConfig(train=config, measure=True))

    def _too_much(self, config: TrainConfig) -> str:
        if self._found is None or self._answered != _unnamed(config):
            return ""
        return preflight_problem(self._found)

    def _show_needs(self, config: TrainConfig, *, shown: bool) -> None:
        found = self._found if self._asked is not None else None
        busy = self._preflight.busy
        self._needs.setText(preflight_text(found) if found else self._failure)
        self._needs.setToolTip(plain_tip(preflight_details(found) if found else ""))
        self._needs.setVisible(shown and bool(self._needs.text()))
        # Greyed while it is the answer to what was set before.
        self._needs.setEnabled(found is None or self._answered == _unnamed(config))
        askable = found is not None or config.stream is not None
        self.measure_button.setEnabled(shown and askable and not busy)

    def _on_answered(self, found: PreflightResult) -> None:
        self._found, self._failure, self._answered = found, "", self._asked
        self.refresh()

    def _on_preflight_failed(self, error: ErrorInfo) -> None:
        self._found, self._failure = None, f"{error.what} {error.next_step}".strip()
        self.refresh()

    def _on_busy(self, busy: bool) -> None:
        if busy:
            self.measure_button.setEnabled(False)
        else:
            self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def blocked(self) -> str:
        """Return why the training cannot start; empty when it can."""
        config = self.config()
        return self._reason(self._problems(config)) or self._too_much(config)

    def sweep_blocked(self) -> str:
        """Return why no sweep around these settings can start; its runs have their own names."""
        found = self._problems(self.config())
        # The sweep looks at what its own lists come to.
        return self._reason({f: why for f, why in found.items() if f not in ("name", *AXES)})

    def _problems(self, config: TrainConfig) -> dict[str, str]:
        inventory, used = self._session.inventory, self.form.architecture.settings
        found = problems(config, inventory.stores, inventory.dictionaries, used)
        return {**self.form.unreadable(), **found}

    def _reason(self, found: dict[str, str]) -> str:
        if self._session.project is None:
            return "Open or create a project first."
        if self._session.client.state in ("crashed", "stopped"):
            return "The engine is not running: restart it."
        if self._session.read_only:
            return "The project is read-only: training needs to write to it."
        if self._is_live:
            return "A training is running."
        return next(iter(found.values()), "")


def _unnamed(config: TrainConfig) -> TrainConfig:
    return msgspec.structs.replace(config, name="")
