"""A context in one line of a table: its tokens lit, the chosen one in sight; or its picture."""

from __future__ import annotations

from PySide6.QtCore import (
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from sae_desktop.features.reading.facts import Context
from sae_desktop.gui.explore.context_blocks import shown_picture
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.lit_drawing import LitPicture, lit_image
from sae_desktop.gui.parts.token_layout import TokenParagraph, token_colours

CONTEXT_ROLE = Qt.ItemDataRole.UserRole + 7
"""(Context, ColourScale) of a cell."""
_PEAK_AT = 0.45
"""Of the cell's width, where the chosen token stands."""
_ONE_LINE = 100_000.0
_PADDING = 6.0


class ContextDelegate(QStyledItemDelegate):
    """Paints the context a cell holds; a cell without one as usual."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._laid_out: dict[tuple[int, str], TokenParagraph] = {}
        self._pictures: dict[int, LitPicture] = {}

    def forget(self) -> None:
        """Let go of what was laid out for other contexts."""
        self._laid_out.clear()
        self._pictures.clear()

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        held = index.data(CONTEXT_ROLE)
        super().paint(painter, option, index)  # the ground, and the text of a cell without
        if held is None:
            return
        context, scale = held
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        paragraph = self._paragraph(context, option)
        room = option.rect.adjusted(int(_PADDING), 0, -int(_PADDING), 0)
        if context.picture is not None:
            room.setLeft(self._paint_picture(painter, context, scale, room))
        left = room.left() - self._shift(paragraph, room.width())
        top = room.top() + (room.height() - paragraph.height) / 2
        painter.save()
        painter.setClipRect(room)
        colours = token_colours(theme.palette(), "selection" if selected else "surface")
        paragraph.paint(painter, QPointF(left, top), scale, colours)
        painter.restore()

    def _paint_picture(
        self, painter: QPainter, context: Context, scale: ColourScale, room: QRect
    ) -> int:
        """Draw the small copy of a context's picture, lit; return where its name begins."""
        picture = self._pictures.get(id(context))
        if picture is None:
            picture = self._pictures[id(context)] = shown_picture(context, 1, None).picture
        side = room.height() - 2
        width = min(side, side * picture.aspect)
        height = width / picture.aspect
        place = QRectF(
            room.left() + (side - width) / 2, room.center().y() - height / 2, width, height
        )
        ratio = painter.device().devicePixelRatio()
        size = QSize(round(width * ratio), round(height * ratio))
        painter.drawImage(place, lit_image(picture, scale, size))
        return room.left() + side + int(_PADDING)

    def _paragraph(self, context: Context, option: QStyleOptionViewItem) -> TokenParagraph:
        key = (id(context), option.font.toString())
        found = self._laid_out.get(key)
        if found is None:
            found = TokenParagraph(
                context.tokens, context.activations, context.peak, context.starts, context.read
            )
            found.lay_out(_ONE_LINE, option.font)
            self._laid_out[key] = found
        return found

    def _shift(self, paragraph: TokenParagraph, width: int) -> float:
        """Return how far the line is moved to the left for the chosen token to be in sight."""
        boxes = [] if paragraph.peak_piece is None else paragraph.boxes(paragraph.peak_piece)
        right = max((box.right() for box in boxes), default=0.0)
        return max(0.0, right - width * (1 - _PEAK_AT))


def held_context(context: Context | None, maximum: float) -> tuple[Context, ColourScale] | None:
    """Return what a cell holds under CONTEXT_ROLE."""
    return None if context is None else (context, ColourScale(maximum))
