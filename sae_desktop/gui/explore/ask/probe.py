"""A text of one's own: its tokens light up with a feature, and what fires on it is listed."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QShowEvent
from PySide6.QtWidgets import (
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.features.config import ProbeConfig
from sae_desktop.gui.explore.ask.found_part import FoundPart, Looked
from sae_desktop.gui.explore.ask.lit_text import LitText
from sae_desktop.gui.explore.ask.probe_bars import ExampleTexts, ProbeSettings
from sae_desktop.gui.explore.ask.probe_pictures import ProbePictures
from sae_desktop.gui.explore.ask.probe_question import LONGEST, Asked, ProbeQuestion
from sae_desktop.gui.explore.ask.probe_summary import PAGE_TOKENS, ProbeTable
from sae_desktop.gui.explore.ask.probe_words import read_words
from sae_desktop.gui.parts.brought_pictures import brings_pictures
from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.copy_code import copy_code_button
from sae_desktop.gui.parts.feature_menu import open_feature, show_feature_menu
from sae_desktop.gui.parts.kept_fields import keep_fields
from sae_desktop.gui.parts.passages import Passage
from sae_desktop.gui.parts.picture_strip import PictureStrip
from sae_desktop.gui.parts.text_box import TextBox, file_text, local_files
from sae_desktop.gui.state.compared import Compared
from sae_desktop.gui.state.described_model import DescribedModel
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session

_PLACEHOLDER = "Type or paste a text, or drop a file here, to see what fires on it."
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
        self._region: list[int] = []
        """Patches of a picture that are asked about together."""
        self._file = ""
        """Name of the file that is being read."""
        self._shared = ""
        """For what the height was shared out last: nothing, a text, or pictures and a text."""
        self.strip = PictureStrip(looked_at=True)
        self.text = TextBox(lambda path: file_text(path, LONGEST), self.strip)
        self.text.setPlaceholderText(_PLACEHOLDER)
        self.text.setAccessibleName("Text to try")
        self.text.setToolTip("Your own text (Ctrl+T)")
        self.text.setTabChangesFocus(True)
        self.text.setMinimumHeight(self.text.fontMetrics().lineSpacing() * _LINES + 16)
        self.examples = ExampleTexts()
        self.settings = ProbeSettings()
        self.settings.add(copy_code_button(session, self.config))
        self.pictures = ProbePictures()
        self.lit = LitText(session)
        self.page, self.tokens = self.lit.page, self.lit.tokens
        below = self._below = FoundPart(session, lambda: self.choose_token(None))
        self.found, self.matrix = below.found, below.matrix
        self.ways, self.ranked, self.whole = below.ways, below.ranked, below.whole
        self.question = ProbeQuestion(session, self)
        self._build()
        self._connect()
        self._show()
        asked = self.settings
        fields = {"kind": asked.kind, "ranking": asked.ranking, "density": asked.density}
        keep_fields(session, self, {**fields, "text": self.text})
        session.place.add(self, self._kept, self._give, part="at", of_index=True)
        session.place.add(self, self._kept_files, self._give_files, part="pictures")

    def _build(self) -> None:
        self._above = QWidget()
        top = QVBoxLayout(self._above)
        top.setContentsMargins(0, 0, 0, 0)
        top.setSpacing(8)
        top.addWidget(self.text, 1)
        top.addWidget(self.strip)
        top.addWidget(self.examples)
        top.addWidget(self.settings)
        self._parts = QSplitter(Qt.Orientation.Vertical)
        self._parts.setChildrenCollapsible(False)
        for number, (part, stretch) in enumerate(
            ((self._above, 0), (self.pictures, 3), (self.lit, 1), (self._below, 3))
        ):
            self._parts.addWidget(part)
            self._parts.setStretchFactor(number, stretch)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 8)
        column.addWidget(self._parts)

    def _connect(self) -> None:
        session = self._session
        self.text.textChanged.connect(self._on_text_changed)
        self.strip.changed.connect(self._on_text_changed)
        self.strip.follow(DescribedModel.of(session))
        self.strip.shownChanged.connect(lambda _number: self._show_tokens())
        self.pictures.tokensChosen.connect(self.choose_region)
        self.text.refused.connect(session.show_error)
        self.text.readingChanged.connect(self._on_file)
        self.examples.chosen.connect(self._on_example_chosen)
        self.settings.changed.connect(self._on_settings_changed)
        self.page.pageChanged.connect(self._show)
        self.tokens.tokenHovered.connect(self.tokenHovered)
        self.tokens.tokenClicked.connect(lambda token: self.choose_token(self._words()[token]))
        self.found.featureChosen.connect(self.light)
        self.found.comparisonAsked.connect(self._compare)
        self.matrix.tokenChosen.connect(
            lambda token: self.choose_token(self._region[token] if self._region else token)
        )
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
        if not self._is_asked() or self._session.index is None:
            self._asked, self._error, self._table = None, "", None
            self.question.forget()
            self._show()
            return
        if not self.isVisible() or self._session.engine_stopped:
            self._asked = None  # asked when it is seen again, and when the engine runs
            self._say_state()
            return
        self._asked = text
        self.question.ask(text, self._as_asked())

    def _as_asked(self) -> Asked:
        settings, told = self.settings, (self._session.feature, self._lit)
        return Asked(
            chat=settings.chat,
            rank=settings.rank,
            most_density=settings.most_density,
            features=[f for f in dict.fromkeys(told) if f is not None],
            token=self._token,
            pictures=self.strip.files,
        )

    def config(self) -> ProbeConfig | None:
        """Return what is asked as a job; None without a text, a picture or an index."""
        text = self.text.toPlainText()
        if self._session.index is None or not (text.strip() or self.strip.files):
            return None
        return self.question.config(text, self._as_asked())

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
        if self._asked is None and self._is_asked():
            self.probe()

    def _is_asked(self) -> bool:
        return bool(self.text.toPlainText().strip() or self.strip.files)

    def _kept_files(self) -> dict[str, Any]:
        return {"files": self.strip.kept}

    def _give_files(self, kept: dict[str, Any]) -> None:
        self.strip.set_files(kept["files"])

    def _on_text_changed(self) -> None:
        self._token, self._region, self._finds = None, [], True
        self.examples.setVisible(not self.text.toPlainText() and not self.strip.files)
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
        self._token, self._region = token, []
        self._show()
        self.matrix.scroll_to_top()
        if self.settings.rank == "attribution":
            self.probe()

    def choose_region(self, tokens: list[int]) -> None:
        """Rank the features on one patch of a picture, or on several together."""
        if len(tokens) == 1:
            self.choose_token(tokens[0])
            return
        self._token, self._region = None, tokens
        self._show()
        self.matrix.scroll_to_top()

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
        self._region, self._finds = [], True
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
        if not local_files(event.mimeData()) and not brings_pictures(event.mimeData()):
            self.text.selectAll()
        self.text.insertFromMimeData(event.mimeData())
        event.acceptProposedAction()

    # ------------------------------------------------------------------ answers
    def _take(self, table: ProbeTable) -> None:
        self._table, self._error = table, ""
        if self._token is not None and self._token >= len(table.tokens):
            self._token = None
        if self._region and self._region[-1] >= len(table.tokens):
            self._region = []
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
        table = self._table
        shared = "" if table is None else "pictures" if table.pictures else "text"
        if shared in ("", self._shared):
            self._shared = shared
            return
        self._shared = shared
        least = self._above.minimumSizeHint().height()
        rest = max(self._parts.height() - least, 0)
        picture = rest * 2 // 5 if shared == "pictures" else 0
        lit = min(max((rest - picture) // 4, self.lit.minimumSizeHint().height()), _LIT_HIGHEST)
        self._parts.setSizes([least, picture, lit, rest - picture - lit])

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
            self.pictures.show_picture(None, 0, None, ColourScale(1.0))
            return
        scale = self._scale_of(feature) if feature is not None else ColourScale(1.0)
        self.pictures.show_picture(table, self.strip.shown, feature, scale)
        words = self._words()
        values: Any = np.zeros(len(words), np.float32)
        if feature is not None:
            values = table.activations_of(feature)[words]
            self.tokens.set_scale(scale)
        self.tokens.set_blocks([Passage([table.tokens[token] for token in words], values)])
        self._mark()

    def _words(self) -> list[int]:
        """Return the tokens of the stretch that are of text, not of pictures."""
        assert self._table is not None
        first, last = self._stretch()
        return [first + int(n) for n in np.flatnonzero(self._table.picture[first:last] < 0)]

    def _mark(self) -> None:
        words = self._words()
        self.tokens.mark_token(words.index(self._token) if self._token in words else None)
        self.pictures.set_chosen(self._region if self._token is None else [self._token])
        self.matrix.set_marks(self.shown_feature, self._token)
        self.found.set_current(self.shown_feature)

    def _show_found(self) -> None:
        table, index = self._table, self._session.index
        first, last = (0, 0) if table is None else self._stretch()
        looked = Looked(
            self.settings.rank, first, last, self._token, self._region, self._logarithmic,
            self._scale_of, None if index is None else index.columns["max_activation"],
        )  # fmt: skip
        self._below.show_rows(table, looked)
        if table is not None:
            self._mark()

    def _say_state(self) -> None:
        stopped = self._session.engine_stopped and self._is_asked()
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
            self.lit.say_feature(feature, most, read_words(self._table))
            self.lit.show_words(bool((self._table.picture < 0).any()))
