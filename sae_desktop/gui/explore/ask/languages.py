"""An aligned document side by side: where a feature fires on it in each language."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QLocale, QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMenu,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.errors import UserError
from sae_desktop.features.config import ProbeConfig, ProbeResult
from sae_desktop.features.reading.facts import AlignedFiring
from sae_desktop.features.reading.firing_files import StoredFirings
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.gui.explore.ask.aligned_documents import (
    AlignedDocument,
    RankedGroup,
    activations_on,
    known_activations,
    ranked_groups,
    read_document,
    strongest_by_language,
)
from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.passages import Passage
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.parts.token_text import TokenTextView
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.session import Session
from sae_desktop.language_names import language_name
from sae_desktop.words.amounts import exact_count

Array = npt.NDArray[Any]

_LISTED = 300
_COLUMNS = 4
"""Languages shown at first."""
_COLUMN_WIDTH = 240


def _readable() -> list[str]:
    """Return the languages a person can read, as far as the system tells: theirs and English."""
    return [QLocale.system().name().partition("_")[0], "en"]


class LanguageColumn(QWidget):
    """One language's document with the feature's activations."""

    tokenHovered = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.heading = label("", "heading")
        self.figure = label("", "small")
        explain(self.figure, "Maximum", "Token")
        self.text = TokenTextView()
        self.text.tokenHovered.connect(self.tokenHovered)
        self.area = QScrollArea()
        self.area.setWidget(self.text)
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        head = QHBoxLayout()
        head.addWidget(self.heading)
        head.addStretch()
        head.addWidget(self.figure)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.area, 1)
        self.setMinimumWidth(_COLUMN_WIDTH)

    def show_document(
        self, document: AlignedDocument, values: Array, scale: ColourScale, *, whole: bool
    ) -> None:
        """Show a document's tokens; not `whole`: only its strongest activation is known yet."""
        firing = document.firing
        self.heading.setText(language_name(firing.language) or "–")
        self.heading.setToolTip(plain_tip(firing.title))
        most = max(float(values.max(initial=0.0)), firing.activation)
        told = f"max {most:.2f}" if most > 0 else "does not fire"
        if whole and most > 0:
            count = int((values > 0).sum())
            told += f" · {exact_count(count)} {'token' if count == 1 else 'tokens'}"
        self.figure.setText(told)
        peak = int(values.argmax()) if most > 0 and values.any() else None
        self.text.setAccessibleName(f"The document in {language_name(firing.language)}")
        self.text.set_scale(scale)
        note = f"{exact_count(document.left_out)} more tokens" if document.left_out else ""
        self.text.set_blocks([Passage(document.tokens, values, peak, note)])
        if peak is not None:
            # Once it is laid out, what fires most is brought into sight.
            QTimer.singleShot(0, self, lambda: self._bring_into_sight(peak))

    def _bring_into_sight(self, token: int) -> None:
        place = self.text.token_rect(token)
        if place is not None:
            self.area.ensureVisible(int(place.left()), int(place.center().y()), 0, 60)


