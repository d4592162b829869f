"""What one sees first in Labels: who named how many features, how far to believe it, what next."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QBoxLayout, QScrollArea, QVBoxLayout, QWidget

from sae_desktop.features.config import NameFeaturesConfig
from sae_desktop.gui.explore.labels.overview_facts import (
    Overview,
    Shown,
    shown_labels,
    shown_labels_in,
    take_overview,
)
from sae_desktop.gui.explore.labels.score_histogram import ScoreHistogram
from sae_desktop.gui.explore.labels.ways import Way, Ways
from sae_desktop.gui.parts.labelled_bars import Bar, LabelledBars
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.label_words import AUTOMATIC, AUTOMATIC_AGREED, DEMONSTRATION
from sae_desktop.labels.scoring.config import ScoreLabelsConfig
from sae_desktop.words.amounts import exact_count

if TYPE_CHECKING:
    from sae_desktop.client.job import Job
    from sae_desktop.features.reading.reader import FeatureIndex

READ, NAME, ASK, SCORE = "read", "name", "ask", "score"
_AT_ONCE = 20_000
"""More labels are counted beside the window."""
_ABREAST = 620
"""From this width on, the histogram stands beside the bars."""
_WIDEST = 1100
_INTRODUCTION = (
    "A feature is something the model has learnt to notice; its name says what. A label is a name "
    "given by you, by other people or by a language model. A feature without one has an automatic "
    "name, made by counting what stands where it fires."
)
_YOU, _NOBODY = "You", "Nobody"
_NAMED = 4
"""Other people that have a bar of their own."""
_NO_SCORES = "No name has a score yet."


class LabelsOverview(QScrollArea):
    """From the top down: what there is, how good it is, and what to do next."""

    def __init__(
        self, session: Session, read: Callable[[], object], ask: Callable[[], object]
    ) -> None:
        """`read` leads to the reading desk, `ask` to a model that names features."""
        super().__init__()
        self.setObjectName("explore.labels.overview")
        self._session = session
        self._notes = FeatureNotes.of(session)
        self._stale = True
        self._found: Overview | None = None
        self._background = Background(self)
        self._background.answered.connect(self._on_taken)
        self.headline = label("", "title", wrap=True)
        self.bars = LabelledBars("Who named the features")
        self.histogram = ScoreHistogram()
        self.believe = label("", "muted", wrap=True)
        self.ways = Ways(
            {
                NAME: Way(
                    "Name the features",
                    "magic-wand",
                    "From what stands where each fires, with a score on texts it was not made "
                    "from. It takes seconds to minutes, and needs no model and no network.",
                    self.name_features,
                ),
                READ: Way(
                    "Read features one by one",
                    "book-open",
                    "Look at where each fires, and agree with a name or type your own; keys do it "
                    "all, in about 15 s a feature.",
                    read,
                ),
                ASK: Way(
                    "Name with a model…",
                    "robot",
                    "A language model of yours, on this machine or elsewhere, reads the texts and "
                    "writes a name. You see first what it is asked and what that costs.",
                    ask,
                ),
                SCORE: Way(
                    "Score the labels",
                    "gauge",
                    "Holds every label and name against texts it was not made from, beside cheap "
                    "rivals. It takes minutes, and needs no language model that judges.",
                    self.score_labels,
                ),
            }
        )
        self._build()
        session.indexOpened.connect(self._on_changed)
        session.client.jobAdded.connect(self._on_job_added)
        self._notes.reloaded.connect(self._on_changed)
        self._notes.noteChanged.connect(self._on_changed)
        self._on_changed()

    def _build(self) -> None:
        content = QWidget()
        content.setProperty("ground", "surface")
        content.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._figures = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._figures.setSpacing(32)
        self._figures.addWidget(_titled("Who named them", self.bars), 2)
        self._believing = _titled("How far to believe the names", self.histogram, self.believe)
        self._figures.addWidget(self._believing, 3)
        column = QVBoxLayout(content)
        column.setContentsMargins(16, 12, 16, 16)
        column.setSpacing(8)
        column.addWidget(self.headline)
        column.addWidget(label(_INTRODUCTION, "muted", wrap=True))
        column.addSpacing(8)
        column.addLayout(self._figures)
        column.addSpacing(8)
        column.addWidget(label("What to do next", "heading"))
        column.addWidget(self.ways)
        column.addStretch()
        content.setMaximumWidth(_WIDEST)
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setProperty("ground", "surface")
        self.setAccessibleName("Overview of the labels")

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        direction = QBoxLayout.Direction
        wide = self.viewport().width() >= _ABREAST
        self._figures.setDirection(direction.LeftToRight if wide else direction.TopToBottom)

    # ------------------------------------------------------------------ content
    def _on_changed(self, _what: object = None) -> None:
        self._stale = True
        if self.isVisible():
            self._take()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self._take()

    def _take(self) -> None:
        """Count beside the window: a million features take a moment."""
        index = self._session.index
        self._stale = False
        if index is not None:
            shown = self._shown_labels()
            me = self._session.person
            self._background.run(index, lambda: take_overview(index, shown(), me))

    def _shown_labels(self) -> Callable[[], Shown]:
        """Return what says which labels are shown, beside the window.

        Few are read at once, with what is not on the disk yet.
        """
        notes, dictionary = self._session.notes, self._notes.dictionary
        if notes is not None and notes.count_labels(dictionary) > _AT_ONCE and not notes.read_only:
            path = notes.path
            return lambda: shown_labels_in(path, dictionary)
        found = shown_labels(notes, dictionary)
        return lambda: found

    def _on_taken(self, answer: tuple[FeatureIndex, Overview]) -> None:
        index, overview = answer
        if index is self._session.index:
            self.show_overview(overview)

    def show_overview(self, found: Overview) -> None:
        """Show what was counted."""
        self.headline.setText(found.headline)
        rows = self._rows(found)
        most = max(found.alive, 1)
        self.bars.set_bars(
            [
                Bar(who, count / most, exact_count(count), colour, "text", tip)
                for who, count, colour, tip in rows
                if count or who in (_YOU, _NOBODY)
            ]
        )
        self.histogram.setVisible(found.scores.known)
        if found.scores.known:
            self.histogram.show_scores(found.scores)
        self.believe.setText(found.scores.sentence if found.scores.known else _NO_SCORES)
        self._found = found
        self._show_ways()

    @staticmethod
    def _rows(found: Overview) -> list[tuple[str, int, str, str]]:
        """Return who gave names, to how many features, the bar's colour and what that means."""
        others = found.others
        people = [
            (
                "The demonstration" if who == DEMONSTRATION else who,
                count,
                "accent",
                f"Features that show a label {_by(who)}",
            )
            for who, count in others[:_NAMED]
        ]
        rest = sum(count for _, count in others[_NAMED:])
        return [
            (_YOU, found.own, "accent", "Features that show a label you wrote"),
            *people,
            ("Other people", rest, "accent", "Features that show a label by somebody else"),
            ("A language model", found.model, "positive", "Features that show a model’s label"),
            ("Imported", found.imported, "positive", "Features that show an imported label"),
            (
                AUTOMATIC_AGREED.capitalize(),
                found.agreed,
                "accent",
                "Features that show an automatic name as a label, since you agreed with it",
            ),
            (
                AUTOMATIC.capitalize(),
                found.automatic,
                "negative",
                "Features without a label, which are called by their automatic name: made by "
                "counting what stands where they fire",
            ),
            (_NOBODY, found.nameless, "muted_text", "Features that fire and have no name"),
        ]

    def _show_ways(self, _job: object = None) -> None:
        """Offer what can be done now; the one that gains most is highlighted."""
        index, found = self._session.index, self._found
        if index is None or found is None:
            return
        offered = {READ: False, ASK: False}
        if index.names is not None or found.labelled:
            offered[SCORE] = self._under_way(ScoreLabelsConfig)
        if index.names is None and not index.info.whole_rows:
            offered = {NAME: self._under_way(NameFeaturesConfig)} | offered
        best = NAME if offered.get(NAME) is False else READ
        self.ways.show_ways(offered, best)

    def _under_way(self, kind: type[ScoreLabelsConfig] | type[NameFeaturesConfig]) -> bool:
        """Whether a job of a kind works on the open index."""
        return any(
            isinstance(job.config, kind) and job.config.index == self._session.index_name
            for job in self._session.running_jobs()
        )

    def _on_job_added(self, job: Job) -> None:
        if not job.quiet:
            job.stateChanged.connect(self._show_ways)
            self._show_ways()

    def name_features(self) -> None:
        """Name every feature by statistics."""
        session = self._session
        if session.index is not None:
            session.run(NameFeaturesConfig(project=session.project_path, index=session.index_name))

    def score_labels(self) -> None:
        """Score the label or name of every feature, without a model that judges."""
        session = self._session
        if session.index is not None:
            session.run(ScoreLabelsConfig(project=session.project_path, index=session.index_name))


def _by(who: str) -> str:
    return "that came with the demonstration" if who == DEMONSTRATION else f"by {who}"


def _titled(title: str, *widgets: QWidget) -> QWidget:
    part = QWidget()
    column = QVBoxLayout(part)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(6)
    column.addWidget(label(title, "heading"))
    for widget in widgets:
        column.addWidget(widget)
    column.addStretch()
    return part
