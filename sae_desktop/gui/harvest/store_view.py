"""What a store holds, while a harvest fills it and after: throughput, norms, tokens."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.activations.config import HarvestConfig, SiteFigures, StoreDescription
from sae_desktop.client.job import Job
from sae_desktop.engine.protocol import ErrorInfo, JobMetrics
from sae_desktop.gui.harvest.norm_histogram import NormHistogram
from sae_desktop.gui.harvest.store_watch import StoreWatch
from sae_desktop.gui.harvest.throughput_plot import ThroughputPlot
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.empty_state import EmptyState
from sae_desktop.gui.parts.labelled_bars import Bar, LabelledBars
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.store_actions import can_extend, can_verify, extend_store, verify_store
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.language_names import language_name
from sae_desktop.words.site_words import site_text
from sae_desktop.words.store_text import (
    no_tokens_text,
    origin_text,
    outlier_rows,
    share_rows,
    storage_text,
    store_summary,
)

_PLOT_HEIGHT = 192
_TOOL_TIP = Qt.ItemDataRole.ToolTipRole


class StoreView(QStackedWidget):
    """One store at a time: the one being filled, or one chosen from the project."""

    setUpWanted = Signal()
    """Nothing is there to be shown: a harvest is to be set up."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._job: Job | None = None
        self._curve_of = ""
        self._state: tuple[int, int] | None = None
        """What `_stored` said when the store was asked about last."""
        self.description: StoreDescription | None = None
        self.watch = StoreWatch(session, self)
        self.watch.described.connect(self._on_described)
        self.watch.failed.connect(self._on_failed)
        self.store = ElidedComboBox(24)
        self.store.setAccessibleName("Store")
        self.site = ElidedComboBox(28)
        self.site.setAccessibleName("Site to show rows for")
        self._summary = ElidedLabel(chars=20)
        self._summary.setProperty("role", "figure")
        self._origin = ElidedLabel(chars=20)
        self._origin.setProperty("role", "small")
        self.throughput = ThroughputPlot()
        self._no_curve = QWidget()
        self._no_curve_text = label("", "muted", wrap=True)
        quiet = QVBoxLayout(self._no_curve)
        quiet.setContentsMargins(0, 0, 0, 0)
        quiet.setSpacing(4)
        quiet.addWidget(label("Throughput", "heading"))
        quiet.addWidget(self._no_curve_text)
        quiet.addStretch(1)
        self.norms = NormHistogram()
        self._storage = label("", "small", wrap=True)
        self.outliers = LabelledBars("Outlier dimensions, by their share of the variance")
        self.tokens = LabelledBars("Most frequent tokens")
        self.lengths = LabelledBars("Windows by number of rows")
        self._tags_title = label("", "heading")
        self.languages = LabelledBars("Rows by language or source")
        self._empty = EmptyState(
            "No store yet. A harvest’s rows appear here while it runs and afterwards.",
            "Set up a harvest",
            self.setUpWanted.emit,
        )
        self.addWidget(self._empty)
        self.addWidget(self._page())
        self.store.activated.connect(self._on_chosen)
        self.site.currentIndexChanged.connect(self._show_site)
        session.contentsChanged.connect(self._on_contents_changed)
        session.projectChanged.connect(self._on_project_changed)
        session.writableChanged.connect(self._show_buttons)
        session.client.jobAdded.connect(self._on_job_added)
        session.client.stateChanged.connect(self._on_client_state)
        self._on_contents_changed()
        for job in session.client.jobs:  # begun before somebody looked here
            if not job.ended:
                self._on_job_added(job)

    # ------------------------------------------------------------------ building
    def _page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(self._head())
        column.addWidget(self._summary)
        column.addWidget(self._origin)
        inside = QWidget()
        grid = QGridLayout(inside)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(12)
        cards = [
            self._card("", [self.throughput, self._no_curve]),
            self._card("Norms", [self.norms]),
            self._card("Outlier dimensions", [self.outliers, self._storage]),
            self._card("Most frequent tokens", [self.tokens]),
            self._card("Windows by number of rows", [self.lengths]),
            self._card("", [self._tags_title, self.languages]),
        ]
        for number, card in enumerate(cards):
            grid.addWidget(card, number // 3, number % 3)
        for number in range(3):
            grid.setColumnStretch(number, 1)
        grid.setRowStretch(0, 3)
        grid.setRowStretch(1, 2)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidget(inside)
        area.setAccessibleName("What the store holds")
        column.addWidget(area, 1)
        return page

    def _head(self) -> QHBoxLayout:
        self.extend_button = push_button("Harvest more", self.extend, icon="plus")
        self.verify_button = push_button("Verify", self.verify, icon="shield-check")
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(label("Store", "muted"))
        row.addWidget(self.store)
        row.addWidget(self.verify_button)
        row.addWidget(self.extend_button)
        row.addStretch(1)
        row.addWidget(label("Site", "muted"))
        row.addWidget(self.site)
        return row

    def _card(self, heading: str, widgets: Sequence[QWidget]) -> QFrame:
        frame = QFrame()
        frame.setProperty("card", "true")
        frame.setMinimumHeight(_PLOT_HEIGHT)
        column = QVBoxLayout(frame)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(4)
        if heading:
            column.addWidget(label(heading, "heading"))
        for widget in widgets:
            held = _scrolled(widget) if isinstance(widget, LabelledBars) else widget
            column.addWidget(held, 0 if widget in (self._storage, self._tags_title) else 1)
        return frame

    # ------------------------------------------------------------------ which store
    @property
    def name(self) -> str:
        """The store that is shown; empty while there is none."""
        return str(self.store.currentData() or "")

    def _names(self) -> list[str]:
        names = [store.name for store in self._session.inventory.stores]
        running = self._running()
        return names if not running or running in names else [running, *names]

    def _running(self) -> str:
        """Return the name of the store a harvest is filling; empty while there is none."""
        job = self._job
        if job is None or job.ended or not isinstance(job.config, HarvestConfig):
            return ""
        return job.config.name

    def _on_project_changed(self) -> None:
        self._job = None
        self._curve_of = ""
        self.store.clear()
        self._on_contents_changed()

    def _on_contents_changed(self) -> None:
        """Offer the project's stores; the one that is shown stays, and is read again if it grew."""
        kept = self.name
        self._offer_stores()
        # One that is being filled is asked about at its own pace.
        grown = self._stored() != self._state and self.name != self._running()
        if self.name != kept or grown:
            self._watch()
        self._show_buttons()

    def _stored(self) -> tuple[int, int] | None:
        """Return rows and bytes of the shown store as the project lists it."""
        stores = self._session.inventory.stores
        return next(((s.rows, s.bytes) for s in stores if s.name == self.name), None)

    def _offer_stores(self) -> None:
        names, kept = self._names(), self.name
        wanted = kept if kept in names else self._session.store
        if [self.store.itemData(n) for n in range(self.store.count())] != names:
            self.store.clear()
            for name in names:
                self.store.addItem(name, name)
                self.store.setItemData(self.store.count() - 1, plain_tip(name), _TOOL_TIP)
        self.setCurrentIndex(1 if names else 0)
        if wanted in names:
            self.store.setCurrentIndex(names.index(wanted))

    def show_store(self, name: str) -> None:
        """Show a store of the project."""
        place = self.store.findData(name)
        if place >= 0:
            self.store.setCurrentIndex(place)
            self._watch()

    def _on_chosen(self, _index: int) -> None:
        self._session.select_store(self.name)
        self._watch()

    def _watch(self) -> None:
        if self.description is not None and self.description.name != self.name:
            self._show(None)
        self._show_curve()
        self._state = self._stored()
        if self.isVisible():
            self.watch.watch(self.name, follow=bool(self.name) and self.name == self._running())
        self._show_buttons()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._watch()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.watch.stop()

    # ------------------------------------------------------------------ a running harvest
    def _on_job_added(self, job: Job) -> None:
        config = job.config
        if not isinstance(config, HarvestConfig) or job is self._job:
            return
        self._job = job
        self._curve_of = config.name
        self.throughput.begin(config.name, config.tokens)
        job.metricLogged.connect(lambda message: self._on_points(job, message))
        job.stateChanged.connect(self._on_job_state)
        self._offer_stores()
        self.show_store(config.name)

    def _on_client_state(self, _state: object) -> None:
        self._watch()  # once the engine is back it can be asked again

    def _on_points(self, job: Job, message: JobMetrics) -> None:
        if job is self._job:
            self.throughput.take_points(message.steps, message.values)
            self._show_curve()

    def _on_job_state(self, _state: object) -> None:
        if self._job is not None and self._job.ended:
            self._offer_stores()
            self._watch()

    def _show_curve(self) -> None:
        drawn = self._curve_of == self.name and self.throughput.points > 0
        self.throughput.setVisible(drawn)
        self._no_curve.setVisible(not drawn)
        waiting = bool(self.name) and self.name == self._running()
        self._no_curve_text.setText(
            "Drawn once the first batches arrive." if waiting else "Drawn while a harvest runs."
        )

    # ------------------------------------------------------------------ what it holds
    def _on_described(self, description: StoreDescription) -> None:
        if description.name == self.name:
            self._show(description)

    def _on_failed(self, error: ErrorInfo) -> None:
        self._show(None)
        self._summary.setText(error.what)
        self._origin.setText(error.next_step)
        set_property(self._summary, "role", "error")

    def _show(self, description: StoreDescription | None) -> None:
        self.description = description
        set_property(self._summary, "role", "figure")
        self._summary.setText(store_summary(description) if description else "")
        self._origin.setText(origin_text(description) if description else "")
        self._offer_sites(description.sites if description else [])
        rows = description.rows if description else 0
        tokens = share_rows(description.tokens if description else [], rows)
        most = max((share for _, share, _ in tokens), default=1.0) or 1.0
        self.tokens.set_bars(
            [Bar(visible_token(name), share / most, figure) for name, share, figure in tokens],
            self._quiet(no_tokens_text(description)),
        )
        lengths = description.window_lengths if description else []
        self._fill(self.lengths, share_rows(lengths, sum(share.rows for share in lengths)))
        self._show_tags(description, rows)
        self._show_site()

    def _fill(self, bars: LabelledBars, rows: Sequence[tuple[str, float, str]]) -> None:
        known = [Bar(name or "not known", share, figure) for name, share, figure in rows]
        bars.set_bars(known, self._quiet("Not known."))

    def _quiet(self, text: str) -> str:
        """Return what stands where there are no bars."""
        if self.description is None:
            return ""
        return text if self.description.rows else "Appears with the first rows."

    def _show_tags(self, description: StoreDescription | None, rows: int) -> None:
        """Show the languages; of a corpus that names none, the sources."""
        languages = description.languages if description else []
        sources = description.sources if description else []
        named = sources and not any(share.name for share in languages)
        self._tags_title.setText("Rows by source" if named else "Rows by language")
        told = (
            sources
            if named
            else [
                msgspec.structs.replace(share, name=language_name(share.name))
                for share in languages
            ]
        )
        self._fill(self.languages, share_rows(told, rows))

    def _offer_sites(self, sites: Sequence[SiteFigures]) -> None:
        names = [figures.site for figures in sites]
        if names == [self.site.itemData(n) for n in range(self.site.count())]:
            return
        kept = self.site.currentData()
        with QSignalBlocker(self.site):
            self.site.clear()
            for name in names:
                self.site.addItem(site_text(name), name)
                self.site.setItemData(self.site.count() - 1, plain_tip(name), _TOOL_TIP)
            if kept in names:
                self.site.setCurrentIndex(names.index(kept))

    def _show_site(self, _index: int = 0) -> None:
        sites = self.description.sites if self.description else []
        figures = next((f for f in sites if f.site == self.site.currentData()), None)
        self.norms.show_site(figures)
        outliers = outlier_rows(figures.outliers if figures else [])
        most = max((share for _, share, _ in outliers), default=1.0) or 1.0
        self.outliers.set_bars(
            [Bar(name, share / most, figure) for name, share, figure in outliers],
            self._quiet("No dimension stands out." if figures else "Not known."),
        )
        self._storage.setText(storage_text(figures) if figures else "")

    # ------------------------------------------------------------------ doing
    def _show_buttons(self) -> None:
        self.verify_button.setEnabled(can_verify(self._session, self.name))
        self.extend_button.setEnabled(can_extend(self._session, self.name))

    def verify(self) -> None:
        """Have the shown store's rows compared with their checksums."""
        verify_store(self._session, self.name)

    def extend(self) -> None:
        """Fill the panel with the shown store's own harvest, and more tokens."""
        extend_store(self._session, self.name)


def _scrolled(widget: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidget(widget)
    area.setAccessibleName(widget.accessibleName())
    area.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return area
