"""A text of one's own: its tokens light up with a feature, and a matrix of what fires on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, Qt, QTemporaryDir, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QScrollArea, QSplitter, QVBoxLayout, QWidget

from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.errors import UserError
from sae_desktop.features.config import ProbeConfig, ProbeResult
from sae_desktop.features.reading.chat_text import parse_chat
from sae_desktop.gui.explore.ask.probe_bars import PageBar, ProbeSettings
from sae_desktop.gui.explore.ask.probe_summary import PAGE_TOKENS, ProbeTable
from sae_desktop.gui.explore.ask.token_matrix import TokenMatrix
from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.feature_menu import show_feature_menu
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.passages import Passage
from sae_desktop.gui.parts.text_box import TextBox
from sae_desktop.gui.parts.token_text import TokenTextView
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.session import Session
from sae_desktop.words.amounts import exact_count, signed_text
from sae_desktop.words.running_text import shown_token

PAUSE_MS = 40
"""Pause in the typing after which the engine is asked: leaves it most of the 150 ms."""
LONGEST = 2_000_000
"""Characters of a text that are probed; the engine counts its tokens."""


class ProbePanel(QWidget):
    """A box for a text, the text lit by one feature, and the features that fire on it."""

    tokenHovered = Signal(object)
    """HoveredToken or None."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("explore.probe")
        self._session = session
        self._notes = FeatureNotes.of(session)
        self._table: ProbeTable | None = None
        self._asked: object = None
        self._error = ""
        self._logarithmic = True
        self._lit: int | None = None
        self._token: int | None = None
        self._folder = QTemporaryDir()
        self.text = TextBox()
        self.text.setPlaceholderText("Type or paste a text to see what fires on its tokens.")
        self.text.setAccessibleName("Text to try")
        self.text.setToolTip("Your own text (Ctrl+T)")
        self.text.setTabChangesFocus(True)
        self.text.setFixedHeight(self.text.fontMetrics().lineSpacing() * 4 + 16)
        self.settings = ProbeSettings()
        self.heading = ElidedLabel()
        self.heading.setProperty("role", "heading")
        self.state = label("", "small", wrap=True)
        self.start = push_button("Start the engine", self._on_start, primary=True)
        self.page = PageBar(PAGE_TOKENS)
        self.tokens = TokenTextView()
        self.tokens.ground = "window"
        self.tokens.setAccessibleName("The text with this feature’s activation")
        self.ranked = label("", "small", wrap=True)
        self.whole = push_button("Rank by the whole text", lambda: self.choose_token(None))
        self.matrix = TokenMatrix(self._notes.title, self._notes.words)
        self.latest = LatestJob(session, PAUSE_MS, self)
        self._reading = Background(self)
        self._build()
        self._connect()
        self._show()

    def _build(self) -> None:
        scroll = QScrollArea()
        scroll.setWidget(self.tokens)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setMinimumHeight(2 * self.fontMetrics().lineSpacing())
        below = QWidget()
        inner = QVBoxLayout(below)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(4)
        inner.addWidget(self.ranked)
        inner.addWidget(self.whole, 0, Qt.AlignmentFlag.AlignLeft)
        inner.addWidget(self.matrix, 1)
        self._results = QSplitter(Qt.Orientation.Vertical)
        self._results.setChildrenCollapsible(False)
        self._results.addWidget(scroll)
        self._results.addWidget(below)
        self._results.setStretchFactor(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(8)
        column.addWidget(self.text)
        column.addWidget(self.settings)
        column.addWidget(self.heading)
        column.addWidget(self.state)
        column.addWidget(self.start, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.page)
        column.addWidget(self._results, 1)
        column.addStretch()

    def _connect(self) -> None:
        session = self._session
        self.text.textChanged.connect(self._on_text_changed)
        self.text.refused.connect(session.show_error)
        self.settings.changed.connect(self._on_settings_changed)
        self.page.pageChanged.connect(self._show)
        self.tokens.tokenHovered.connect(self.tokenHovered)
        self.tokens.tokenClicked.connect(lambda token: self.choose_token(token + self.page.first))
        self.matrix.tokenChosen.connect(self.choose_token)
        self.matrix.featureChosen.connect(self.light)
        self.matrix.featureOpened.connect(session.select_feature)
        self.matrix.menuRequested.connect(self._on_menu)
        self.latest.answered.connect(self._on_answered)
        self.latest.failed.connect(self._on_failed)
        self.latest.busyChanged.connect(lambda _busy: self._say_state())
        self._reading.answered.connect(lambda answer: self._take(answer[1]))
        self._reading.refused.connect(lambda answer: self._refuse(answer[1]))
        session.featureSelected.connect(self.light)
        session.textRequested.connect(self.text.setPlainText)
        session.indexOpened.connect(self._on_index_opened)
        session.projectChanged.connect(self._on_index_opened)
        session.client.stateChanged.connect(self._on_engine_state)
        self._notes.noteChanged.connect(self._on_note_changed)

    # ------------------------------------------------------------------ asking
    def probe(self) -> None:
        """Ask which features fire on the text, once the typing pauses."""
        text = self.text.toPlainText()
        if not text.strip() or self._session.index is None:
            self._asked, self._error, self._table = None, "", None
            self.latest.forget()
            self._show()
            return
        if len(text) > LONGEST:
            self._fail(
                f"The text has {len(text):,} characters; at most {LONGEST:,} can be read. "
                "Enter a shorter text."
            )
            return
        if not self.isVisible() or self._session.engine_stopped:
            self._asked = None  # asked when it is seen again, and when the engine runs
            self._say_state()
            return
        self._asked = text
        self.latest.ask(self._config(text))

    def _config(self, text: str) -> ProbeConfig:
        settings = self.settings
        feature, lit = self._session.feature, self._lit
        return ProbeConfig(
            project=self._session.project_path,
            index=self._session.index_name,
            text="" if settings.chat else text,
            chat=parse_chat(text) if settings.chat else [],
            features=[f for f in dict.fromkeys((feature, lit)) if f is not None],
            rank=settings.rank,
            most_density=settings.most_density,
            attribute_at=self._token if settings.rank == "attribution" else None,
            spill=self._folder.path() if self._folder.isValid() else "",
        )

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self.text.toPlainText() != (self._asked or ""):
            self.probe()

    def _on_text_changed(self) -> None:
        self._token = None
        self.probe()

    def _on_settings_changed(self) -> None:
        self.text.setPlaceholderText(
            "user: A question\nassistant: Its answer"
            if self.settings.chat
            else "Type or paste a text to see what fires on its tokens."
        )
        self._show()
        self.probe()

    def light(self, feature: int) -> None:
        """Light the tokens of a feature."""
        self._lit = feature
        self._show_tokens()  # what is known at once; the rest when the engine answers
        self.probe()

    def choose_token(self, token: int | None) -> None:
        """Rank the features at a token; None: over all that is shown."""
        self._token = token
        self._show()
        self.matrix.scroll_to_top()
        if self.settings.rank == "attribution":
            self.probe()

    def _on_menu(self, feature: int, at: QPoint) -> None:
        show_feature_menu(self._session, feature, self, at)

    def _on_start(self) -> None:
        self._session.client.restart()

    def _on_note_changed(self, feature: int) -> None:
        self.matrix.viewport().update()
        if feature == self.shown_feature:
            self._show_tokens()

    def _on_engine_state(self, _state: object) -> None:
        self._say_state()
        if not self._session.engine_stopped and self._asked is None:
            self.probe()

    def _on_index_opened(self, _index: object = None) -> None:
        self._table = self._lit = self._token = None
        self._show()
        self.probe()

    # ------------------------------------------------------------------ answers
    def _on_answered(self, result: ProbeResult) -> None:
        index = self._session.index
        maxima = None if index is None else index.columns["max_activation"]
        if not result.file:
            self._take(ProbeTable(result, maxima))
            return

        def read() -> ProbeTable:
            try:
                return ProbeTable(result, maxima)
            except (OSError, ValueError) as error:
                raise UserError(
                    f"The answer cannot be read: {error}.", next_step="Try again."
                ) from error

        self._reading.run(result.file, read)

    def _take(self, table: ProbeTable) -> None:
        self._table, self._error = table, ""
        if self._token is not None and self._token >= len(table.tokens):
            self._token = None
        self.page.set_total(len(table.tokens))
        self._show()

    def _refuse(self, error: UserError) -> None:
        self._fail(" ".join(part for part in (error.what, error.next_step) if part))

    def _on_failed(self, error: ErrorInfo) -> None:
        # In place and not as a toast: the next key may well ask again.
        self._fail(" ".join(part for part in (error.what, error.next_step) if part))

    def _fail(self, sentence: str) -> None:
        self._table, self._error = None, sentence
        self._show()

    # ------------------------------------------------------------------ showing
    def set_logarithmic(self, logarithmic: bool) -> None:
        """Colour by the same kind of scale as the contexts."""
        self._logarithmic = logarithmic
        self._show()

    def _show(self) -> None:
        self._results.setVisible(self._table is not None)
        self.page.setVisible(self._table is not None and self.page.pages > 1)
        self._show_tokens()
        self._show_matrix()

    @property
    def shown_feature(self) -> int | None:
        """The feature whose tokens are lit."""
        return self._lit if self._lit is not None else self._session.feature

    def _stretch(self) -> tuple[int, int]:
        assert self._table is not None
        return self.page.first, min(self.page.first + PAGE_TOKENS, len(self._table.tokens))

    def _scale_of(self, feature: int) -> ColourScale:
        index = self._session.index
        top = 1.0 if index is None else float(index.columns["max_activation"][feature])
        return ColourScale(top, self._logarithmic)

    def _show_tokens(self) -> None:
        table, feature = self._table, self.shown_feature
        self._say_state()
        if table is None:
            self.heading.name_feature("", None)
            return
        first, last = self._stretch()
        values: Any = np.zeros(last - first, np.float32)
        if feature is not None:
            values = table.activations_of(feature, first, last)
            self.tokens.set_scale(self._scale_of(feature))
            label, words = self._notes.label(feature), self._notes.words(feature)
            self.heading.name_feature(label, words, f"#{feature} ")
        self.tokens.set_blocks([Passage(table.tokens[first:last], values)])
        self._mark()

    def _mark(self) -> None:
        here = None if self._token is None else self._token - self.page.first
        self.tokens.mark_token(here if here is None or 0 <= here < PAGE_TOKENS else None)
        self.matrix.set_marks(self.shown_feature, self._token)

    def _show_matrix(self) -> None:
        table, rank = self._table, self.settings.rank
        self.whole.setVisible(self._token is not None)
        if table is None:
            self.matrix.set_rows(None, (), 0, self._scale_of)
            return
        first, last = self._stretch()
        here = self._token is not None and first <= self._token < last
        rows = (
            table.rows_at(rank, first, last, self._token)
            if here and self._token is not None
            else table.rows(rank, first, last)
        )
        signed = rank == "attribution" and len(table.attributions) > 0
        common: ColourScale | None = None
        if rank == "share":
            common = ColourScale(1.0, self._logarithmic)
        elif signed:
            common = ColourScale(float(rows.peaks.max(initial=0.0)), logarithmic=False)
        names = [shown_token(token) for token in table.tokens[first:last]]
        self.matrix.set_rows(
            rows, names, first, lambda feature: common or self._scale_of(feature), signed=signed
        )
        self.ranked.setText(self._ranked_text(table, len(rows), here))
        self._mark()

    def _ranked_text(self, table: ProbeTable, rows: int, here: bool) -> str:
        at = "on the text" if not here else f"at token {self._token}"
        words = {
            "activation": "activation",
            "share": "share of the maximum",
            "attribution": "attribution",
        }[self.settings.rank]
        noun = "feature" if rows == 1 else "features"
        text = f"{exact_count(rows)} {noun} {at}, by {words}"
        found = table.difference
        if self.settings.rank != "attribution" or found is None:
            return text
        against = f"“{shown_token(found.against)}”" if found.against else "the mean logit"
        return (
            f"{text} to “{shown_token(found.target)}” over {against} after token "
            f"{found.position} ({signed_text(found.value)})"
        )

    def _say_state(self) -> None:
        stopped = self._session.engine_stopped and bool(self.text.toPlainText().strip())
        waiting = stopped and self._session.index is not None
        self.start.setVisible(waiting)
        if waiting:
            text = "The model is needed to read the text, but the engine is not running."
        elif self._table is None:
            text = "Reading…" if self.latest.busy else self._error
        else:
            feature, most = self.shown_feature, 0.0
            if feature is not None:
                most = float(self._table.activations_of(feature).max(initial=0.0))
            text = (
                f"at most {most:.2f} on this text" if most > 0.0 else "does not fire on this text"
            )
        self.state.setText(text)
        self.state.setVisible(bool(text))
        self.heading.setVisible(self._table is not None)
