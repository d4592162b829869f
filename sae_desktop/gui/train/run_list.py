"""The runs of a project or of a sweep: a table of figures; checked runs are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QModelIndex, QPoint, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QMenu,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.train.run_table import RunTableModel, column_width
from sae_desktop.words.run_figures import RunRow, runs_table

_HEADER_MARGIN = 36
"""Room for the arrow that tells the order."""
ALL_RUNS = ""
"""The choice that lists the runs of every sweep, and those of none."""
_SET = "\0set:"
"""Before the name of a set whose layers are listed."""


class _Table(QTableView):
    """Space draws the run under the cursor, or takes it away."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        if event.key() == Qt.Key.Key_Space and index.isValid():
            first = index.siblingAtColumn(0)
            drawn = first.data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Checked
            state = Qt.CheckState.Unchecked if drawn else Qt.CheckState.Checked
            self.model().setData(first, state, Qt.ItemDataRole.CheckStateRole)
        else:
            super().keyPressEvent(event)


class RunList(QWidget):
    """Runs to list, the table, and what can be done with a run."""

    toggled = Signal(str, bool)
    """A run is to be drawn, or no longer."""
    chosen = Signal(str)
    """The run under the cursor changed."""
    listed = Signal()
    """Another sweep or set was chosen, or all runs."""
    requested = Signal(str, str)
    """(action, run): "evaluate", "copy_settings", "further", "only", "resume"."""

    def __init__(self, colour_of: Callable[[str], str]) -> None:
        super().__init__()
        self.model = RunTableModel(colour_of, self.toggled.emit, self)
        self.table = _Table()
        self.table.setModel(self.model)
        self.table.setAccessibleName("Runs")
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.table.setShowGrid(False)
        self.table.setTabKeyNavigation(False)
        self.table.setWordWrap(False)
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._show_menu)
        self.table.clicked.connect(self._on_clicked)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(26)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setMinimumSectionSize(48)
        self.table.selectionModel().currentRowChanged.connect(self._on_current)
        self.model.modelReset.connect(self._size_columns)
        self._allowed: Callable[[str, RunRow], bool] = lambda _action, _run: True
        self._build()
        self._size_columns()

    def _build(self) -> None:
        self.sweeps = QComboBox()
        self.sweeps.setAccessibleName("Runs to list")
        self.sweeps.addItem("All runs", ALL_RUNS)
        self.sweeps.currentIndexChanged.connect(lambda _i: self.listed.emit())
        self._empty = label("No runs yet.", "muted")
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.sweeps)
        head.addWidget(self._empty, 1)
        head.addStretch(1)
        head.addWidget(push_button("Copy table", self.copy_table, icon="copy", flat=True))
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.table, 1)

    # ------------------------------------------------------------------ content
    @property
    def sweep(self) -> str:
        """The sweep whose runs are listed; `ALL_RUNS` for every run, and for those of a set."""
        chosen = self._chosen
        return ALL_RUNS if chosen.startswith(_SET) else chosen

    @property
    def set(self) -> str:
        """The set whose layers are listed; empty: none."""
        chosen = self._chosen
        return chosen.removeprefix(_SET) if chosen.startswith(_SET) else ""

    @property
    def _chosen(self) -> str:
        return str(self.sweeps.currentData() or ALL_RUNS)

    def show_groups(self, sweeps: Sequence[str], sets: Sequence[str]) -> None:
        """Offer the project's sweeps and sets."""
        wanted = [(f"Sweep “{name}”", name) for name in sweeps]
        wanted += [(f"Set “{name}”", f"{_SET}{name}") for name in sets]
        offered = [self.sweeps.itemData(place) for place in range(1, self.sweeps.count())]
        if offered == [value for _, value in wanted]:
            return
        keep = self._chosen
        with QSignalBlocker(self.sweeps):
            while self.sweeps.count() > 1:
                self.sweeps.removeItem(1)
            for text, value in wanted:
                self.sweeps.addItem(text, value)
            self.sweeps.setCurrentIndex(max(self.sweeps.findData(keep), 0))
        if self._chosen != keep:
            self.listed.emit()

    def choose_sweep(self, name: str) -> None:
        """List the runs of a sweep, where there is one of that name."""
        self._choose(name)

    def choose_set(self, name: str) -> None:
        """List the layers of a set, where there is one of that name."""
        self._choose(f"{_SET}{name}")

    def _choose(self, value: str) -> None:
        if self.sweeps.findData(value) >= 0:
            self.sweeps.setCurrentIndex(self.sweeps.findData(value))

    def show_runs(self, runs: Sequence[RunRow]) -> None:
        """List the runs."""
        self.model.show_runs(runs)
        self._empty.setVisible(not runs)

    def set_allowed(self, allowed: Callable[[str, RunRow], bool]) -> None:
        """Say which actions can be done with a run now."""
        self._allowed = allowed

    def names(self) -> list[str]:
        return [run.name for run in self.model.runs()]

    @property
    def current(self) -> str:
        """The run under the cursor; empty without one."""
        index = self.table.currentIndex()
        return self.model.run_at(index.row()).name if index.isValid() else ""

    def choose(self, name: str) -> None:
        """Put the cursor on a run."""
        row = self.model.row_of(name)
        if row is not None and self.current != name:
            self.table.setCurrentIndex(self.model.index(row, 0))
            middle = QAbstractItemView.ScrollHint.PositionAtCenter
            self.table.scrollTo(self.model.index(row, 0), middle)

    # ------------------------------------------------------------------ doing
    def _size_columns(self) -> None:
        for place in range(self.model.columnCount()):
            title = str(self.model.headerData(place, Qt.Orientation.Horizontal))
            needed = self.table.horizontalHeader().fontMetrics().horizontalAdvance(title)
            least = column_width(self.model.field_at(place))
            self.table.setColumnWidth(place, max(needed + _HEADER_MARGIN, least))

    def _on_current(self, index: QModelIndex, _before: QModelIndex) -> None:
        if index.isValid():
            self.chosen.emit(self.model.run_at(index.row()).name)

    def _on_clicked(self, index: QModelIndex) -> None:
        drawn = index.siblingAtColumn(0).data(Qt.ItemDataRole.CheckStateRole)
        if index.column() and drawn == Qt.CheckState.Unchecked:
            self.toggled.emit(self.model.run_at(index.row()).name, True)

    def menu(self, run: RunRow) -> QMenu:
        """Return the menu of a run."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for action, text in (
            ("only", "Draw only this run"),
            ("copy_settings", "Copy its settings to a new run"),
            ("further", "Train it further…"),
            ("resume", "Resume the training"),
            ("evaluate", "Evaluate…"),
        ):
            item = menu.addAction(text)
            item.setEnabled(self._allowed(action, run))
            item.triggered.connect(
                lambda _checked=False, action=action: self.requested.emit(action, run.name)
            )
        return menu

    def _show_menu(self, position: QPoint) -> None:
        index = self.table.indexAt(position)
        if index.isValid():
            menu = self.menu(self.model.run_at(index.row()))
            menu.popup(self.table.viewport().mapToGlobal(position))

    def copy_table(self) -> None:
        """Put the table on the clipboard, tab-separated, figures in full."""
        QGuiApplication.clipboard().setText(runs_table(self.model.runs(), delimiter="\t"))
