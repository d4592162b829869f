"""One of the features that stand side by side: its parts, each at the height of the others'."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from sae_desktop.features.reading.comparing import ComparedFeature
from sae_desktop.features.reading.facts import Context
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.gui.explore.context_blocks import plain_blocks
from sae_desktop.gui.explore.context_groups import fold
from sae_desktop.gui.explore.picture_dialog import enlarge_from
from sae_desktop.gui.explore.signed_bars import SignedBars
from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.context_view import ContextView
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.feature_menu import open_feature, show_feature_menu
from sae_desktop.gui.parts.histogram import ActivationHistogram
from sae_desktop.gui.parts.labelled_bars import Bar, LabelledBars
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.passages import Heading
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.compared import Compared
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.words.amounts import percent_text
from sae_desktop.words.comparing_text import alone_text, token_row

_CONTEXTS, _LOOKED_AT = 5, 16
_BEFORE, _AFTER = 16, 8
_LOGITS = 6
LEAST_WIDTH = 168


class ComparedColumn:
    """The widgets of one feature, in the order in which `parts` stand below one another."""

    def __init__(self, session: Session, feature: int) -> None:
        self._session = session
        self._notes = FeatureNotes.of(session)
        self._compared = Compared.of(session)
        self.feature = feature
        number = f"#{feature}"
        self.open = push_button(
            number, lambda: open_feature(session, feature), flat=True, tip="Open its page"
        )
        self.open.setProperty("link", "true")
        self.pin = QPushButton()
        self.pin.setCheckable(True)
        self.pin.setProperty("flat", "true")
        self.pin.setProperty("bare", "true")
        self.pin.clicked.connect(lambda on: self._compared.pin(feature, on=on))
        self.remove = push_button(
            "",
            lambda: self._compared.remove(feature),
            icon="x",
            flat=True,
            tip="Take it out of the comparison",
        )
        self.open.setAccessibleName(f"Open feature {feature}")
        self.remove.setAccessibleName(f"Take feature {feature} out of the comparison")
        self.name = ElidedLabel(chars=4)
        self.figures = label("", "small", wrap=True)
        self.tokens = LabelledBars(f"Tokens that tell feature {feature} apart")
        self.histogram = ActivationHistogram()
        self.raised = SignedBars(f"Tokens whose logits feature {feature} raises most")
        self.lowered = SignedBars(f"Tokens whose logits feature {feature} lowers most")
        self.contexts = ContextView()
        enlarge_from(self.contexts, session)
        self.contexts.setAccessibleName(f"Contexts feature {feature} fires in")
        self._tokens_note = label("", "small", wrap=True)
        self.apart = _part("Tells it apart", self._tokens_note, self.tokens)
        self.parts = [
            self._head(),
            _part("Strongest contexts", self.contexts),
            self.apart,
            _part("Raises next token", self.raised),
            _part("Lowers next token", self.lowered),
            _part("Activations", self.histogram),
        ]
        for part in self.parts:
            part.setMinimumWidth(LEAST_WIDTH)
        self.name_it()
        self.show_pin()

    def _head(self) -> QWidget:
        head = _Head(self._session, self.feature)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self.open)
        row.addStretch(1)
        row.addWidget(self.pin)
        row.addWidget(self.remove)
        column = QVBoxLayout(head)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.name)
        column.addWidget(self.figures)
        column.addStretch()
        return head

    # ------------------------------------------------------------------ content
    def name_it(self) -> None:
        """Show its label, or what is said of it without one."""
        notes, feature = self._notes, self.feature
        self.name.name_feature(
            notes.label(feature), notes.words(feature), score=notes.score_text(feature)
        )
        head = self.parts[0]
        head.setAccessibleName(f"Feature {self._notes.described(self.feature).removeprefix('#')}")

    def show_pin(self) -> None:
        """Show whether it is pinned."""
        pinned = self.feature in self._compared.pinned
        self.pin.setChecked(pinned)
        icons.set_icon(self.pin, "push-pin-fill" if pinned else "push-pin", "accent")
        tip = "Let it change again" if pinned else "Keep it here while you open other features"
        self.pin.setToolTip(plain_tip(tip))
        word = "Unpin" if pinned else "Pin"
        self.pin.setAccessibleName(f"{word} feature {self.feature}")

    def show_feature(self, index: FeatureIndex, extreme: float) -> None:
        """Show what the index says of it; a bar of `extreme` on a logit fills the width."""
        feature = self.feature
        maximum = float(index.columns["max_activation"][feature])
        density = float(index.columns["density"][feature])
        fires = f"Fires on {percent_text(density)} of tokens · max {maximum:.2f}"
        self.figures.setText(fires if density > 0 else "Never fires")
        self.histogram.set_counts(*index.histogram(feature))
        self.raised.set_rows(index.top_logits(feature)[:_LOGITS], extreme)
        self.lowered.set_rows(index.bottom_logits(feature)[:_LOGITS], extreme)
        self.contexts.set_scale(ColourScale(maximum))
        contexts = [context for context, _ in fold(_strongest(index, feature))][:_CONTEXTS]
        self.contexts.set_blocks(
            plain_blocks(contexts)
            or [Heading("No contexts were kept." if density > 0 else "It never fired on the text.")]
        )

    def show_tokens(self, side: ComparedFeature | None, waiting: str = "") -> None:
        """Show the tokens that tell it from the others; None: they are not known, or not yet."""
        if side is None:
            self._tokens_note.setText(waiting)
            self.tokens.set_bars([])
            return
        self._tokens_note.setText(alone_text(side.firings, side.alone))
        rows = [token_row(token, self.feature) for token in side.tokens]
        counts = [t.firings if t.alone is None else t.alone for t in side.tokens]
        most = max(counts, default=1)
        bars = [
            Bar(name, count / most, figure, "accent", tip=tip)
            for (name, figure, tip), count in zip(rows, counts, strict=True)
        ]
        alone = side.alone is not None
        self.tokens.set_bars(bars, "It never fires alone." if alone else "No listed token does.")


def _strongest(index: FeatureIndex, feature: int) -> list[Context]:
    rows = index.arrays["contexts/row"][feature]
    slots = [slot for slot in range(min(_LOOKED_AT, len(rows))) if rows[slot] >= 0]
    return [index.context(feature, slot, _BEFORE, _AFTER) for slot in slots]


def largest_effect(index: FeatureIndex, features: tuple[int, ...]) -> float:
    """Return the largest effect on a logit that is shown of any of the features."""
    effects = [
        abs(value)
        for feature in features
        for _, value in (*index.top_logits(feature), *index.bottom_logits(feature))
    ]
    return max(effects, default=1.0)


class _Head(QWidget):
    """Number and name of a feature; a right click says what can be done with it."""

    def __init__(self, session: Session, feature: int) -> None:
        super().__init__()
        self._session, self._feature = session, feature

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        show_feature_menu(self._session, self._feature, self, event.globalPos())


def _part(title: str, *widgets: QWidget) -> QWidget:
    part = QWidget()
    column = QVBoxLayout(part)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(4)
    column.addWidget(label(title, "heading"))
    for widget in widgets:
        column.addWidget(widget)
    column.addStretch()
    column.setAlignment(Qt.AlignmentFlag.AlignTop)
    return part
