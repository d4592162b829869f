"""Which concepts of a list have a feature in which dictionary."""

from __future__ import annotations

import html
from pathlib import Path

from PySide6.QtCore import QModelIndex, QSignalBlocker, Qt
from PySide6.QtGui import QAction, QGuiApplication, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QFileDialog,
    QHeaderView,
    QMenu,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from sae_desktop.comparison.completeness_table import read_table
from sae_desktop.comparison.concepts import all_lists, read_list_file, save_concepts
from sae_desktop.comparison.config import CompletenessConfig, CompletenessResult
from sae_desktop.described import default, setting
from sae_desktop.errors import UserError
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.reading.firing_paths import firings_folder
from sae_desktop.gui.explore.ask.completeness_plot import CompletenessPlot
from sae_desktop.gui.explore.ask.concept_table import (
    CONCEPT,
    FIRST_DICTIONARY,
    OCCURRENCES,
    ConceptTableModel,
)
from sae_desktop.gui.explore.other_dictionaries import OtherDictionaries
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.copy_code import copy_code_button
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.kept_fields import keep_fields
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.plot_image import image_button
from sae_desktop.gui.parts.plot_style import run_colour
from sae_desktop.gui.state.session import Session
from sae_desktop.words.completeness_figures import share_curves, summary_text, table_text
from sae_desktop.words.inventory import IndexItem

_CONCEPT_WIDTH, _OCCURS_WIDTH, _FIGURE_WIDTH = 140, 72, 104


