"""What is above the curves: where the cross-hair is, the x axis, smoothing, which curves."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QMenu, QSlider, QToolButton, QWidget

from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.words.curve_info import CURVES, MOST_SMOOTHING, X_AXES, X_TITLES, CurveView

_STEPS = 100
_SLIDER_WIDTH = 80
_AXIS_TEXTS = {"rows": "Rows", "step": "Steps", "seconds": "Seconds", "compute": "Compute"}


def smoothing_of_step(step: int) -> float:
    """Return the weight at a slider's step: finer near 1, where it matters."""
    return min(1.0 - (1.0 - step / _STEPS) ** 2, MOST_SMOOTHING)


class CheckMenu(QMenu):
    """A menu that stays open while its boxes are checked."""

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        action = self.activeAction()
        if action is not None and action.isCheckable() and action.isEnabled():
            action.trigger()
        else:
            super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        action = self.activeAction()
        keys = (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if event.key() in keys and action is not None and action.isCheckable():
            action.trigger()
        else:
            super().keyPressEvent(event)


def menu_button(text: str, icon: str, menu: QMenu) -> QToolButton:
    """Return a flat button that opens a menu."""
    button = QToolButton()
    button.setText(text)
    button.setAccessibleName(text)
    button.setProperty("flat", "true")
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    icons.set_icon(button, icon)
    button.setMenu(menu)
    return button


class CurveBar(QWidget):
    """Changes the CurveView."""

    viewChanged = Signal(object)
    """CurveView."""
    wholeRunWanted = Signal()

    def __init__(self, view: CurveView, export: QMenu) -> None:
        super().__init__()
        self.view = view
        self.position = ElidedLabel(chars=0)
        self.position.setProperty("role", "muted")
        self.axis = QComboBox()
        self.axis.setAccessibleName("What to plot the curves against")
        for axis in X_AXES:
            self.axis.addItem(_AXIS_TEXTS[axis], axis)
            self.axis.setItemData(
                self.axis.count() - 1,
                plain_tip(f"Over {X_TITLES[axis]}"),
                Qt.ItemDataRole.ToolTipRole,
            )
        self.axis.setCurrentIndex(X_AXES.index(view.axis))
        self.axis.setToolTip("What to plot the curves against")
        self.smoothing = QSlider(Qt.Orientation.Horizontal)
        self.smoothing.setRange(0, _STEPS)
        self.smoothing.setValue(
            next((s for s in range(_STEPS) if smoothing_of_step(s) >= view.smoothing), _STEPS)
        )
        self.smoothing.setFixedWidth(_SLIDER_WIDTH)
        self.smoothing.setAccessibleName("Smoothing")
        self.menu = CheckMenu(self)
        self.menu.setToolTipsVisible(True)
        self.actions_of = {info.column: self._action(info.column) for info in CURVES}
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 4, 8, 4)
        row.setSpacing(8)
        row.addWidget(self.position, 1)
        row.addWidget(label("Over", "small"))
        row.addWidget(self.axis)
        row.addWidget(label("Smooth", "small"))
        row.addWidget(self.smoothing)
        whole = push_button(
            "", self.wholeRunWanted.emit, icon="arrows-out", flat=True, tip="Show the whole run"
        )
        row.addWidget(whole)
        row.addWidget(menu_button("Curves", "list", self.menu))
        row.addWidget(menu_button("Export", "export", export))
        self.axis.currentIndexChanged.connect(self._on_axis)
        self.smoothing.valueChanged.connect(self._on_smoothing)
        self._say_smoothing()

    def _action(self, column: str) -> QAction:
        info = next(info for info in CURVES if info.column == column)
        action = self.menu.addAction(info.title)
        action.setCheckable(True)
        action.setChecked(column in self.view.shown)
        action.setToolTip(plain_tip(info.explanation))
        action.toggled.connect(self._on_chosen)
        return action

    def show_measured(self, columns: set[str]) -> None:
        """Tell which curves the shown runs have points of; the others can still be chosen."""
        for info in CURVES:
            missing = bool(columns) and info.column not in columns
            self.actions_of[info.column].setText(
                f"{info.title} (not measured)" if missing else info.title
            )

    def _on_chosen(self, _on: bool) -> None:
        shown = tuple(info.column for info in CURVES if self.actions_of[info.column].isChecked())
        self._change(replace(self.view, shown=shown))

    def _on_axis(self, _index: int) -> None:
        self._change(replace(self.view, axis=self.axis.currentData()))

    def _on_smoothing(self, step: int) -> None:
        self._change(replace(self.view, smoothing=smoothing_of_step(step)))
        self._say_smoothing()

    def _say_smoothing(self) -> None:
        self.smoothing.setToolTip(
            plain_tip(
                f"Each point keeps {self.view.smoothing:.0%} of the past; the measured "
                f"curve stays faint beneath it, and figures are as measured"
            )
        )

    def _change(self, view: CurveView) -> None:
        if view != self.view:
            self.view = view
            self.viewChanged.emit(view)
