"""The Gallery workspace: dictionaries on this machine, and well-known public ones to import."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QSplitter,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.exchange.gallery import Family, catalogue, layers_text, matching
from sae_desktop.exchange.here import (
    DictionaryHere,
    cached_repositories,
    dictionaries_in_projects,
)
from sae_desktop.gui.forms.exchange_forms import ImportDictionaryForm
from sae_desktop.gui.parts.actions import ActionInfo
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.language_model.files.offline import offline
from sae_desktop.storage.faults import format_bytes
from sae_desktop.storage.network import why_offline
from sae_desktop.words.amounts import exact_count
from sae_desktop.words.architecture_titles import architecture_title

Choice = Family | DictionaryHere | None
_HEADS = ("Dictionary", "Model", "Site", "Layers", "Features", "Size", "Licence")
_CHOICE = Qt.ItemDataRole.UserRole
"""The Family or DictionaryHere of a row; None for a dictionary of the open project."""
_NUMBERS = (4, 5)
_UNKNOWN = "unknown"
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class GalleryPanel(QSplitter):
    """A list of dictionaries with a field to filter it; what is chosen is told beside it."""

    def __init__(self, session: Session, settings: Settings) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setObjectName("gallery")
        self.setProperty("ground", "window")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setChildrenCollapsible(False)
        self.setHandleWidth(8)
        self._session = session
        self._settings = settings
        self._here: list[DictionaryHere] = []
        """Outside of the open project and of the catalogue."""
        self._stale = True
        self._items: list[QTreeWidgetItem] = []
        """The rows below the headings."""
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Name, model, site")
        self.filter.setAccessibleName("Filter the dictionaries")
        self.filter.setClearButtonEnabled(True)
        self.list = QTreeWidget()
        self.list.setHeaderLabels(_HEADS)
        self.list.setRootIsDecorated(False)
        self.list.setIndentation(12)
        self.list.setUniformRowHeights(True)
        self.list.setAllColumnsShowFocus(True)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setAccessibleName("Dictionaries")
        self.title = label("", "heading", wrap=True)
        self.about = label("", "", wrap=True, selectable=True)
        self.layer = QComboBox()
        self.layer.setAccessibleName("Layer")
        self.state = label("", "small", wrap=True)
        self.import_button = push_button(
            "Import…", self.import_chosen, icon="download-simple", primary=True,
            tip="Import it into the open project (Return)",
        )  # fmt: skip
        self.page_button = push_button(
            "Web page", self.open_page, icon="arrow-square-out", tip="Open its page on the hub"
        )
        self._build()
        self.filter.textChanged.connect(lambda _text: self._fill())
        self.list.currentItemChanged.connect(self._show_chosen)
        self.list.itemActivated.connect(lambda _item, _column: self.import_chosen())
        self.layer.currentIndexChanged.connect(self._show_layer)
        session.contentsChanged.connect(self._on_contents_changed)
        session.projectChanged.connect(self._on_contents_changed)
        self.setFocusProxy(self.filter)

    def _build(self) -> None:
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(12, 12, 4, 12)
        column.setSpacing(8)
        column.addWidget(self.filter)
        column.addWidget(self.list, 1)
        right = QWidget()
        side = QVBoxLayout(right)
        side.setContentsMargins(8, 12, 12, 12)
        side.setSpacing(12)
        side.addWidget(self.title)
        side.addWidget(self.about)
        self._form = QFormLayout()
        self._form.addRow("Layer", self.layer)
        side.addLayout(self._form)
        side.addWidget(self.state)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.import_button, 1)
        buttons.addWidget(self.page_button)
        side.addLayout(buttons)
        side.addStretch(1)
        right.setMinimumWidth(280)
        self.addWidget(left)
        self.addWidget(right)
        self.setSizes([900, 300])
        self.setStretchFactor(0, 1)
        self.setStretchFactor(1, 0)
        header = self.list.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        head = self.list.headerItem()
        for number in _NUMBERS:
            head.setTextAlignment(number, _RIGHT)
        for column_number, width in ((1, 200), (2, 128), (3, 72), (4, 80), (5, 80), (6, 96)):
            header.resizeSection(column_number, width)

    def action_infos(self) -> list[ActionInfo]:
        """Return what can be done here, for menus, shortcuts and the palette."""
        return [
            ActionInfo(
                "gallery.import",
                "Import the chosen dictionary…",
                self.import_chosen,
                icon="download-simple",
                enabled_when=lambda: self.import_button.isEnabled(),
            ),
        ]

    # ------------------------------------------------------------------ the list
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self._look()

    def _on_contents_changed(self) -> None:
        self._stale = True
        if self.isVisible():
            self._look()

    def _look(self) -> None:
        """Look what there is on the disk, and list it."""
        self._stale = False
        project = self._session.project
        recent = [Path(path) for path in self._settings.recent_projects]
        elsewhere = [path for path in recent if project is None or path != project.path]
        self._here = dictionaries_in_projects(elsewhere)
        self._here += cached_repositories(family.repository for family in catalogue())
        self._fill()

    def _fill(self) -> None:
        text = self.filter.text()
        words = text.casefold().split()
        chosen = self.choice
        self._items = []
        self.list.clear()
        self._add_rows("In this project", [(row, None) for row in self._own_rows()], words)
        others = [one for one in self._here if one.place]
        self._add_rows("In other projects", [(_row_here(one), one) for one in others], words)
        found = matching(catalogue(), text)
        here = [family for family in found if any(map(family.is_here, family.layers))]
        cached = [one for one in self._here if not one.place]
        self._add_rows(
            "Downloaded",
            [*((_row_of(f), f) for f in here), *((_row_here(one), one) for one in cached)],
            words,
        )
        self._add_rows("Public", [(_row_of(family), family) for family in found], [])
        self.list.expandAll()
        if not self._choose(chosen):
            self._choose(found[0] if found else None)
        self._show_chosen()

    def _add_rows(self, title: str, rows: list[tuple[list[str], Choice]], words: list[str]) -> None:
        """List what holds all the words under a heading; none without any."""
        fitting = [row for row in rows if _holds(row, words)]
        if fitting:
            group = self._group(title)
            for texts, choice in fitting:
                self._row(group, texts).setData(0, _CHOICE, choice)

    def _group(self, title: str) -> QTreeWidgetItem:
        group = QTreeWidgetItem(self.list, [title])
        group.setFlags(Qt.ItemFlag.ItemIsEnabled)
        group.setFirstColumnSpanned(True)
        font = group.font(0)
        font.setBold(True)
        group.setFont(0, font)
        return group

    def _own_rows(self) -> list[list[str]]:
        found = [d.summary for d in self._session.inventory.dictionaries if d.summary is not None]
        return [_row(s.name, s.model, s.site, s.features, s.bytes) for s in found]

    def _row(self, group: QTreeWidgetItem, texts: list[str]) -> QTreeWidgetItem:
        item = QTreeWidgetItem(group, texts)
        self._items.append(item)
        for column, text in enumerate(texts):
            item.setToolTip(column, plain_tip(text))
        for column in _NUMBERS:
            item.setTextAlignment(column, _RIGHT)
        return item

    def _choose(self, choice: Choice) -> bool:
        found = [item for item in self._items if item.data(0, _CHOICE) == choice]
        if choice is None or not found:
            return False
        self.list.setCurrentItem(found[0])
        return True

    # ------------------------------------------------------------------ what is chosen
    @property
    def choice(self) -> Choice:
        """What is chosen; None for a dictionary of the open project, or nothing."""
        item = self.list.currentItem()
        found = None if item is None else item.data(0, _CHOICE)
        return found if isinstance(found, Family | DictionaryHere) else None

    def _show_chosen(self, _new: object = None, _old: object = None) -> None:
        choice, item = self.choice, self.list.currentItem()
        with QSignalBlocker(self.layer):
            self.layer.clear()
            if isinstance(choice, Family):
                for number in choice.layers:
                    here = "   on this machine" if choice.is_here(number) else ""
                    self.layer.addItem(f"{number}{here}", number)
                self.layer.setCurrentIndex(len(choice.layers) // 2)
        if isinstance(choice, Family):
            self.title.setText(f"{choice.name}, {choice.model}")
            self.about.setText(_about_family(choice))
        elif choice is not None:
            self.title.setText(choice.name)
            self.about.setText(_about_here(choice))
        else:
            self.title.setText(item.text(0) if item is not None else "")
            told = "It is already in this project." if item is not None else "Nothing matches."
            self.about.setText(told)
        self.page_button.setEnabled(isinstance(choice, Family))
        self._form.setRowVisible(self.layer, isinstance(choice, Family))
        self._show_layer()

    def _show_layer(self, _number: int = 0) -> None:
        choice, layer = self.choice, self.layer.currentData()
        here = isinstance(choice, DictionaryHere) or (
            isinstance(choice, Family) and layer is not None and choice.is_here(layer)
        )
        open_ = self._session.project is not None and not self._session.read_only
        if choice is None:
            told = ""
        elif not open_:
            told = "Open a project to import it into."
        elif here:
            told = "It is on this machine, so no network is needed."
        elif offline():
            told = f"It is not on this machine, and {why_offline()}: it cannot be downloaded."
        else:
            told = (
                "Importing downloads it from the hub. An interrupted download resumes, and the "
                "file is checked against the digest published there."
            )
        self.state.setText(told)
        self.import_button.setEnabled(choice is not None and open_ and (here or not offline()))

    def import_chosen(self) -> None:
        """Ask what is still to be known of the chosen dictionary, and import it."""
        choice, layer = self.choice, self.layer.currentData()
        if choice is None or not self.import_button.isEnabled():
            return
        if isinstance(choice, DictionaryHere):
            form = ImportDictionaryForm(self._session, choice.source)
            form.expect(choice.model, choice.site, "", "")
            form.present(self)
            return
        form = ImportDictionaryForm(self._session, choice.source(layer))
        form.expect(
            choice.model, choice.site(layer), choice.site_out(layer),
            choice.digests.get(str(layer), ""),
        )  # fmt: skip
        form.present(self)

    def open_page(self) -> None:
        """Show the family's page on the hub in the browser."""
        choice = self.choice
        if isinstance(choice, Family):
            QDesktopServices.openUrl(QUrl(choice.page))


