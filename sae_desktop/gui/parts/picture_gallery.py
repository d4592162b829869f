"""Lit pictures side by side, in as many rows as it takes: a block of a view that is painted."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPen

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.lit_drawing import LitDrawing, LitPicture

CELL = 132
"""Pixels of the square in which a picture stands."""
_GAP = 12
_SMALL = 0.9


@dataclass(frozen=True, eq=False)
class ShownPicture:
    """A lit picture with what is said of it."""

    picture: LitPicture
    name: str
    note: str = ""
    """Where it is from, in one line."""
    times: int = 1
    slot: int = -1
    """Its place among the feature's contexts."""
    place: str = ""
    """The folder, archive or table it is from, as it was named."""
    digest: str = ""
    done: tuple[str, ...] = ()
    """What was done to it as it was read."""

    def with_picture(self, picture: LitPicture) -> ShownPicture:
        """Return it with another copy of the same picture."""
        return replace(self, picture=picture)


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures that follow on one another in a list."""

    entries: tuple[ShownPicture, ...]


class Gallery:
    """Pictures with their places; tops are counted from the block's own."""

    def __init__(self, item: Pictures) -> None:
        self.entries = item.entries
        self.drawings = [LitDrawing(entry.picture) for entry in item.entries]
        self._cells: list[QRectF] = []
        self._small = QFont()

    def lay_out(self, width: float, font: QFont) -> float:
        """Place the pictures within a width; return the height it takes."""
        self._small = QFont(font)
        self._small.setPointSizeF(font.pointSizeF() * _SMALL)
        line = QFontMetricsF(self._small).height()
        columns = max(int((width + _GAP) // (CELL + _GAP)), 1)
        self._cells = []
        for number, drawing in enumerate(self.drawings):
            row, column = divmod(number, columns)
            left, top = column * (CELL + _GAP) + 4.0, row * (CELL + line + _GAP) + 4.0
            self._cells.append(QRectF(left, top, CELL, CELL + line))
            drawing.lay_out(QRectF(left, top, CELL, CELL - 2))
        rows = -(-len(self.drawings) // columns)
        return rows * (CELL + line + _GAP)

    def paint(
        self, painter: QPainter, top: float, scale: ColourScale, *, lit: bool, shown: QRectF,
        marked: tuple[int, int] | None = None, chosen: int | None = None,
    ) -> None:  # fmt: skip
        """Draw those that meet `shown`, with lines around a picture's marked token and around the
        `chosen` picture."""
        colours = theme.palette()
        painter.save()
        painter.translate(0.0, top)
        painter.setFont(self._small)
        metrics = QFontMetricsF(self._small)
        for number, (entry, cell) in enumerate(zip(self.entries, self._cells, strict=True)):
            if not shown.translated(0.0, -top).intersects(cell):
                continue
            token = marked[1] if marked is not None and marked[0] == number else None
            self.drawings[number].paint(painter, scale, lit=lit, marked=token)
            painter.setPen(colours.muted_text)
            name = f"×{entry.times} · {entry.name}" if entry.times > 1 else entry.name
            line = cell.adjusted(0, CELL, 0, 0)
            middle = Qt.TextElideMode.ElideMiddle
            painter.drawText(
                line, Qt.AlignmentFlag.AlignHCenter, metrics.elidedText(name, middle, line.width())
            )
            if number == chosen:
                painter.setPen(QPen(colours.focus, 2))
                painter.drawRoundedRect(cell.adjusted(-3, -3, 3, 2), 4, 4)
        painter.restore()

    def cell(self, number: int) -> QRectF:
        """Return where a picture and its name stand."""
        return self._cells[number]

    def entry_at(self, point: QPointF) -> int | None:
        """Return which picture is at a point, its name included."""
        found = (n for n, cell in enumerate(self._cells) if cell.contains(point))
        return next(found, None)
