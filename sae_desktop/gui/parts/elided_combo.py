"""A list to choose from that may be narrower than its entries."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QPaintEvent, QPalette, QWheelEvent
from PySide6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter

from sae_desktop.gui.parts.plain_text import plain_tip


class ElidedComboBox(QComboBox):
    """Elides the chosen entry in its middle, whole in the tooltip; the open list shows all."""

    def __init__(self, characters: int = 8) -> None:
        super().__init__()
        self._tip = ""
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(characters)
        self.setMinimumWidth(72)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent) -> None:
        # Who scrolls the panel past it means the panel.
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def setToolTip(self, tip: str) -> None:
        """Set what the tooltip says below the chosen entry."""
        self._tip = tip
        super().setToolTip(plain_tip(tip))

    def paintEvent(self, event: QPaintEvent) -> None:
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        field = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox,
            option,
            QStyle.SubControl.SC_ComboBoxEditField,
            self,
        )
        if self.currentIndex() < 0 and self.placeholderText():
            option.currentText = self.placeholderText()
            muted = option.palette.color(QPalette.ColorRole.PlaceholderText)
            option.palette.setColor(QPalette.ColorRole.ButtonText, muted)
        whole = option.currentText
        option.currentText = self.fontMetrics().elidedText(
            whole, Qt.TextElideMode.ElideMiddle, field.width() - 4
        )
        lines = (whole if option.currentText != whole else "", self._tip)
        super().setToolTip(plain_tip("\n".join(filter(None, lines))))
        painter = QStylePainter(self)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