# ---------------------------------------------------------------- rows and words
def _row(name: str, model: str, site: str, features: int, size: int) -> list[str]:
    """Return the texts of a dictionary's row, its site split into hook and layer."""
    layer, _, hook = site.removeprefix("blocks.").partition(".")
    return [
        name, model, hook or site, layer if hook else "",
        exact_count(features) if features else _UNKNOWN, format_bytes(size), "",
    ]  # fmt: skip


def _row_here(one: DictionaryHere) -> list[str]:
    return _row(one.name, one.model, one.site, one.features, one.bytes)


def _row_of(family: Family) -> list[str]:
    known = family.features > 0
    return [
        family.name, family.model, family.hook, layers_text(family.layers),
        exact_count(family.features) if known else _UNKNOWN,
        format_bytes(family.bytes) if known else _UNKNOWN, family.licence or "on its page",
    ]  # fmt: skip


def _holds(row: tuple[list[str], Choice], words: list[str]) -> bool:
    texts, choice = row
    if isinstance(choice, Family):  # it was chosen by more than its row shows
        return True
    told = " ".join(texts) if choice is None else choice.text
    return all(word in told.casefold() for word in words)


def _about_family(family: Family) -> str:
    features = exact_count(family.features) if family.features else "unknown"
    return (
        f"{family.format}, {architecture_title(family.architecture)}\n{features} features of width "
        f"{exact_count(family.width)}\nLicence: {family.licence or 'see its web page'}\n"
        f"{family.repository}"
    )


def _about_here(one: DictionaryHere) -> str:
    if not one.place:
        return "In the hub’s cache. Importing it shows which dictionaries it holds."
    return (
        f"{exact_count(one.features)} features\n{one.model or 'unknown model'}, "
        f"{one.site or 'unknown site'}\nIn the project {one.place}"
    )