class CompletenessPanel(QWidget):
    """A list of concepts, the indexes to ask, and the table with its curves."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("explore.completeness")
        self._session = session
        self._others = OtherDictionaries.of(session)
        self._left_out: set[str] = set()
        self._stale = True
        self.lists = ElidedComboBox(14)
        self.lists.setAccessibleName("List of concepts")
        self.lists.setToolTip("A list of concepts")
        self.add = push_button(
            "Add list…", self._on_add, flat=True,
            tip="Read a list from a text file: one concept per line, its forms separated by bars",
        )  # fmt: skip
        self.indexes = push_button("", tip="Which indexes to search")
        self.indexes.setMenu(QMenu(self))
        control = setting(CompletenessConfig, "control")
        self.control = QCheckBox(control.title)
        self.control.setChecked(default(CompletenessConfig, "control"))
        self.control.setToolTip(plain_tip(control.description))
        self.look = push_button("Find concepts", self._on_look, primary=True)
        self.state = label("", "small", wrap=True, selectable=True)
        self.summary = label("", "small", wrap=True, selectable=True)
        self.summary.setTextFormat(Qt.TextFormat.RichText)
        self.model = ConceptTableModel(self._others.words, self)
        self.table = QTableView()
        self.plot = CompletenessPlot()
        self.times_alive = QCheckBox("× alive features")
        self.times_alive.setToolTip(
            "Multiplies the frequency by the number of features that fire: the curves of "
            "dictionaries of any size should then coincide"
        )
        self._build()
        self.lists.currentIndexChanged.connect(self._show_table)
        self.times_alive.toggled.connect(self._draw)
        self.table.activated.connect(self._on_activated)
        self.table.doubleClicked.connect(self._on_activated)
        self._others.changed.connect(self.reload)
        theme.manager().themeChanged.connect(self._say_summary)
        keep_fields(session, self, {"control": self.control, "times_alive": self.times_alive})

    def _build(self) -> None:
        table = self.table
        table.setModel(self.model)
        table.setSortingEnabled(True)
        table.setAccessibleName("Concepts by dictionaries")
        table.setToolTip("Press Return or double-click a cell to open its feature")
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(24)
        table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        table.horizontalHeader().setTextElideMode(Qt.TextElideMode.ElideMiddle)
        table.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.DescendingOrder)
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        side = QWidget()
        right = QVBoxLayout(side)
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(4)
        head = QFlowLayout()
        head.setHorizontalSpacing(8)
        head.setVerticalSpacing(4)
        head.addWidget(self.times_alive)
        head.addWidget(image_button(self.plot.view, "completeness"))
        head.addWidget(push_button("Copy data", self.copy_data, flat=True))
        right.addLayout(head)
        right.addWidget(self.summary)
        right.addWidget(self.plot, 1)
        self.results = QSplitter(Qt.Orientation.Horizontal)
        self.results.setChildrenCollapsible(False)
        self.results.addWidget(table)
        self.results.addWidget(side)
        bar = QFlowLayout()
        bar.setHorizontalSpacing(8)
        bar.setVerticalSpacing(4)
        copy = copy_code_button(
            self._session, lambda: self.config() if self.look.isEnabled() else None
        )
        for widget in (self.lists, self.add, self.indexes, self.control, self.look, copy):
            bar.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(4)
        column.addLayout(bar)
        column.addWidget(self.state)
        column.addWidget(self.results, 1)
        column.addStretch()
        self.setMinimumSize(240, 160)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        wide = self.width() > self.height()
        self.results.setOrientation(Qt.Orientation.Horizontal if wide else Qt.Orientation.Vertical)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self.reload()

    # ------------------------------------------------------------------ content
    def reload(self) -> None:
        """Look at the project's lists, indexes and tables again, once the panel is in sight."""
        self._stale = not self.isVisible()
        if self._stale:
            return
        project = self._session.project
        names = all_lists(project) if project is not None else []
        if names != [self.lists.itemText(i) for i in range(self.lists.count())]:
            chosen = self.lists.currentText()
            with QSignalBlocker(self.lists):
                self.lists.clear()
                self.lists.addItems(names)
                known = project.completeness_tables() if project is not None else []
                with_table = next((name for name in names if name in known), "")
                self.lists.setCurrentText(chosen if chosen in names else with_table)
        self._fill_indexes()
        self._show_table()

    def choices(self) -> list[IndexItem]:
        """Return the indexes with firings that read as many tokens as the open one."""
        index, project = self._session.index, self._session.project
        if index is None or project is None:
            return []
        return [
            item
            for item in self._session.inventory.indexes
            if (item.rows, item.model) == (index.info.rows, index.info.model)
            and firings_folder(project.index_path(item.name)).is_dir()
        ]

    def asked(self) -> list[str]:
        """Return the indexes that are asked, one of each dictionary."""
        found: dict[str, str] = {}
        for item in self.choices():
            if item.name not in self._left_out:
                found.setdefault(item.dictionary, item.name)
        return list(found.values())

    def _fill_indexes(self) -> None:
        menu = self.indexes.menu()
        menu.clear()
        for item in self.choices():
            action = QAction(f"{item.name} ({item.features:,} features)", menu, checkable=True)
            action.setChecked(item.name not in self._left_out)
            action.toggled.connect(lambda on, name=item.name: self._on_chosen(name, on))
            menu.addAction(action)
        self._say_indexes()

    def _on_chosen(self, name: str, on: bool) -> None:
        (self._left_out.discard if on else self._left_out.add)(name)
        self._say_indexes()

    def _say_indexes(self) -> None:
        count = len(self.asked())
        self.indexes.setText(f"{count} {'index' if count == 1 else 'indexes'}")
        self.indexes.setEnabled(bool(self.choices()))
        self.look.setEnabled(count > 0 and self.lists.count() > 0)

    def _show_table(self) -> None:
        table = self._read()
        self.model.show_table(table)
        self.results.setVisible(table is not None)
        if table is not None:
            self.table.horizontalHeader().resizeSection(CONCEPT, _CONCEPT_WIDTH)
            header = self.table.horizontalHeader()
            header.resizeSection(OCCURRENCES, _OCCURS_WIDTH)
            for section in range(FIRST_DICTIONARY, self.model.columnCount()):
                header.resizeSection(section, _FIGURE_WIDTH)
        self.state.setText(self._state_text())
        self.state.setVisible(table is None or not self.choices())
        self._draw()

    def _state_text(self) -> str:
        if self._session.index is None:
            return "Open an index to search its dictionary."
        if not self.choices():
            keep = setting(IndexConfig, "keep_firings").title
            if self.model.table is not None:
                return f"To search again, build the index with “{keep}”."
            return (
                "The open index has no firings, which are needed to find concepts. Build it again "
                f"with “{keep}”."
            )
        return (
            f"Not searched yet: “{self.lists.currentText()}”. Every feature is scored on how "
            f"well it tells where each concept occurs."
        )

    def _read(self) -> CompletenessResult | None:
        project, name = self._session.project, self.lists.currentText()
        if project is None or name not in project.completeness_tables():
            return None
        try:
            return read_table(project, name)
        except UserError as error:
            self._session.show_error(error)
            return None

    def _draw(self) -> None:
        table = self.model.table
        times = self.times_alive.isChecked()
        self.plot.show_curves(
            [] if table is None else share_curves(table, times_alive=times), times_alive=times
        )
        self._say_summary()

    def _say_summary(self) -> None:
        """Say each dictionary's figures, in the colour of its curve."""
        table = self.model.table
        lines = [] if table is None else [
            f'<span style="color: {run_colour(place).name()}">●</span> '
            + html.escape(summary_text(table, place))
            for place in range(len(table.dictionaries))
        ]  # fmt: skip
        self.summary.setText("<br>".join(lines))

    # ------------------------------------------------------------------ hands
    def _on_look(self) -> None:
        self._session.run(self.config())

    def config(self) -> CompletenessConfig:
        """Return the search that is set."""
        name = self.lists.currentText()
        return CompletenessConfig(
            project=self._session.project_path,
            name=name,
            concepts=name,
            indexes=tuple(self.asked()),
            control=self.control.isChecked(),
        )

    def _on_add(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "A list of concepts", "", "Text (*.txt);;All (*)"
        )
        if name:
            self.add_list(Path(name))

    def add_list(self, path: Path) -> None:
        """Take a list into the project and choose it; what is not a list is said."""
        project = self._session.project
        if project is None:
            return
        if self._session.refusal is not None:
            self._session.show_error(self._session.refusal)
            return
        try:
            save_concepts(project, path.stem, read_list_file(path))
        except UserError as error:
            self._session.show_error(error)
            return
        self.reload()
        self.lists.setCurrentText(path.stem)

    def _on_activated(self, index: QModelIndex) -> None:
        found = self.model.detector(index)
        if found is not None:
            self._others.open(found[0], found[1].feature)

    def copy_data(self) -> None:
        """Put the table on the clipboard, tab-separated."""
        if self.model.table is not None:
            QGuiApplication.clipboard().setText(table_text(self.model.table))
