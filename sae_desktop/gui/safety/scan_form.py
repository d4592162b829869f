"""The form of a scan: which sets, which dictionaries, and how long that takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QSizePolicy,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from sae_desktop.described import default, setting
from sae_desktop.gui.forms.job_forms import JobForm, free_name, name_problem
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.more_button import MoreButton
from sae_desktop.gui.parts.number_fields import NumberField, WholeField
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.session import Session
from sae_desktop.safety.listed_sets import listed_sets
from sae_desktop.safety.scan.config import ScanConfig
from sae_desktop.safety.scan.items import scan_items
from sae_desktop.safety.scan.kept_folder import kept_count
from sae_desktop.words.inventory import IndexItem
from sae_desktop.words.scan_words import kept_text, scan_estimate

_EXPLAINED = (
    "A scan looks for the features that tell the texts of a concept from near misses. It chooses "
    "them on some templates and scores them on others, beside ways that need no dictionary."
)
_RARE = ("candidates", "attributed", "ordinary", "tested", "test_texts", "controls", "seed")
_LEAST = {"candidates": 1, "test_texts": 1, "controls": 1}
_MOST_RARE = 100_000
_POOLING = (
    ("max", "Largest: a text scores as its strongest token"),
    ("mean", "Mean: a text scores as the mean over its tokens"),
)
_ROWS = 9
"""Of a tree that are seen at once."""
_ROW_ROOM = 6
_COLUMNS = 3
"""Of the settings one seldom changes."""


class ScanForm(JobForm):
    """Starts a scan."""

    def __init__(
        self, session: Session, chosen: Sequence[str] = (), like: ScanConfig | None = None
    ) -> None:
        """`chosen`: names of the sets that are checked at first; none: all.

        `like`: a scan that ended early, whose settings are filled in.
        """
        super().__init__(session, "Scan for concept sets", _EXPLAINED, "Scan")
        self.resize(720, 0)
        self.listed = listed_sets(session.project)
        first = like.name if like is not None else "scan"
        self.name = self.add_name(free_name(first, self._taken()), self._taken())
        self.sets = _CheckTree("Concept sets")
        self.indexes = _CheckTree("Indexes")
        self._add_side_by_side(("sets", self.sets), ("indexes", self.indexes))
        self.pooling = QComboBox()
        for value, text in _POOLING:
            self.pooling.addItem(text, value)
        self.add_setting(ScanConfig, "pooling", self.pooling)
        self.rare: dict[str, NumberField] = {}
        self._rare = QWidget()
        self.more = MoreButton(self._rare, "of the scan", ("More settings", "Fewer settings"))
        self.more.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.estimate = label("", wrap=True)
        self._add_rare()
        self.add_below(self.more)
        self.add_below(self._rare)
        self.add_below(self.estimate)
        self._list_sets(chosen or (like.sets if like is not None else ()))
        self._list_indexes(like.indexes if like is not None else ())
        if like is not None:
            self.pooling.setCurrentIndex(self.pooling.findData(like.pooling))
            for setting_name, field in self.rare.items():
                field.setValue(getattr(like, setting_name))
        self.name.textChanged.connect(self._check)
        self.sets.itemChanged.connect(self._check)
        self.indexes.itemChanged.connect(self._check)
        self._check()

    def _taken(self) -> list[str]:
        project = self.session.project
        return [] if project is None else project.scans()

    def _add_side_by_side(self, *trees: tuple[str, _CheckTree]) -> None:
        """Put what is checked in columns, so that the form fits a small screen unfolded."""
        row = QWidget()
        grid = QGridLayout(row)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        for column, (name, tree) in enumerate(trees):
            told = setting(ScanConfig, name)
            title = label(told.title, "heading")
            title.setBuddy(tree)
            for widget in (title, tree):
                widget.setToolTip(plain_tip(told.description))
            grid.addWidget(title, 0, column)
            grid.addWidget(tree, 1, column)
        self.form.addRow(row)

    def _add_rare(self) -> None:
        grid = QGridLayout(self._rare)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(6)
        for number, name in enumerate(_RARE):
            field = WholeField(default(ScanConfig, name), _LEAST.get(name, 0), _MOST_RARE)
            told = _said(name)
            field.setAccessibleName(told[0])
            field.setToolTip(plain_tip(told[1]))
            field.problemChanged.connect(
                lambda problem, field=field: self.say_problem(problem, field)
            )
            title = label(told[0])
            title.setToolTip(plain_tip(told[1]))
            title.setBuddy(field)
            row, column = divmod(number, _COLUMNS)
            grid.addWidget(title, row, 2 * column)
            grid.addWidget(field, row, 2 * column + 1)
            self.rare[name] = field

    def _list_sets(self, chosen: Sequence[str]) -> None:
        groups = (("Own sets", False), ("Shipped sets", True))
        for title, ships in groups:
            those = [one for one in self.listed if one.ships == ships]
            if those:
                group = self.sets.add_group(title)
                for one in those:
                    usable = one.found is not None
                    on = usable and (not chosen or one.name in chosen)
                    self.sets.add(group, one.title, one.name, on, "" if usable else one.problem)

    def _list_indexes(self, chosen: Sequence[str]) -> None:
        inventory, opened = self.session.inventory, self.session.index_name
        own = inventory.own_indexes
        on = chosen or (opened or (own[0].name if own else ""),)
        for item in own:
            self.indexes.add(None, _index_title(item), item.name, item.name in on)
        for whole in inventory.sets:
            members = {member.name for member in whole.indexed}
            those = [item for item in inventory.indexes if item.dictionary in members]
            if those:
                group = self.indexes.add_group(f"Set “{whole.name}”")
                for item in those:
                    self.indexes.add(group, _index_title(item), item.name, item.name in on)

    # ------------------------------------------------------------------ what is asked for
    def _check(self, *_changed: object) -> None:
        sets, indexes = self.sets.checked(), self.indexes.checked()
        problem = "" if self.indexes.count else "The project has no index yet: build one first."
        self.say_problem(problem or ("" if indexes else "Check an index."), self.indexes)
        self.say_problem("" if sets else "Check a concept set.", self.sets)
        chosen = [one for one in self.listed if one.name in sets and one.found is not None]
        texts = sum(len(one.found.texts) for one in chosen if one.found is not None)
        project = self.session.project
        known = [] if project is None else scan_items(project)
        each = next((item.seconds_each for item in known if item.seconds_each), 0.0)
        told = scan_estimate(len(chosen), len(indexes), texts, each) if chosen and indexes else ""
        self.estimate.setText(f"{told} {self._kept()}".strip())

    def _kept(self) -> str:
        """Say what an unfinished scan of the name has kept."""
        project, name = self.session.project, self.name.text().strip()
        if project is None or name_problem(name, self._taken()):
            return ""
        return kept_text(kept_count(project.scan_path(name)))

    def config(self) -> ScanConfig:
        rare: dict[str, Any] = {name: field.value() for name, field in self.rare.items()}
        return ScanConfig(
            project=self.session.project_path, name=self.name.text().strip(),
            indexes=tuple(self.indexes.checked()), sets=tuple(self.sets.checked()),
            pooling=self.pooling.currentData(), **rare,
        )  # fmt: skip


class _CheckTree(QTreeWidget):
    """Entries with boxes, some of them in groups that are checked together."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setHeaderHidden(True)
        self.setTabKeyNavigation(False)
        self.setUniformRowHeights(True)
        self.setFixedHeight(_ROWS * (self.fontMetrics().height() + _ROW_ROOM))

    def add_group(self, title: str) -> QTreeWidgetItem:
        group = QTreeWidgetItem(self, [title])
        group.setFlags(
            Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
            | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsAutoTristate
        )  # fmt: skip
        group.setExpanded(True)
        return group

    def add(
        self, group: QTreeWidgetItem | None, title: str, name: str, on: bool, problem: str = ""
    ) -> None:
        """Add an entry; one with a problem cannot be checked."""
        with QSignalBlocker(self):
            item = QTreeWidgetItem([title])
            item.setData(0, Qt.ItemDataRole.UserRole, name)
            item.setToolTip(0, plain_tip(problem or (name if name != title else "")))
            item.setCheckState(0, Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            if problem:
                item.setDisabled(True)
            if group is None:
                self.addTopLevelItem(item)
            else:
                group.addChild(item)

    def _items(self) -> list[QTreeWidgetItem]:
        tops = [self.topLevelItem(number) for number in range(self.topLevelItemCount())]
        items = []
        for top in filter(None, tops):
            items += list(filter(None, map(top.child, range(top.childCount())))) or [top]
        return [item for item in items if item.data(0, Qt.ItemDataRole.UserRole)]

    @property
    def count(self) -> int:
        return len(self._items())

    def checked(self) -> list[str]:
        """Return the names of what is checked, in order."""
        return [
            str(item.data(0, Qt.ItemDataRole.UserRole))
            for item in self._items()
            if item.checkState(0) == Qt.CheckState.Checked
        ]


def _index_title(item: IndexItem) -> str:
    return f"{item.name} · {item.features:,} features"


def _said(name: str) -> tuple[str, str]:
    if name == "seed":
        return "Seed", "Of random directions, controls and exchanged templates."
    told = setting(ScanConfig, name)
    return told.title, told.description
