"""The dock of a training's settings: the form, what it amounts to, and Start."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sae_desktop.gui.panels.training_settings import TrainingSettings
from sae_desktop.gui.session import Session
from sae_desktop.gui.training_draft import copied, default_name, problems, summary
from sae_desktop.gui.widgets.labels import label, push_button
from sae_desktop.training.config import ArchitectureInfo, TrainConfig


class TrainingSetup(QWidget):
    """Builds a TrainConfig; Start is blocked with the reason."""

    startRequested = Signal()
    changed = Signal()
    """The settings, or what they can be."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._is_live = False
        self.form = TrainingSettings()
        self.form.add_stream_button(
            push_button(
                "Change it in Harvest", lambda: session.show_workspace("harvest"), flat=True
            )
        )
        self._summary = label("", "small", wrap=True)
        self.start_button = push_button(
            "Start the training",
            self.startRequested.emit,
            icon="play",
            primary=True,
            tip="Ctrl+Shift+T",
        )
        foot = QVBoxLayout()
        foot.setContentsMargins(16, 8, 16, 12)
        foot.setSpacing(8)
        foot.addWidget(self._summary)
        foot.addWidget(self.start_button)
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

    def copy_settings(self, config: TrainConfig) -> None:
        """Fill the form with the settings of a run, under a new name."""
        project = self._session.project
        taken = [item.name for item in self._session.inventory.dictionaries]
        self.form.fill(copied(config, str(project.path) if project else "", taken))
        self._session.notify(f"The settings are those of “{config.name}”.")
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
        self.form.suggest_name(default_name(config.architecture, config.features, taken))
        config = self.config()
        found = problems(config, inventory.stores, inventory.dictionaries)
        # An empty project is no mistake: the middle says what to do.
        self.form.show_problems(found if inventory.stores or config.stream else {})
        reason = self._reason(found)
        self.start_button.setEnabled(not reason)
        self.start_button.setToolTip(reason or "Ctrl+Shift+T")
        store = next((s for s in inventory.stores if s.name == config.activations), None)
        self._summary.setText(reason or summary(config, store))
        self.changed.emit()

    def blocked(self) -> str:
        """Return why the training cannot start; empty when it can."""
        inventory = self._session.inventory
        found = problems(self.config(), inventory.stores, inventory.dictionaries)
        return self._reason(found)

    def _reason(self, found: dict[str, str]) -> str:
        if self._session.project is None:
            return "Open or make a project first."
        if self._session.client.state in ("crashed", "stopped"):
            return "The engine is not running: restart it."
        if self._session.read_only:
            return "The project is read-only: training needs one that can be written."
        if self._is_live:
            return "A training is running."
        return next(iter(found.values()), "")
