"""The dock of a training's settings: the form, what it amounts to, and Start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.parts.copy_code import copy_code_button
from sae_desktop.gui.parts.engine_offer import EngineOffer
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.train.set_draft import set_target
from sae_desktop.gui.train.site_offers import choose
from sae_desktop.gui.train.sizing_request import sizing_of
from sae_desktop.gui.train.training_draft import copied
from sae_desktop.gui.train.training_request import (
    Draft,
    Request,
    asked_at_once,
    give_request,
    kept_request,
    needs_of,
    question,
    request_of,
    show_request,
    streams,
    unnamed,
)
from sae_desktop.gui.train.training_settings import TrainingSettings
from sae_desktop.training.architecture_info import ArchitectureInfo
from sae_desktop.training.config import (
    TrainConfig,
)
from sae_desktop.training.planning.preflight_config import PreflightResult
from sae_desktop.training.set_config import SetEstimate
from sae_desktop.training.sweeps.sweep_config import AXES
from sae_desktop.words.preflight_text import preflight_details, preflight_problem, preflight_text
from sae_desktop.words.start_words import copied_text

PREFLIGHT_MS = 400
"""After so long without a change the engine is asked what the training needs."""


_START = "Start the training"


class TrainingSetup(QWidget):
    """Builds a TrainConfig or a TrainSetConfig; Start is blocked with the reason."""

    startRequested = Signal()
    changed = Signal()
    """The settings, or what they can be."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._is_live = False
        self._asked: Request | None = None
        """The settings last asked about."""
        self._answered: Request | None = None
        self._found: PreflightResult | SetEstimate | None = None
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
        self.size_button = push_button(
            "What will it take?…",
            self.show_size,
            icon="gauge",
            flat=True,
            tip="Memory, disk, time and cards of the harvest, this training and its index, here or "
            "on another card",
        )
        foot = QVBoxLayout()
        foot.setContentsMargins(16, 8, 16, 12)
        foot.setSpacing(8)
        foot.addWidget(EngineOffer(session, "The engine, which does the training, is not running."))
        foot.addWidget(self._summary)
        foot.addWidget(self._needs)
        foot.addWidget(self.size_button, 0, Qt.AlignmentFlag.AlignLeft)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.start_button, 1)
        row.addWidget(self.measure_button)
        row.addWidget(copy_code_button(session, self._whole))
        foot.addLayout(row)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.form, 1)
        column.addLayout(foot)
        self.form.changed.connect(self.refresh)
        session.writableChanged.connect(self.refresh)
        session.harvestDrafted.connect(self._on_harvest_drafted)
        session.changeRequested.connect(self._on_asked)

    def config(self) -> TrainConfig:
        """Return what the settings say of one dictionary; of a set, of each in it."""
        return self.form.config(self._path)

    def _whole(self) -> Request | None:
        """Return what is to be trained; None while a setting is wrong."""
        return None if self._draft().problems(self.form) else self.request()

    def request(self) -> Request:
        """Return what is to be trained."""
        return request_of(self.form, self._path)

    @property
    def _path(self) -> str:
        project = self._session.project
        return str(project.path) if project else ""

    def want_set(self) -> None:
        """Set the form to a set of transcoders, unless it is set to one."""
        if self.form.set_kind is None:
            choose(self.form.fields["target"], set_target("transcoders"))
            self.form.stream_where_unfit()

    def _on_asked(self, action: str, name: str) -> None:
        if action == "further":
            self.start_from(name)

    def start_from(self, name: str) -> None:
        """Set the form to a training that starts from a dictionary."""
        self.form.starts.show(self._session.inventory)
        choose(self.form.fields["start_from"], name)
        if self.form.starts.name == name:
            self.form.forget_name()
            self.form.take_over_start()
            self._session.notify(f"The next training starts from “{name}”.")

    def keep_draft(self, owner: QObject) -> None:
        """Keep what is set with the project: an interrupted training is then resumed from here."""
        self._session.place.add(owner, self._kept, self._give, part="draft")

    def _kept(self) -> dict[str, Any]:
        return kept_request(self.request(), self.form)

    def _give(self, kept: dict[str, Any]) -> None:
        give_request(self.form, kept)
        self.refresh()

    def copy_settings(self, config: Request) -> None:
        """Fill the form with the settings of a run or set, under a new name."""
        inventory = self._session.inventory
        of_one = isinstance(config, TrainConfig)
        taken = [item.name for item in (inventory.dictionaries if of_one else inventory.sets)]
        show_request(self.form, copied(config, self._path, taken))
        started = config.start_from if isinstance(config, TrainConfig) else ""
        gone = "" if self.form.starts.name else started
        self._session.notify(copied_text(config.name, gone))
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
        self.form.starts.show(self._session.inventory)
        self.form.show_stores(self._session.inventory.stores, self._session.store)
        self.refresh()

    def refresh(self, _value: object = None) -> None:
        """Look again at what the settings amount to, and at what keeps them from starting."""
        self.form.suggest_name(self._draft().name())
        draft = self._draft()
        request = draft.request
        self.start_button.setText("Resume the training" if draft.resumes() else _START)
        found = draft.problems(self.form)
        # An empty project is no mistake: the middle says what to do.
        shown = bool(self._session.inventory.stores) or streams(request)
        self.form.show_problems(found if shown else {})
        reason = self._reason(found)
        self._ask(request, answerable=not found and not reason)
        reason = reason or self._too_much(request)
        self.start_button.setEnabled(not reason)
        self.start_button.setToolTip(plain_tip(reason or "Ctrl+Shift+T"))
        answered = self._found if self._answered == unnamed(request) else None
        self._summary.setText(reason or draft.summary(answered))
        set_property(self._summary, "role", "warning" if reason else "small")
        self._show_needs(request, shown=not reason)
        self.changed.emit()

    def _draft(self) -> Draft:
        return Draft(self.request(), self._session.inventory, self._session.written)

    # ------------------------------------------------------------------ what it needs
    def _ask(self, request: Request, *, answerable: bool) -> None:
        """Ask what the settings need, unless that was asked; a name needs nothing."""
        asked = unnamed(request)
        if asked == self._asked or not self.isVisible():
            return
        self._asked = None
        # Of a stream the engine would harvest first: that is left to the button.
        ready = self._session.client.state == "ready"
        if answerable and asked_at_once(request) and ready:
            self._asked = asked
            self._preflight.ask(question(request, measure=False))
        else:
            self._preflight.forget()

    def measure(self) -> None:
        """Take a few steps, to tell the time."""
        request = self.request()
        if not self.blocked():
            self._asked = unnamed(request)
            self._needs.setText("Taking a few steps…")
            self._preflight.ask(question(request, measure=True))

    def show_size(self) -> None:
        """Open the sizing with what is set."""
        from sae_desktop.gui.forms.sizing_dialog import SizingDialog

        train = self.config()
        stores = self._session.inventory.stores
        store = next((one for one in stores if one.name == train.activations), None)
        SizingDialog(self._session, sizing_of(train, store), self.window()).present()

    def _too_much(self, request: Request) -> str:
        if self._found is None or self._answered != unnamed(request):
            return ""
        return preflight_problem(needs_of(self._found))

    def _show_needs(self, request: Request, *, shown: bool) -> None:
        found = needs_of(self._found) if self._found and self._asked is not None else None
        busy = self._preflight.busy
        self._needs.setText(preflight_text(found) if found else self._failure)
        self._needs.setToolTip(plain_tip(preflight_details(found) if found else ""))
        self._needs.setVisible(shown and bool(self._needs.text()))
        # Greyed while it is the answer to what was set before.
        self._needs.setEnabled(found is None or self._answered == unnamed(request))
        askable = found is not None or streams(request)
        self.measure_button.setEnabled(shown and askable and not busy)

    def _on_answered(self, found: PreflightResult | SetEstimate) -> None:
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
        draft = self._draft()
        return self._reason(draft.problems(self.form)) or self._too_much(draft.request)

    def sweep_blocked(self) -> str:
        """Return why no sweep around these settings can start; its runs have their own names."""
        if self.form.set_kind is not None:
            return "A sweep is over single dictionaries: choose another target in the settings."
        found = self._draft().problems(self.form)
        # The sweep looks at what its own lists come to.
        return self._reason({f: why for f, why in found.items() if f not in ("name", *AXES)})

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
