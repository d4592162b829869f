"""A continuation as it comes, token by token, after its prompt."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QFont, QGuiApplication, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.colour_scale import diverging, readable_on
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.parts.theme import rgb
from sae_desktop.gui.steer.kl_strip import KLStrip
from sae_desktop.gui.steer.text_pieces import Piece, pieces_of
from sae_desktop.gui.steer.watch_view import PromiseOf, WatchView
from sae_desktop.steering.config import SteerConfig, Variant, VariantResult
from sae_desktop.steering.figures_text import figures_text
from sae_desktop.steering.presets import Preset
from sae_desktop.words.condition_text import open_text
from sae_desktop.words.steering_verdict import SteeringVerdict

_MOST_CHANGE = 6.0
"""Change of a token's log probability, in nats, with the full colour."""
_LEAST_CHANGE = 0.1
HEADING_HEIGHT = 30
"""Of the line above a text, so that texts side by side begin level."""


def made_of(variant: Variant, asked: SteerConfig | Preset) -> object:
    """Return all that what is shown of a variant depends on."""
    more: tuple[list[str], list[str]] = ([], [])
    if isinstance(asked, SteerConfig):
        more = asked.monitors, asked.pictures
    else:
        more = [], [picture.place for picture in asked.pictures]
    prompt = variant.prompt or asked.prompt
    return variant.interventions, variant.stop, prompt, asked.sampling, asked.chat, *more


