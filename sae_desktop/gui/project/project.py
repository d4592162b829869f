"""The Project panel: what there is, and what to do next."""

from __future__ import annotations

import datetime
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.client.job import Job
from sae_desktop.demonstrations import demonstration_of
from sae_desktop.gui.forms.exchange_forms import (
    ImportDictionaryForm,
)
from sae_desktop.gui.parts.actions import ActionInfo
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.project.card_actions import CardActions
from sae_desktop.gui.project.card_grid import CardWidget, SectionColumns
from sae_desktop.gui.project.intake import Intake
from sae_desktop.gui.project.next_step import NextStep, next_step
from sae_desktop.gui.project.notes_copies import NotesCopiesDialog
from sae_desktop.gui.project.project_cards import Card, cards, writes
from sae_desktop.gui.project.welcome import Welcome
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.trash import Trash


class ProjectPanel(QStackedWidget):
    """A welcome without a project; with one, its cards."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._stale = True
        self._trash = Trash(session)
        self.card_actions = CardActions(session, self, self._trash, self.refresh)
        self.intake = Intake(session, self)
        self.setAcceptDrops(True)
        self.setAccessibleName("Project")
        self.welcome = Welcome(self._trigger)
        self.addWidget(self.welcome)
        self.addWidget(self._project_page())
        self.setFocusProxy(self.next_button)
        session.projectChanged.connect(self.refresh)
        session.contentsChanged.connect(self.refresh)
        session.writableChanged.connect(self.refresh)
        session.client.jobAdded.connect(self._on_job_added)
        self.refresh()

    def action_infos(self) -> list[ActionInfo]:
        open_ = lambda: self._session.project is not None  # noqa: E731
        return [
            ActionInfo(
                "project.next",
                "Do the next step",
                self.do_next_step,
                icon="arrow-circle-right",
                shortcut="Ctrl+Shift+Return",
                enabled_when=open_,
            ),
            ActionInfo(
                "project.import",
                "Import activations…",
                self.intake.choose_activations,
                icon="download-simple",
                shortcut="Ctrl+I",
                enabled_when=lambda: open_() and not self._session.read_only,
            ),
            ActionInfo(
                "project.import_dictionary",
                "Import a dictionary…",
                lambda: ImportDictionaryForm(self._session).present(self),
                icon="download-simple",
                shortcut="Ctrl+Shift+I",
                enabled_when=lambda: open_() and not self._session.read_only,
            ),
            ActionInfo(
                "project.import_features",
                "Import feature data…",
                self.intake.choose_features,
                icon="download-simple",
                enabled_when=lambda: open_() and not self._session.read_only,
            ),
            ActionInfo(
                "project.import_labels",
                "Import labels…",
                self.intake.choose_labels,
                icon="download-simple",
                enabled_when=lambda: (
                    bool(self._session.inventory.indexes) and not self._session.read_only
                ),
            ),
            ActionInfo(
                "project.import_notes",
                "Merge another person’s notes…",
                self.intake.choose_notes,
                icon="git-merge",
                enabled_when=lambda: (
                    self._session.index is not None and not self._session.read_only
                ),
                tip="Their labels, stars, tags and notes of the features of the open index",
            ),
            ActionInfo(
                "project.notes_copies",
                "Notes of an earlier day…",
                lambda: NotesCopiesDialog(self._session, self.window()).open(),
                icon="clock-counter-clockwise",
                enabled_when=lambda: open_() and not self._session.read_only,
                tip="Copies of the labels and notes, made each day, and putting one back",
            ),
            ActionInfo(
                "project.empty_trash",
                "Empty the trash…",
                lambda: self._trash.ask_to_empty(self.window()),
                icon="trash",
                enabled_when=lambda: open_() and not self._session.read_only,
            ),
        ]

    # ------------------------------------------------------------------ pages
    def _trigger(self, action_id: str) -> None:
        registry = getattr(self.window(), "registry", None)
        if registry is not None:
            registry.trigger(action_id)

    def _project_page(self) -> QWidget:
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(24, 16, 24, 24)
        column.setSpacing(12)
        self._title = ElidedLabel()
        self._title.setProperty("role", "title")
        self._path = ElidedLabel(chars=20)
        self._path.setProperty("role", "small")
        column.addWidget(self._title)
        column.addWidget(self._path)
        self.about = label("", "muted", wrap=True, selectable=True)
        column.addWidget(self._next_strip())
        column.addWidget(self.about)
        self._sections = QHBoxLayout()
        column.addLayout(self._sections)
        column.addStretch(1)
        scroll.setWidget(inside)
        return scroll

    def _next_strip(self) -> QFrame:
        strip = QFrame()
        strip.setProperty("card", "true")
        row = QHBoxLayout(strip)
        row.setContentsMargins(16, 12, 16, 12)
        row.setSpacing(16)
        self._next_sentence = label("", wrap=True)
        self.next_button = push_button("", self.do_next_step, icon="arrow-right", primary=True)
        row.addWidget(self._next_sentence, 1)
        row.addWidget(self.next_button)
        return strip

    # ------------------------------------------------------------------ content
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self.refresh()

    def refresh(self, _message: object = None) -> None:
        """Show the project as it is now; while it is hidden, at its next show."""
        project = self._session.project
        self.setCurrentIndex(0 if project is None else 1)
        self._stale = not self.isVisible()
        if project is None or self._stale:
            return
        self._title.setText(project.title)
        self._path.setText(str(project.path))
        self.about.setText(project.about)
        self.about.setVisible(bool(project.about))
        step = self._step()
        self._next_sentence.setText(self._said(step))
        self.next_button.setText(step.button)
        self.next_button.setAccessibleName(step.button)
        blocked = self._session.read_only and step.kind not in ("explore", "watch")
        self.next_button.setEnabled(not blocked)
        self.next_button.setToolTip("The project is read-only." if blocked else "Ctrl+Shift+Return")
        self._show_cards()

    def _said(self, step: NextStep) -> str:
        """Return the step’s sentence; on the demonstration, what all this is about."""
        shown = demonstration_of(self._session.project)
        if step.kind != "explore" or shown is None:
            return step.sentence
        features = max(item.features for item in self._session.inventory.indexes)
        return shown.guide.about.format(features=features)

    def _show_cards(self) -> None:
        focused = self.focusWidget()
        name = focused.card.name if isinstance(focused, CardWidget) else None
        while self._sections.count():
            item = self._sections.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        session = self._session
        found = cards(
            session.inventory,
            datetime.datetime.now(),
            self.card_actions.unfolded,
            written=session.written,
        )
        sections = [
            (heading, [CardWidget(card, self.run, self._allowed) for card in some])
            for heading, some in found.items()
        ]
        if not sections:
            return
        columns = SectionColumns(sections)
        self._sections.addWidget(columns, 1)
        self._sections.addStretch(0)
        for widget in columns.cards:
            if widget.card.name == name:
                widget.setFocus()

    def _allowed(self, action: str) -> bool:
        return not (self._session.read_only and writes(action))

    def _step(self) -> NextStep:
        jobs = self._session.client.jobs
        running = frozenset(str(job.config.__struct_config__.tag) for job in jobs if not job.ended)
        return next_step(self._session.inventory, running, self._session.written)

    def _on_job_added(self, job: Job) -> None:
        job.stateChanged.connect(self._refresh_step)
        if job.writes and self._session.project is not None:
            self._show_cards()

    def _refresh_step(self, _state: object = None) -> None:
        if self._session.project is not None:
            step = self._step()
            self._next_sentence.setText(self._said(step))
            self.next_button.setText(step.button)

    # ------------------------------------------------------------------ doing
    def do_next_step(self) -> None:
        """Do what the highlighted button says."""
        step, session = self._step(), self._session
        if step.kind == "explore":
            if session.index_name == step.target or session.open_index(step.target):
                session.show_workspace("explore")
        elif step.kind == "watch":
            session.show_workspace(step.target)
        elif step.kind == "harvest":
            session.show_workspace("harvest")
        else:
            kinds = {"train": "store", "resume_harvest": "store", "resume_set": "set"}
            kind = kinds.get(step.kind, "set" if step.kind == "index_set" else "dictionary")
            self.card_actions.do(kind, step.target, step.kind)

    def run(self, card: Card, action: str) -> None:
        """Do one of a card's actions."""
        self.card_actions.do(card.kind, card.name, action)

    # ------------------------------------------------------------------ drops
    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        urls = [url for url in event.mimeData().urls() if url.isLocalFile()]
        self.intake.take_all([Path(url.toLocalFile()) for url in urls])
