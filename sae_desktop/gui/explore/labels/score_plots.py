"""The tab Scores of Labels: which features have names that one can believe, and how far."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QHBoxLayout,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui.explore.labels.feature_scatter import FeatureScatter
from sae_desktop.gui.explore.labels.interval_plot import IntervalPlot
from sae_desktop.gui.explore.labels.score_data import Level, ScoreData, read_source, sources
from sae_desktop.gui.parts.empty_state import EmptyState
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session

if TYPE_CHECKING:
    from sae_desktop.features.reading.reader import FeatureIndex

_ABREAST = 760
_AROUND = 290
"""Pixels beside the two rows of plots."""
_TITLE_ROOM = 48
_COIN = 0.5
_DETECTION = (
    "Take a text in which a feature fires and one in which it does not: detection AUROC says how "
    "often the label picks the right one. Chance picks it half the time."
)
_OVER_CHANCE = "Chance is at 0, and at 1 every answer of the judge is right."
_POINTS = "Each point is a feature; the solid line is their mean, the others are the rivals’."
_BY_INTERVAL = "The weakest firings of the features are at the left, the strongest at the right."
_SENSITIVITY = (
    "The share of new texts made from a label in which its feature fires: where that is low, the "
    "label says too much."
)
_HOW_TO_READ = (
    "A score is worth what it has above its rivals: a label of another feature (shuffled), the "
    "token the feature fires on most (top token alone), and directions drawn at random."
)


class ScorePlots(QWidget):
    """Score against density, by interval of activation, and sensitivity against score."""

    opened = Signal(int)
    """A feature that was clicked."""

    def __init__(
        self, session: Session, name: Callable[[], object], score: Callable[[], object]
    ) -> None:
        """`name` names the features, which gives their names a score; `score` scores labels."""
        super().__init__()
        self.setObjectName("explore.labels.scores")
        self._session = session
        self._notes = FeatureNotes.of(session)
        self._stale = True
        self._reader = Background(self)
        self._reader.answered.connect(self._on_read)
        self.source = QComboBox()
        self.source.setAccessibleName("Which scores to show")
        self.source.setToolTip("Which scores to show")
        self.by_density = FeatureScatter(
            "Score against density", "Density", self._said, logarithmic=True
        )
        self.by_interval = IntervalPlot(
            "Score by activation", "Activation, up to this share of the feature’s maximum"
        )
        self.sensitivity = FeatureScatter("Sensitivity against score", "Score", self._said)
        self.by_density.frame.say(_POINTS)
        self.by_interval.frame.say(_BY_INTERVAL)
        self.sensitivity.frame.say(_SENSITIVITY)
        for scatter in (self.by_density, self.sensitivity):
            scatter.opened.connect(self.opened)
        self.empty = EmptyState(
            "No name has a score yet. A score says how well a name tells where its feature fires, "
            "on texts it was not made from. Automatic names come with theirs, and need no model.",
            "Name the features",
            name,
            icon="magic-wand",
        )
        self.score = push_button(
            "Score the labels",
            score,
            icon="gauge",
            flat=True,
            tip="Hold every label and name against texts it was not made from, beside cheap rivals",
        )
        self._build()
        self.source.currentIndexChanged.connect(self._read)
        session.indexOpened.connect(self._on_index_opened)
        self._on_index_opened()

    def _build(self) -> None:
        content = QWidget()
        content.setProperty("ground", "surface")
        content.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(label("Scores of", "heading"))
        top.addWidget(self.source)
        top.addStretch()
        top.addWidget(self.score)
        self._pair = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._pair.setSpacing(24)
        self._pair.addWidget(self.by_interval, 1)
        self._pair.addWidget(self.sensitivity, 1)
        column = QVBoxLayout(content)
        column.setContentsMargins(16, 8, 16, 16)
        column.setSpacing(12)
        column.addLayout(top)
        self.how = label(_HOW_TO_READ, "muted", wrap=True)
        column.addWidget(self.how)
        column.addWidget(self.by_density)
        column.addLayout(self._pair)
        column.addStretch()
        self._page = QScrollArea()
        self._page.setWidget(content)
        self._page.setWidgetResizable(True)
        self._page.setProperty("ground", "surface")
        self._page.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._page.setAccessibleName("Plots of scores")
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self._page)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._stack)
        self.setProperty("ground", "surface")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        direction = QBoxLayout.Direction
        wide = self.width() >= _ABREAST
        self._pair.setDirection(direction.LeftToRight if wide else direction.TopToBottom)
        for plot in (self.by_density, self.by_interval, self.sensitivity):
            plot.frame.set_room((self.height() - _AROUND) // 2)

    # ------------------------------------------------------------------ content
    def _said(self, feature: int) -> str:
        words = self._notes.words(feature)
        told = self._notes.label(feature) if words is None else words.line(_TITLE_ROOM)
        return f"#{feature} {told}".rstrip()

    def _on_index_opened(self, _index: object = None) -> None:
        self._stale = True
        if self.isVisible():
            self._look()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self._look()

    def _look(self) -> None:
        """Offer the scores that there are; the ones that were chosen stay so."""
        self._stale = False
        index = self._session.index
        found = [] if index is None else sources(index)
        chosen = self.source.currentData()
        with QSignalBlocker(self.source):
            self.source.clear()
            for one in found:
                self.source.addItem(one.title, one.id)
            self.source.setCurrentIndex(max(self.source.findData(chosen), 0))
        self.score.setVisible(index is not None and index.scores is None)
        self._stack.setCurrentWidget(self._page if found else self.empty)
        self._read()

    def _read(self) -> None:
        index, source = self._session.index, self.source.currentData()
        if index is not None and source is not None:
            self._reader.run((index, source), lambda: read_source(index, source))

    def _on_read(self, answer: tuple[tuple[FeatureIndex, str], ScoreData]) -> None:
        (index, source), data = answer
        if index is self._session.index and source == self.source.currentData():
            self.show_data(data)

    def show_data(self, data: ScoreData) -> None:
        """Draw the scores of one kind."""
        what = _DETECTION if data.chance == _COIN else _OVER_CHANCE
        self.how.setText(" ".join(part for part in (what, _HOW_TO_READ, data.note) if part))
        levels = (*data.levels, Level("chance", data.chance, data.chance, data.chance))
        self.by_density.show_points(data.by_density, levels, data.axis)
        self.by_interval.setVisible(bool(data.curves))
        self.by_interval.show_curves(data.curves, data.intervals, data.interval_axis)
        self.sensitivity.setVisible(data.sensitivity is not None)
        if data.sensitivity is not None:
            others = data.sensitivity_others
            known = others == others  # not NaN: texts of other labels were tried, too
            level = (Level("other labels", others, others, others),) if known else ()
            self.sensitivity.show_points(data.sensitivity, level, "Sensitivity")
