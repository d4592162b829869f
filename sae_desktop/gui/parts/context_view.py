"""Contexts below one another: texts whose tokens are lit, and pictures whose patches are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QContextMenuEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
)
from PySide6.QtWidgets import QMenu

from sae_desktop.gui.parts.passages import BlockItem, HoveredToken
from sae_desktop.gui.parts.picture_gallery import ShownPicture
from sae_desktop.gui.parts.picture_output import copy_picture, save_picture_dialog
from sae_desktop.gui.parts.plain_text import show_tip
from sae_desktop.gui.parts.token_text import TokenTextView
from sae_desktop.words.picture_words import place_words

_At = tuple[int, int]
"""Which block, and which picture of it."""


class ContextView(TokenTextView):
    """Texts and pictures. Left and Right go from picture to picture, Return enlarges one."""

    pictureChosen = Signal(int)
    """A picture is to be enlarged: its number among all that are shown."""

    def __init__(self) -> None:
        super().__init__()
        self._lit = True
        self._chosen: _At | None = None
        """The picture that keys are for."""
        self._marked_token: tuple[_At, int] | None = None
        """A picture's token under the pointer."""

    def set_blocks(self, items: Sequence[BlockItem]) -> None:
        self._chosen = self._marked_token = None
        super().set_blocks(items)
        if not self.accessibleDescription() and self.pictures:
            self.setAccessibleDescription(self._described_picture(self.pictures[0]))

    def set_lit(self, lit: bool) -> None:
        """Show pictures under their light, or as they are."""
        self._lit = lit
        self.update()

    @property
    def lit(self) -> bool:
        return self._lit

    @property
    def pictures(self) -> list[ShownPicture]:
        """All that are shown, in their order."""
        return [entry for block in self._blocks if block.gallery for entry in block.gallery.entries]

    def picture_rect(self, number: int) -> QRect:
        """Return where a picture is, by its number among all."""
        block, entry = self._places()[number]
        gallery = self._blocks[block].gallery
        assert gallery is not None
        return gallery.cell(entry).translated(0.0, self._blocks[block].top).toRect()

    def choose_picture(self, number: int) -> QRect:
        """Draw a line around a picture; return where it is."""
        self._choose(self._places()[number])
        return self.picture_rect(number)

    def point_at_context(self, block: int, slot: int) -> QRect:
        """Draw a line around a context, a text or one of a block’s pictures; return where it is."""
        gallery = self._blocks[block].gallery
        if gallery is None:
            return self.point_at(block)
        entry = next(n for n, one in enumerate(gallery.entries) if one.slot == slot)
        return self.choose_picture(self._places().index((block, entry)))

    def _places(self) -> list[_At]:
        return [
            (number, entry)
            for number, block in enumerate(self._blocks)
            if block.gallery is not None
            for entry in range(len(block.gallery.entries))
        ]

    def _choose(self, at: _At | None) -> None:
        self._chosen = at
        self.update()
        if at is not None:
            number = self._places().index(at)
            told = f"Picture {number + 1} of {len(self.pictures)}: "
            self.setAccessibleDescription(told + self._described_picture(self.pictures[number]))
            changed = QAccessibleEvent(self, QAccessible.Event.DescriptionChanged)
            QAccessible.updateAccessibility(changed)

    def _described_picture(self, entry: ShownPicture) -> str:
        picture = entry.picture
        strongest = f"{picture.activations[picture.peak]:.3f}"
        where = place_words(picture.layout, picture.peak)
        note = f" · {entry.note}" if entry.note else ""
        return f"{entry.name}{note}; strongest activation {strongest}, {where}"

    # ------------------------------------------------------------------ painting
    def _paint_gallery(self, painter: QPainter, number: int) -> None:
        block = self._blocks[number]
        if block.gallery is None:
            return
        marked = self._marked_token
        here = None if marked is None or marked[0][0] != number else (marked[0][1], marked[1])
        chosen = self._chosen[1] if self._chosen and self._chosen[0] == number else None
        shown = painter.clipBoundingRect() if painter.hasClipping() else QRectF(self.rect())
        block.gallery.paint(
            painter, block.top, self.scale, lit=self._lit, shown=shown, marked=here, chosen=chosen
        )

    # ------------------------------------------------------------------ pointer and keys
    def _picture_at(self, point: QPointF) -> _At | None:
        for number, block in enumerate(self._blocks):
            if block.gallery is not None and block.top <= point.y() < block.top + block.height:
                entry = block.gallery.entry_at(point - QPointF(0.0, block.top))
                return None if entry is None else (number, entry)
        return None

    def _tokens_at(self, at: _At, point: QPointF) -> list[int]:
        block = self._blocks[at[0]]
        assert block.gallery is not None
        return block.gallery.drawings[at[1]].tokens_under(point - QPointF(0.0, block.top))

    def _entry(self, at: _At) -> ShownPicture:
        gallery = self._blocks[at[0]].gallery
        assert gallery is not None
        return gallery.entries[at[1]]

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        at = self._picture_at(event.position())
        tokens = [] if at is None else self._tokens_at(at, event.position())
        self.setCursor(
            Qt.CursorShape.IBeamCursor if at is None else Qt.CursorShape.PointingHandCursor
        )
        self._mark(None if at is None or not tokens else (at, tokens[0]))

    def _mark(self, marked: tuple[_At, int] | None) -> None:
        if marked == self._marked_token:
            return
        self._marked_token = marked
        self.update()
        if marked is None:
            self.tokenHovered.emit(None)
            return
        picture = self._entry(marked[0]).picture
        self.tokenHovered.emit(
            HoveredToken(
                place_words(picture.layout, marked[1]), float(picture.activations[marked[1]])
            )
        )

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._mark(None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = self._picture_at(event.position())
        if at is None:
            super().mousePressEvent(event)
        elif event.button() == Qt.MouseButton.LeftButton:
            self._choose(at)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        at = self._picture_at(event.position())
        if at is None or event.button() != Qt.MouseButton.LeftButton:
            super().mouseReleaseEvent(event)
        elif at == self._chosen:
            self.pictureChosen.emit(self._places().index(at))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._picture_at(event.position()) is None:
            super().mouseDoubleClickEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        places = self._places()
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if places and event.key() in steps and not event.modifiers():
            now = places.index(self._chosen) if self._chosen in places else None
            step = steps[Qt.Key(event.key())]
            wanted = (0 if step > 0 else len(places) - 1) if now is None else now + step
            self._choose(places[min(max(wanted, 0), len(places) - 1)])
        elif self._chosen in places and event.key() in (
            Qt.Key.Key_Return,
            Qt.Key.Key_Enter,
            Qt.Key.Key_Space,
        ):
            self.pictureChosen.emit(places.index(self._chosen))
        else:
            super().keyPressEvent(event)

    def _show_tooltip(self, point: QPoint, at: QPoint) -> None:
        found = self._picture_at(QPointF(point))
        if found is None:
            super()._show_tooltip(point, at)
            return
        entry = self._entry(found)
        lines = [entry.name, entry.note] if entry.note else [entry.name]
        lines += token_lines(entry, self._tokens_at(found, QPointF(point)))
        show_tip(at, "\n".join([*lines, "Click to enlarge"]), self)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        at = self._picture_at(QPointF(event.pos()))
        if at is None and event.reason() == QContextMenuEvent.Reason.Keyboard:
            at = self._chosen
        if at is None:
            super().contextMenuEvent(event)
            return
        entry, menu = self._entry(at), QMenu(self)
        number = self._places().index(at)
        menu.addAction("Enlarge", partial(self.pictureChosen.emit, number))
        menu.addSeparator()
        menu.addAction("Copy picture", partial(copy_picture, entry, self.scale, lit=self._lit))
        menu.addAction(
            "Save picture…", partial(save_picture_dialog, self, entry, self.scale, lit=self._lit)
        )
        menu.exec(event.globalPos())


def token_lines(entry: ShownPicture, tokens: list[int]) -> list[str]:
    """Return what each of some tokens is and its activation, a line each."""
    picture = entry.picture
    return [
        f"{place_words(picture.layout, token)}: activation {picture.activations[token]:.3f}"
        for token in tokens
    ]
