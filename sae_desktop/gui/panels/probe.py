"""A text of one's own: its tokens light up with the feature, and what else fires is listed."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QPlainTextEdit, QScrollArea, QVBoxLayout, QWidget

from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.features.config import ProbeConfig, ProbeResult
from sae_desktop.gui.colour_scale import ColourScale
from sae_desktop.gui.feature_notes import FeatureNotes
from sae_desktop.gui.latest_job import LatestJob
from sae_desktop.gui.number_text import count_text
from sae_desktop.gui.probe_summary import activations_of, strongest
from sae_desktop.gui.session import Session
from sae_desktop.gui.widgets.elided_label import ElidedLabel
from sae_desktop.gui.widgets.feature_links import FeatureLinks, FeatureRow
from sae_desktop.gui.widgets.labels import label
from sae_desktop.gui.widgets.token_text import Passage, TokenTextView
from sae_desktop.language_model.token_text import visible_token

PAUSE_MS = 40
"""Pause in the typing after which the engine is asked: leaves it most of the 150 ms."""
SHOWN_FEATURES = 20
LONGEST = 20_000
"""Characters of a text that are probed."""


class ProbePanel(QWidget):
    """A box to try a text on the open feature."""

    tokenHovered = Signal(object)
    """HoveredToken or None."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("explore.probe")
        self._session = session
        self._notes = FeatureNotes.of(session)
        self._result: ProbeResult | None = None
        self._asked = ""
        self._error = ""
        self._logarithmic = True
        self.text = QPlainTextEdit()
        self.text.setPlaceholderText("Type or paste a text: its tokens light up.")
        self.text.setAccessibleName("Text to try")
        self.text.setToolTip("A text of your own (Ctrl+T)")
        self.text.setTabChangesFocus(True)
        self.text.setFixedHeight(self.text.fontMetrics().lineSpacing() * 5 + 16)
        self.heading = ElidedLabel()
        self.heading.setProperty("role", "heading")
        self.state = label("", "small", wrap=True)
        self.tokens = TokenTextView()
        self.tokens.ground = "window"
        self.tokens.setAccessibleName("The text with this feature's activation")
        self.links_heading = label("Strongest features", "heading")
        self.links = FeatureLinks(session, "Features that fire most on the text")
        self.latest = LatestJob(session, PAUSE_MS, self)
        self._build()
        self.text.textChanged.connect(self.probe)
        self.tokens.tokenHovered.connect(self.tokenHovered)
        self.latest.answered.connect(self._on_answered)
        self.latest.failed.connect(self._on_failed)
        self.latest.busyChanged.connect(self._say_state)
        session.featureSelected.connect(self._on_feature_selected)
        session.textRequested.connect(self.text.setPlainText)
        session.indexOpened.connect(self._on_index_opened)
        session.projectChanged.connect(self._on_index_opened)
        self._show()

    def _build(self) -> None:
        content = QWidget()
        inner = QVBoxLayout(content)
        inner.setContentsMargins(0, 0, 4, 0)
        inner.setSpacing(8)
        inner.addWidget(self.tokens)
        inner.addWidget(self.links_heading)
        inner.addWidget(self.links)
        inner.addStretch()
        scroll = QScrollArea()
        scroll.setWidget(content)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(8)
        column.addWidget(self.text)
        column.addWidget(self.heading)
        column.addWidget(self.state)
        column.addWidget(scroll, 1)
        self.setMinimumWidth(240)

    # ------------------------------------------------------------------ asking
    def probe(self) -> None:
        """Ask which features fire on the text, once the typing pauses."""
        text = self.text.toPlainText()[:LONGEST]
        index = self._session.index
        if not text.strip() or index is None:
            self._asked = self._error = ""
            self._result = None
            self.latest.forget()
            self._show()
            return
        if not self.isVisible():
            self._asked = ""  # asked when it is seen again
            return
        feature = self._session.feature
        self._asked = text
        self.latest.ask(
            ProbeConfig(
                project=self._session.project_path,
                index=self._session.index_name,
                text=text,
                features=[] if feature is None else [feature],
            )
        )

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self.text.toPlainText()[:LONGEST] != self._asked:
            self.probe()

    def _on_feature_selected(self, _feature: int) -> None:
        if self._result is not None:
            self._show()  # what is known at once; the rest when the engine answers
        self.probe()

    def _on_index_opened(self, _index: object = None) -> None:
        self._result = None
        self._show()
        self.probe()

    def _on_answered(self, result: ProbeResult) -> None:
        self._result = result
        self._error = ""
        self._show()

    def _on_failed(self, error: ErrorInfo) -> None:
        # In place and not as a toast: the next key may well ask again.
        self._result = None
        self._error = " ".join(part for part in (error.what, error.next_step) if part)
        self._show()

    # ------------------------------------------------------------------ showing
    def set_logarithmic(self, logarithmic: bool) -> None:
        """Colour by the same kind of scale as the contexts."""
        self._logarithmic = logarithmic
        self._show_tokens()

    def _show(self) -> None:
        self._show_tokens()
        rows: list[FeatureRow] = []
        if self._result is not None:
            found = strongest(self._result, SHOWN_FEATURES)
            most = found[0].activation if found else 1.0
            for entry in found:
                token = visible_token(self._result.tokens[entry.position])
                tip = f"strongest on {token}; fires on {count_text(entry.tokens)} tokens"
                share = entry.activation / most
                rows.append(FeatureRow(entry.feature, f"{entry.activation:.2f}", share, tip))
        self.links.set_rows(rows)
        self.links_heading.setVisible(bool(rows))

    def _show_tokens(self) -> None:
        result, feature, index = self._result, self._session.feature, self._session.index
        self.tokens.setVisible(result is not None)
        self._say_state()
        if result is None or index is None:
            self.heading.setText("")
            return
        values: Any = np.zeros(len(result.tokens), np.float32)
        if feature is not None:
            values = activations_of(result, feature)
            maximum = float(index.columns["max_activation"][feature])
            self.tokens.set_scale(ColourScale(maximum, self._logarithmic))
            self.heading.setText(self._notes.title(feature))
        self.tokens.set_blocks([Passage(result.tokens, values)])

    def _say_state(self, _busy: bool = False) -> None:
        if self._result is None:
            text = "Reading…" if self.latest.busy else self._error
        else:
            feature = self._session.feature
            most = 0.0
            if feature is not None:
                most = float(activations_of(self._result, feature).max(initial=0.0))
            text = (
                f"at most {most:.2f} on this text" if most > 0.0 else "does not fire on this text"
            )
        self.state.setText(text)
        self.state.setVisible(bool(text))
        self.heading.setVisible(self._result is not None)
