"""Concepts in every kind of instance: chosen on words, tried on symbols, code and pictures."""

from __future__ import annotations

from typing import Any

import msgspec
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QTableView,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from sae_desktop.benchmark.kinds.config import WAYS, ConceptKindsConfig, ConceptKindsResult, Way
from sae_desktop.gui.explore.ask.kinds_table import KindsTableModel
from sae_desktop.gui.explore.ask.measured_panel import MeasuredPanel
from sae_desktop.gui.explore.ask.shading import Index
from sae_desktop.gui.explore.feature_links import FeatureLinks, FeatureRow
from sae_desktop.gui.parts.kept_fields import keep_fields
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.words.kinds_text import WAY_TIPS, WAY_TITLES, learnt_text, modal_text

_INTRO = (
    "Is a feature one idea? For each of 30 concepts one is chosen on its word and tried on other "
    "languages, other words, descriptions that never name it, emoji, code and drawings."
)
_LEARN = (
    ("English, German and French", "en de fr"),
    ("English alone", "en"),
    ("descriptions", "description"),
    ("emoji and other symbols", "symbol"),
    ("drawings", "picture"),
)
"""On what features are chosen; the kinds apart by spaces, as they are kept."""
_SHOWN = 8
_ROOM = 12
"""Pixels of a column beside what it holds."""
_LEAST_HIGH = 160
"""Pixels of the table: its head and some rows."""


class ConceptKindsPanel(MeasuredPanel):
    """What to choose on, the button, the table, and the features of both text and pictures."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.setObjectName("explore.kinds")
        self._result: ConceptKindsResult | None = None
        self.learn = QComboBox()
        for title, kinds in _LEARN:
            self.learn.addItem(title, kinds)
        self.learn.setAccessibleName("Choose features on")
        self.learn.setToolTip("On half of these a feature is chosen; the rest is held out")
        self.measure = push_button("Measure", self.ask, primary=True)
        self.way = QComboBox()
        for place, way in enumerate(WAYS):
            self.way.addItem(f"Figures of the {WAY_TITLES[way]}", way)
            self.way.setItemData(place, plain_tip(WAY_TIPS[way]), Qt.ItemDataRole.ToolTipRole)
        self.way.setAccessibleName("Show the figures of")
        self.way.setToolTip("Whose figures the table shows; the means of all stand at its end")
        self.intro = label(_INTRO, "muted", wrap=True)
        self.state = label("", "small", wrap=True, selectable=True)
        notes = FeatureNotes.of(session)
        self.model = KindsTableModel(notes.words, self)
        self.table = QTableView()
        self.modality = label("", "small", wrap=True, selectable=True)
        self.links = FeatureLinks(session, "Features of one concept in text and pictures")
        self._build()
        self.way.currentIndexChanged.connect(self._show)
        self.table.activated.connect(self._on_activated)
        self.table.doubleClicked.connect(self._on_activated)
        keep_fields(session, self, {"learn": self.learn, "drawings": self.drawings})
        session.place.add(self, self._kept, self._give, part="found", of_index=True)
        self._show()

    def _build(self) -> None:
        table = self.table
        table.setModel(self.model)
        table.setAccessibleName("Concepts by kinds of instance")
        table.setToolTip(
            plain_tip(
                "Coloured where the 95% interval lies above chance. Press Return or double-click a "
                "row to open its feature"
            )
        )
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(24)
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        table.setMinimumHeight(_LEAST_HIGH)
        bar = QFlowLayout()
        bar.setHorizontalSpacing(8)
        bar.setVerticalSpacing(4)
        learnt = QWidget()
        pair = QHBoxLayout(learnt)
        pair.setContentsMargins(0, 0, 0, 0)
        pair.setSpacing(8)
        pair.addWidget(label("Choose on", "small"))
        pair.addWidget(self.learn)
        for widget in (learnt, self.drawings, self.folder, self.measure, self.way):
            bar.addWidget(widget)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(4)
        column.addWidget(self.intro)
        column.addLayout(bar)
        column.addWidget(self.state)
        column.addWidget(table, 1)
        column.addWidget(self.modality)
        column.addWidget(self.links)
        column.addStretch()
        # In a low dock all of it is reached by scrolling, and nothing is laid over another.
        area = QScrollArea()
        area.setWidget(content)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(area)
        self.setMinimumSize(240, 160)

    # ------------------------------------------------------------------ asking
    def ask(self) -> None:
        """Measure the concepts with what is set."""
        if self._session.index is None or self._job is not None:
            return
        self._measure(
            ConceptKindsConfig(
                project=self._session.project_path,
                index=self._session.index_name,
                learn=tuple(self.learn.currentData().split()),
                pictures=self._folders,
            )
        )

    # ------------------------------------------------------------------ showing
    def _kept(self) -> dict[str, Any]:
        return {"result": msgspec.to_builtins(self._result)}

    def _give(self, kept: dict[str, Any]) -> None:
        self._result = msgspec.convert(kept["result"], ConceptKindsResult | None)
        self._show()

    def _show(self, _value: object = None) -> None:
        result = self._result
        way: Way = self.way.currentData()
        self.model.show_result(result, way)
        self.table.resizeColumnsToContents()
        for place in range(self.model.columnCount()):
            self.table.setColumnWidth(place, self.table.columnWidth(place) + _ROOM)
        self.table.setVisible(result is not None)
        self.way.setVisible(result is not None)
        self.intro.setVisible(result is None)
        score = None if result is None else result.modality
        self.modality.setText("" if score is None else modal_text(score))
        self.modality.setVisible(score is not None)
        best = [] if score is None else score.best[:_SHOWN]
        self.links.set_rows(
            [
                FeatureRow(
                    one.feature,
                    f"{min(one.text, one.picture):.2f}",
                    min(one.text, one.picture),
                    f"{one.concept}: AUROC {one.text:.2f} in text, {one.picture:.2f} in pictures",
                )
                for one in best
            ]
        )
        self.links.setVisible(bool(best))
        self._say()

    def _say(self, said: str = "") -> None:
        stopped = self._session.engine_stopped
        self.measure.setEnabled(
            not stopped and self._job is None and self._session.index is not None
        )
        self.measure.setToolTip(
            "The model is needed to read the instances" if stopped else "Read all and compare"
        )
        if not said and self._job is not None:
            said = "Reading the instances; the jobs at the bottom tell how far it is."
        elif not said and self._result is not None:
            said = " ".join([learnt_text(self._result), *self._result.notes])
        self.state.setText(said)
        self.state.setVisible(bool(said))

    def _on_activated(self, index: Index) -> None:
        feature = self.model.feature(index)
        if feature is not None:
            self._session.select_feature(feature)