class LanguagesPanel(QWidget):
    """The open feature on a document in several languages."""

    tokenHovered = Signal(object)
    """HoveredToken or None."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("explore.languages")
        self._session = session
        self._stale = True
        self._groups: list[RankedGroup] = []
        self._members: list[AlignedFiring] = []
        self._chosen: set[str] = set()
        """Languages the person chose; none: the strongest few."""
        self._columns: list[LanguageColumn] = []
        self._firings: tuple[FeatureIndex, StoredFirings | None] | None = None
        self._read: dict[int, Array] = {}
        """Document → the open feature's activations on it, as far as they are known."""
        self._waiting: list[AlignedDocument] = []
        self._asked: AlignedDocument | None = None
        self._error = ""
        self._logarithmic = True
        self.documents = ElidedComboBox(24)
        self.documents.setAccessibleName("Aligned document")
        self.documents.setToolTip(
            "A document in several languages; those with the most firings come first"
        )
        self.languages = push_button("Languages", tip="Languages to show")
        self.languages.setMenu(QMenu(self))
        self.state = label("", "small", wrap=True)
        explain(self.state, "Language independence")
        self.start = push_button("Start the engine", session.client.restart, primary=True)
        self.latest = LatestJob(session, 0, self)
        self._build()
        self.documents.currentIndexChanged.connect(self._on_document_chosen)
        self.latest.answered.connect(self._on_answered)
        self.latest.failed.connect(self._on_failed)
        session.featureSelected.connect(lambda _feature: self.reload())
        session.indexOpened.connect(self._on_index_opened)
        session.client.stateChanged.connect(lambda _state: self._ask_next())

    def _build(self) -> None:
        content = QWidget()
        self._row = QHBoxLayout(content)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(16)
        self.area = QScrollArea()
        self.area.setWidget(content)
        self.area.setWidgetResizable(True)
        self.area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        bar = QHBoxLayout()
        bar.setSpacing(8)
        bar.addWidget(self.documents, 1)
        bar.addWidget(self.languages)
        bar.addWidget(self.state, 1)
        bar.addWidget(self.start)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(8)
        column.addLayout(bar)
        column.addWidget(self.area, 1)
        self.setMinimumHeight(160)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self.reload()

    # ------------------------------------------------------------------ content
    def _on_index_opened(self, _index: object) -> None:
        self._firings = None
        self._chosen.clear()
        self.reload()

    def reload(self) -> None:
        """Show the open feature, once the panel is in sight."""
        self._stale = not self.isVisible()
        self.latest.forget()
        self._read.clear()
        self._waiting, self._asked, self._error = [], None, ""
        if self._stale:
            return
        index, feature = self._session.index, self._session.feature
        self._groups = []
        if index is not None and feature is not None:
            self._groups = ranked_groups(index, feature, _readable())[:_LISTED]
        chosen = self.documents.currentData()
        with QSignalBlocker(self.documents):
            self.documents.clear()
            for group in self._groups:
                self.documents.addItem(
                    f"{group.title or group.name} – fires in {group.fires_in} of {group.languages} "
                    "languages",
                    group.name,
                )
            # The document stays as long as the feature fires on it.
            kept = next(
                (i for i, g in enumerate(self._groups) if g.name == chosen and g.fires_in), 0
            )
            self.documents.setCurrentIndex(kept if self._groups else -1)
        self._show_document()

    def _on_document_chosen(self, _row: int) -> None:
        self._show_document()

    def _show_document(self) -> None:
        index, feature = self._session.index, self._session.feature
        group = self.documents.currentData()
        self._members = []
        if index is not None and feature is not None and group is not None:
            self._members = strongest_by_language(index, feature, group)
        self._fill_languages()
        self._show_columns()

    def shown(self) -> list[AlignedFiring]:
        """Return what is shown, the strongest first."""
        if self._chosen:
            return [m for m in self._members if m.language in self._chosen]
        return self._members[:_COLUMNS]

    def _fill_languages(self) -> None:
        menu = self.languages.menu()
        menu.clear()
        menu.addAction("The strongest", self._choose_strongest)
        menu.addSeparator()
        shown = {m.language for m in self.shown()}
        for member in sorted(self._members, key=lambda m: language_name(m.language)):
            title = f"{language_name(member.language)} ({member.activation:.2f})"
            action = QAction(title, menu, checkable=True)
            action.setChecked(member.language in shown)
            action.toggled.connect(lambda on, name=member.language: self._on_language(name, on))
            menu.addAction(action)
        self.languages.setEnabled(bool(self._members))

    def _choose_strongest(self) -> None:
        self._chosen.clear()
        self._show_document()

    def _on_language(self, name: str, on: bool) -> None:
        chosen = self._chosen or {m.language for m in self.shown()}
        self._chosen = chosen | {name} if on else chosen - {name}
        self._show_columns()

    # ------------------------------------------------------------------ columns
    def _show_columns(self) -> None:
        index = self._session.index
        documents = [] if index is None else [read_document(index, m) for m in self.shown()]
        while len(self._columns) < len(documents):
            column = LanguageColumn()
            column.tokenHovered.connect(self.tokenHovered)
            self._columns.append(column)
            self._row.addWidget(column, 1)
        self._read_stored(documents)
        for number, column in enumerate(self._columns):
            column.setVisible(number < len(documents))
            if number < len(documents):
                self._fill_column(column, documents[number])
        self._waiting = [d for d in documents if d.firing.document not in self._read]
        self._ask_next()

    def _fill_column(self, column: LanguageColumn, document: AlignedDocument) -> None:
        index, feature = self._session.index, self._session.feature
        assert index is not None
        assert feature is not None
        scale = ColourScale(float(index.columns["max_activation"][feature]), self._logarithmic)
        values = self._read.get(document.firing.document)
        whole = values is not None
        column.show_document(
            document, known_activations(document) if values is None else values, scale, whole=whole
        )

    def set_logarithmic(self, logarithmic: bool) -> None:
        """Colour by the same kind of scale as the contexts."""
        self._logarithmic = logarithmic
        if not self._stale:
            self._show_columns()

    # ------------------------------------------------------------------ activations
    def _read_stored(self, documents: list[AlignedDocument]) -> None:
        """Read the activations off the disk where the index kept its firings."""
        index, feature = self._session.index, self._session.feature
        if index is None or feature is None:
            return
        if self._firings is None or self._firings[0] is not index:
            try:
                self._firings = (index, index.firings())
            except UserError:
                self._firings = (index, None)  # damaged: the model is asked instead
        stored = self._firings[1]
        wanted = [d for d in documents if d.firing.document not in self._read]
        if stored is None or not wanted:
            return
        block, _ = stored.block(feature, feature + 1)
        for document in wanted:
            self._read[document.firing.document] = activations_on(
                document, block.rows, block.values
            )

    def _ask_next(self) -> None:
        """Ask the model for the next document whose activations nothing else tells."""
        index = self._session.index
        needed = bool(self._waiting) and index is not None and bool(index.info.model)
        stopped = self._session.engine_stopped
        self.start.setVisible(needed and stopped)
        self._say_state(needed=needed, stopped=stopped)
        if not needed or stopped or self._asked is not None or self._error:
            return
        feature = self._session.feature
        assert feature is not None
        self._asked = self._waiting[0]
        self.latest.ask(
            ProbeConfig(
                project=self._session.project_path,
                index=self._session.index_name,
                ids=self._asked.ids,
                features=[feature],
                per_token=1,
                most_density=0.0,
            )
        )

    def _on_answered(self, result: ProbeResult) -> None:
        document, self._asked = self._asked, None
        if document is None:
            return
        values = np.zeros(len(document.ids), np.float32)
        for position, feature, activation in result.entries():
            if feature == self._session.feature:
                values[position] = activation
        self._read[document.firing.document] = values
        self._waiting = [d for d in self._waiting if d is not document]
        for column, member in zip(self._columns, self.shown(), strict=False):
            if member.document == document.firing.document:
                self._fill_column(column, document)
        self._ask_next()

    def _on_failed(self, error: ErrorInfo) -> None:
        self._asked = None
        self._error = " ".join(part for part in (error.what, error.next_step) if part)
        self._say_state(needed=bool(self._waiting), stopped=False)

    def _say_state(self, *, needed: bool, stopped: bool) -> None:
        index, feature = self._session.index, self._session.feature
        if index is None or feature is None:
            text = "Open a feature to see it in several languages."
        elif not self._groups:
            text = "The indexed text has no documents in several languages."
        elif needed and self._error:
            text = self._error
        elif needed and stopped:
            text = (
                "Only the strongest token of each is known: the index has no firings and the "
                "engine is not running."
            )
        elif needed:
            text = "The model is reading the documents…"
        else:
            score = index.columns.get("language_independence")
            text = (
                ""
                if score is None
                else f"Language independence {float(score[feature]):.2f} (0 to 1)"
            )
        self.state.setText(text)
        self.area.setVisible(bool(self._groups))
