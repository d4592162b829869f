"""Tokens with a signed figure each: bars from blue (down) to orange (up), the sign written."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QGuiApplication, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QMenu, QSizePolicy, QToolTip, QWidget

from sae_desktop.gui import theme
from sae_desktop.gui.number_text import signed_text
from sae_desktop.language_model.token_text import visible_token

_ROW_PADDING = 4


class SignedBars(QWidget):
    """Rows of (token, value), the bar behind the token as long as the value is large."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[tuple[str, float]] = []
        self._extreme = 1.0
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._show_menu)
        theme.manager().themeChanged.connect(self.update)

    def set_rows(self, rows: Sequence[tuple[str, float]], extreme: float) -> None:
        """Show (token, value) from the top down; a bar of `extreme` fills the width."""
        self._rows = list(rows)
        self._extreme = max(extreme, 1e-9)
        self.setAccessibleDescription(self.text())
        self.updateGeometry()
        self.update()

    def text(self) -> str:
        """Return the rows as text, one a line."""
        return "\n".join(f"{visible_token(t)}\t{signed_text(v)}" for t, v in self._rows)

    def _row_height(self) -> int:
        return self.fontMetrics().height() + _ROW_PADDING

    def sizeHint(self) -> QSize:
        return QSize(144, max(len(self._rows), 1) * self._row_height())

    def minimumSizeHint(self) -> QSize:
        return QSize(96, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = theme.palette()
        metrics = QFontMetricsF(self.font())
        height = self._row_height()
        figure_width = metrics.horizontalAdvance("+00.00")
        room = self.width() - figure_width - 12
        align = Qt.AlignmentFlag.AlignVCenter
        for number, (token, value) in enumerate(self._rows):
            row = QRectF(0, number * height, self.width(), height).adjusted(0, 1, 0, -1)
            hue = colours.positive if value >= 0 else colours.negative
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.blend(colours.surface, hue, 0.22))
            length = max(room * min(abs(value) / self._extreme, 1.0), 3.0)
            painter.drawRoundedRect(QRectF(row.left(), row.top(), length, row.height()), 3, 3)
            painter.setBrush(hue)
            painter.drawRect(QRectF(row.left(), row.top(), 3.0, row.height()))
            painter.setPen(colours.text)
            text = metrics.elidedText(visible_token(token), Qt.TextElideMode.ElideMiddle, room - 8)
            painter.drawText(row.adjusted(8, 0, 0, 0), Qt.AlignmentFlag.AlignLeft | align, text)
            painter.setPen(hue)
            painter.drawText(row, Qt.AlignmentFlag.AlignRight | align, signed_text(value))

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            number = event.pos().y() // self._row_height()
            if 0 <= number < len(self._rows):
                token, value = self._rows[number]
                text = f"{visible_token(token)}\n{signed_text(value, 4)} on its logit"
                QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)

    def _show_menu(self, point: QPoint) -> None:
        menu = QMenu(self)
        menu.addAction("Copy data", lambda: QGuiApplication.clipboard().setText(self.text()))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.mapToGlobal(point))
