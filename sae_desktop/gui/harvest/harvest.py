"""The Harvest panel: model → sites → text, an estimate, Start; and what a store holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QStackedWidget,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.activations.config import HarvestConfig, HarvestResult
from sae_desktop.client.job import Job
from sae_desktop.gui.harvest.corpus_column import CorpusColumn
from sae_desktop.gui.harvest.harvest_amount import HarvestAmount
from sae_desktop.gui.harvest.harvest_draft import default_name, problems, store_plan
from sae_desktop.gui.harvest.harvest_drops import HarvestDrops
from sae_desktop.gui.harvest.harvest_estimate import HarvestEstimateLine
from sae_desktop.gui.harvest.model_column import ModelColumn
from sae_desktop.gui.harvest.site_column import SiteColumn
from sae_desktop.gui.parts.actions import ActionInfo
from sae_desktop.gui.parts.copy_code import copy_code_button
from sae_desktop.gui.parts.engine_offer import EngineOffer
from sae_desktop.gui.parts.job_list import JobRow
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.number_fields import problems_of
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.store_actions import can_extend, can_verify, extend_store, verify_store
from sae_desktop.language_model.config import ModelDescription
from sae_desktop.words.amounts import exact_count

if TYPE_CHECKING:
    from sae_desktop.gui.harvest.store_view import StoreView

SET_UP, STORE = 0, 1
_WIDEST_CARD = 480
_SHOWN_AT_FIELDS = frozenset({"name", "tokens", "site", "context_size", "bos", "picture_tokens"})
"""Problems that are told where the field is."""
_START_TEXTS = {"resume": "Resume the harvest", "extend": "Add to the store"}


class HarvestPanel(HarvestDrops):
    """Builds a HarvestConfig and runs it; behind a second tab, the rows of a store."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.setObjectName("harvest")
        self._asked = False
        self._job: Job | None = None
        self._finished = ""
        self._store: StoreView | None = None
        self.setAccessibleName("Harvest")
        self.tabs = QTabBar()
        self.pages = QStackedWidget()
        self.model = ModelColumn(session)
        self.sites = SiteColumn()
        self.corpus = CorpusColumn(session)
        self.amount = HarvestAmount()
        self.estimate = HarvestEstimateLine(session)
        self._lay_out()
        self.setFocusProxy(self.model.choice)
        self.estimate.answered.connect(self._on_estimated)
        self.model.described.connect(self._on_described)
        for part in (self.sites, self.corpus, self.amount):
            part.changed.connect(self._on_changed)
        session.harvestRequested.connect(self.fill)
        session.storeRequested.connect(self._show_store)
        session.projectChanged.connect(self._on_project_changed)
        for signal in (session.contentsChanged, session.writableChanged):
            signal.connect(self._on_changed)
        session.client.jobAdded.connect(self._on_job_added)
        session.client.stateChanged.connect(self._on_changed)
        self.leave_drops_to_panel()
        self._on_changed()
        session.place.add(self, self._kept, self._give)
        for job in session.client.jobs:  # begun before somebody looked here
            if not job.ended:
                self._on_job_added(job)

    def action_infos(self) -> list[ActionInfo]:
        tabs, session = self.tabs, self._session
        return [
            ActionInfo(
                "harvest.start",
                "Start the harvest",
                self.start,
                icon="play",
                shortcut="Ctrl+Shift+H",
                enabled_when=lambda: self.start_button.isEnabled(),
            ),
            ActionInfo(
                "harvest.get_model",
                "Get SmolLM2-135M-Instruct",
                self._get_smollm2,
                icon="download-simple",
            ),
            ActionInfo(
                "harvest.set_up",
                "Set up a harvest",
                lambda: tabs.setCurrentIndex(SET_UP),
                icon="sliders-horizontal",
            ),
            ActionInfo(
                "harvest.show_store",
                "Show what the store holds",
                lambda: tabs.setCurrentIndex(STORE),
                icon="chart-bar",
            ),
            ActionInfo(
                "harvest.extend",
                "Harvest more into the store",
                lambda: extend_store(session, self._looked_at()),
                icon="plus",
                enabled_when=lambda: can_extend(session, self._looked_at()),
            ),
            ActionInfo(
                "harvest.verify",
                "Verify the store",
                lambda: verify_store(session, self._looked_at()),
                icon="shield-check",
                enabled_when=lambda: can_verify(session, self._looked_at()),
            ),
        ]

    # ------------------------------------------------------------------ building
    def _lay_out(self) -> None:
        self.tabs.setAccessibleName("Set up a harvest, or see what a store holds")
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(False)
        for text in ("Set up", "Store"):
            self.tabs.addTab(text)
        self.pages.addWidget(self._set_up_page())
        self.tabs.currentChanged.connect(self._on_tab)
        self.train_button = push_button("Train on this store", self._train, icon="chart-line-up")
        self.train_button.hide()
        self._job_strip = QWidget()
        self._job_place = QHBoxLayout(self._job_strip)
        self._job_place.setContentsMargins(0, 0, 0, 0)
        self._job_place.setSpacing(8)
        self._job_strip.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 8, 16, 16)
        layout.setSpacing(8)
        layout.addWidget(self.tabs)
        layout.addWidget(self.pages, 1)
        layout.addWidget(self._job_strip)

    def _set_up_page(self) -> QWidget:
        columns = QHBoxLayout()
        columns.setSpacing(12)
        model = _card("1  Model", self.model)
        for card in (model, self.sites):  # what is wider than that is better given to the text
            card.setMaximumWidth(_WIDEST_CARD)
        columns.addWidget(model, 3)
        columns.addWidget(self.sites, 3)
        columns.addWidget(_card("3  Text or pictures", self.corpus), 4)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addLayout(columns, 1)
        column.addWidget(self._foot())
        return page

    def _foot(self) -> QFrame:
        frame = QFrame()
        frame.setProperty("card", "true")
        self.start_button = push_button(
            "Start the harvest", self.start, icon="play", primary=True, tip="Ctrl+Shift+H"
        )
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self.estimate, 1)
        row.addWidget(
            EngineOffer(self._session, "The engine, which reads the model, is not running.")
        )
        row.addWidget(copy_code_button(self._session, self._whole))
        row.addWidget(self.start_button)
        column = QVBoxLayout(frame)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        column.addWidget(self.amount)
        column.addLayout(row)
        return frame

    @property
    def store(self) -> StoreView:
        """What a store holds; made when somebody first looks, as it brings the plots."""
        if self._store is None:
            from sae_desktop.gui.harvest.store_view import StoreView

            self._store = StoreView(self._session)
            self._store.setUpWanted.connect(lambda: self.tabs.setCurrentIndex(SET_UP))
            self.pages.addWidget(self._store)
        return self._store

    def _looked_at(self) -> str:
        """Return the store that is shown, or the one the window is about."""
        return self._store.name if self._store is not None else self._session.store

    def _on_tab(self, page: int) -> None:
        if page == STORE:
            self.pages.setCurrentWidget(self.store)
        else:
            self.pages.setCurrentIndex(SET_UP)
        self.setFocusProxy(self.model.choice if page == SET_UP else self.store.store)
        self._on_changed()

    # ------------------------------------------------------------------ the draft
    def _kept(self) -> dict[str, Any]:
        return {"config": msgspec.to_builtins(self.config()), "tab": self.tabs.currentIndex()}

    def _give(self, kept: dict[str, Any]) -> None:
        wanted, now = msgspec.convert(kept["config"], HarvestConfig), self.config()
        if msgspec.structs.replace(wanted, project=now.project, name=now.name) != now:
            fields = msgspec.structs.asdict(wanted)
            self.fill({name: fields[name] for name in fields.keys() - {"project", "name"}})
        if not self._is_busy():
            self.tabs.setCurrentIndex(STORE if kept["tab"] == STORE else SET_UP)

    def _whole(self) -> HarvestConfig | None:
        """Return what the panel is set to; None while something of it is missing or wrong."""
        known = self.model.description is not None
        return self.config() if known and not self._problems() else None

    def config(self) -> HarvestConfig:
        """Return what the panel is set to."""
        project = self._session.project
        values: dict[str, Any] = {
            "project": str(project.path) if project else "",
            "name": "",
            "model": self.model.model,
            "model_dtype": self.model.dtype,
            "device": self.model.place,
            "site": self.sites.site,
            "sites": self.sites.further,
            **self.corpus.values(),
        }
        return self.amount.applied(HarvestConfig(**values))

    def fill(self, fields: Mapping[str, Any]) -> None:
        """Put values of HarvestConfig's fields into the panel; the others stay."""
        self.tabs.setCurrentIndex(SET_UP)
        if "site" in fields:
            self.sites.want([fields["site"], *fields.get("sites", ())])
        if "model" in fields:
            self.model.fill(
                fields["model"],
                fields.get("model_dtype", self.model.dtype),
                fields.get("device", self.model.place),
            )
        self.amount.fill(fields)
        self.corpus.fill(fields)
        self._on_changed()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._asked:  # the engine describes a model only when somebody looks
            self._asked = True
            self.model.ask()
        else:
            self._on_changed()

    def _on_described(self, description: ModelDescription | None) -> None:
        self.sites.show_model(description)
        self.corpus.set_model(self.model.model, description)
        self._on_changed()

    def _on_changed(self, _value: object = None) -> None:
        stores = self._session.inventory.stores
        self.amount.suggest_name(default_name(self.config(), stores, self._session.written))
        config = self.config()
        if self.model.description is not None:
            self._session.draft_harvest(config)
        found = self._problems()
        self.amount.show_problems(found)
        self.corpus.show_problems(found)
        self.sites.show_problem(found.get("site", ""))
        # The room of one that has ended is needed where the next is set up.
        shown = self._is_busy() or self.tabs.currentIndex() == STORE
        self._job_strip.setVisible(self._job is not None and shown)
        reason = self._blocked(found)
        plan = store_plan(config, stores)
        self.start_button.setText(_START_TEXTS.get(plan.kind, "Start the harvest"))
        if reason:
            at_field = reason in {found.get(field) for field in _SHOWN_AT_FIELDS}
            text = "The fields marked in red must be fixed first." if at_field else reason
            self.estimate.say(text)
        elif self.isVisible() and self.tabs.currentIndex() == SET_UP:
            self.estimate.consider(config, plan)
        self._allow_start(reason or self.estimate.lacking)

    def _on_estimated(self) -> None:
        self._allow_start(self._blocked(self._problems()) or self.estimate.lacking)

    def _allow_start(self, reason: str) -> None:
        self.start_button.setEnabled(not reason)
        self.start_button.setToolTip(plain_tip(reason or "Ctrl+Shift+H"))

    def _problems(self) -> dict[str, str]:
        found = problems(self.config(), self.model.description, self._session.inventory.stores)
        found = self.corpus.lacking() | found
        unreadable = [*problems_of(self.amount), *problems_of(self.corpus)]
        return {"number": unreadable[0], **found} if unreadable else found

    def _blocked(self, found: Mapping[str, str]) -> str:
        if self._session.project is None:
            return "Open or create a project first."
        if self._session.client.state in ("crashed", "stopped"):
            return "The engine is not running: restart it."
        if self._session.read_only:
            return "The project is read-only: a harvest needs to write to it."
        if self._is_busy():
            return "A harvest is running."
        if self.model.description is None:
            return "The model is not known yet."
        return next(iter(found.values()), "")

    def _is_busy(self) -> bool:
        return self._job is not None and not self._job.ended

    # ------------------------------------------------------------------ running
    def start(self) -> None:
        """Start the harvest as it is set."""
        if not self._blocked(self._problems()):
            self.estimate.forget()
            self._session.run(self.config())

    def _on_job_added(self, job: Job) -> None:
        if not isinstance(job.config, HarvestConfig):
            return
        self._job = job
        self._show_job(job)
        self.tabs.setCurrentIndex(STORE)
        job.finished.connect(self._on_finished)
        job.stateChanged.connect(self._on_changed)
        self._on_changed()

    def _on_project_changed(self) -> None:
        if not self._is_busy():
            self._job = None
        self.amount.forget_name()
        self.estimate.forget()
        self._on_changed()

    def _show_job(self, job: Job) -> None:
        self._job_place.removeWidget(self.train_button)
        self.train_button.hide()
        while self._job_place.count():
            item = self._job_place.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._job_place.addWidget(JobRow(job, self._session), 1)
        self._job_place.addWidget(self.train_button, 0, Qt.AlignmentFlag.AlignVCenter)

    def _on_finished(self, result: HarvestResult) -> None:
        self.amount.forget_name()
        self._on_changed()
        rows, width = exact_count(result.rows), exact_count(result.width)
        self.estimate.say(f"“{result.name}” holds {rows} rows of {width}.")
        self._finished = result.name
        self.train_button.show()

    def _show_store(self, name: str) -> None:
        self.tabs.setCurrentIndex(STORE)
        self.store.show_store(name)

    def _train(self) -> None:
        self._session.show_workspace("train")
        self._session.trainRequested.emit(self._finished)

    def _get_smollm2(self) -> None:
        self.tabs.setCurrentIndex(SET_UP)
        self.model.choice.set_value("smollm2")
        self.model.get()


def _card(heading: str, widget: QWidget) -> QFrame:
    area = QScrollArea()
    area.setAccessibleName(heading)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(widget)
    frame = QFrame()
    frame.setProperty("card", "true")
    column = QVBoxLayout(frame)
    column.setContentsMargins(16, 12, 8, 12)
    column.setSpacing(8)
    column.addWidget(label(heading, "heading"))
    column.addWidget(area, 1)
    # The gap to the scroll bar, or to the edge where there is none.
    widget.setContentsMargins(0, 0, 8, 0)
    return frame
