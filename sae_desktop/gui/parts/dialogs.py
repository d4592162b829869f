"""The dialogs of the window's frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from sae_desktop import __version__
from sae_desktop.demonstrations import SENTENCES, Demonstration, demonstration_copy
from sae_desktop.errors import UserError
from sae_desktop.file_kinds import PACKAGE_ENDING
from sae_desktop.gui.parts.actions import ActionRegistry
from sae_desktop.gui.parts.file_types import associate
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.state.save_file import ask_file
from sae_desktop.gui.state.session import Session

SUFFIX = ".saeproj"


def reveal(path: Path) -> None:
    """Show a folder in the system's file manager; for a file, the folder it is in."""
    folder = path if path.is_dir() else path.parent
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


class FrameDialogs:
    """What the menus open."""

    def __init__(
        self,
        window: QWidget,
        session: Session,
        registry: ActionRegistry,
        new_folder: Callable[[], Path] = Path.home,
    ) -> None:
        """`new_folder` returns where a new project is offered a place while none is open."""
        self._window = window
        self._session = session
        self._registry = registry
        self._new_folder = new_folder

    def new_project(self) -> None:
        """Ask for a folder to be made, and open it."""
        first = self._project_folder() / f"untitled{SUFFIX}"
        kinds = f"SAE Desktop project (*{SUFFIX})"
        chosen = ask_file(self._window, "New project", first, kinds)
        if chosen is not None:
            self._session.open_project(chosen.path, create=True)

    def open_project(self) -> None:
        """Ask for a project folder, and open it."""
        name = QFileDialog.getExistingDirectory(
            self._window, "Open a project folder", str(self._project_folder())
        )
        if name:
            self._session.open_project(Path(name))

    def open_demonstration(self, which: Demonstration = SENTENCES) -> None:
        """Open one's own copy of a project that ships."""
        try:
            self._session.open_project(demonstration_copy(of=which))
        except UserError as error:
            self._session.show_error(error)

    def reveal_project(self) -> None:
        if self._session.project is not None:
            reveal(self._session.project.path)

    def show_shortcuts(self) -> None:
        """List every action that has keys."""
        infos = [info for info in self._registry.infos() if info.shortcut]
        table = QTableWidget(len(infos), 2)
        table.setHorizontalHeaderLabels(["Keys", "Action"])
        table.verticalHeader().hide()
        table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        table.setColumnWidth(0, 140)
        table.horizontalHeader().setDefaultAlignment(
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        )
        table.verticalHeader().setDefaultSectionSize(26)
        table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        table.setSelectionMode(QTableWidget.SelectionMode.SingleSelection)
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        table.setAccessibleName("Keyboard shortcuts")
        for row, info in enumerate(infos):
            keys = QKeySequence(info.shortcut).toString(QKeySequence.SequenceFormat.NativeText)
            table.setItem(row, 0, QTableWidgetItem(keys))
            table.setItem(row, 1, QTableWidgetItem(info.text.rstrip("…")))
        self._show("Keyboard shortcuts", table, 520, 480)

    def associate_packages(self) -> None:
        """Have a double click on a package open it with this program."""
        try:
            associate()
        except UserError as error:
            self._session.show_error(error)
            return
        self._session.notify(
            f"Double-clicking a {PACKAGE_ENDING} file now opens it in SAE Desktop."
        )

    def show_about(self) -> None:
        text = label(
            f"SAE Desktop {__version__}\n\n"
            "Opens a language model, trains sparse dictionaries on its activations, shows what "
            "their features respond to, and steers the model with them.\n\nMIT licence.",
            wrap=True,
        )
        self._show("About SAE Desktop", text, 420, 200)

    def _show(self, title: str, widget: QWidget, width: int, height: int) -> None:
        dialog = QDialog(self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(title)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(dialog.reject)
        layout = QVBoxLayout(dialog)
        layout.addWidget(widget, 1)
        layout.addWidget(buttons)
        dialog.resize(width, height)
        dialog.open()

    def _project_folder(self) -> Path:
        project = self._session.project
        return project.path.parent if project is not None else self._new_folder()
