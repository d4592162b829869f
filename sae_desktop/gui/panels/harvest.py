"""The Harvest panel: model → site → text, an estimate, and Start."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.activations.config import (
    EstimateHarvestConfig,
    HarvestConfig,
    HarvestEstimate,
    HarvestResult,
)
from sae_desktop.client.job import Job
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.actions import ActionInfo
from sae_desktop.gui.amounts import exact_count
from sae_desktop.gui.harvest_draft import (
    default_name,
    estimate_text,
    further_sites_text,
    problems,
    room_problem,
    site_text,
)
from sae_desktop.gui.job_list import JobRow
from sae_desktop.gui.panels.corpus_column import CorpusColumn
from sae_desktop.gui.panels.harvest_amount import HarvestAmount
from sae_desktop.gui.panels.model_column import ModelColumn
from sae_desktop.gui.session import Session
from sae_desktop.gui.widgets.curve_bar import CheckMenu, menu_button
from sae_desktop.gui.widgets.labels import label, push_button, set_property
from sae_desktop.gui.widgets.site_picker import SitePicker
from sae_desktop.language_model.config import ModelDescription

ESTIMATE_MS = 600


class HarvestPanel(QWidget):
    """Builds a HarvestConfig and runs it."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._asked = False
        self._estimating: Job | None = None
        self._job: Job | None = None
        self.setAccessibleName("Harvest")
        self.model = ModelColumn(session)
        self.corpus = CorpusColumn(session)
        self.amount = HarvestAmount()
        columns = QHBoxLayout()
        columns.setSpacing(12)
        columns.addWidget(self._scrolled(self.model), 3)
        columns.addWidget(self._site_column(), 3)
        columns.addWidget(self.corpus, 4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addLayout(columns, 1)
        layout.addWidget(self._foot())
        self.setFocusProxy(self.sites)
        self._estimate_timer = QTimer(self, singleShot=True, interval=ESTIMATE_MS)
        self._estimate_timer.timeout.connect(self._ask_estimate)
        self.model.described.connect(self._on_described)
        self.corpus.changed.connect(self._on_changed)
        self.amount.changed.connect(self._on_changed)
        session.harvestRequested.connect(self.fill)
        for signal in (session.projectChanged, session.contentsChanged, session.writableChanged):
            signal.connect(self._on_changed)
        session.client.jobAdded.connect(self._on_job_added)
        session.client.stateChanged.connect(self._on_changed)
        self._on_changed()

    def action_infos(self) -> list[ActionInfo]:
        return [
            ActionInfo(
                "harvest.start",
                "Start the harvest",
                "play",
                "Ctrl+Shift+H",
                self.start,
                lambda: self.start_button.isEnabled(),
            ),
            ActionInfo(
                "harvest.get_model",
                "Get SmolLM2-135M-Instruct",
                "download-simple",
                "",
                self._get_smollm2,
            ),
        ]

    # ------------------------------------------------------------------ building
    def _scrolled(self, widget: QWidget) -> QScrollArea:
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(widget)
        return area

    def _site_column(self) -> QFrame:
        frame = QFrame()
        frame.setProperty("card", "true")
        self.sites = SitePicker()
        self.sites.sitePicked.connect(self._on_site_drawn)
        self._site_area = self._scrolled(self.sites)
        self.site_box = QComboBox()
        self.site_box.setAccessibleName("Site by name")
        self.site_box.currentTextChanged.connect(self._on_site_named)
        self._site_text = label("", "muted", wrap=True)
        self._further_menu = CheckMenu(self)
        self.further_button = menu_button(further_sites_text(0), "plus", self._further_menu)
        self.further_button.setToolTip(
            "Sites read in the same pass, for transcoders and crosscoders"
        )
        column = QVBoxLayout(frame)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        column.addWidget(label("2  Site", "heading"))
        column.addWidget(self._site_area, 1)
        column.addWidget(self.site_box)
        column.addWidget(self._site_text)
        column.addWidget(self.further_button, 0, Qt.AlignmentFlag.AlignLeft)
        return frame

    def _foot(self) -> QFrame:
        frame = QFrame()
        frame.setProperty("card", "true")
        self._estimate = label("", "muted", wrap=True)
        self.start_button = push_button(
            "Start the harvest", self.start, icon="play", primary=True, tip="Ctrl+Shift+H"
        )
        self.train_button = push_button("Train on it", self._train, icon="chart-line-up")
        self.train_button.hide()
        self._job_place = QVBoxLayout()
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self._estimate, 1)
        row.addWidget(self.train_button)
        row.addWidget(self.start_button)
        column = QVBoxLayout(frame)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        column.addWidget(self.amount)
        column.addLayout(row)
        column.addLayout(self._job_place)
        return frame

    # ------------------------------------------------------------------ the draft
    def config(self) -> HarvestConfig:
        """Return what the panel is set to."""
        project = self._session.project
        return self.amount.applied(
            HarvestConfig(
                project=str(project.path) if project else "",
                name="",
                model=self.model.model,
                site=self.sites.site,
                sites=self.further_sites(),
                corpus=self.corpus.corpus,
            )
        )

    def fill(self, fields: dict[str, object]) -> None:
        """Put values of HarvestConfig's fields into the panel."""
        if "model" in fields:
            self.model.choice.set_value(str(fields["model"]))
        if "corpus" in fields:
            self.corpus.choice.set_value(str(fields["corpus"]))
        if "tokens" in fields:
            self.amount.tokens.setValue(int(str(fields["tokens"])))
        if "site" in fields:
            self.sites.pick(str(fields["site"]))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._asked:  # the engine describes a model only when somebody looks
            self._asked = True
            self.model.ask()

    def _on_described(self, description: ModelDescription | None) -> None:
        sites = description.sites if description else []
        keep = self.sites.site if self.sites.site in sites else ""
        site = keep or (description.default_site if description else "")
        self.site_box.blockSignals(True)
        self.site_box.clear()
        self.site_box.addItems(sites)
        self.site_box.setCurrentText(site)
        self.site_box.blockSignals(False)
        self.sites.show_sites(sites, site)
        self._offer_further(sites)
        self._show_site()
        self.corpus.set_model(self.model.model if description and description.cached else "")
        self._on_changed()

    def further_sites(self) -> tuple[str, ...]:
        """Return the sites kept beside the chosen one."""
        checked = [a.text() for a in self._further_menu.actions() if a.isChecked()]
        return tuple(site for site in checked if site != self.sites.site)

    def _offer_further(self, sites: list[str]) -> None:
        kept = self.further_sites()
        self._further_menu.clear()
        for site in sites:
            action = self._further_menu.addAction(site)
            action.setCheckable(True)
            action.setChecked(site in kept)
            action.toggled.connect(self._on_further)

    def _on_further(self, _on: bool) -> None:
        self._show_site()
        self._on_changed()

    def _on_site_drawn(self, site: str) -> None:
        self.site_box.setCurrentText(site)
        self._show_site()
        self._on_changed()

    def _on_site_named(self, site: str) -> None:
        self.sites.pick(site)

    def _show_site(self) -> None:
        self._site_text.setText(site_text(self.sites.site) if self.sites.site else "")
        for action in self._further_menu.actions():
            action.setEnabled(action.text() != self.sites.site)
        self.further_button.setText(further_sites_text(len(self.further_sites())))
        rect = self.sites.picked_rect()
        self._site_area.ensureVisible(rect.center().x(), rect.center().y(), 0, rect.height() // 2)

    def _on_changed(self, _value: object = None) -> None:
        stores = self._session.inventory.stores
        self.amount.suggest_name(default_name(self.config(), [s.name for s in stores]))
        if self.model.description is not None:
            self._session.draft_harvest(self.config())
        found = self._problems()
        self.amount.show_problems(found)
        set_property(self.site_box, "invalid", "true" if "site" in found else "false")
        reason = self._blocked(found)
        self.start_button.setEnabled(not reason)
        self.start_button.setToolTip(reason or "Ctrl+Shift+H")
        busy = self._job is not None and not self._job.ended
        if reason:
            self._estimate.setText(reason)
        elif not busy:
            self._estimate_timer.start()

    def _problems(self) -> dict[str, str]:
        return problems(self.config(), self.model.description, self._session.inventory.stores)

    def _blocked(self, found: dict[str, str]) -> str:
        if self._session.project is None:
            return "Open or make a project first."
        if self._session.client.state in ("crashed", "stopped"):
            return "The engine is not running: restart it."
        if self._session.read_only:
            return "The project is read-only: a harvest needs one that can be written."
        if self._job is not None and not self._job.ended:
            return "A harvest is running."
        if self.model.description is None:
            return "The model is not known yet."
        return next(iter(found.values()), "")

    # ------------------------------------------------------------------ the estimate
    def _ask_estimate(self) -> None:
        if self._estimating is not None and not self._estimating.ended:
            self._estimating.cancel()
        if self._blocked(self._problems()) or not self.isVisible():
            return
        config = self.config()
        self._estimate.setText("Timing a short run…")
        job = self._session.run(EstimateHarvestConfig(harvest=config))
        self._estimating = job
        if job is not None:
            job.finished.connect(lambda result: self._on_estimated(job, config, result))
            job.failed.connect(lambda error: self._on_estimate_failed(job, error))

    def _on_estimated(
        self, job: Job | None, config: HarvestConfig, estimate: HarvestEstimate
    ) -> None:
        if job is self._estimating:
            problem = room_problem(estimate)
            self._estimate.setText(problem or estimate_text(estimate, config.tokens))
            self.start_button.setEnabled(not problem)

    def _on_estimate_failed(self, job: Job | None, error: ErrorInfo) -> None:
        if job is self._estimating:
            self._estimate.setText(f"{error.what} {error.next_step}".strip())

    # ------------------------------------------------------------------ running
    def start(self) -> None:
        """Start the harvest as it is set."""
        if self._blocked(self._problems()):
            return
        self._estimate_timer.stop()
        if self._estimating is not None and not self._estimating.ended:
            self._estimating.cancel()
        self._session.run(self.config())

    def _on_job_added(self, job: Job) -> None:
        if not isinstance(job.config, HarvestConfig):
            return
        self._job = job
        self.train_button.hide()
        while self._job_place.count():
            item = self._job_place.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._job_place.addWidget(JobRow(job))
        job.finished.connect(self._on_finished)
        job.stateChanged.connect(self._on_changed)
        self._on_changed()

    def _on_finished(self, result: HarvestResult) -> None:
        self.amount.forget_name()
        self._on_changed()
        self._estimate_timer.stop()
        self._estimate.setText(
            f"“{result.name}” holds {exact_count(result.rows)} rows of {exact_count(result.width)}."
        )
        self._finished = result.name
        self.train_button.show()

    def _train(self) -> None:
        self._session.show_workspace("train")
        self._session.trainRequested.emit(self._finished)

    def _get_smollm2(self) -> None:
        self.model.choice.set_value("smollm2")
        self.model.get()
