"""Concept sets: those that come with the program and one’s own, read and added to."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QSplitter, QVBoxLayout, QWidget

from sae_desktop.errors import UserError
from sae_desktop.gui.forms.grow_set_form import offer_growth
from sae_desktop.gui.forms.job_forms import free_name
from sae_desktop.gui.forms.set_editor import SetEditor
from sae_desktop.gui.parts.dialogs import reveal
from sae_desktop.gui.parts.empty_state import EmptyState
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.text_box import local_files
from sae_desktop.gui.safety.cell_table import Cell, CellTable, Head
from sae_desktop.gui.safety.set_page import SetPage
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.own_sets import OwnSets
from sae_desktop.gui.state.session import Session
from sae_desktop.language_names import language_name
from sae_desktop.safety.concept_file import ENDINGS
from sae_desktop.safety.listed_sets import ListedSet, listed_sets
from sae_desktop.safety.own_sets import set_file
from sae_desktop.safety.scan.items import ScanItem, scan_items, scanned_with

_EXPLAINED = (
    "Texts that show a concept, beside near misses: texts on the same matters that do not. A scan "
    "looks for the features that tell them apart."
)
_NO_PROJECT = "A concept set holds texts that show a concept, and texts that only look like it."
_HEADS = (
    Head("Concept set", width=0),
    Head("Texts", "Positives / near misses, in all languages", width=9, number=True),
    Head(
        "Held out",
        "Templates that a scan is only scored on, of all in the set’s own language",
        width=9,
        number=True,
    ),
    Head("Languages", "In how many languages it has texts", width=5, number=True),
    Head("Scanned", "In how many scans of this project it was looked for", width=7, number=True),
)
_FILES = "Concept sets (*.toml *.jsonl *.csv)"


class SetsPlace(QWidget):
    """A list of all sets, and the page of one."""

    scanAsked = Signal(object)
    """Names of sets to be scanned for."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("safety.sets")
        self._session, self._own = session, OwnSets(session)
        self.listed: list[ListedSet] = []
        self._scans: list[ScanItem] = []
        self._wanted = ""
        """The set to be shown once the list is read."""
        self._reading = Background(self)
        self.new_button = push_button(
            "New set…", self.make, icon="plus", tip="Write or paste the texts of a concept"
        )
        self.bring_button = push_button(
            "Add a file…", self.ask_file, icon="file-plus",
            tip="Copy a set as .toml, .jsonl or .csv into the project; a file can be dropped here",
        )  # fmt: skip
        self.table = CellTable("Concept sets")
        self.page = SetPage()
        self.lacking = EmptyState(
            _NO_PROJECT, "Go to the project", lambda: session.show_workspace("project")
        )
        self._build()
        self.setAcceptDrops(True)
        self._reading.answered.connect(self._on_read)
        self.table.rowChosen.connect(self._on_chosen)
        self.table.rowOpened.connect(lambda _row: self.page.scan_button.setFocus())
        self.table.menuAsked.connect(self._show_menu)
        self.page.scanAsked.connect(self.scan)
        self.page.copyAsked.connect(self.copy)
        self.page.editAsked.connect(self.edit)
        self.page.deleteAsked.connect(self.delete)
        self.page.fileAsked.connect(self.reveal)
        self.page.growAsked.connect(lambda text: offer_growth(session, text, self))
        session.contentsChanged.connect(self.refresh)
        session.projectChanged.connect(self.refresh)
        session.place.add(self, self._keep, self._restore)
        self.refresh()

    def _build(self) -> None:
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(12, 8, 0, 8)
        column.setSpacing(6)
        column.addWidget(label(_EXPLAINED, "small", wrap=True))
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self.new_button)
        buttons.addWidget(self.bring_button)
        buttons.addStretch(1)
        column.addLayout(buttons)
        column.addWidget(self.table, 1)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(left)
        self.splitter.addWidget(self.page)
        self.splitter.setSizes([540, 660])
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setChildrenCollapsible(False)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.splitter)
        whole.addWidget(self.lacking)
        self.page.setMinimumWidth(420)
        self.page.show_set(None, "")
        self.setFocusProxy(self.table)

    # ------------------------------------------------------------------ the list
    def refresh(self) -> None:
        """Read the sets again, beside the window."""
        project = self._session.project
        self.splitter.setVisible(project is not None)
        self.lacking.setVisible(project is None)
        self.setFocusProxy(self.table if project is not None else self.lacking.button)
        if project is not None:
            self._reading.run(project.path, lambda: (listed_sets(project), scan_items(project)))

    def _on_read(self, answer: tuple[object, tuple[list[ListedSet], list[ScanItem]]]) -> None:
        project = self._session.project
        if project is None or answer[0] != project.path:
            return
        if answer[1] == (self.listed, self._scans) and not self._wanted:
            return
        shown = self._wanted or (self.page.listed.name if self.page.listed is not None else "")
        self.listed, self._scans = answer[1]
        self._wanted = ""
        names = [one.name for one in self.listed]
        place = names.index(shown) if shown in names else 0
        self.table.show_rows(_HEADS, [self._row(one) for one in self.listed], place)
        self._on_chosen(place)

    def _row(self, one: ListedSet) -> list[Cell]:
        own = "" if one.ships else "Own · "
        tip = one.problem or (one.found.about if one.found is not None else "")
        name = Cell(f"{own}{one.title}", f"{one.ships} {one.title.casefold()}", tip=tip)
        if one.found is None:
            damaged = Cell("damaged", -1, tip=one.problem)
            return [name, damaged, Cell("", -1), Cell("", -1), Cell("", -1)]
        found = one.found
        sides = [len(found.part(positive=positive)) for positive in (True, False)]
        kept, whole = (
            {found.texts[place].template for place in found.part(held_out=held_out, other=False)}
            for held_out in (True, None)
        )
        languages = [found.language, *found.other_languages]
        scans = len(scanned_with(self._scans, one.name))
        return [
            name,
            Cell(f"{sides[0]:,} / {sides[1]:,}", sum(sides)),
            Cell(f"{len(kept):,} of {len(whole):,}", len(kept)),
            Cell(
                str(len(languages)), len(languages), tip=", ".join(map(language_name, languages))
            ),
            Cell(str(scans) if scans else "–", scans),
        ]  # fmt: skip

    def _on_chosen(self, number: int) -> None:
        one = self.listed[number] if 0 <= number < len(self.listed) else None
        self.page.show_set(one, "" if one is None else self._scanned(one.name))

    def _scanned(self, name: str) -> str:
        there = scanned_with(self._scans, name)
        if not there:
            return "No scan of this project has looked for it yet."
        names = ", ".join(f"“{item.name}”" for item in there[:3])
        return f"Looked for in {names}{' and others' if len(there) > 3 else ''}."

    @property
    def chosen(self) -> ListedSet | None:
        """The set whose page is shown."""
        return self.page.listed

    def show_set(self, name: str) -> None:
        """Show the page of a set, as soon as it is read."""
        names = [one.name for one in self.listed]
        if name in names:
            self.table.choose(names.index(name))
        else:
            self._wanted = name

    def _show_menu(self, number: int, at: QPoint) -> None:
        self.table.choose(number)
        one = self.chosen
        if one is None:
            return
        menu = QMenu(self)
        usable = one.found is not None
        for text, callback, possible in (
            ("Scan for it…", self.scan, usable),
            ("Copy to change…", self.copy, usable),
            ("Edit…", self.edit, usable and not one.ships),
            ("Show the file", self.reveal, True),
            ("Delete", self.delete, not one.ships),
        ):
            menu.addAction(text, callback).setEnabled(possible)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(at)

    # ------------------------------------------------------------------ what is done
    def scan(self) -> None:
        """Ask for a scan for the set."""
        if self.chosen is not None:
            self.scanAsked.emit((self.chosen.name,))

    def make(self) -> SetEditor | None:
        """Write a set of one's own."""
        return self._edit(SetEditor(self._session)) if self._may_write() else None

    def copy(self) -> SetEditor | None:
        """Make a set of one's own that begins with the texts of this one."""
        one, project = self.chosen, self._session.project
        if one is None or project is None or not self._may_write():
            return None
        try:
            file = set_file(project, one.name)
        except UserError as error:
            self._session.show_error(error)
            return None
        file.group, file.title = "own", f"{file.title} (copy)"
        name = free_name(one.name, [*self._own.names(), one.name])
        return self._edit(SetEditor(self._session, name, file))

    def edit(self) -> SetEditor | None:
        """Change one's own set."""
        one, project = self.chosen, self._session.project
        if one is None or one.ships or project is None or not self._may_write():
            return None
        try:
            file = set_file(project, one.name)
        except UserError as error:
            self._session.show_error(error)
            return None
        return self._edit(SetEditor(self._session, one.name, file, new=False))

    def _edit(self, editor: SetEditor) -> SetEditor:
        editor.saved.connect(self._on_saved)
        editor.present(self)
        return editor

    def _on_saved(self, name: str) -> None:
        self._wanted = name
        self.refresh()

    def _may_write(self) -> bool:
        if self._session.refusal is not None:
            self._session.show_error(self._session.refusal)
        return self._session.refusal is None

    def delete(self) -> None:
        """Move one's own set to the trash; that can be undone."""
        if self.chosen is not None and not self.chosen.ships:
            self._own.delete(self.chosen.name)

    def reveal(self) -> None:
        """Show the set's file in the file manager."""
        if self.chosen is not None:
            reveal(self.chosen.path)

    def ask_file(self) -> None:
        """Ask for the file of a set, and copy it into the project."""
        chosen, _ = QFileDialog.getOpenFileName(self, "Add a concept set", str(Path.home()), _FILES)
        if chosen:
            self.bring(Path(chosen))

    def bring(self, path: Path) -> None:
        """Copy the file of a set into the project; what is wrong with it is said."""
        name = self._own.bring(path)
        if name:
            self._on_saved(name)
            self._session.notify(f"The concept set “{name}” was added to the project.")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(path.suffix.lower() in ENDINGS for path in local_files(event.mimeData())):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        for path in local_files(event.mimeData()):
            self.bring(path)

    def _keep(self) -> dict[str, object]:
        return {"set": self.chosen.name if self.chosen is not None else ""}

    def _restore(self, kept: dict[str, object]) -> None:
        name = kept.get("set")
        if isinstance(name, str) and name:
            self.show_set(name)
