"""Monitors: thresholds with a promised rate of false alarms, and what they found."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPoint, QSignalBlocker, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QMenu,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.empty_state import EmptyState
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.safety.monitor_form import MonitorForm
from sae_desktop.gui.safety.monitor_naming import MonitorNaming, RenameMonitorForm
from sae_desktop.gui.safety.monitor_page import MonitorPage
from sae_desktop.gui.safety.monitor_shelf import MonitorShelf
from sae_desktop.gui.safety.serve_panel import ServePanel
from sae_desktop.gui.state.monitor_draft import MonitorDraft
from sae_desktop.gui.state.session import Session
from sae_desktop.safety.monitors.config import CalibrateMonitorResult
from sae_desktop.safety.monitors.listing import MonitorItem
from sae_desktop.words.monitor_text import item_lines

_LIST_WIDTH = 220
"""Of the list at least: what is promised stands on one line."""


class MonitorsPlace(QWidget):
    """At the left the monitors, at the right one of them, the form of a new one, or the server."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("safety.monitors")
        self._session = session
        self._naming = MonitorNaming(session, self._on_renamed)
        self._wanted = ""
        """To be shown as soon as it is read."""
        self.shelf = MonitorShelf(session, self)
        self.new_button = push_button("New monitor…", self.begin, icon="plus", primary=True)
        self.serve_button = push_button(
            "Serve…", self.show_server, icon="broadcast",
            tip="Answer other programs with a model, steered and watched",
        )  # fmt: skip
        self.list = QListWidget()
        self.list.setAccessibleName("Monitors of this project")
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setSpacing(4)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.none = label("There is no monitor yet.", "small", wrap=True)
        self.page = MonitorPage(session)
        self.form = MonitorForm(session)
        self.server = ServePanel(session, self.shelf)
        self.empty = EmptyState(
            "A monitor raises an alarm where a feature, a classifier or a direction is above a "
            "threshold. You choose how many false alarms it may raise on ordinary text; the "
            "threshold is found so that it keeps that promise, and cheaper ways are tried beside "
            "it.",
            "New monitor…", self.begin, icon="plus",
        )  # fmt: skip
        self.empty.add_second("Serve a model…", self.show_server, icon="broadcast")
        self.stack = QStackedWidget()
        for widget in (self.empty, self.page, self.form, self.server):
            self.stack.addWidget(widget)
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(12, 12, 4, 8)
        column.setSpacing(8)
        column.addWidget(self.new_button)
        column.addWidget(self.none)
        column.addWidget(self.list, 1)
        self._fill = QWidget()
        column.addWidget(self._fill, 1)
        column.addWidget(self.serve_button)
        side.setMinimumWidth(_LIST_WIDTH)
        self._side = side
        split = QSplitter()
        split.addWidget(side)
        split.addWidget(self.stack)
        split.setStretchFactor(1, 1)
        split.setSizes([_LIST_WIDTH, 4 * _LIST_WIDTH])
        split.setChildrenCollapsible(False)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(split)
        self._connect()
        self._on_shelf()
        session.place.add(self, self._kept, self._give)

    def _connect(self) -> None:
        self.stack.currentChanged.connect(self._show_new)
        self.shelf.changed.connect(self._on_shelf)
        self.list.currentItemChanged.connect(lambda _now, _before: self._on_chosen())
        self.list.itemClicked.connect(lambda _item: self._on_chosen())
        self.list.itemActivated.connect(lambda _item: self._on_chosen())
        self.form.made.connect(self._on_made)
        self.form.closed.connect(self._on_chosen)
        self.page.recalibrationRequested.connect(self.begin_again)
        self.page.serveRequested.connect(self._serve_this)
        self.page.renameRequested.connect(self.ask_name)
        rename = QShortcut(QKeySequence("F2"), self.list, self.ask_name)
        rename.setContext(Qt.ShortcutContext.WidgetShortcut)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self._session.monitorRequested.connect(self.take_draft)

    @property
    def name(self) -> str:
        """The monitor that is chosen; empty: none."""
        item = self.list.currentItem()
        return str(item.data(Qt.ItemDataRole.UserRole)) if item is not None else ""

    def _show_new(self, _index: int) -> None:
        """Leave the accent to the form’s or the server’s own button."""
        shown = self.stack.currentWidget()
        self.new_button.setEnabled(shown is not self.form)
        loud = shown is self.page
        set_property(self.new_button, "primary", "true" if loud else "false")
        icons.set_icon(self.new_button, "plus", "accent_text" if loud else "text")

    # ------------------------------------------------------------------ the list
    def _on_shelf(self) -> None:
        wanted = self._wanted or self.name
        with QSignalBlocker(self.list):
            self.list.clear()
            for item in self.shelf.items:
                self.list.addItem(_row(item))
                if item.name == wanted:
                    self.list.setCurrentRow(self.list.count() - 1)
                    self._wanted = ""
            if self.list.currentItem() is None and self.list.count():
                self.list.setCurrentRow(0)
        has = bool(self.shelf.items)
        self.list.setVisible(has)
        self.none.setVisible(not has)
        self._fill.setVisible(not has)
        shown = self.stack.currentWidget()
        if shown in (self.empty, self.page):
            self._on_chosen()
        self._side.setVisible(bool(self.shelf.items) or shown in (self.form, self.server))

    def _on_chosen(self) -> None:
        item = self.shelf.item(self.name)
        if item is None:
            self.stack.setCurrentWidget(self.empty)
        else:
            self.page.show_item(item)
            self.stack.setCurrentWidget(self.page)
        self._side.setVisible(bool(self.shelf.items))

    def show_monitor(self, name: str) -> None:
        """Show a monitor, as soon as it is read."""
        self._wanted = name
        self.stack.setCurrentWidget(self.page if self.shelf.items else self.empty)
        self._on_shelf()

    # ------------------------------------------------------------------ what is done
    def begin(self) -> None:
        """Show the form for a new monitor."""
        if self._session.project is None:
            self._session.show_workspace("project")
            return
        self._show_form()
        self.form.begin(self.shelf.names())

    def begin_again(self, corpus: str = "") -> None:
        """Show the form for the chosen monitor, to be calibrated again."""
        item = self.shelf.item(self.name)
        if item is not None and item.monitor is not None:
            self._show_form()
            self.form.begin_again(item.monitor, corpus)

    def take_draft(self, draft: MonitorDraft) -> None:
        """Show the form filled with features that were found elsewhere."""
        self._show_form()
        name = draft.concept_set.replace("_", " ") or f"features {draft.index}"
        self.form.begin(
            self.shelf.names(), name=name, index=draft.index, made="features",
            features=list(draft.features), set=draft.concept_set,
        )  # fmt: skip

    def ask_name(self) -> RenameMonitorForm | None:
        """Ask for another name of the chosen monitor."""
        item = self.shelf.item(self.name)
        if item is None or item.monitor is None:
            return None
        if self.server.serves(item.name):
            self._session.notify(f"You can rename “{item.name}” once the server has stopped.")
            return None
        form = RenameMonitorForm(self._session, self.name, self.shelf.names(), self._naming.rename)
        form.present(self)
        return form

    def _on_renamed(self, name: str, new: str) -> None:
        self._wanted = new if self.name == name else self._wanted
        self.page.mitigation.rename(name, new)
        self.server.rename(name, new)
        self.shelf.look()

    def _show_menu(self, point: QPoint) -> None:
        item = self.shelf.item(self.name)
        if item is None:
            return
        menu = QMenu(self)
        whole = item.monitor is not None
        for text, callback, possible in (
            ("Rename…", self.ask_name, whole),
            ("Calibrate again…", self.begin_again, whole),
            ("Serve…", self._serve_this, whole),
            ("Export…", self.page.ask_export, whole),
            ("Delete", self.page.delete, True),
        ):
            menu.addAction(text, callback).setEnabled(possible)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.list.viewport().mapToGlobal(point))

    def show_server(self) -> None:
        """Show the server."""
        self.stack.setCurrentWidget(self.server)
        self._side.setVisible(True)

    def _serve_this(self) -> None:
        self.server.choose(self.name)
        self.show_server()
        self.server.start_button.setFocus()

    def _show_form(self) -> None:
        self.stack.setCurrentWidget(self.form)
        self._side.setVisible(True)

    def _on_made(self, result: CalibrateMonitorResult) -> None:
        self.show_monitor(result.name)
        self.shelf.look()

    # ------------------------------------------------------------------ kept with the project
    def _kept(self) -> dict[str, Any]:
        return {"monitor": self.name, "tab": self.page.tabs.currentIndex()}

    def _give(self, kept: dict[str, Any]) -> None:
        self._wanted = str(kept.get("monitor", ""))
        self.page.tabs.setCurrentIndex(int(kept.get("tab", 0)))
        self._on_shelf()


def _row(item: MonitorItem) -> QListWidgetItem:
    lines = item_lines(item)
    row = QListWidgetItem("\n".join(lines[:3]))
    row.setData(Qt.ItemDataRole.UserRole, item.name)
    row.setToolTip(plain_tip("\n".join(filter(None, [*lines, item.warning]))))
    icons.set_icon(row, "warning" if item.warning else "bell-ringing",
                   "warning" if item.warning else "muted_text")  # fmt: skip
    return row
