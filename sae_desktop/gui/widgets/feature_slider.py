"""A slider that holds one feature at a multiple of its maximum."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QStyle,
    QVBoxLayout,
)
from superqt import QDoubleSlider

from sae_desktop.gui import theme
from sae_desktop.gui.feature_menu import open_feature, show_feature_menu
from sae_desktop.gui.feature_notes import FeatureNotes
from sae_desktop.gui.session import Session
from sae_desktop.gui.steering_rack import LIMIT, STEPS, RackEntry
from sae_desktop.gui.widgets.elided_label import ElidedLabel
from sae_desktop.gui.widgets.labels import push_button, set_property
from sae_desktop.language_model.token_text import visible_token

_STEPS: dict[int, float] = {
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_Up: 1,
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_Down: -1,
    Qt.Key.Key_PageUp: 4,
    Qt.Key.Key_PageDown: -4,
}
"""Steps of a key."""
_SHOWN_CONTEXTS = 3


class ClampSlider(QDoubleSlider):
    """Moves in steps from the middle: orange to the right, blue to the left.

    Double click puts it back; the wheel only moves it once it has the focus.
    """

    doubleClicked = Signal()

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.on = False
        self.limit = LIMIT
        self.set_limit(LIMIT)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        theme.manager().themeChanged.connect(self.update)

    def set_limit(self, limit: float) -> None:
        """Go from −limit to limit."""
        self.limit = limit
        self.setRange(-limit, limit)
        self.setSingleStep(self.step)
        self.setPageStep(4 * self.step)
        self.update()

    @property
    def step(self) -> float:
        return 2 * self.limit / STEPS

    def set_on(self, on: bool) -> None:
        """Paint the slider as one that holds its feature, or as one that does not."""
        self.on = on
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(120, 28)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()
        self.doubleClicked.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # The slider underneath knows no keys.
        key, value = event.key(), float(self.value())
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.doubleClicked.emit()
        elif key == Qt.Key.Key_Home:
            self.setValue(-self.limit)
        elif key == Qt.Key.Key_End:
            self.setValue(self.limit)
        elif key in _STEPS:
            self.setValue(value + _STEPS[key] * self.step)
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def x_of(self, clamp: float) -> float:
        """Return where a clamp lies on the groove."""
        length = self.style().pixelMetric(QStyle.PixelMetric.PM_SliderLength, None, self)
        return length / 2 + (clamp + self.limit) / (2 * self.limit) * (self.width() - length)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = theme.palette()
        middle = self.height() / 2 - 2.0
        left, right, zero, at = (
            self.x_of(x) for x in (-self.limit, self.limit, 0.0, float(self.value()))
        )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.border)
        painter.drawRoundedRect(QRectF(left, middle - 2, right - left, 4), 2, 2)
        hue = colours.accent if self.value() >= 0 else colours.negative
        painter.setBrush(hue if self.on else colours.muted_text)
        painter.drawRect(QRectF(min(zero, at), middle - 2, abs(at - zero), 4))
        painter.setPen(QPen(colours.muted_text, 1))
        for part in (-1.0, -0.5, 0.0, 0.5, 1.0):
            x = round(self.x_of(part * self.limit)) + 0.5
            painter.drawLine(QPointF(x, middle + 8), QPointF(x, middle + (13 if part == 0 else 11)))
        focus = self.hasFocus()
        edge = colours.focus if focus else hue if self.on else colours.muted_text
        painter.setPen(QPen(edge, 3 if focus else 2))
        painter.setBrush(colours.surface)
        painter.drawEllipse(QPointF(at, middle), 6.5, 6.5)


class FeatureSlider(QFrame):
    """Switch, name, slider and number of one feature; says what the hand wants."""

    clampChosen = Signal(int, float)
    switched = Signal(int, bool)
    resetChosen = Signal(int)
    removeChosen = Signal(int)
    soloChosen = Signal(int)

    def __init__(self, session: Session, feature: int, maximum: float) -> None:
        super().__init__()
        self._session = session
        self._notes = FeatureNotes.of(session)
        self.feature = feature
        self._loading = False
        self.setProperty("card", "true")
        self.check = QCheckBox()
        self.check.setToolTip("Hold this feature, or leave it alone")
        self.name = push_button("", lambda: open_feature(session, feature), flat=True)
        self.label = ElidedLabel(chars=4)
        self.remove = push_button(
            "",
            lambda: self.removeChosen.emit(feature),
            icon="x",
            flat=True,
            tip="Take this slider out of the rack",
        )
        self.solo = push_button(
            "Solo", lambda: self.soloChosen.emit(feature), flat=True,
            tip="Hold this feature alone; once more: all of them",
        )  # fmt: skip
        self.slider = ClampSlider()
        self.slider.setToolTip("Arrow keys move it by half a maximum; double click or Delete: off")
        self.number = QDoubleSpinBox()
        self.number.setSuffix("×")
        self.number.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.number.setToolTip(f"In multiples of the feature’s maximum, {maximum:.2f}")
        self.number.setKeyboardTracking(False)
        self.set_limit(LIMIT)
        self._build()
        self.slider.valueChanged.connect(self._on_slider_moved)
        self.slider.doubleClicked.connect(lambda: self.resetChosen.emit(feature))
        self.number.valueChanged.connect(self._on_number_changed)
        self.check.toggled.connect(self._on_toggled)
        self._notes.noteChanged.connect(self._on_note_changed)
        self._show_name()

    def _build(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(4)
        top.addWidget(self.check)
        top.addWidget(self.name)
        top.addWidget(self.label, 1)
        top.addWidget(self.solo)
        top.addWidget(self.remove)
        bottom = QHBoxLayout()
        bottom.setSpacing(8)
        bottom.addWidget(self.slider, 1)
        self.number.setFixedWidth(self.number.fontMetrics().horizontalAdvance("−100.0×") + 24)
        bottom.addWidget(self.number)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(4)
        column.addLayout(top)
        column.addLayout(bottom)

    def set_limit(self, limit: float) -> None:
        """Let slider and number go from −limit to limit, without announcing anything."""
        loading, self._loading = self._loading, True
        self.slider.set_limit(limit)
        self.number.setDecimals(1 if limit >= LIMIT else 2)
        self.number.setRange(-limit, limit)
        self.number.setSingleStep(self.slider.step)
        self._loading = loading

    def set_entry(self, entry: RackEntry) -> None:
        """Show a state without announcing it."""
        self._loading = True
        self.slider.setValue(entry.clamp)
        self.number.setValue(entry.clamp)
        self.check.setChecked(entry.on)
        self.slider.set_on(entry.on)
        self._loading = False
        set_property(self.label, "role", "" if entry.on else "muted")
        state = f"held at {entry.clamp:+.1f} times its maximum" if entry.on else "off"
        self.setAccessibleDescription(state)

    def _show_name(self) -> None:
        title = self._notes.title(self.feature)
        self.name.setText(f"#{self.feature}")
        self.name.setAccessibleName(f"Open feature {title}")
        self.name.setToolTip(self._contexts_tip())
        self.label.setToolTip(self._contexts_tip())
        self.label.setText(self._notes.label(self.feature))
        self.setAccessibleName(f"Feature {title}")
        self.slider.setAccessibleName(f"Clamp of feature {title}")
        self.number.setAccessibleName(f"Clamp of feature {title}, in maxima")
        self.check.setAccessibleName(f"Hold feature {title}")
        self.solo.setAccessibleName(f"Hold feature {title} alone")
        self.remove.setAccessibleName(f"Take feature {title} out of the rack")

    def _contexts_tip(self) -> str:
        """Return the feature's strongest contexts, the token on which it fires most in brackets."""
        lines = [f"Open the page of feature {self.feature}"]
        index = self._session.index
        rows = None if index is None else index.array("contexts/row")
        if index is not None and rows is not None:
            for slot in range(min(_SHOWN_CONTEXTS, rows.shape[1])):
                if rows[self.feature, slot] >= 0:
                    found = index.context(self.feature, slot, 10, 4)
                    tokens = [visible_token(t) if t.strip() == "" else t for t in found.tokens]
                    tokens[found.peak] = f"[{tokens[found.peak]}]"
                    lines.append("".join(tokens))
        return "\n".join(lines)

    def _on_note_changed(self, feature: int) -> None:
        if feature == self.feature:
            self._show_name()

    def _on_slider_moved(self, value: float) -> None:
        if self._loading:
            return
        stepped = round(value / self.slider.step) * self.slider.step
        self._loading = True
        self.slider.setValue(stepped)
        self._loading = False
        self.clampChosen.emit(self.feature, stepped)

    def _on_number_changed(self, value: float) -> None:
        if not self._loading:
            self.clampChosen.emit(self.feature, value)

    def _on_toggled(self, on: bool) -> None:
        if not self._loading:
            self.switched.emit(self.feature, on)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        show_feature_menu(self._session, self.feature, self, event.globalPos())
