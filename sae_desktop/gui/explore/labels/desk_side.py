"""Beside the texts of a feature: the names proposed for it, and what speaks for the automatic."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QScrollArea, QToolButton, QVBoxLayout, QWidget
from superqt import QFlowLayout

from sae_desktop.features.naming.wording import TOKENS
from sae_desktop.features.reading.names_file import FeatureName, NamePiece
from sae_desktop.gui.explore.labels.candidate_rows import CandidateRows
from sae_desktop.gui.explore.labels.desk_cards import FeatureCard
from sae_desktop.gui.parts.labelled_bars import Bar, LabelledBars
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.project_labels import Label
from sae_desktop.words.amounts import share_text

_MOST_PIECES = 8
RAISES = "raises"
"""The kind of pieces that are tokens the feature promotes, which stand by themselves below."""
_PIECE_LETTERS = 28
HIDDEN = "The names are hidden until you have typed one of your own (E)."
NO_NAMES = "Nobody has proposed a name yet. Type one of your own (E)."


class DeskSide(QScrollArea):
    """Candidates, evidence, senses and what the feature promotes, from the top down."""

    chosen = Signal(object)
    """The Label that was clicked."""
    pieceChosen = Signal(object)
    """The NamePiece whose texts are to be shown; None: all texts again."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = CandidateRows()
        self.rows.setAccessibleName("Proposed names")
        self.rows.chosen.connect(self.chosen)
        self.none = label(NO_NAMES, "muted", wrap=True)
        self.pieces: list[QWidget] = []
        self._state: tuple[FeatureCard, bool] | None = None
        self.senses = LabelledBars("Senses of the feature, by their share of its firings")
        self.raised = label("", "muted", wrap=True)
        self._evidence = QWidget()
        self._flow = QFlowLayout(self._evidence)
        self._flow.setContentsMargins(0, 0, 0, 0)
        self._flow.setHorizontalSpacing(4)
        self._flow.setVerticalSpacing(4)
        self._heads = {
            "evidence": label("What speaks for it", "heading"),
            "senses": label("Senses", "heading"),
            "raised": label("Raises next token", "heading"),
        }
        self._heads["evidence"].setToolTip(
            plain_tip(
                "What the automatic name is made of: what stands where the feature fires far more "
                "often than elsewhere. Press one to see the texts it comes from."
            )
        )
        content = QWidget()
        content.setProperty("ground", "surface")
        content.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(6)
        column.addWidget(label("Proposed names", "heading"))
        column.addWidget(self.rows)
        column.addWidget(self.none)
        for name, widget in (
            ("evidence", self._evidence),
            ("senses", self.senses),
            ("raised", self.raised),
        ):
            column.addSpacing(6)
            column.addWidget(self._heads[name])
            column.addWidget(widget)
        column.addStretch()
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setProperty("ground", "surface")
        self.setAccessibleName("Names and evidence")

    def show_candidates(self, candidates: Sequence[Label], me: str, *, hidden: bool) -> None:
        """Show the proposed names, or, of those that are hidden, that they are."""
        shown = () if hidden else candidates
        self.rows.show_candidates(shown, me)
        self.rows.setVisible(bool(shown))
        self.none.setText(HIDDEN if hidden else NO_NAMES)
        self.none.setVisible(not shown)

    def show_card(self, card: FeatureCard, *, hidden: bool) -> None:
        """Show what speaks for a feature’s automatic name, its senses and what it promotes."""
        if self._state == (card, hidden):
            return  # a piece that is pressed stays so
        self._state = (card, hidden)
        self._show_pieces(None if hidden else card.name)
        senses = () if hidden or card.name is None else card.name.senses
        most = max((sense.share for sense in senses), default=1.0)
        self.senses.set_bars(
            [
                Bar(s.words, s.share / most, share_text(s.share, 0), "accent", "text", s.words)
                for s in senses
            ]
        )
        self._shown("senses", self.senses, bool(senses))
        self.raised.setText("  ".join(visible_token(token) for token in card.raised))
        self._shown("raised", self.raised, bool(card.raised) and not hidden)

    def to_top(self) -> None:
        """Scroll to the first name."""
        self.verticalScrollBar().setValue(0)

    def _show_pieces(self, name: FeatureName | None) -> None:
        for button in self.pieces:
            self._flow.removeWidget(button)
            button.hide()
            button.deleteLater()
        found = [] if name is None else [p for p in name.pieces if p.kind != RAISES][:_MOST_PIECES]
        self.pieces = [self._piece_chip(piece) for piece in found]
        for button in self.pieces:
            self._flow.addWidget(button)
        self._shown("evidence", self._evidence, bool(found))

    def _piece_chip(self, piece: NamePiece) -> QWidget:
        value = piece.value
        value = f"“{visible_token(value)}”" if piece.kind in TOKENS else value
        short = value if len(value) <= _PIECE_LETTERS else f"{value[: _PIECE_LETTERS - 1]}…"
        told = f"{short} {share_text(piece.share, 0)}" if piece.share > 0 else short
        lines = [value]
        if piece.share > 0:
            lines.append(
                f"At {share_text(piece.share, 0)} of its firings, at least {piece.lift:.1f} times "
                "as often as elsewhere in the same text (95% of such intervals hold the truth)."
            )
        if not piece.rows:  # nothing to lead to
            plain = label(told, "small")
            plain.setToolTip(plain_tip("\n".join(lines)))
            return plain
        button = QToolButton()
        button.setProperty("chip", "true")
        button.setCheckable(True)
        button.setText(told.replace("&", "&&"))
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setAccessibleName(f"Texts for {told}")
        lines.append("Press to see only these texts.")
        button.setToolTip(plain_tip("\n".join(lines)))
        button.clicked.connect(lambda on, button=button: self._on_piece(button, piece, on))
        return button

    def _on_piece(self, button: QToolButton, piece: NamePiece, on: bool) -> None:
        for other in self.pieces:
            if isinstance(other, QToolButton):
                other.setChecked(on and other is button)
        self.pieceChosen.emit(piece if on else None)

    def _shown(self, name: str, widget: QWidget, shown: bool) -> None:
        self._heads[name].setVisible(shown)
        widget.setVisible(shown)
