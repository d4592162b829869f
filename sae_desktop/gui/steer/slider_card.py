"""One slider of the rack, with its switch, name and number."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QVBoxLayout

from sae_desktop.features.reading.known_strength import KnownStrength
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.feature_menu import open_feature, show_feature_menu
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.number_fields import NumberField
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.condition_line import ConditionLine
from sae_desktop.gui.steer.rack import LIMIT, RackEntry
from sae_desktop.gui.steer.strength_slider import StrengthSlider, slider_colour
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.steering.gate_config import gate_text
from sae_desktop.words.amounts import signed_text
from sae_desktop.words.strength_words import known_text, safe_text

_SHOWN_CONTEXTS = 3
_STRIPE = 4
_BUTTON = 28
_KEYS = "Arrow keys move it, double-click to type a number, Delete switches it off"
_DIGITS = 6
"""Far finer than a step of the slider: 3 · 0.1 is 0.3."""


class SliderCard(QFrame):
    """Switch, name, slider and number of a feature or a direction; says what the hand wants.

    The signals begin with the key of the entry.
    """

    strengthChosen = Signal(object, float)
    switched = Signal(object, bool)
    resetChosen = Signal(object)
    removeChosen = Signal(object)
    soloChosen = Signal(object)
    conditionAsked = Signal(object)

    def __init__(self, session: Session, entry: RackEntry, colour: int) -> None:
        super().__init__()
        self._session = session
        self._notes = FeatureNotes.of(session)
        self.feature = None if entry.index else entry.feature
        """Of the open index; None for a feature of another one, and for a direction."""
        self._title, self.key = entry.title, entry.key
        self._in_maxima = entry.feature is not None
        self.colour = colour
        self._typical_norm = 0.0
        self._known: KnownStrength | None = None
        self.in_norms = label("", "small")
        self.in_norms.setToolTip("The same length in typical norms of the site’s values")
        self.safe = label("", "small")
        self.safe.hide()
        self.setProperty("card", "true")
        self.check = QCheckBox()
        self.name = push_button("", self._open, flat=True)
        self.label = ElidedLabel(chars=4)
        self.remove = push_button(
            "", lambda: self.removeChosen.emit(self.key), icon="x", flat=True,
            tip="Remove this slider",
        )  # fmt: skip
        self.reset = push_button(
            "", lambda: self.resetChosen.emit(self.key), icon="arrow-counter-clockwise", flat=True,
            tip="Reset to the middle and switch off (Delete)",
        )  # fmt: skip
        self.solo = push_button(
            "", lambda: self.soloChosen.emit(self.key), icon="headphones", flat=True,
            tip="Solo: only this one; press again for all",
        )  # fmt: skip
        self.when = push_button(
            "", self._on_condition, icon="funnel", flat=True,
            tip="Let it work only where a feature or a monitor fires",
        )  # fmt: skip
        self.condition = ConditionLine(session, self._on_condition)
        self.slider = StrengthSlider(colour)
        self.slider.setToolTip(plain_tip(_KEYS))
        self.number = NumberField()
        self.number.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.number.setKeyboardTracking(False)
        self.number.setSuffix("×" if self._in_maxima else "‖x‖")
        self.set_limit(LIMIT)
        self._build()
        self.slider.valueChanged.connect(self._on_slider_moved)
        self.slider.doubleClicked.connect(self._on_type)
        self.slider.resetChosen.connect(lambda: self.resetChosen.emit(self.key))
        self.number.valueChanged.connect(self._on_number_changed)
        self.check.toggled.connect(self._on_toggled)
        self._notes.noteChanged.connect(self._on_note_changed)
        self._show_name()

    def _build(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(0)
        top.addWidget(self.check)
        if self.feature is not None:
            top.addWidget(self.name)
            top.addStretch()
        else:
            top.addWidget(self.label, 1)
        for button in (self.when, self.solo, self.reset, self.remove):
            button.setFixedWidth(_BUTTON)
            top.addWidget(button)
        bottom = QHBoxLayout()
        bottom.setSpacing(8)
        bottom.addWidget(self.slider, 1)
        self.number.setFixedWidth(self.number.fontMetrics().horizontalAdvance("−100.0×") + 24)
        bottom.addWidget(self.number)
        column = QVBoxLayout(self)
        column.setContentsMargins(8 + _STRIPE, 4, 8, 8)
        column.setSpacing(4)
        column.addLayout(top)
        if self.feature is not None:  # beside number and buttons a name had no room
            column.addWidget(self.label)
        column.addWidget(self.condition)
        column.addLayout(bottom)
        beneath = QHBoxLayout()
        beneath.setSpacing(8)
        beneath.addWidget(self.in_norms)
        beneath.addStretch()
        beneath.addWidget(self.safe)
        column.addLayout(beneath)

    def set_limit(self, limit: float) -> None:
        """Let slider and number go from −limit to limit, without announcing anything."""
        with QSignalBlocker(self.slider), QSignalBlocker(self.number):
            self.slider.set_limit(limit)
            self.number.setDecimals(1 if limit >= LIMIT else 2)
            self.number.setRange(-limit, limit)
            self.number.setSingleStep(self.slider.step)

    def set_entry(self, entry: RackEntry) -> None:
        """Show a state without announcing it."""
        with (
            QSignalBlocker(self.slider), QSignalBlocker(self.number), QSignalBlocker(self.check)
        ):  # fmt: skip
            self.slider.setValue(entry.strength)
            self.number.setValue(entry.strength)
            self.check.setChecked(entry.on)
        self.slider.set_on(entry.on)
        buttons = (self.when, self.condition.button)
        asked = any(button.hasFocus() for button in buttons)
        self.condition.set_gate(entry.when)
        self.when.setVisible(entry.when is None)
        if asked:  # the one that was pressed may be hidden now
            buttons[entry.when is not None].setFocus()
        set_property(self.label, "role", "" if entry.on else "muted")
        unit = "times its maximum" if self._in_maxima else "typical norms"
        told = f"{entry.strength:+.1f} {unit}" if entry.on else "off"
        self.setAccessibleDescription(
            told if entry.when is None else f"{told}, {gate_text(entry.when)}"
        )
        self._show_in_norms()

    def show_known(self, known: KnownStrength | None, *, asking: bool) -> None:
        """Draw and say from where to where texts stay whole; `asking`: it is being measured."""
        self._known = known
        told = known_text(known) if known is not None else ""
        if known is not None:
            self.safe.setText(safe_text(known))
        elif asking:
            self.safe.setText("Finding what works…")
        self.safe.setVisible(known is not None or asking)
        self.safe.setToolTip(plain_tip(told))
        self.slider.set_safe(None if known is None else (known.low, known.high))
        self.slider.setToolTip(plain_tip("\n".join(part for part in (told, _KEYS) if part)))
        self.slider.setAccessibleDescription(told)

    def set_typical_norm(self, norm: float) -> None:
        """Say the strength in typical norms, too; 0: they are not known, or mean nothing here."""
        self._typical_norm = norm
        self._show_in_norms()

    def _show_in_norms(self) -> None:
        shown = self.feature is not None and self._typical_norm > 0
        if self.feature is not None and shown:
            length = self.number.value() * self._maximum(self.feature) / self._typical_norm
            self.in_norms.setText(f"{signed_text(length, 2)} typical norms")
        self.in_norms.setVisible(shown)

    # ------------------------------------------------------------------ names
    def _show_name(self) -> None:
        if self.feature is None:
            what = text = self._title
            words = None
            self.label.setToolTip(plain_tip(text))
            unit = "In typical norms of the site’s values"
            if self._in_maxima:
                unit = "In multiples of the feature’s maximum"
        else:
            what = f"feature {self._notes.title(self.feature)}"
            text, words = self._notes.label(self.feature), self._notes.words(self.feature)
            self.name.setText(f"#{self.feature}")
            self.name.setAccessibleName(f"Open {what}")
            self.name.setToolTip(plain_tip(self._contexts_tip(self.feature)))
            self.label.setToolTip(plain_tip(self._contexts_tip(self.feature)))
            unit = f"In multiples of the feature’s maximum, {self._maximum(self.feature):.2f}"
        score = "" if self.feature is None else self._notes.score_text(self.feature)
        self.label.name_feature(text, words, score=score)
        self.number.setToolTip(plain_tip(unit))
        self.setAccessibleName(what[0].upper() + what[1:])
        self.slider.setAccessibleName(f"Strength of {what}")
        self.number.setAccessibleName(f"Strength of {what} as a number")
        self.check.setAccessibleName(f"Steer with {what}")
        self.check.setToolTip("Switch steering with it on or off")
        self.solo.setAccessibleName(f"Steer with {what} only")
        self.reset.setAccessibleName(f"Reset {what}")
        self.when.setAccessibleName(f"Condition of {what}")
        self.remove.setAccessibleName(f"Remove {what}")

    def _maximum(self, feature: int) -> float:
        index = self._session.index
        return 0.0 if index is None else float(index.columns["max_activation"][feature])

    def _contexts_tip(self, feature: int) -> str:
        """Return the feature's strongest contexts, the token on which it fires most in brackets."""
        lines = [f"Open the page of feature {feature}"]
        index = self._session.index
        rows = None if index is None else index.array("contexts/row")
        if index is not None and rows is not None:
            for slot in range(min(_SHOWN_CONTEXTS, rows.shape[1])):
                if rows[feature, slot] >= 0:
                    found = index.context(feature, slot, 10, 4).as_read()
                    tokens = [visible_token(t) if t.strip() == "" else t for t in found.tokens]
                    tokens[found.peak] = f"[{tokens[found.peak]}]"
                    lines.append("".join(tokens))
        return "\n".join(lines)

    # ------------------------------------------------------------------ what hands do
    def _open(self) -> None:
        if self.feature is not None:
            open_feature(self._session, self.feature)

    def _on_note_changed(self, feature: int) -> None:
        if feature == self.feature:
            self._show_name()

    def _on_condition(self) -> None:
        self.conditionAsked.emit(self.key)

    def _on_type(self) -> None:
        self.number.setFocus()
        self.number.selectAll()

    def _on_slider_moved(self, value: float) -> None:
        stepped = round(round(value / self.slider.step) * self.slider.step, _DIGITS)
        with QSignalBlocker(self.slider):
            self.slider.setValue(stepped)
        self.strengthChosen.emit(self.key, stepped)

    def _on_number_changed(self, value: float) -> None:
        self.strengthChosen.emit(self.key, value)

    def _on_toggled(self, on: bool) -> None:
        self.switched.emit(self.key, on)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self.feature is not None:
            show_feature_menu(self._session, self.feature, self, event.globalPos())

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(slider_colour(self.colour))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawRoundedRect(QRectF(4, 8, _STRIPE, self.height() - 16), 2, 2)
