"""Two to four features side by side: how alike they are, and what tells them apart."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.errors import UserError
from sae_desktop.features.reading.comparing import Comparison, compare_features
from sae_desktop.gui.explore.compare.compared_column import ComparedColumn, largest_effect
from sae_desktop.gui.explore.compare.pair_table import PairTable
from sae_desktop.gui.forms.job_forms import IndexForm
from sae_desktop.gui.parts.empty_state import EmptyState
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.search import feature_number
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.compared import MOST, Compared
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.name_finder import NameFinder
from sae_desktop.gui.state.session import Session
from sae_desktop.words.comparing_text import pair_sentence, random_text, source_text

_GAP = 16
_WAITING = "Counting where they fire…"


class ComparePanel(QWidget):
    """The pairs' figures on top, beneath them a column for every feature."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("explore.compare")
        self._session = session
        self._notes = FeatureNotes.of(session)
        self._finder = NameFinder(session, self)
        self._compared = Compared.of(session)
        self.columns: list[ComparedColumn] = []
        self.comparison: Comparison | None = None
        self._stale = True
        self.empty = EmptyState("", "", self._start, icon="columns")
        self.field = QLineEdit()
        self.field.setPlaceholderText("Add a feature by number or name")
        self.field.setAccessibleName("Add a feature to the comparison")
        self.field.setClearButtonEnabled(True)
        self.add_open = push_button("", self._on_add_open, icon="plus")
        self.copy = push_button(
            "Copy the figures", self._on_copy, icon="copy", flat=True, tip="Copy the table as text"
        )
        self.clear = push_button("Clear", self._compared.clear, flat=True, tip="Compare nothing")
        self.sentence = label("", wrap=True, selectable=True)
        self.table = PairTable()
        self.source = label("", "small", wrap=True)
        self.keep = push_button(
            "Build an index that keeps them…",
            self._on_keep,
            icon="list-bullets",
            tip="Index the dictionary again and keep where each feature fires, so that every token "
            "is counted",
        )
        self._counting = Background(self)
        self._build()
        self.field.returnPressed.connect(self._on_entered)
        self.table.currentCellChanged.connect(lambda *_: self._say_pair())
        self._counting.answered.connect(self._on_answered)
        self._counting.refused.connect(self._on_refused)
        self._compared.changed.connect(self._on_changed)
        self._notes.noteChanged.connect(self._on_note_changed)
        self._notes.reloaded.connect(self._name_columns)
        session.featureSelected.connect(self._on_feature_selected)
        session.indexOpened.connect(self._on_feature_selected)
        session.place.add(self, self._compared.kept, self._give, of_index=True)
        self._on_changed()

    def _give(self, kept: dict[str, Any]) -> None:
        index = self._session.index
        if index is not None and all(0 <= feature < index.features for feature in kept["features"]):
            self._compared.give(kept)

    def _build(self) -> None:
        bar = QHBoxLayout()
        bar.setSpacing(8)
        bar.addWidget(self.field, 1)
        bar.addWidget(self.add_open)
        bar.addWidget(self.copy)
        bar.addWidget(self.clear)
        content = QWidget()
        content.setProperty("ground", "surface")
        content.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(_GAP)
        self._grid.setVerticalSpacing(16)
        column = QVBoxLayout(content)
        column.setContentsMargins(16, 12, 16, 16)
        column.setSpacing(8)
        column.addLayout(bar)
        column.addWidget(self.sentence)
        column.addWidget(self.table)
        column.addWidget(self.source)
        column.addWidget(self.keep, 0, Qt.AlignmentFlag.AlignLeft)
        column.addSpacing(8)
        column.addLayout(self._grid)
        column.addStretch()
        scroll = QScrollArea()
        scroll.setWidget(content)
        scroll.setWidgetResizable(True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setProperty("ground", "surface")
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(scroll)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._stack)

    # ------------------------------------------------------------------ what is compared
    def _nearest(self) -> int | None:
        index, feature = self._session.index, self._session.feature
        if index is None or feature is None:
            return None
        near = (other for other, _ in index.neighbours(feature) if other != feature)
        return next(near, None)

    def _start(self) -> None:
        """Compare the open feature with its nearest one; without one, pin it."""
        feature, nearest = self._session.feature, self._nearest()
        if feature is None:
            self._session.show_workspace("explore.feature")
        elif nearest is None:
            self._compared.pin(feature)
        else:
            self._compared.show([feature, nearest])

    def _on_add_open(self) -> None:
        if self._session.feature is not None:
            self._compared.add(self._session.feature)

    def _on_entered(self) -> None:
        index, text = self._session.index, self.field.text().strip()
        if index is None or not text:
            return
        number = feature_number(text)
        if number is not None:
            self._add(number if number < index.features else None)
        else:
            self._finder.find(text, self._add)

    def _add(self, feature: int | None) -> None:
        index = self._session.index
        if feature is not None:
            self._compared.add(feature)
            self.field.clear()
        elif index is not None:
            self._session.show_error(
                UserError(
                    f"No feature is called “{self.field.text().strip()}”.",
                    next_step=f"Features are numbered 0 to {index.features - 1}.",
                )
            )

    def _on_feature_selected(self, _feature: object = None) -> None:
        feature = self._session.feature
        if feature is not None and self.isVisible():
            self._compared.follow(feature)
        self._say_open()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._session.feature is not None:
            self._compared.follow(self._session.feature)
        if self._stale:
            self._fill()

    # ------------------------------------------------------------------ showing
    def _on_changed(self) -> None:
        kept = [column.feature for column in self.columns]
        if list(self._compared.features) == kept and not self._stale:
            for column in self.columns:
                column.show_pin()
            if len(kept) == 1:
                self._invite()
            return
        self._stale = True
        self._say_open()
        self._stack.setCurrentIndex(int(bool(self._compared.features)))
        if self.isVisible():
            self._fill()

    def _say_open(self) -> None:
        """Say on the buttons which feature is open."""
        feature, nearest = self._session.feature, self._nearest()
        self.empty.sentence.setText(
            "Features side by side show what tells them apart. Select two to four in the list "
            "and press “Compare”, or right-click any feature; or begin with the one that is open."
        )
        self.empty.button.setText(
            "Choose a feature"
            if feature is None
            else f"Pin #{feature}"
            if nearest is None
            else f"Compare #{feature} with its nearest, #{nearest}"
        )
        self.empty.button.setAccessibleName(self.empty.button.text())
        chosen = self._compared.features
        self.add_open.setVisible(
            feature is not None and feature not in chosen and len(chosen) < MOST
        )
        self.add_open.setText(f"Add #{feature}")
        self.add_open.setAccessibleName(f"Add feature {feature}, which is open")
        full = len(chosen) >= MOST
        self.field.setEnabled(not full)
        tip = f"{MOST} features stand side by side: take one out first."
        self.field.setToolTip(plain_tip(tip if full else "Return adds the feature"))

    def _fill(self) -> None:
        """Show the columns at once, and the figures when they are counted."""
        self._stale = False
        self.comparison = None
        index, features = self._session.index, self._compared.features
        shown = {column.feature: column for column in self.columns}
        for feature, column in shown.items():
            if feature not in features or index is None:
                for part in column.parts:
                    self._grid.removeWidget(part)
                    part.deleteLater()
        if index is None:
            self.columns = []
            return
        self.columns = [shown.get(f) or ComparedColumn(self._session, f) for f in features]
        extreme = largest_effect(index, features)
        for place in range(MOST):
            self._grid.setColumnStretch(place, 1 if place < len(features) else 0)
        for place, column in enumerate(self.columns):
            for row, part in enumerate(column.parts):
                self._grid.addWidget(part, row, place)
            column.show_pin()
            column.show_feature(index, extreme)
        self._count()

    def _count(self) -> None:
        index, project = self._session.index, self._session.project
        features = self._compared.features
        self.table.show_comparison(None)
        enough = len(features) > 1 and index is not None and project is not None
        for widget in (self.table, self.source, self.copy, self.keep):
            widget.setVisible(False)
        for column in self.columns:
            column.show_tokens(None, _WAITING if enough else "")
            column.apart.setVisible(enough)
        if not enough:
            self._invite()
            return
        assert index is not None
        assert project is not None
        self.sentence.setText(_WAITING)
        folder = project.dictionary_path(index.info.dictionary)
        self._counting.run((index, features), lambda: compare_features(index, folder, features))

    def _invite(self) -> None:
        """Say how a second feature comes beside the first."""
        pinned = self._compared.pinned
        self.sentence.setText(
            f"#{min(pinned)} stays here. Open another feature in the list, and it stands beside it."
            if pinned
            else "Add a second feature: by its number, by its label, or from the list."
        )

    def _on_answered(self, answer: tuple[Any, Comparison]) -> None:
        key, comparison = answer
        if key != (self._session.index, self._compared.features):
            return
        self.comparison = comparison
        self.table.show_comparison(comparison)
        self.source.setText(source_text(comparison))
        for widget in (self.table, self.source, self.copy):
            widget.setVisible(True)
        self.keep.setVisible(not comparison.counted and self._dictionary_is_here())
        for column, side in zip(self.columns, comparison.features, strict=True):
            column.show_tokens(side)
        self.table.setCurrentCell(0, 0)
        self._say_pair()

    def _on_refused(self, refused: tuple[Any, UserError]) -> None:
        _, error = refused
        parts = (error.what, error.kept, error.next_step)
        self.sentence.setText(" ".join(part for part in parts if part))
        for column in self.columns:
            column.show_tokens(None)

    def _say_pair(self) -> None:
        """Say in words what the current row of the table says in figures."""
        comparison, row = self.comparison, self.table.currentRow()
        if comparison is None:
            return
        if 0 <= row < len(comparison.pairs):
            self.sentence.setText(pair_sentence(comparison.pairs[row], comparison.random))
        elif row == len(comparison.pairs):
            self.sentence.setText(random_text(comparison.random))

    def _on_note_changed(self, feature: int) -> None:
        for column in self.columns:
            if column.feature == feature:
                column.name_it()

    def _name_columns(self) -> None:
        for column in self.columns:
            column.name_it()

    def _dictionary_is_here(self) -> bool:
        index = self._session.index
        inventory = self._session.inventory
        return index is not None and inventory.dictionary(index.info.dictionary) is not None

    # ------------------------------------------------------------------ hands
    def _on_keep(self) -> None:
        """Ask for an index that keeps its firings."""
        if self._session.index is not None and self._dictionary_is_here():
            form = IndexForm(self._session, self._session.index.info.dictionary)
            form.more.setChecked(True)  # where the setting stands
            form.keep.setChecked(True)
            form.present(self)

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self.table.text())
        self._session.notify("The figures were copied.")
