"""The Project panel: what there is, and what to do next."""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec
from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QShowEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QMessageBox,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.client.job import Job
from sae_desktop.deletion import deletion_question, item_path
from sae_desktop.errors import UserError
from sae_desktop.gui.forms.exchange_forms import (
    ExportDictionaryForm,
    ImportDictionaryForm,
    ImportFeaturesForm,
    ImportLabelsForm,
)
from sae_desktop.gui.forms.job_forms import EvaluateForm, ImportForm, IndexForm
from sae_desktop.gui.forms.same_model_form import SameModelForm
from sae_desktop.gui.parts.actions import ActionInfo
from sae_desktop.gui.parts.dialogs import reveal
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.project.card_grid import CardWidget, SectionColumns
from sae_desktop.gui.project.next_step import NextStep, next_step
from sae_desktop.gui.project.project_cards import Card, cards, writes
from sae_desktop.gui.state.drops import FILTERS, classify, harvest_fields
from sae_desktop.gui.state.packages import import_package, open_package
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.store_actions import extend_store, show_store, verify_store
from sae_desktop.gui.state.trash import Trash
from sae_desktop.training.config import TrainConfig


class ProjectPanel(QStackedWidget):
    """A welcome without a project; with one, its cards."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._unfolded: set[str] = set()
        """Sweeps whose runs have cards of their own."""
        self._session = session
        self._stale = True
        self.setAcceptDrops(True)
        self.setAccessibleName("Project")
        self.addWidget(self._welcome())
        self.addWidget(self._project_page())
        self.setFocusProxy(self.next_button)
        self._trash = Trash(session)
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
                self._choose_import,
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
                self._choose_features,
                icon="download-simple",
                enabled_when=lambda: open_() and not self._session.read_only,
            ),
            ActionInfo(
                "project.import_labels",
                "Import labels…",
                self._choose_labels,
                icon="download-simple",
                enabled_when=lambda: (
                    bool(self._session.inventory.indexes) and not self._session.read_only
                ),
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
    def _welcome(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setSpacing(12)
        column.addStretch(2)
        middle = Qt.AlignmentFlag.AlignHCenter
        column.addWidget(label("SAE Desktop", "title"), 0, middle)
        sentence = "Open a project, or start with the demonstration. Everything works offline."
        column.addWidget(label(sentence, "muted"), 0, middle)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        for text, icon, action, primary in (
            ("Open the demonstration", "sparkle", "project.open_demonstration", True),
            ("New project…", "folder-plus", "project.new", False),
            ("Open project…", "folder-open", "project.open", False),
        ):
            button = push_button(text, icon=icon, primary=primary)
            button.clicked.connect(lambda _checked=False, action=action: self._trigger(action))
            row.addWidget(button)
        row.addStretch(1)
        column.addLayout(row)
        column.addStretch(3)
        return page

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
        column.addWidget(self._next_strip())
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
        step = self._step()
        self._next_sentence.setText(step.sentence)
        self.next_button.setText(step.button)
        self.next_button.setAccessibleName(step.button)
        blocked = self._session.read_only and step.kind not in ("explore", "watch")
        self.next_button.setEnabled(not blocked)
        self.next_button.setToolTip("The project is read-only." if blocked else "Ctrl+Shift+Return")
        self._show_cards()

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
            session.inventory, datetime.datetime.now(), self._unfolded, written=session.written
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
            self._next_sentence.setText(step.sentence)
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
            kind = {"train": "store", "resume_harvest": "store"}.get(step.kind, "dictionary")
            self._do(kind, step.target, step.kind)

    def run(self, card: Card, action: str) -> None:
        """Do one of a card's actions."""
        self._do(card.kind, card.name, action)

    def _do(self, kind: str, name: str, action: str) -> None:
        session = self._session
        if session.project is None:
            return
        if action == "harvest":
            session.show_workspace("harvest")
            session.harvestRequested.emit({"model": name})
        elif action == "train":
            session.show_workspace("train")
            session.trainRequested.emit(name)
        elif action == "curves":
            session.select_dictionary(name)
            session.show_workspace("train")
        elif action == "extend":
            extend_store(session, name)
        elif action in ("unfold", "fold"):
            self._unfolded ^= {name}
            self.refresh()
        elif action == "runs":
            session.show_workspace("train")
            session.sweepRequested.emit(name)
        elif action == "rows":
            show_store(session, name)
        elif action == "verify":
            verify_store(session, name)
        elif action in ("resume_harvest", "resume_train"):
            self._resume(name, action)
        elif action == "index":
            IndexForm(session, name).present(self)
        elif action == "export":
            ExportDictionaryForm(session, name).present(self)
        elif action == "evaluate":
            EvaluateForm(session, name).present(self)
        elif action == "open_index":
            item = next(d for d in session.inventory.dictionaries if d.name == name)
            self._open_index(item.indexes[-1])
        elif action == "open":
            self._open_index(name)
        elif action == "same_model":
            SameModelForm(session, kind, name).present(self)
        elif action == "reveal":
            reveal(item_path(session.project, kind, name))
        elif action == "delete":
            self._ask_delete(kind, name)

    def _resume(self, name: str, action: str) -> None:
        inventory, path = self._session.inventory, self._session.project_path
        config: HarvestConfig | TrainConfig | None
        if action == "resume_harvest":
            config = next(s.harvest for s in inventory.stores if s.name == name)
        else:
            config = next(d.train for d in inventory.dictionaries if d.name == name)
        if config is not None:
            # The project may have been moved since; the run is resumed where it lies now.
            self._session.run(msgspec.structs.replace(config, project=path))
            self._session.show_workspace("harvest" if action == "resume_harvest" else "train")

    def _open_index(self, name: str) -> None:
        if self._session.open_index(name):
            self._session.show_workspace("explore")

    def _ask_delete(self, kind: str, name: str) -> None:
        project = self._session.project
        if project is None:
            return
        busy = [job.title for job in self._session.client.jobs if not job.ended and job.writes]
        if busy:
            self._session.notify(f"You can delete it once {busy[0]} has finished.")
            return
        box = QMessageBox(
            QMessageBox.Icon.Warning,
            f"Delete {kind}",
            deletion_question(project, kind, name),
            QMessageBox.StandardButton.Cancel,
            self.window(),
        )
        box.setTextFormat(Qt.TextFormat.PlainText)
        delete = box.addButton("Delete", QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        box.setEscapeButton(QMessageBox.StandardButton.Cancel)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        delete.clicked.connect(lambda: self.delete(kind, name))
        box.open()

    def delete(self, kind: str, name: str) -> None:
        """Move a store, dictionary or index to the trash."""
        self._trash.delete(kind, name)

    # ------------------------------------------------------------------ drops
    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        urls = [url for url in event.mimeData().urls() if url.isLocalFile()]
        self.take_all([Path(url.toLocalFile()) for url in urls])

    def take_all(self, paths: list[Path]) -> None:
        """Make use of what was dropped at once: models and texts go into one harvest."""
        together = [p for p in paths if classify(p).kind in ("model", "corpus")]
        for path in paths:
            if path not in together:
                self.take(path)
        if len(together) == 1 or (together and self._session.project is None):
            self.take(together[0])
        elif together:
            try:
                fields = harvest_fields(together)
            except UserError as error:
                self._session.show_error(error)
                return
            self._session.show_workspace("harvest")
            self._session.harvestRequested.emit(fields)

    def take(self, path: Path) -> None:
        """Make use of a dropped file or folder."""
        session, drop = self._session, classify(path)
        if drop.kind == "project":
            session.open_project(path)
        elif drop.kind == "package" and session.project is None:
            open_package(session, path)
        elif session.project is None:
            session.notify("Open or create a project first, then drop it again.")
        elif drop.kind in ("model", "corpus"):
            session.show_workspace("harvest")
            session.harvestRequested.emit({drop.kind: str(drop.path)})
        elif drop.kind == "dictionary":
            ImportDictionaryForm(session, str(drop.path)).present(self)
        elif drop.kind == "package":
            import_package(session, path)
        elif drop.kind == "features":
            ImportFeaturesForm(session, drop.path).present(self)
        elif drop.kind == "labels":
            ImportLabelsForm(session, drop.path).present(self)
        elif drop.kind == "activations":
            ImportForm(session, path).present(self)
        else:
            session.show_error(
                UserError(f"“{path.name}” cannot be used here.", next_step=drop.reason)
            )

    def _choose_import(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Import activations", "", FILTERS["activations"]
        )
        if name:
            self.take(Path(name))

    def _choose_features(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Feature data folder")
        if name:
            ImportFeaturesForm(self._session, Path(name)).present(self)

    def _choose_labels(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Table of labels", "", "Tables (*.csv *.json *.parquet)"
        )
        if name:
            ImportLabelsForm(self._session, Path(name)).present(self)
