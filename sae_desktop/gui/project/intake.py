"""Files and folders that come into the project: dropped on it, or chosen in a dialog."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from sae_desktop.errors import UserError
from sae_desktop.gui.forms.exchange_forms import (
    ImportDictionaryForm,
    ImportFeaturesForm,
    ImportLabelsForm,
)
from sae_desktop.gui.forms.job_forms import ImportForm
from sae_desktop.gui.state.drops import FILTERS, classify, harvest_fields
from sae_desktop.gui.state.packages import import_package, open_package
from sae_desktop.gui.state.session import Session


class Intake:
    """Makes use of what is brought, by what it is."""

    def __init__(self, session: Session, panel: QWidget) -> None:
        self._session, self._panel = session, panel

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
            ImportDictionaryForm(session, str(drop.path)).present(self._panel)
        elif drop.kind == "package":
            import_package(session, path)
        elif drop.kind == "features":
            ImportFeaturesForm(session, drop.path).present(self._panel)
        elif drop.kind == "labels":
            ImportLabelsForm(session, drop.path).present(self._panel)
        elif drop.kind == "activations":
            ImportForm(session, path).present(self._panel)
        else:
            session.show_error(
                UserError(f"“{path.name}” cannot be used here.", next_step=drop.reason)
            )

    def choose_activations(self) -> None:
        """Ask for a matrix, and import it."""
        name, _ = QFileDialog.getOpenFileName(
            self._panel, "Import activations", "", FILTERS["activations"]
        )
        if name:
            self.take(Path(name))

    def choose_features(self) -> None:
        """Ask for a folder of feature data, and import it."""
        name = QFileDialog.getExistingDirectory(self._panel, "Feature data folder")
        if name:
            ImportFeaturesForm(self._session, Path(name)).present(self._panel)

    def choose_labels(self) -> None:
        """Ask for a table of labels, and import it."""
        name, _ = QFileDialog.getOpenFileName(
            self._panel, "Table of labels", "", "Tables (*.csv *.json *.parquet)"
        )
        if name:
            ImportLabelsForm(self._session, Path(name)).present(self._panel)
