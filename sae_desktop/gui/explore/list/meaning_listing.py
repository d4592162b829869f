"""What the list finds by meaning: asked of the engine, with a line on what is lacking for it."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.features.reading.filter import FeatureFilter
from sae_desktop.gui.explore.list.filter_bar import FilterBar
from sae_desktop.gui.explore.list.filter_words import MEANING
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.state.feature_set import FeatureSet
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.meaning_search import MeaningSearch, asked
from sae_desktop.gui.state.session import Session
from sae_desktop.labels.search.config import FoundMeaning, SearchMeaningConfig, SearchMeaningResult
from sae_desktop.words import meaning_text

_PAUSE_MS = 200
_NOTHING = FeatureSet("By meaning", np.empty(0, dtype=np.int64))


class MeaningListing(QWidget):
    """Asks by meaning; seen only while that lacks something, or has something to say."""

    answered = Signal()
    """There is another answer, or none any more."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._search = MeaningSearch.of(session)
        self._config: SearchMeaningConfig | None = None
        self._answer: SearchMeaningResult | None = None
        self._error = ""
        self._on = False
        self.found: FeatureSet | None = None
        """The features found, the best first; None: there is no answer yet."""
        self.hits: dict[int, FoundMeaning] = {}
        """Feature → why it was found."""
        self.latest = LatestJob(session, _PAUSE_MS, self)
        self.state = label("", "small", wrap=True)
        self.button = push_button("", self._on_pressed)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.state)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        self.latest.answered.connect(self._on_answered)
        self.latest.failed.connect(self._on_failed)
        self.latest.busyChanged.connect(lambda _busy: self._say())
        self._search.changed.connect(self._on_changed)
        session.client.stateChanged.connect(lambda _state: self._say())
        self._say()

    def choose(self, scope: str) -> None:
        """Another field of the filter is searched: say what a search by meaning lacks, or end."""
        self._on = scope == MEANING
        if self._on:
            self._search.warm()
        else:
            self._drop()
        self._say()

    def among(self, bar: FilterBar, conditions: FeatureFilter) -> FeatureSet | None:
        """Return the features to be listed alone: those found, or what the bar has.

        Asks where something else is asked by now; until it is answered, the last answer stays.
        None where there can be no answer: what is lacking for one is said above the list.
        """
        text = bar.search.text().strip() if bar.meant else ""
        if not text or self._search.lack:
            self._drop()
        if text:
            self._ask(text, conditions, bar.only)
        self._say()
        if self.found is not None:
            return self.found
        unanswered = self._search.lack or self._session.engine_stopped or self._error
        return _NOTHING if text and unanswered else bar.only

    def why_none(self) -> str:
        """Return what is said below a list in which nothing stands."""
        waits = self._config is not None and self.found is None
        return "Nothing has been searched yet." if waits else "No features match the conditions."

    def _ask(self, text: str, conditions: FeatureFilter, only: FeatureSet | None) -> None:
        among = None if only is None else np.asarray(only.features).tolist()
        config = asked(self._session, text, conditions=conditions, among=among)
        asked_already = self._answer is not None or self._error or self.latest.busy
        if config == self._config and asked_already:
            return
        self._config, self._answer, self._error = config, None, ""
        if not self._search.lack:
            self.latest.ask(config)

    def _drop(self) -> None:
        self._config, self._answer, self._error = None, None, ""
        self.found, self.hits = None, {}
        if self.latest.busy:
            self.latest.forget()

    def _on_answered(self, result: SearchMeaningResult) -> None:
        self._answer, self._error = result, ""
        self.hits = {hit.feature: hit for hit in result.found}
        features = np.array([hit.feature for hit in result.found], dtype=np.int64)
        self.found = FeatureSet("By meaning", features)
        self._say()
        self.answered.emit()

    def _on_failed(self, error: ErrorInfo) -> None:
        self._error = f"{error.what} {error.next_step}".strip()
        self._say()
        self.answered.emit()

    def _on_changed(self) -> None:
        """Ask again what could not be answered, or with labels that had not been read."""
        waits = self._config is not None and (self._answer is None or self._answer.newer > 0)
        if waits and self._search.job is None and not self._search.lack and not self.latest.busy:
            assert self._config is not None
            self.latest.ask(self._config)
        self._say()

    def _say(self) -> None:
        said = self._said() if self._on else ("", "")
        self.state.setText(said[0])
        self.button.setText(said[1])
        self.button.setVisible(bool(said[1]))
        self.setVisible(bool(said[0]))

    def _said(self) -> tuple[str, str]:
        """Return what is said, and on the button; empty: no button."""
        search = self._search
        if search.lack == "index":
            return "", ""
        if self._session.engine_stopped:
            return meaning_text.NO_ENGINE, "Start the engine"
        if search.job is not None:
            return meaning_text.providing(search.job.config, search.progress()), "Cancel"
        if search.lack == "encoder":
            return meaning_text.NO_ENCODER, meaning_text.GET_ENCODER
        if search.lack == "vectors":
            return meaning_text.NO_VECTORS, meaning_text.READ
        if self._error:
            return self._error, ""
        if self.latest.busy:
            return "Searching by meaning…", ""
        if self._answer is not None and self._answer.newer > meaning_text.FEW_NEWER:
            return meaning_text.newer(self._answer.newer), meaning_text.READ_NEW
        return "", ""

    def _on_pressed(self) -> None:
        if self._session.engine_stopped:
            self._session.client.restart()
        elif self._search.job is not None:
            self._search.job.cancel()
        elif self._search.lack:
            self._search.provide()
        else:
            self._search.read()
