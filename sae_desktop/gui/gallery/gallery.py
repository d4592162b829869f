"""The Gallery workspace: dictionaries on this machine, and well-known public ones to import."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QSplitter,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.exchange.fits import Fit, fit_of, published_model
from sae_desktop.exchange.gallery import Family, catalogue, matching, weights_here
from sae_desktop.exchange.here import (
    DictionaryHere,
    cached_repositories,
    dictionaries_in_projects,
)
from sae_desktop.exchange.machine import Machine, this_machine
from sae_desktop.gui.forms.exchange_forms import ImportDictionaryForm
from sae_desktop.gui.gallery.gallery_get import ALL_LAYERS, getting
from sae_desktop.gui.gallery.gallery_rows import (
    HEADS,
    Choice,
    about_family,
    about_here,
    holds,
    row,
    row_here,
    row_of,
    row_of_set,
)
from sae_desktop.gui.gallery.gallery_side import GallerySide
from sae_desktop.gui.parts.actions import ActionInfo
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import set_heads
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.language_model.files.offline import offline
from sae_desktop.storage.network import why_offline
from sae_desktop.words.gallery_text import access_text, download_text, fit_text

_CHOICE = Qt.ItemDataRole.UserRole
"""The Family or DictionaryHere of a row; None for a dictionary of the open project."""
_NUMBERS = (4, 5)
_OPEN_FIRST = "Open a project to import it into."
_WIDTHS = (160, 112, 68, 74, 74, 100, 104)
"""Of all columns but the first."""
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
        self._shown: Choice = None
        self._items: list[QTreeWidgetItem] = []
        """The rows below the headings."""
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Name, model, site")
        self.filter.setAccessibleName("Filter the dictionaries")
        self.filter.setClearButtonEnabled(True)
        self.list = QTreeWidget()
        set_heads(self.list, HEADS)
        self.list.setRootIsDecorated(False)
        self.list.setIndentation(12)
        self.list.setUniformRowHeights(True)
        self.list.setAllColumnsShowFocus(True)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setAccessibleName("Dictionaries")
        self.fits_only = QCheckBox("Fits this machine")
        self.fits_only.setToolTip(
            "List only the public dictionaries that fit into memory and disk with their model"
        )
        side = self.side = GallerySide(
            session, self.get_chosen, self.import_chosen, self.open_features, self.open_page,
            self.open_model_page,
        )  # fmt: skip
        self.title, self.about, self.layer = side.title, side.about, side.layer
        self.fit, self.access, self.state = side.fit, side.access, side.state
        self.get_button, self.import_button = side.get_button, side.import_button
        self.features_button, self.page_button = side.features_button, side.page_button
        self._machine: Machine | None = None
        self._looking = Background(self)
        self._looking.answered.connect(self._on_machine)
        self._build()
        self.filter.textChanged.connect(lambda _text: self._fill())
        self.fits_only.toggled.connect(lambda _on: self._fill())
        self.list.currentItemChanged.connect(self._show_chosen)
        self.list.itemActivated.connect(lambda _item, _column: self.side.act())
        self.layer.currentIndexChanged.connect(self._show_layer)
        session.contentsChanged.connect(self._on_contents_changed)
        session.projectChanged.connect(self._on_contents_changed)
        self.setFocusProxy(self.filter)

    def _build(self) -> None:
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(12, 12, 4, 12)
        column.setSpacing(8)
        top = QHBoxLayout()
        top.setSpacing(12)
        top.addWidget(self.filter, 1)
        top.addWidget(self.fits_only)
        column.addLayout(top)
        column.addWidget(self.list, 1)
        self.addWidget(left)
        self.addWidget(self.side)
        self.setSizes([880, 320])
        self.setStretchFactor(0, 1)
        self.setStretchFactor(1, 0)
        header = self.list.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        head = self.list.headerItem()
        for number in _NUMBERS:
            head.setTextAlignment(number, _RIGHT)
        for column_number, width in enumerate(_WIDTHS, start=1):
            header.resizeSection(column_number, width)

    def action_infos(self) -> list[ActionInfo]:
        """Return what can be done here, for menus, shortcuts and the palette."""
        return [
            ActionInfo(
                "gallery.get",
                "Get the chosen dictionary and its model",
                self.get_chosen,
                icon="download-simple",
                enabled_when=lambda: self.get_button.isEnabled(),
            ),
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

    def _on_machine(self, answer: tuple[object, Machine]) -> None:
        self._machine = answer[1]
        if self.fits_only.isChecked():
            self._fill()
            return
        for item in self._items:
            choice = item.data(0, _CHOICE)
            if isinstance(choice, Family):
                self._set_texts(item, self._row_of(choice))
        self._show_layer()

    def _fit(self, family: Family, layer: int) -> Fit | None:
        return None if self._machine is None else fit_of(family, layer, self._machine)

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
        self._looking.run("machine", this_machine)
        self._fill()

    def _fill(self) -> None:
        text = self.filter.text()
        words = text.casefold().split()
        chosen = self.choice
        self._items = []
        self.list.clear()
        self._add_rows("In this project", [(row, None) for row in self._own_rows()], words)
        others = [one for one in self._here if one.place]
        self._add_rows("In other projects", [(row_here(one), one) for one in others], words)
        found = matching(catalogue(), text)
        if self.fits_only.isChecked():
            found = [f for f in found if (fit := self._fit(f, f.layers[0])) and fit.fits]
        here = [family for family in found if any(map(family.is_here, family.layers))]
        cached = [one for one in self._here if not one.place]
        self._add_rows(
            "Downloaded",
            [*((self._row_of(f), f) for f in here), *((row_here(one), one) for one in cached)],
            words,
        )
        self._add_rows("Public", [(self._row_of(family), family) for family in found], [])
        self.list.expandAll()
        if not self._choose(chosen):
            self._choose(found[0] if found else None)
        self._show_chosen()

    def _row_of(self, family: Family) -> list[str]:
        fit = self._fit(family, family.layers[0])
        return row_of(family, fit, looked=self._machine is not None)

    def _add_rows(self, title: str, rows: list[tuple[list[str], Choice]], words: list[str]) -> None:
        """List what holds all the words under a heading; none without any."""
        fitting = [one for one in rows if holds(*one, words)]
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
        inventory = self._session.inventory
        found = [d.summary for d in inventory.dictionaries if d.summary is not None]
        rows = [row(s.name, s.model, s.site, s.features, s.bytes) for s in found]
        return [*map(row_of_set, inventory.sets), *rows]

    def _row(self, group: QTreeWidgetItem, texts: list[str]) -> QTreeWidgetItem:
        item = QTreeWidgetItem(group)
        self._items.append(item)
        self._set_texts(item, texts)
        for column in _NUMBERS:
            item.setTextAlignment(column, _RIGHT)
        return item

    def _set_texts(self, item: QTreeWidgetItem, texts: list[str]) -> None:
        for column, text in enumerate(texts):
            item.setText(column, text)
            item.setToolTip(column, plain_tip(text))

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
        if choice is None or choice != self._shown:
            self._fill_layers(choice)
        self._shown = choice
        own = item.text(0) if choice is None and item is not None and item.parent() else ""
        self.side.offer_open(own)
        if isinstance(choice, Family):
            self.title.setText(f"{choice.name}, {choice.model}")
            self.about.setText(about_family(choice))
        elif choice is not None:
            self.title.setText(choice.name)
            self.about.setText(about_here(choice))
        else:
            self.title.setText(item.text(0) if item is not None else "")
            told = "It is already in this project." if own else ""
            self.about.setText(told if item is not None else "Nothing matches.")
        public = isinstance(choice, Family)
        for widget in (
            self.page_button, self.side.model_page_button, self.features_button, self.get_button,
            self.fit, self.access,
        ):  # fmt: skip
            widget.setVisible(public)
        self.side.form.setRowVisible(self.layer, isinstance(choice, Family))
        self._show_layer()

    def _fill_layers(self, choice: Choice) -> None:
        with QSignalBlocker(self.layer):
            self.layer.clear()
            if isinstance(choice, Family):
                if choice.is_set:
                    self.layer.addItem("all, as one set", ALL_LAYERS)
                for number in choice.layers:
                    here = "   on this machine" if choice.is_here(number) else ""
                    self.layer.addItem(f"{number}{here}", number)
                self.layer.setCurrentIndex(0 if choice.is_set else len(choice.layers) // 2)

    def _show_layer(self, _number: int = 0) -> None:
        choice, layer = self.choice, self.layer.currentData()
        open_ = self._session.project is not None and not self._session.read_only
        if isinstance(choice, Family):
            self._show_family(choice, layer, open_=open_)
            return
        told = "It is on this machine, so no network is needed." if open_ else _OPEN_FIRST
        self.state.setText("" if choice is None else told)
        self.import_button.setEnabled(choice is not None and open_)

    def _show_family(self, family: Family, layer: int, *, open_: bool) -> None:
        """Tell whether the dictionary of a layer fits, who may have it, and what a button does."""
        wanted = family.layers if layer == ALL_LAYERS else [layer]
        fit, model = self._fit(family, wanted[0]), published_model(family.model)
        here, model_here = all(map(family.is_here, wanted)), weights_here(family.model)
        looking = "Looking at what this machine has …"
        self.fit.setText(looking if self._machine is None else fit_text(fit))
        self.access.setText(access_text(family.model, model.access if model else "unknown"))
        self.access.setVisible(not model_here)
        what = "set" if layer == ALL_LAYERS else "dictionary"
        self.get_button.setText(f"Get {what}" if model_here else f"Get {what} and model")
        self.get_button.setAccessibleName(self.get_button.text())
        missing = [what for what, there in ((what, here), ("model", model_here)) if not there]
        self.state.setText(download_text(missing, fit, why_offline()) if open_ else _OPEN_FIRST)
        online = not offline()
        room = fit is None or fit.disk
        self.import_button.setEnabled(open_ and (here or online))
        self.get_button.setEnabled(open_ and room and (online or not missing))
        self.features_button.setVisible(bool(family.features_page(wanted[0])))
        for button in (self.features_button, self.page_button, self.side.model_page_button):
            button.setEnabled(online)
        tip = "Open the layer’s page on neuronpedia.org, before anything is downloaded"
        off = f"It cannot be opened: {why_offline()}"
        self.features_button.setToolTip(plain_tip(tip if online else off))

    def get_chosen(self) -> None:
        """Download the chosen dictionary and its model, and put it into the open project."""
        choice, layer = self.choice, self.layer.currentData()
        if not isinstance(choice, Family) or not self.get_button.isEnabled():
            return
        job = self._session.run(getting(self._session, choice, layer))
        if job is not None:
            self.side.download.follow(job)

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
        if layer == ALL_LAYERS:
            form = ImportDictionaryForm(self._session, choice.repository)
            form.expect(choice.model, "", "", "")
        else:
            form = ImportDictionaryForm(self._session, choice.source(layer))
            digest = choice.digests.get(str(layer), "")
            form.expect(choice.model, choice.site(layer), choice.site_out(layer), digest)
        form.present(self)

    def open_page(self) -> None:
        """Show the family's page on the hub in the browser."""
        choice = self.choice
        if isinstance(choice, Family):
            QDesktopServices.openUrl(QUrl(choice.page))

    def open_model_page(self) -> None:
        """Show the page of the family's model on the hub in the browser."""
        choice = self.choice
        if isinstance(choice, Family):
            QDesktopServices.openUrl(QUrl(choice.model_page))

    def open_features(self) -> None:
        """Show the features of the chosen layer in the browser."""
        choice = self.choice
        if isinstance(choice, Family) and self.features_button.isEnabled():
            QDesktopServices.openUrl(QUrl(choice.features_page(self.layer.currentData())))
