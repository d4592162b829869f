"""The text of a probe, large: its tokens are coloured by one feature, which stands above."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from sae_desktop.gui.explore.ask.probe_bars import PageBar
from sae_desktop.gui.explore.ask.probe_summary import PAGE_TOKENS
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.token_text import TokenTextView
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session


class LitText(QWidget):
    """Which feature colours the text and how strong it gets, or why there is none; the tokens."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._notes = FeatureNotes.of(session)
        self.heading = ElidedLabel(chars=8)
        self.heading.setProperty("role", "heading")
        self.words = ElidedLabel(chars=0)
        self.state = label("", "small", wrap=True)
        self.start = push_button("Start the engine", session.client.restart, primary=True)
        self.page = PageBar(PAGE_TOKENS)
        self.tokens = TokenTextView()
        self.tokens.setProperty("large", "true")
        self.tokens.ground = "window"
        self.tokens.setAccessibleName("The text with this feature’s activation")
        self._view = scrolled(self.tokens)
        self._view.setMinimumHeight(2 * self.fontMetrics().lineSpacing())
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.heading)
        row.addWidget(self.words, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.state)
        column.addWidget(self.start, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.page)
        column.addWidget(self._view, 1)

    def say_feature(self, feature: int | None, most: float, what: str = "text") -> None:
        """Say which feature colours what was read, and what it comes to there."""
        words = None if feature is None else self._notes.words(feature)
        self.heading.setText("" if feature is None else self._notes.title(feature))
        self.words.name_feature("", words)
        here = f"{'these' if what.startswith('pictures') else 'this'} {what}"
        fires = f"at most {most:.2f} on {here}"
        self._say(fires if most > 0.0 else f"does not fire on {here}", lit=True)

    def show_words(self, there: bool) -> None:
        """Show the tokens of the text, or no room for them where there is none."""
        self._view.setVisible(there)

    def say_engine(self) -> None:
        """Say that the engine is needed, and offer to start it."""
        self._say("The model is needed to read the text, but the engine is not running.")
        self.start.show()

    def say(self, sentence: str) -> None:
        """Say why there is no text to show; nothing where nothing was asked."""
        self._say(sentence)

    def _say(self, sentence: str, *, lit: bool = False) -> None:
        self.start.hide()
        self.state.setText(sentence)
        self.state.setVisible(bool(sentence))
        for widget in (self.heading, self.words, self._view):
            widget.setVisible(lit)
        self.setVisible(bool(sentence))


def scrolled(shown: QWidget) -> QScrollArea:
    """Return what is shown in a view that scrolls up and down."""
    scroll = QScrollArea()
    scroll.setWidget(shown)
    scroll.setWidgetResizable(True)
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return scroll
