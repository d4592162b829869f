"""The lists of features a person keeps: made, annotated, ordered, opened in the list."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from PySide6.QtCore import QPoint, QSignalBlocker, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QInputDialog,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui.parts.bound_line import BoundLine
from sae_desktop.gui.parts.feature_menu import show_feature_menu
from sae_desktop.gui.parts.kept_fields import keep_fields
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.quiet_words import SCORE_ROLE, WORDS_ROLE, QuietWordsDelegate
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.feature_set import FeatureSet
from sae_desktop.gui.state.kept_lists import KeptLists
from sae_desktop.gui.state.session import Session
from sae_desktop.project_lists import FeatureList
from sae_desktop.words.amounts import exact_count

_SHOWN = 2000
"""Members shown here; the list of features shows them all."""


class MemberList(QListWidget):
    """The members in their order. Alt+Up and Alt+Down move one, Delete takes it off."""

    def __init__(self, panel: FeatureListsPanel) -> None:
        super().__init__()
        self._panel = panel
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setUniformItemSizes(True)
        self.setSpacing(2)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setItemDelegate(QuietWordsDelegate(self))
        self.setAccessibleName("Features on the list")
        self.setToolTip(
            "Return opens a feature, Alt+↑ and Alt+↓ move it, F2 edits its remark, Delete "
            "removes it from the list."
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        alt = event.modifiers() & Qt.KeyboardModifier.AltModifier
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        if alt and Qt.Key(event.key()) in steps:
            self._panel.move_member(steps[Qt.Key(event.key())])
        elif event.key() == Qt.Key.Key_Delete:
            self._panel.take_off()
        elif event.key() == Qt.Key.Key_F2:
            self._panel.ask_remark()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._panel.open_member()
        else:
            super().keyPressEvent(event)


class _MemberItem(QListWidgetItem):
    """A member; what is said of one without a label is read when the item is in sight."""

    def __init__(self, notes: FeatureNotes, text: str) -> None:
        super().__init__(text)
        self._notes = notes

    def data(self, role: int) -> Any:
        if role == SCORE_ROLE:
            return self._notes.score_text(super().data(Qt.ItemDataRole.UserRole))
        asked = (WORDS_ROLE, Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole)
        if role not in asked:
            return super().data(role)
        words = self._notes.words(super().data(Qt.ItemDataRole.UserRole))
        if role == WORDS_ROLE:
            return words
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self.text() if words is None else f"{self.text()}\n{words.tip}")
        return self.text() if words is None else f"{self.text()}; {words.spoken}"


class FeatureListsPanel(QWidget):
    """Which list, what it is about, and its features."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("explore.lists")
        self._session = session
        self._lists = KeptLists.of(session)
        self._notes = FeatureNotes.of(session)
        self._shown: FeatureList | None = None
        self.names = QComboBox()
        self.names.setAccessibleName("List")
        self.names.setToolTip("A list of features of this dictionary")
        self.annotation = BoundLine()
        self.annotation.setPlaceholderText("What the list is about")
        self.annotation.setAccessibleName("What the list is about")
        self.new = push_button("New…", self._on_new, icon="plus", tip="Start a new list")
        self.add = push_button(
            "Add the open feature", self._on_add, tip="Add the open feature to the end of the list"
        )
        self.show_all = push_button(
            "Show in the list", self._on_show, tip="Show only these features, in this order"
        )
        self.more = push_button("", None, icon="dots-three", flat=True, tip="Rename or delete")
        self.more.setAccessibleName("Rename or delete the list")
        menu = QMenu(self)
        menu.addAction("Rename…", self._on_rename)
        menu.addAction("Delete", self._on_delete)
        self.more.setMenu(menu)
        self.members = MemberList(self)
        self.state = label("", "small", wrap=True)
        self._build()
        self.names.currentIndexChanged.connect(self._show)
        self.annotation.committed.connect(self._on_annotated)
        self.members.itemActivated.connect(lambda _item: self.open_member())
        self.members.customContextMenuRequested.connect(self._on_menu_requested)
        self._lists.changed.connect(self.reload)
        self._notes.noteChanged.connect(self._on_note_changed)
        session.featureSelected.connect(self._say_buttons)
        session.leaving.connect(self.annotation.commit)
        self.reload()
        keep_fields(session, self, {"list": self.names})

    def _build(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(4)
        top.addWidget(self.names, 1)
        top.addWidget(self.more)
        top.addWidget(self.new)
        foot = QHBoxLayout()
        foot.setSpacing(4)
        foot.addWidget(self.add)
        foot.addWidget(self.show_all)
        foot.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 4, 8)
        column.setSpacing(8)
        column.addLayout(top)
        column.addWidget(self.annotation)
        column.addWidget(self.members, 1)
        column.addWidget(self.state)
        column.addLayout(foot)

    # ------------------------------------------------------------------ showing
    def reload(self) -> None:
        """Show the lists there are; the one that was shown stays in sight."""
        before = self.names.currentData()
        with QSignalBlocker(self.names):
            self.names.clear()
            for name, count in self._lists.names():
                self.names.addItem(f"{name} ({exact_count(count)})", name)
            place = self.names.findData(before)
            self.names.setCurrentIndex(max(place, 0) if self.names.count() else -1)
        self._show()

    def choose(self, name: str) -> None:
        """Show a list."""
        self.names.setCurrentIndex(self.names.findData(name))

    def _show(self) -> None:
        row = self.members.currentRow()
        name = self.names.currentData()
        self._shown = self._lists.read(name) if name else None
        self.members.clear()
        shown = self._shown
        if shown is not None:
            titles = self._notes.labels(np.asarray(shown.features[:_SHOWN], dtype=np.int64))
            for member in shown.members[:_SHOWN]:
                label = titles.get(member.feature, "")
                parts = (f"#{member.feature}", label, member.annotation)
                text = " · ".join(part for part in parts if part)
                item = _MemberItem(self._notes, text)
                item.setData(Qt.ItemDataRole.UserRole, member.feature)
                self.members.addItem(item)
            self.members.setCurrentRow(min(max(row, 0), self.members.count() - 1))
        key = (self._lists.dictionary, shown.name if shown else "")
        self.annotation.show_text(key, shown.annotation if shown else "")
        self.annotation.setVisible(shown is not None)
        self.members.setVisible(shown is not None)
        self._say_state()
        self._say_buttons()

    def _say_state(self) -> None:
        shown = self._shown
        if shown is None:
            text = (
                "No lists yet. A list keeps features you choose, in your own order, with remarks."
            )
        elif not shown.members:
            text = "This list is empty. Open a feature and add it."
        elif len(shown.members) > _SHOWN:
            text = f"The first {exact_count(_SHOWN)} of {exact_count(len(shown.members))}."
        else:
            text = ""
        self.state.setText(text)
        self.state.setVisible(bool(text))

    def _say_buttons(self, _feature: object = None) -> None:
        shown = self._shown is not None
        self.add.setEnabled(shown and self._session.feature is not None)
        self.show_all.setEnabled(shown and bool(self._shown and self._shown.members))
        self.more.setEnabled(shown)

    def _on_note_changed(self, feature: int) -> None:
        if self._shown is not None and feature in self._shown.features:
            self._show()

    # ------------------------------------------------------------------ hands
    def _change(
        self, shown: FeatureList, content: FeatureList | None, text: str, dictionary: str = ""
    ) -> bool:
        return self._lists.replace(shown.name, content, text, dictionary or self._lists.dictionary)

    def _on_new(self) -> None:
        dictionary = self._lists.dictionary  # another may be open when the name is given
        name, given = QInputDialog.getText(self, "New list", "List name")
        if given and name.strip():
            self._lists.add(name.strip(), [], dictionary)
            self.choose(name.strip())

    def _on_rename(self) -> None:
        shown, dictionary = self._shown, self._lists.dictionary
        if shown is None:
            return
        name, given = QInputDialog.getText(self, "Rename the list", "Name", text=shown.name)
        if given and name.strip() and name.strip() != shown.name:
            renamed = msgspec.structs.replace(shown, name=name.strip())
            if self._change(shown, renamed, "rename the list", dictionary):
                self.choose(name.strip())

    def _on_delete(self) -> None:
        # Ctrl+Z brings it back, so nothing is asked.
        if self._shown is not None:
            self._change(self._shown, None, f"delete the list “{self._shown.name}”")

    def _on_annotated(self, key: tuple[str, str], text: str) -> None:
        dictionary, name = key
        found = self._lists.read(name, dictionary)
        if found is not None and text.strip() != found.annotation:
            changed = msgspec.structs.replace(found, annotation=text.strip())
            self._lists.replace(name, changed, "annotate a list", dictionary)

    def _on_add(self) -> None:
        if self._shown is not None and self._session.feature is not None:
            self._lists.add(self._shown.name, [self._session.feature])

    def _on_show(self) -> None:
        if self._shown is not None:
            features = np.asarray(self._shown.features, dtype=np.int64)
            self._session.featuresRequested.emit(FeatureSet(f"List “{self._shown.name}”", features))

    def _on_menu_requested(self, point: QPoint) -> None:
        item = self.members.itemAt(point)
        if item is not None:
            feature = int(item.data(Qt.ItemDataRole.UserRole))
            place = self.members.viewport().mapToGlobal(point)
            show_feature_menu(self._session, feature, self.members, place)

    # ------------------------------------------------------------------ one member
    def open_member(self) -> None:
        """Open the current feature's page."""
        item = self.members.currentItem()
        if item is not None:
            self._session.select_feature(int(item.data(Qt.ItemDataRole.UserRole)))

    def move_member(self, step: int) -> None:
        """Move the current feature up (−1) or down (1)."""
        row, shown = self.members.currentRow(), self._shown
        if shown is None or not 0 <= row + step < len(shown.members) or row < 0:
            return
        members = list(shown.members)
        members[row], members[row + step] = members[row + step], members[row]
        self._change(shown, msgspec.structs.replace(shown, members=members), "order a list")
        self.members.setCurrentRow(row + step)

    def take_off(self) -> None:
        """Take the current feature off the list."""
        row, shown = self.members.currentRow(), self._shown
        if shown is not None and 0 <= row < len(shown.members):
            members = [m for place, m in enumerate(shown.members) if place != row]
            changed = msgspec.structs.replace(shown, members=members)
            self._change(shown, changed, "take off a list")

    def ask_remark(self) -> None:
        """Ask for a remark on the current feature."""
        row, shown, dictionary = self.members.currentRow(), self._shown, self._lists.dictionary
        if shown is None or not 0 <= row < len(shown.members):
            return
        before = shown.members[row]
        text, given = QInputDialog.getText(
            self, "Remark", f"On feature {before.feature}", text=before.annotation
        )
        if given:
            members = list(shown.members)
            members[row] = msgspec.structs.replace(before, annotation=text.strip())
            changed = msgspec.structs.replace(shown, members=members)
            self._change(shown, changed, "remark on a list", dictionary)
