"""The place Labels: who named what and how far to believe it, and features read one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy.typing as npt
from PySide6.QtCore import QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sae_desktop.gui.explore.labels.ask_model import AskModel
from sae_desktop.gui.explore.labels.model_asks import EXPLAIN
from sae_desktop.gui.explore.labels.overview import LabelsOverview
from sae_desktop.gui.explore.labels.reading_desk import ReadingDesk
from sae_desktop.gui.explore.labels.score_plots import ScorePlots
from sae_desktop.gui.parts.actions import ActionInfo
from sae_desktop.gui.parts.feature_menu import open_feature
from sae_desktop.gui.parts.places import PlaceInfo, Places
from sae_desktop.gui.state.session import Session

Array = npt.NDArray[Any]

OVERVIEW, DESK, SCORES, MODEL = "overview", "desk", "scores", "model"


class LabelsPanel(QWidget):
    """Tabs: the overview, and what one goes on to from there."""

    def __init__(self, session: Session, listed: Callable[[], Array]) -> None:
        """`listed` gives the features that the list shows, or those selected in it."""
        super().__init__()
        self.setObjectName("explore.labels")
        self.desk = ReadingDesk(session, listed)
        self.model = AskModel(session, listed)
        self.overview = LabelsOverview(session, self.read, lambda: self.ask(EXPLAIN))
        self.scores = ScorePlots(session, self._name_features, self.overview.score_labels)
        self.scores.opened.connect(lambda feature: open_feature(session, feature))
        self.places = Places(
            [
                PlaceInfo(
                    OVERVIEW,
                    "Overview",
                    "chart-bar",
                    self.overview,
                    "Who named how many features, how far to believe it, and what to do next",
                ),
                PlaceInfo(
                    DESK,
                    "Read one by one",
                    "book-open",
                    self.desk,
                    "One feature after another, with its texts and the names proposed for it",
                    "Ctrl+R",
                ),
                PlaceInfo(
                    SCORES,
                    "Scores",
                    "gauge",
                    self.scores,
                    "Which features have names that can be believed: score against density, by "
                    "activation, and sensitivity",
                ),
                PlaceInfo(
                    MODEL,
                    "Ask a model",
                    "robot",
                    self.model,
                    "A language model of yours names features, or scores their labels",
                ),
            ],
            "What Labels shows",
        )
        self.places.bar.tabBarClicked.connect(self._on_tab_clicked)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.places)
        session.place.add(
            self, lambda: {"place": self.places.place}, lambda kept: self.show_place(kept["place"])
        )

    def action_infos(
        self, in_front: Callable[[], object], enabled_when: Callable[[], bool]
    ) -> list[ActionInfo]:
        """Return what can be done here; `in_front` brings Labels to the front."""

        def at(do: Callable[[], object]) -> Callable[[], None]:
            def go() -> None:
                in_front()
                do()

            return go

        return [
            ActionInfo(
                f"explore.labels.{name}", text, at(do), icon=icon, tip=tip,
                enabled_when=enabled_when,
            )
            for name, text, icon, do, tip in (
                (OVERVIEW, "Labels overview", "tag", lambda: self.show_place(OVERVIEW),
                 "Who named how many features, how far to believe it, and what to do next"),
                (SCORES, "Scores of labels", "gauge", lambda: self.show_place(SCORES),
                 "Which features have names that can be believed"),
                ("ask_model", "Name features with a model", "robot", lambda: self.ask(EXPLAIN),
                 "A language model of yours reads texts and proposes names"),
                ("score", "Score the labels", "gauge", self._score_labels,
                 "Tests each name on text it was not made from"),
            )
        ]  # fmt: skip

    def _score_labels(self) -> None:
        self.show_place(OVERVIEW)  # which says how far it is
        self.overview.score_labels()

    def show_place(self, name: str) -> None:
        """Bring one of the tabs to the front."""
        self.places.show_place(name)

    def _on_tab_clicked(self, number: int) -> None:
        """Have the desk hear its keys, once the tab that was clicked is in front."""
        if 0 <= number < len(self.places.infos) and self.places.infos[number].id == DESK:
            QTimer.singleShot(0, self.desk, self.desk.take_keyboard)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Give the desk the keys that are pressed on its tab."""
        if self.places.place == DESK:
            self.desk.keyPressEvent(event)
        else:
            super().keyPressEvent(event)

    def _name_features(self) -> None:
        self.overview.name_features()
        self.show_place(OVERVIEW)  # which says how far it is

    def read(self, feature: int | None = None) -> None:
        """Read features one after another, from this one on."""
        self.show_place(DESK)
        self.desk.read(feature)

    def ask(self, task: str) -> None:
        """Have a model name features or score their labels."""
        self.model.choose_task(task)
        self.show_place(MODEL)
