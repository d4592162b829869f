"""The Gallery workspace: dictionaries on this machine, and well-known public ones to import."""

from __future__ import annotations

from PySide6.QtCore import Qt, QUrl
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
from sae_desktop.gui.actions import ActionInfo
from sae_desktop.gui.amounts import bytes_text, exact_count
from sae_desktop.gui.panels.exchange_forms import ImportDictionaryForm
from sae_desktop.gui.session import Session
from sae_desktop.gui.widgets.labels import label, push_button
from sae_desktop.language_model.offline import offline

_HEADS = ("Dictionary", "Model", "Site", "Layers", "Features", "Size", "Licence")
_FAMILY = Qt.ItemDataRole.UserRole
_NUMBERS = (4, 5)
_UNKNOWN = "?"
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class GalleryPanel(QSplitter):
    """A list of dictionaries with a field to filter it; what is chosen is told beside it."""

    def __init__(self, session: Session) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setObjectName("gallery")
        self.setProperty("ground", "window")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setChildrenCollapsible(False)
        self.setHandleWidth(8)
        self._session = session
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
            tip="Bring it into the open project (Return)",
        )  # fmt: skip
        self.page_button = push_button(
            "Its page", self.open_page, icon="arrow-square-out", tip="Open its page on the hub"
        )
        self._build()
        self.filter.textChanged.connect(self._fill)
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
        form = QFormLayout()
        form.addRow("Layer", self.layer)
        side.addLayout(form)
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
        self.setSizes([860, 340])
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
                "download-simple",
                "",
                self.import_chosen,
                lambda: self.import_button.isEnabled(),
            ),
        ]

    # ------------------------------------------------------------------ the list
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self._fill()

    def _on_contents_changed(self) -> None:
        self._stale = True
        if self.isVisible():
            self._fill()

    def _fill(self, _text: str = "") -> None:
        self._stale = False
        text = self.filter.text()
        chosen = self.family
        self._items = []
        self.list.clear()
        self._add_own(text.casefold().split())
        found = matching(catalogue(), text)
        here = [family for family in found if any(map(family.is_here, family.layers))]
        for title, families in (("Downloaded", here), ("Public", found)):
            if families:
                group = self._group(title)
                for family in families:
                    self._add(group, family)
        self.list.expandAll()
        if not self._choose(chosen):
            self._choose(found[0] if found else None)
        self._show_chosen()

    def _group(self, title: str) -> QTreeWidgetItem:
        group = QTreeWidgetItem(self.list, [title])
        group.setFlags(Qt.ItemFlag.ItemIsEnabled)
        group.setFirstColumnSpanned(True)
        font = group.font(0)
        font.setBold(True)
        group.setFont(0, font)
        return group

    def _add_own(self, words: list[str]) -> None:
        kept = [d for d in self._session.inventory.dictionaries if d.summary is not None]
        rows = []
        for item in kept:
            summary = item.summary
            assert summary is not None
            layer, _, hook = summary.site.removeprefix("blocks.").partition(".")
            row = [
                item.name, summary.model, hook or summary.site, layer if hook else "",
                exact_count(summary.features), bytes_text(summary.bytes), "",
            ]  # fmt: skip
            if all(word in " ".join(row).casefold() for word in words):
                rows.append(row)
        if rows:
            group = self._group("In this project")
            for row in rows:
                self._row(group, row)

    def _add(self, group: QTreeWidgetItem, family: Family) -> None:
        known = family.features > 0
        row = [
            family.name, family.model, family.hook, layers_text(family.layers),
            exact_count(family.features) if known else _UNKNOWN,
            bytes_text(family.bytes) if known else _UNKNOWN, family.licence or "see its page",
        ]  # fmt: skip
        self._row(group, row).setData(0, _FAMILY, family)

    def _row(self, group: QTreeWidgetItem, texts: list[str]) -> QTreeWidgetItem:
        item = QTreeWidgetItem(group, texts)
        self._items.append(item)
        for column, text in enumerate(texts):
            item.setToolTip(column, text)
        for column in _NUMBERS:
            item.setTextAlignment(column, _RIGHT)
        return item

    def _choose(self, family: Family | None) -> bool:
        found = [item for item in self._items if item.data(0, _FAMILY) == family]
        if family is None or not found:
            return False
        self.list.setCurrentItem(found[0])
        return True

    # ------------------------------------------------------------------ what is chosen
    @property
    def family(self) -> Family | None:
        """The public family that is chosen; None for a dictionary of the project."""
        item = self.list.currentItem()
        found = None if item is None else item.data(0, _FAMILY)
        return found if isinstance(found, Family) else None

    def _show_chosen(self, _new: object = None, _old: object = None) -> None:
        family, item = self.family, self.list.currentItem()
        self.layer.blockSignals(True)
        self.layer.clear()
        if family is not None:
            for number in family.layers:
                here = "   on this machine" if family.is_here(number) else ""
                self.layer.addItem(f"{number}{here}", number)
            self.layer.setCurrentIndex(len(family.layers) // 2)
        self.layer.blockSignals(False)
        if family is None:
            self.title.setText(item.text(0) if item is not None else "")
            told = "It is in this project already." if item is not None else "Nothing fits."
            self.about.setText(told)
        else:
            self.title.setText(f"{family.name}, {family.model}")
            features = exact_count(family.features) if family.features else "unknown"
            self.about.setText(
                f"{family.format}, {family.architecture}\n{features} features of width "
                f"{exact_count(family.width)}\nLicence: {family.licence or 'on its page'}\n"
                f"{family.repository}"
            )
        self.page_button.setEnabled(family is not None)
        self.layer.setEnabled(family is not None)
        self._show_layer()

    def _show_layer(self, _number: int = 0) -> None:
        family, layer = self.family, self.layer.currentData()
        ready = family is not None and layer is not None
        here = family.is_here(layer) if family is not None and layer is not None else False
        open_ = self._session.project is not None and not self._session.read_only
        if not ready:
            told = ""
        elif not open_:
            told = "Open a project to import it into."
        elif here:
            told = "It is on this machine: no network is needed."
        elif offline():
            told = "It is not on this machine, and HF_HUB_OFFLINE is set: it cannot be downloaded."
        else:
            told = (
                "It is downloaded from the hub, goes on where it broke off, and is checked "
                "against the digest published there."
            )
        self.state.setText(told)
        self.import_button.setEnabled(ready and open_ and (here or not offline()))

    def import_chosen(self) -> None:
        """Ask what is still to be known of the chosen dictionary, and import it."""
        family, layer = self.family, self.layer.currentData()
        if family is None or layer is None or not self.import_button.isEnabled():
            return
        form = ImportDictionaryForm(self._session, family.source(layer))
        form.expect(family.model, family.site(layer), family.site_out(layer))
        form.present(self)

    def open_page(self) -> None:
        """Show the family's page on the hub in the browser."""
        family = self.family
        if family is not None:
            QDesktopServices.openUrl(QUrl(family.page))
