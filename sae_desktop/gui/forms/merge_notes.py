"""Merging another person's notes: what is new, what is the same, and what is kept of both."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.errors import UserError
from sae_desktop.gui.parts.default_button import set_default_button
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.label_words import by_whom, label_tip
from sae_desktop.project_labels import Label
from sae_desktop.project_notes import Notes
from sae_desktop.words.amounts import exact_count

if TYPE_CHECKING:  # it brings h5py, which the window does without until an index is opened
    from sae_desktop.exchange.merging import Comparison, Keep, Theirs

_KEEPS: tuple[tuple[Keep, str, str], ...] = (
    ("both", "Show mine, keep both", "Theirs becomes another label of the feature"),
    ("theirs", "Show theirs, keep both", "Mine becomes another label of the feature"),
    ("mine", "Keep mine only", "Theirs is not taken over"),
)
_MOST_ROWS = 2_000
"""Conflicts shown one by one; more are settled together."""
_LONGEST = 300


class NotesMerge(QObject):
    """Reads another person's notes beside the window, then asks what to keep."""

    def __init__(self, session: Session, window: QWidget) -> None:
        super().__init__(window)
        self._session, self._window = session, window
        self.dialog: MergeDialog | None = None
        self.work = Background(self)
        self.work.answered.connect(self._on_read)
        self.work.refused.connect(lambda answer: session.show_error(answer[1]))

    def read(self, path: Path) -> None:
        """Compare the notes of a project, a file or a package with those of the open index."""
        session = self._session
        if session.project is None or session.index is None:
            session.show_error(
                UserError(
                    "Notes are merged into those of an index.",
                    next_step="Open the index that they are about first.",
                )
            )
            return
        project, index = session.project, session.index_name
        dictionary = session.index.info.dictionary

        from sae_desktop.exchange.merging import compare, open_theirs_for

        def work() -> tuple[str, Theirs, Comparison]:
            theirs = open_theirs_for(project, index, path)
            with closing(Notes(project.notes_path)) as notes:
                return dictionary, theirs, compare(notes, dictionary, theirs)

        self.work.run(path, work)

    def _on_read(self, answer: tuple[Path, tuple[str, Theirs, Comparison]]) -> None:
        path, (dictionary, theirs, found) = answer
        self.dialog = MergeDialog(self._session, path, found, self._window)
        self.dialog.accepted.connect(lambda: self._merge(dictionary, theirs, found))
        self.dialog.open()

    def _merge(self, dictionary: str, theirs: Theirs, found: Comparison) -> None:
        from sae_desktop.exchange.merging import merge_changes

        stored = self._session.notes
        assert self.dialog is not None
        if stored is None:
            return
        pairs = merge_changes(
            stored, dictionary, theirs, found, who=self._session.person, keep=self.dialog.chosen()
        )
        FeatureNotes.of(self._session).change_many(pairs, f"notes of {len(pairs):,} features")
        count = "1 feature has" if len(pairs) == 1 else f"{exact_count(len(pairs))} features have"
        self._session.notify(
            f"{count} something of the merged notes. Ctrl+Z takes it back."
            if pairs
            else "There was nothing new in these notes."
        )


class MergeDialog(QDialog):
    """What was found, and for each feature that contradicts both labels side by side."""

    def __init__(self, session: Session, path: Path, found: Comparison, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        self.setWindowTitle("Merge notes")
        self.resize(820, 480 if found.conflicts else 180)
        self._found, self._me = found, session.person
        self.told = label(_sentence(path, found), wrap=True)
        self.table = QTableWidget(0, 4)
        self.table.setHorizontalHeaderLabels(["Feature", "Your label", "Their label", "Keep"])
        self.table.setAccessibleName("Features with two labels")
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.verticalHeader().hide()
        header = self.table.horizontalHeader()
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(3, QHeaderView.ResizeMode.ResizeToContents)
        self.all = _choices("What to keep for all features", self._choose_for_all)
        self._boxes: list[QComboBox] = []
        for conflict in found.conflicts[:_MOST_ROWS]:
            self._add(conflict.feature, conflict.mine, conflict.theirs)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        merge = buttons.addButton("Merge the notes", QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        together = QHBoxLayout()
        together.addWidget(label("For all of them"))
        together.addWidget(self.all)
        together.addStretch()
        rows = QVBoxLayout(self)
        rows.setSpacing(12)
        rows.addWidget(self.told)
        if found.conflicts:
            rows.addLayout(together)
            rows.addWidget(self.table, 1)
        rows.addWidget(buttons)
        set_default_button(self, merge)

    def _add(self, feature: int, mine: Label, theirs: Label) -> None:
        row = self.table.rowCount()
        self.table.insertRow(row)
        self.table.setItem(row, 0, QTableWidgetItem(f"#{feature}"))
        for column, one in ((1, mine), (2, theirs)):
            said = by_whom(one.method, one.author, me=self._me)
            item = QTableWidgetItem(f"{one.text[:_LONGEST]}   ({said})")
            item.setToolTip(plain_tip(label_tip(one, me=self._me)))
            self.table.setItem(row, column, item)
        box = _choices(f"What to keep for feature {feature}", lambda _row: None)
        self.table.setCellWidget(row, 3, box)
        self._boxes.append(box)

    def _choose_for_all(self, row: int) -> None:
        for box in self._boxes:
            box.setCurrentIndex(row)

    def chosen(self) -> dict[int, Keep]:
        """Return what is kept of each feature that contradicts."""
        rest: Keep = self.all.currentData()
        keep: dict[int, Keep] = {one.feature: rest for one in self._found.conflicts}
        for conflict, box in zip(self._found.conflicts, self._boxes, strict=False):
            keep[conflict.feature] = box.currentData()
        return keep


def _choices(name: str, chosen: Callable[[int], object]) -> QComboBox:
    box = QComboBox()
    for keep, title, tip in _KEEPS:
        box.addItem(title, keep)
        box.setItemData(box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
    box.setAccessibleName(name)
    box.activated.connect(chosen)
    return box


def _sentence(path: Path, found: Comparison) -> str:
    new = len(found.new) - len(found.conflicts)
    parts = [
        f"“{path.name}” holds {exact_count(new)} new label{'' if new == 1 else 's'} and "
        f"{exact_count(found.same)} that {'is' if found.same == 1 else 'are'} here already."
    ]
    count = len(found.conflicts)
    if count:
        parts.append(
            f"{'One feature has' if count == 1 else f'{exact_count(count)} features have'} another "
            "label there than yours. Whatever you choose, your own labels stay."
        )
    if count > _MOST_ROWS:
        parts.append(f"The first {exact_count(_MOST_ROWS)} are listed.")
    return " ".join(parts)
