"""Files and folders that come into the project: dropped on it, or chosen in a dialog."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from sae_desktop.errors import UserError
from sae_desktop.exchange.recognise import Recognised, dialog_filter, require_kind, what_is
from sae_desktop.file_kinds import FileKind
from sae_desktop.gui.forms.exchange_forms import (
    ImportDictionaryForm,
    ImportFeaturesForm,
    ImportLabelsForm,
)
from sae_desktop.gui.forms.job_forms import ImportForm
from sae_desktop.gui.forms.merge_notes import NotesMerge
from sae_desktop.gui.state.drops import harvest_fields
from sae_desktop.gui.state.packages import import_package, open_package
from sae_desktop.gui.state.session import Session

_NOTES_FILTER = (
    "Projects, notes, packages and tables (project.toml notes.sqlite *.sqlite *.saepack *.csv "
    "*.tsv *.json *.jsonl *.parquet)"
)
_TAKEN: tuple[FileKind, ...] = (
    "project", "model", "corpus", "pictures", "activations", "dictionary", "features", "labels",
    "package", "graph",
)  # fmt: skip


class Intake:
    """Makes use of what is brought, by what it is."""

    def __init__(self, session: Session, panel: QWidget) -> None:
        self._session, self._panel = session, panel
        self.merge = NotesMerge(session, panel)

    def take_all(self, paths: list[Path]) -> None:
        """Make use of what was dropped at once: models and texts go into one harvest."""
        together = [p for p in paths if what_is(p).kind in ("model", "corpus", "pictures")]
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
        session, drop = self._session, what_is(path)
        if drop.kind == "project":
            session.open_project(path)
        elif drop.kind == "package" and session.project is None:
            open_package(session, path)
        elif session.project is None:
            session.notify("Open or create a project first, then drop it again.")
        elif drop.kind in ("model", "corpus", "pictures"):
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
        elif drop.kind == "graph":
            session.show_workspace("circuits")
            session.graphBrought.emit(drop.path)
        else:
            session.show_error(_unused(drop))

    def _take_as(self, path: Path, kind: FileKind) -> None:
        """Make use of what was chosen as of a kind; as what it is, where that is another."""
        found = what_is(path)
        if found.kinds and kind not in found.kinds:
            self.take(path)
        elif kind == "labels":
            ImportLabelsForm(self._session, path).present(self._panel)
        elif kind == "features":
            ImportFeaturesForm(self._session, path).present(self._panel)
        else:
            ImportForm(self._session, path).present(self._panel)

    def choose_activations(self) -> None:
        """Ask for a matrix, and import it."""
        name, _ = QFileDialog.getOpenFileName(
            self._panel, "Import activations", "", dialog_filter("activations")
        )
        if name:
            self._take_as(Path(name), "activations")

    def choose_features(self) -> None:
        """Ask for a folder of feature data, and import it."""
        name = QFileDialog.getExistingDirectory(self._panel, "Feature data folder")
        if name:
            self._take_as(Path(name), "features")

    def choose_labels(self) -> None:
        """Ask for a table of labels, and import it."""
        name, _ = QFileDialog.getOpenFileName(
            self._panel, "Table of labels", "", dialog_filter("labels")
        )
        if name:
            self._take_as(Path(name), "labels")

    def choose_notes(self) -> None:
        """Ask for another person's notes, and show what merging them would bring."""
        name, _ = QFileDialog.getOpenFileName(
            self._panel, "Another person’s notes", "", _NOTES_FILTER
        )
        if name:
            path = Path(name)
            # No file dialog takes files and folders alike: a project is told by its project.toml.
            self.merge.read(path.parent if path.name == "project.toml" else path)


def _unused(found: Recognised) -> UserError:
    """Return what is said of a file that has no use here."""
    try:
        require_kind(found.path, *_TAKEN)
    except UserError as error:
        return error
    return UserError(f"“{found.path.name}” cannot be used here.", next_step=found.reason)
