"""A text of one's own: its tokens light up with a feature, and what fires on it is listed."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui.explore.ask.found_features import FoundFeatures
from sae_desktop.gui.explore.ask.lit_text import LitText, scrolled
from sae_desktop.gui.explore.ask.probe_bars import ExampleTexts, ProbeSettings, WaysBar
from sae_desktop.gui.explore.ask.probe_question import LONGEST, Asked, ProbeQuestion
from sae_desktop.gui.explore.ask.probe_summary import PAGE_TOKENS, ProbeTable
from sae_desktop.gui.explore.ask.probe_words import UNITS, found_rows, ranked_text
from sae_desktop.gui.explore.ask.token_matrix import TokenMatrix
from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.feature_menu import open_feature, show_feature_menu
from sae_desktop.gui.parts.kept_fields import keep_fields
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.passages import Passage
from sae_desktop.gui.parts.text_box import TextBox, file_text, local_files
from sae_desktop.gui.state.compared import Compared
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.words.running_text import shown_token

_PLACEHOLDER = "Type or paste a text, or drop a file here, to see what fires on its tokens."
_LINES = 3
"""Of the text that is typed, beside what is found on it: it can be drawn larger."""
_LIT_HIGHEST = 160


class ProbePanel(QWidget):
    """A box for a text, the text lit by one feature, and the features that fire on it."""

    tokenHovered = Signal(object)
    """HoveredToken or None."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("explore.probe")
        self.setAcceptDrops(True)
        self._session = session
        self._notes = FeatureNotes.of(session)
        self._table: ProbeTable | None = None
        self._asked: str | None = None
        self._error = ""
        self._logarithmic = True
        self._lit: int | None = None
        self._finds = True
        """Whether the strongest feature is lit where the one that is lit does not fire."""
        self._token: int | None = None
        self._file = ""
        """Name of the file that is being read."""
        self._shared = False
        """Whether the box has left what is below its height."""
        self.text = TextBox(lambda path: file_text(path, LONGEST))
        self.text.setPlaceholderText(_PLACEHOLDER)
        self.text.setAccessibleName("Text to try")
        self.text.setToolTip("Your own text (Ctrl+T)")
        self.text.setTabChangesFocus(True)
        self.text.setMinimumHeight(self.text.fontMetrics().lineSpacing() * _LINES + 16)
        self.examples = ExampleTexts()
        self.settings = ProbeSettings()
        self.lit = LitText(session)
        self.page, self.tokens = self.lit.page, self.lit.tokens
        self.ranked = label("", "small", wrap=True)
        self.whole = push_button("Rank by the whole text", lambda: self.choose_token(None))
        self.ways = WaysBar()
        self.found = FoundFeatures(session)
        self.matrix = TokenMatrix(self._notes.title, self._notes.words)
        self.question = ProbeQuestion(session, self)
        self._build()
        self._connect()
        self._show()
        asked = self.settings
        fields = {"kind": asked.kind, "ranking": asked.ranking, "density": asked.density}
        keep_fields(session, self, {**fields, "text": self.text})
        session.place.add(self, self._kept, self._give, part="at", of_index=True)

    def _build(self) -> None:
        self._above = QWidget()
        top = QVBoxLayout(self._above)
        top.setContentsMargins(0, 0, 0, 0)
        top.setSpacing(8)
        top.addWidget(self.text, 1)
        top.addWidget(self.examples)
        top.addWidget(self.settings)
        self._found_ways = QStackedWidget()
        self._found_ways.addWidget(scrolled(self.found))
        self._found_ways.addWidget(self.matrix)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.ranked, 1)
        row.addWidget(self.whole)
        row.addWidget(self.ways)
        self._below = QWidget()
        inner = QVBoxLayout(self._below)
        inner.setContentsMargins(0, 4, 0, 0)
        inner.setSpacing(4)
        inner.addLayout(row)
        inner.addWidget(self._found_ways, 1)
        self._parts = QSplitter(Qt.Orientation.Vertical)
        self._parts.setChildrenCollapsible(False)
        for number, (part, stretch) in enumerate(
            ((self._above, 0), (self.lit, 1), (self._below, 3))
        ):
            self._parts.addWidget(part)
            self._parts.setStretchFactor(number, stretch)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 8)
        column.addWidget(self._parts)

    def _connect(self) -> None:
        session = self._session
        self.text.textChanged.connect(self._on_text_changed)
        self.text.refused.connect(session.show_error)
        self.text.readingChanged.connect(self._on_file)
        self.examples.chosen.connect(self._on_example_chosen)
        self.settings.changed.connect(self._on_settings_changed)
        self.page.pageChanged.connect(self._show)
        self.tokens.tokenHovered.connect(self.tokenHovered)
        self.tokens.tokenClicked.connect(lambda token: self.choose_token(token + self.page.first))
        self.ways.chosen.connect(self._found_ways.setCurrentIndex)
        self.found.featureChosen.connect(self.light)
        self.found.comparisonAsked.connect(self._compare)
        self.matrix.tokenChosen.connect(self.choose_token)
        self.matrix.featureChosen.connect(self.light)
        self.matrix.featureOpened.connect(lambda feature: open_feature(session, feature))
        self.matrix.menuRequested.connect(self._on_menu)
        self.question.answered.connect(self._take)
        self.question.refused.connect(self._fail)
        self.question.busyChanged.connect(lambda _busy: self._say_state())
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
            self.question.forget()
            self._show()
            return
        if not self.isVisible() or self._session.engine_stopped:
            self._asked = None  # asked when it is seen again, and when the engine runs
            self._say_state()
            return
        self._asked = text
        settings, told = self.settings, (self._session.feature, self._lit)
        self.question.ask(
            text,
            Asked(
                chat=settings.chat,
                rank=settings.rank,
                most_density=settings.most_density,
                features=[f for f in dict.fromkeys(told) if f is not None],
                token=self._token,
            ),
        )

    def _kept(self) -> dict[str, Any]:
        lit = None if self._finds else self._lit
        page, way = self.page.first, self.ways.way
        return {"token": self._token, "lit": lit, "page": page, "way": way}

    def _give(self, kept: dict[str, Any]) -> None:
        self._token, self._lit = kept["token"], kept["lit"]
        self._finds = self._lit is None
        self.ways.choose(kept["way"])
        self.page.go_to(kept["page"])
        self._show()
        self.probe()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self.text.toPlainText() != (self._asked or ""):
            self.probe()

    def _on_text_changed(self) -> None:
        self._token, self._finds = None, True
        self.examples.setVisible(not self.text.toPlainText())
        self.probe()

    def _on_example_chosen(self, text: str) -> None:
        self.text.setPlainText(text)
        self.text.setFocus()

    def _on_settings_changed(self) -> None:
        self.text.setPlaceholderText(
            "user: A question\nassistant: Its answer" if self.settings.chat else _PLACEHOLDER
        )
        self._show()
        self.probe()

    def light(self, feature: int) -> None:
        """Light the tokens of a feature."""
        self._lit, self._finds = feature, False
        self._show_tokens()  # what is known at once; the rest when the engine answers
        self.probe()

    def choose_token(self, token: int | None) -> None:
        """Rank the features at a token; None: over all that is shown."""
        self._token = token
        self._show()
        self.matrix.scroll_to_top()
        if self.settings.rank == "attribution":
            self.probe()

    def _compare(self, feature: int) -> None:
        """Put a feature beside the one that is lit; the lit one beside the best other one."""
        lit, listed = self.shown_feature, [line.found.feature for line in self.found.lines()]
        other = lit if lit != feature else next((f for f in listed if f != feature), None)
        Compared.of(self._session).show([f for f in (other, feature) if f is not None])

    def _on_menu(self, feature: int, at: QPoint) -> None:
        show_feature_menu(self._session, feature, self, at)

    def _on_note_changed(self, feature: int) -> None:
        self.matrix.viewport().update()
        if feature == self.shown_feature:
            self._say_state()

    def _on_engine_state(self, _state: object) -> None:
        self._say_state()
        if not self._session.engine_stopped and self._asked is None:
            self.probe()

    def _on_index_opened(self, _index: object = None) -> None:
        self._table = self._lit = self._token = None
        self._finds = True
        self._show()
        self.probe()

    # ------------------------------------------------------------------ drops
    def _on_file(self, name: str) -> None:
        self._file = name
        self._say_state()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self.text.canInsertFromMimeData(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take a text that is let go beside the box as one that is let go over it."""
        if not local_files(event.mimeData()):
            self.text.selectAll()
        self.text.insertFromMimeData(event.mimeData())
        event.acceptProposedAction()

    # ------------------------------------------------------------------ answers
    def _take(self, table: ProbeTable) -> None:
        self._table, self._error = table, ""
        if self._token is not None and self._token >= len(table.tokens):
            self._token = None
        self.page.set_total(len(table.tokens))
        if self._finds:
            self._find(table)
        self._show()

    def _find(self, table: ProbeTable) -> None:
        """Light the strongest feature of the text, unless the one that is lit fires on it."""
        self._finds = False
        shown = self.shown_feature
        if shown is not None and table.activations_of(shown).any():
            return
        strongest = table.rows(self.settings.rank, 0, len(table.tokens))
        if len(strongest):
            self._lit = int(strongest.features[0])
            self.probe()  # its weaker firings are not among those that were told

    def _fail(self, sentence: str) -> None:
        self._table, self._error = None, sentence
        self._show()

    # ------------------------------------------------------------------ showing
    def set_logarithmic(self, logarithmic: bool) -> None:
        """Colour by the same kind of scale as the contexts."""
        self._logarithmic = logarithmic
        self._show()

    def _show(self) -> None:
        self._below.setVisible(self._table is not None)
        self._share_height()
        self.page.setVisible(self._table is not None and self.page.pages > 1)
        self._show_tokens()
        self._show_found()

    def _share_height(self) -> None:
        """Leave the box a few lines once there is something to show under it."""
        if self._table is None or self._shared:
            self._shared = self._table is not None
            return
        self._shared = True
        least = self._above.minimumSizeHint().height()
        rest = max(self._parts.height() - least, 0)
        lit = min(max(rest // 4, self.lit.minimumSizeHint().height()), _LIT_HIGHEST)
        self._parts.setSizes([least, lit, rest - lit])

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
            return
        first, last = self._stretch()
        values: Any = np.zeros(last - first, np.float32)
        if feature is not None:
            values = table.activations_of(feature, first, last)
            self.tokens.set_scale(self._scale_of(feature))
        self.tokens.set_blocks([Passage(table.tokens[first:last], values)])
        self._mark()

    def _mark(self) -> None:
        here = None if self._token is None else self._token - self.page.first
        self.tokens.mark_token(here if here is None or 0 <= here < PAGE_TOKENS else None)
        self.matrix.set_marks(self.shown_feature, self._token)
        self.found.set_current(self.shown_feature)

    def _show_found(self) -> None:
        table, rank = self._table, self.settings.rank
        self.whole.setVisible(self._token is not None)
        if table is None:
            self.matrix.set_rows(None, (), 0, self._scale_of)
            self.found.set_found((), "")
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
        if rank in ("share", "excess"):
            common = ColourScale(1.0, self._logarithmic)
        elif signed:
            common = ColourScale(float(rows.peaks.max(initial=0.0)), logarithmic=False)
        names = [shown_token(token) for token in table.tokens[first:last]]
        self.matrix.set_rows(
            rows, names, first, lambda feature: common or self._scale_of(feature), signed=signed
        )
        token = self._token if here else None
        index = self._session.index
        maxima = None if index is None else index.columns["max_activation"]
        span = (first, last) if token is None else (token, token + 1)
        if rank == "excess" and token is not None:
            rank = "share"  # which is what it comes to on one token
        self.found.set_found(found_rows(table, rank, rows, span, maxima), UNITS[rank])
        self.ranked.setText(ranked_text(table, rank, len(rows), token))
        self._mark()

    def _say_state(self) -> None:
        stopped = self._session.engine_stopped and bool(self.text.toPlainText().strip())
        if stopped and self._session.index is not None:
            self.lit.say_engine()
        elif self._table is None:
            reading = f"Reading “{self._file}”…" if self._file else "Reading…"
            busy = bool(self._file) or self.question.busy
            self.lit.say(reading if busy else self._error)
        else:
            feature = self.shown_feature
            most = 0.0
            if feature is not None:
                most = float(self._table.activations_of(feature).max(initial=0.0))
            self.lit.say_feature(feature, most)
