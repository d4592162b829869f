"""Passages of highlighted tokens under headings: one widget, painted, selected and copied."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QEvent, QMetaMethod, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFont,
    QFontMetrics,
    QGuiApplication,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QMenu, QSizePolicy, QToolTip, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.passages import (
    Block,
    BlockItem,
    Heading,
    HoveredToken,
    Passage,
    paint_heading,
)
from sae_desktop.gui.parts.plain_text import show_tip
from sae_desktop.gui.parts.token_layout import TokenParagraph, token_colours
from sae_desktop.language_model.text.token_text import visible_token

GAP = 8
HEADING_GAP = 16
_SMALL = 0.9
_NOTE_SHARE = 0.24
_NOTE_WIDEST = 200
_NOTE_LEAST_WIDTH = 360
"""Narrower than this a view has no room for notes beside the text."""


class TokenTextView(QWidget):
    """Highlighted running text. As tall as its text at the width it is given."""

    tokenHovered = Signal(object)
    """HoveredToken, or None when the pointer left the tokens."""
    tokenClicked = Signal(int)
    """A token of the first passage."""
    textChosen = Signal(str)
    """A passage, or what is selected of it, to be tried elsewhere."""
    textKept = Signal(str)
    """The same, to be added to a concept set."""

    def __init__(self) -> None:
        super().__init__()
        self.ground = "surface"
        """The palette's colour beneath the view, at which the highlight begins."""
        self.quantity = "activation"
        """What a token's number is, in its tooltip."""
        self._blocks: list[Block] = []
        self._scale = ColourScale(1.0)
        self._laid_out = (0, "")
        self._marked: int | None = None
        """Piece of the first passage that a line is drawn around."""
        self._pointed: int | None = None
        """Block that a line is drawn around."""
        self._anchor: tuple[int, int] | None = None
        self._cursor: tuple[int, int] | None = None
        self._hovered: tuple[int, int] | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.IBeamCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Highlighted text")
        theme.manager().themeChanged.connect(self.update)

    # ------------------------------------------------------------------ content
    def set_blocks(self, items: Sequence[BlockItem]) -> None:
        """Show headings and passages, in place of what is shown."""
        self._blocks = [Block(item) for item in items]
        self._anchor = self._cursor = self._marked = self._pointed = None
        self._hover(None)
        self._laid_out = (0, "")
        self._lay_out()
        first = next((b.paragraph for b in self._blocks if b.paragraph), None)
        self.setAccessibleDescription(first.text.source if first else "")
        self.update()

    @property
    def scale(self) -> ColourScale:
        return self._scale

    def set_scale(self, scale: ColourScale) -> None:
        """Colour by another scale."""
        if scale != self._scale:
            self._scale = scale
            self.update()

    def plain_text(self) -> str:
        """Return all passages as plain text, one a line."""
        return "\n".join(b.paragraph.text.source for b in self._blocks if b.paragraph)

    def point_at(self, block: int) -> QRect:
        """Draw a line around a block until others are shown; return where it is."""
        self._pointed = block
        self.update()
        shown = self._blocks[block]
        return QRect(0, int(shown.top), self.width(), int(shown.height))

    def piece_rects(self, block: int, piece: int) -> list[QRectF]:
        """Return where a piece of a block is painted, in the widget's coordinates."""
        shown = self._blocks[block]
        assert shown.paragraph is not None
        return [rect.translated(0.0, shown.top) for rect in shown.paragraph.boxes(piece)]

    # ------------------------------------------------------------------ layout
    def sizeHint(self) -> QSize:
        return (
            QSize(320, max(int(self._blocks[-1].top + self._blocks[-1].height), 24))
            if (self._blocks)
            else QSize(320, 24)
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._lay_out()

    def _note_width(self) -> int:
        has_notes = any(isinstance(b.item, Passage) and b.item.note for b in self._blocks)
        if not has_notes or self.width() < _NOTE_LEAST_WIDTH:
            return 0
        return min(round(self.width() * _NOTE_SHARE), _NOTE_WIDEST)

    def _lay_out(self) -> None:
        state = (self.width(), self.font().key())
        if state == self._laid_out:
            return
        self._laid_out = state
        note = self._note_width()
        width = self.width() - (note + 2 * GAP if note else 0) - 4
        line = QFontMetrics(self.font()).height()
        y = 2.0
        for number, block in enumerate(self._blocks):
            if block.gallery is not None:
                block.top = y
                block.height = block.gallery.lay_out(self.width() - 4, self.font())
                y += block.height + GAP
            elif block.paragraph is None:
                y += HEADING_GAP if number else 0
                block.top, block.height = y, line + 4.0
                y += block.height + GAP // 2
            else:
                block.top = y
                block.height = max(block.paragraph.lay_out(width, self.font()), float(line))
                y += block.height + GAP
        self.setFixedHeight(max(int(y) + 2, 24))
        self.updateGeometry()

    # ------------------------------------------------------------------ painting
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        colours = theme.palette()
        tokens = token_colours(colours, self.ground)
        small = QFont(self.font())
        small.setPointSizeF(small.pointSizeF() * _SMALL)
        note = self._note_width()
        for number, block in enumerate(self._blocks):
            if block.top > event.rect().bottom() or block.top + block.height < event.rect().top():
                continue
            row = QRect(0, int(block.top), self.width(), int(block.height))
            if isinstance(block.item, Heading):
                paint_heading(painter, row, block.item, self.font(), small)
            if block.paragraph is None:
                self._paint_gallery(painter, number)
                continue
            block.paragraph.paint(
                painter, QPointF(0.0, block.top), self._scale, tokens, self._selection_in(number)
            )
            if number == self._pointed:
                painter.setPen(QPen(colours.focus, 2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(row.adjusted(1, -2, -1, 3), 4, 4)
            if number == 0 and self._marked is not None:
                self._paint_mark(painter, block.paragraph, block.top)
            if note and isinstance(block.item, Passage):
                painter.setFont(small)
                painter.setPen(colours.muted_text)
                place = QRect(row.right() - note - 4, row.top(), note, QFontMetrics(small).height())
                place.translate(0, 2)
                text = QFontMetrics(small).elidedText(
                    block.item.note, Qt.TextElideMode.ElideMiddle, note
                )
                painter.drawText(place, Qt.AlignmentFlag.AlignRight, text)
        if self.hasFocus():
            painter.setPen(QPen(colours.focus, 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), 4, 4)

    def _paint_gallery(self, painter: QPainter, number: int) -> None:
        """Draw the pictures of a block, for a view that shows some."""

    def _paint_mark(self, painter: QPainter, paragraph: TokenParagraph, top: float) -> None:
        """Draw around the marked token, whose colour still shows its activation."""
        if self._marked is None or self._marked >= len(paragraph.text.pieces):
            return
        painter.setPen(QPen(theme.palette().focus, 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for box in paragraph.boxes(self._marked):
            painter.drawRoundedRect(box.translated(0.0, top).adjusted(1, 1, -1, -1), 3, 3)

    # ------------------------------------------------------------------ selection
    def selected_text(self) -> str:
        """Return what is selected as plain text, one passage a line."""
        parts = []
        for number, block in enumerate(self._blocks):
            start, end = self._selection_in(number)
            if block.paragraph is not None and end > start:
                parts.append(block.paragraph.text.copied(start, end))
        return "\n".join(parts)

    def select_all(self) -> None:
        passages = [n for n, block in enumerate(self._blocks) if block.paragraph]
        if passages:
            last = self._blocks[passages[-1]].paragraph
            assert last is not None
            self._anchor = (passages[0], 0)
            self._cursor = (passages[-1], last.text.length)
            self.update()

    def copy(self) -> None:
        """Put the selection on the clipboard; without one, all passages."""
        QGuiApplication.clipboard().setText(self.selected_text() or self.plain_text())

    def _selection_in(self, block: int) -> tuple[int, int]:
        paragraph = self._blocks[block].paragraph
        if paragraph is None or self._anchor is None or self._cursor is None:
            return (0, 0)
        first, last = sorted((self._anchor, self._cursor))
        if not first[0] <= block <= last[0]:
            return (0, 0)
        start = first[1] if block == first[0] else 0
        end = last[1] if block == last[0] else paragraph.text.length
        return (start, end)

    def _position(self, point: QPointF) -> tuple[int, int] | None:
        """Return (block, offset) of the passage nearest to a point."""
        passages = [(n, block) for n, block in enumerate(self._blocks) if block.paragraph]
        if not passages:
            return None

        def distance(entry: tuple[int, Block]) -> float:
            block = entry[1]
            return max(block.top - point.y(), point.y() - block.top - block.height, 0.0)

        number, block = min(passages, key=distance)
        assert block.paragraph is not None
        return (number, block.paragraph.offset_under(point - QPointF(0.0, block.top)))

    # ------------------------------------------------------------------ pointer and keys
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            position = self._position(event.position())
            if not event.modifiers() & Qt.KeyboardModifier.ShiftModifier or self._anchor is None:
                self._anchor = position
            self._cursor = position
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._cursor = self._position(event.position())
            self.update()
        self._hover(self._token_at(event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        found = self._token_at(event.position())
        dragged = self._anchor != self._cursor
        if event.button() != Qt.MouseButton.LeftButton or dragged or found is None:
            return
        paragraph = self._blocks[found[0]].paragraph
        if found[0] == 0 and paragraph is not None:
            self.tokenClicked.emit(paragraph.text.pieces[found[1]].first)

    def mark_token(self, token: int | None) -> None:
        """Draw a line around a token of the first passage; None: around none."""
        paragraph = self._blocks[0].paragraph if self._blocks else None
        number = (
            None if token is None or paragraph is None else paragraph.text.piece_of_token(token)
        )
        self._marked = number
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        found = self._token_at(event.position())
        if found is not None:
            paragraph = self._blocks[found[0]].paragraph
            assert paragraph is not None
            piece = paragraph.text.pieces[found[1]]
            self._anchor = (found[0], piece.start_offset)
            self._cursor = (found[0], piece.end_offset)
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(None)

    def _token_at(self, point: QPointF) -> tuple[int, int] | None:
        for number, block in enumerate(self._blocks):
            if block.paragraph is not None and block.top <= point.y() < block.top + block.height:
                piece = block.paragraph.piece_under(point - QPointF(0.0, block.top))
                return None if piece is None else (number, piece)
        return None

    def token_rect(self, token: int) -> QRectF | None:
        """Return where a token of the first passage is painted; None when it is not there."""
        block = self._blocks[0] if self._blocks else None
        if block is None or block.paragraph is None:
            return None
        piece = block.paragraph.text.piece_of_token(token)
        boxes = [] if piece is None else block.paragraph.boxes(piece)
        return boxes[0].translated(0.0, block.top) if boxes else None

    def _hover(self, place: tuple[int, int] | None) -> None:
        if place != self._hovered:
            self._hovered = place
            self.tokenHovered.emit(self._described(place))

    def _described(self, place: tuple[int, int] | None) -> HoveredToken | None:
        if place is None:
            return None
        paragraph = self._blocks[place[0]].paragraph
        assert paragraph is not None
        piece = paragraph.text.pieces[place[1]]
        tokens = paragraph.text.tokens[piece.first : piece.end]
        return HoveredToken(
            " + ".join(visible_token(token) for token in tokens),
            float(paragraph.activations[place[1]]),
        )

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            self._show_tooltip(event.pos(), event.globalPos())
            return True
        return super().event(event)

    def _show_tooltip(self, point: QPoint, at: QPoint) -> None:
        token = self._described(self._token_at(QPointF(point)))
        if token is not None:
            show_tip(at, f"{token.text}\n{self.quantity} {token.activation:.3f}", self)
            return
        for block in self._blocks:
            inside = block.top <= point.y() < block.top + block.height
            if inside and isinstance(block.item, Passage) and block.item.note:
                show_tip(at, block.item.note, self)
                return
        QToolTip.hideText()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif event.matches(QKeySequence.StandardKey.SelectAll):
            self.select_all()
        else:
            super().keyPressEvent(event)

    def _passage_under(self, point: QPointF) -> str:
        for block in self._blocks:
            if block.paragraph is not None and block.top <= point.y() < block.top + block.height:
                return block.paragraph.text.source
        return ""

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        menu.addAction("Copy", self.copy)
        menu.addAction("Select all", self.select_all)
        text = self.selected_text() or self._passage_under(QPointF(event.pos()))
        for signal, title in (
            (self.textChosen, "Try this text"),
            (self.textKept, "Add to a concept set…"),
        ):
            if self.isSignalConnected(QMetaMethod.fromSignal(signal)):
                menu.addAction(title, partial(signal.emit, text)).setEnabled(bool(text))
        menu.exec(event.globalPos())