class GeneratedText(QWidget):
    """A heading, a button that copies, and the text: the prompt quiet, the rest plain.

    Beneath stands what became of it, with a button that tries what is proposed.
    """

    factorChosen = Signal(float)
    """By which the strengths are to be multiplied."""

    def __init__(self, title: str, promise_of: PromiseOf, *buttons: QPushButton) -> None:
        """`buttons` stand in the line of the heading, after the one that copies.

        `promise_of` tells of the monitors that read along.
        """
        super().__init__()
        self._prompt = ""
        self._continuation = ""
        self._pieces: list[Piece] = []
        """Of prompt and continuation; none: what is known of them is their text."""
        self.proposes = False
        """Whether what its verdict proposes can be tried: of the text of the sliders alone."""
        self.made: object = None
        self.dropped = False
        """Whether it is kept no longer: what a run still writes is not for it."""
        """What it was generated with; None: not known, or nothing was."""
        self.view = QPlainTextEdit()
        self.view.setReadOnly(True)
        self.view.setTabChangesFocus(True)
        self.view.setAccessibleName(f"{title} text")
        self.view.setPlaceholderText("Nothing generated yet.")
        self.copy_button = push_button(
            "", self.copy, icon="copy", flat=True, tip=f"Copy the {title.lower()} text"
        )
        self.copy_button.setEnabled(False)
        self.strip = KLStrip()
        self.strip.hide()
        self.figures = label("", "small", wrap=True)
        self.figures.hide()
        explain(self.figures, "Typical norm", "Perplexity", "KL", "Repetition")
        self.opened = label("", "small", wrap=True)
        explain(self.opened, "Condition")
        self.opened.hide()
        self.watched = WatchView(promise_of, "Bold")
        self.verdict = label("", wrap=True)
        self.next_button = push_button("", self._on_next, tip="Set the strength and generate again")
        self._verdict: SteeringVerdict | None = None
        self.heading = ElidedLabel(chars=8)
        self.heading.setProperty("role", "heading")
        self.heading.setText(title)
        explain(self.heading, title)
        self.earlier = label("Of earlier settings: generate again", "warning", wrap=True)
        self.earlier.setToolTip("The settings have changed since this text was generated")
        self.earlier.hide()
        top = QHBoxLayout()
        top.setSpacing(0)
        top.addWidget(self.heading, 1)
        for button in (self.copy_button, *buttons):
            button.setFixedHeight(HEADING_HEIGHT)
            top.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addWidget(self.view, 1)
        column.addWidget(self.earlier)
        column.addWidget(self.opened)
        column.addWidget(self.watched)
        column.addWidget(self.strip)
        judged = QHBoxLayout()
        judged.setSpacing(8)
        judged.addWidget(self.verdict, 1)
        judged.addWidget(self.next_button, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(judged)
        column.addWidget(self.figures)
        self.set_verdict(None)
        theme.manager().themeChanged.connect(self._show_all)

    @property
    def continuation(self) -> str:
        """What came after the prompt."""
        return self._continuation

    @property
    def turned(self) -> bool:
        """Whether it has turned towards the feature and stayed whole."""
        return self._verdict is not None and self._verdict.good

    def compare_with(self, now: object) -> None:
        """Say whether it was generated with other settings than those set now."""
        self.earlier.setVisible(self.made is not None and self.made != now)
        set_property(self.view, "stale", "true" if not self.earlier.isHidden() else "false")
        self._show_next()

    def set_verdict(self, verdict: SteeringVerdict | None) -> None:
        """Say what became of the text; None: nothing is said."""
        if self.dropped:
            return
        self._verdict = verdict
        self.verdict.setText("" if verdict is None else verdict.sentence)
        self.verdict.setVisible(verdict is not None)
        role = "" if verdict is None or verdict.good else "warning"
        set_property(self.verdict, "role", role)
        self._show_next()

    def _show_next(self) -> None:
        """Offer what is proposed, as long as the text is of the sliders as they are."""
        proposed = self._verdict is not None and self._verdict.factor is not None
        self.next_button.setVisible(proposed and self.proposes and self.earlier.isHidden())
        if self._verdict is not None:
            self.next_button.setText(self._verdict.button)

    def _on_next(self) -> None:
        if self._verdict is not None and self._verdict.factor is not None:
            self.factorChosen.emit(self._verdict.factor)

    def take(self, other: GeneratedText) -> None:
        """Show what another one shows."""
        self._prompt, self._continuation = other._prompt, other._continuation
        self._pieces, self.made = other._pieces, other.made
        self._show_all()
        self.opened.setText(other.opened.text())
        self.opened.setVisible(not other.opened.isHidden())
        self.watched.take(other.watched)
        self.strip.set_tokens(other.strip.tokens)
        self.strip.setVisible(not other.strip.isHidden())
        self.set_verdict(other._verdict)
        self.figures.setText(other.figures.text())
        self.figures.setVisible(not other.figures.isHidden())

    def begin(self, prompt: str, made: object = None) -> None:
        """Start again after a prompt; `made`: with which settings."""
        self._prompt, self._continuation, self._pieces = prompt, "", []
        self.made = made
        self.earlier.hide()
        self.set_verdict(None)
        self.watched.show_watched([])
        for part in (self.opened, self.strip, self.figures):
            part.hide()
        self._show_all()

    def add(self, text: str) -> None:
        """Add a piece of the continuation; the view follows if it stood at the end."""
        if self.dropped:
            return
        self._continuation += text
        bar = self.view.verticalScrollBar()
        at_end = bar.value() >= bar.maximum() - 4
        self._insert(Piece(text))
        if at_end:
            bar.setValue(bar.maximum())
        self.copy_button.setEnabled(bool(self._prompt or self._continuation))

    def set_result(
        self,
        result: VariantResult,
        asked: Variant | None = None,
        prompt_tokens: Sequence[str] = (),
    ) -> None:
        """Show the whole continuation, its tokens coloured by what steering did to each.

        `asked`: what was done, and `prompt_tokens` of the prompt, where these are known.
        """
        if self.dropped:
            return
        self._prompt, self._continuation = result.prompt, result.text
        self._pieces = pieces_of(result, prompt_tokens)
        self.opened.setText("" if asked is None else open_text(asked, result, "Underlined"))
        self.opened.setVisible(bool(self.opened.text()))
        texts = [*prompt_tokens, *(token.text for token in result.tokens)]
        self.watched.show_watched(result.watched, texts)
        self._show_all()
        self.strip.set_tokens(result.tokens)
        self.strip.setVisible(bool(result.tokens) and result.typical_strength is not None)
        self.figures.setText(figures_text(result))
        self.figures.setVisible(bool(self.figures.text()))

    def show_text(self, prompt: str, text: str, made: object = None) -> None:
        """Show a continuation of before, whose figures are not known."""
        self.begin(prompt, made)
        self.add(text)

    def copy(self) -> None:
        """Put prompt and continuation on the clipboard."""
        QGuiApplication.clipboard().setText(self._prompt + self._continuation)

    def _show_all(self) -> None:
        self.view.clear()
        pieces = self._pieces or [Piece(self._prompt, of_prompt=True), Piece(self._continuation)]
        for piece in pieces:
            self._insert(piece)
        self.copy_button.setEnabled(bool(self._prompt or self._continuation))

    def _insert(self, piece: Piece) -> None:
        colours = theme.palette()
        style = QTextCharFormat()
        style.setForeground(colours.muted_text if piece.of_prompt else colours.text)
        if piece.token is not None:
            change = piece.token.log_probability - piece.token.plain_log_probability
            ground, less, more = map(rgb, (colours.surface, colours.negative, colours.positive))
            shade = diverging(change, _MOST_CHANGE, ground, less, more)
            if abs(change) >= _LEAST_CHANGE:
                style.setBackground(QColor(*shade))
                style.setForeground(QColor(*readable_on(shade, rgb(colours.text))))
        style.setFontUnderline(piece.is_open)
        if piece.is_hit:
            style.setFontWeight(QFont.Weight.Bold)
        if piece.tip:
            style.setToolTip(plain_tip(piece.tip))
        cursor = QTextCursor(self.view.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(piece.text, style)
