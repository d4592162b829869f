"""The model's layers drawn as a residual stream; each point is a site one can pick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from sae_desktop.gui.harvest.site_drawing import ROW, Drawing, height_of
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plain_text import show_tip
from sae_desktop.words.site_words import (
    SitePoint,
    same_hook,
    site_points,
    site_text,
    variant_points,
)

_REACH = 14
_PAGE = 5
"""Layers a page key walks."""
_HINT = "Arrow keys move, Space adds or removes a site, Enter picks only that one."


class SitePicker(QWidget):
    """Layers from the first at the bottom to the last at the top; one site or more are picked.

    A click picks one, with Ctrl or Shift it adds or removes. Arrow keys pick while one site is
    picked and only walk while there are more, or with Ctrl; with Shift they add.
    """

    pickedChanged = Signal()
    currentChanged = Signal()
    """The keyboard is at another site."""

    def __init__(self) -> None:
        super().__init__()
        self._points: list[SitePoint] = []
        self._sites: list[str] = []
        self._shapes: dict[str, str] = {}
        self._layers = 0
        self._causal = True
        self.picked: list[str] = []
        """In the order they were picked; the first is the harvest's `site`."""
        self.current = ""
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumWidth(188)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Sites in the model")
        theme.manager().themeChanged.connect(self.update)

    @property
    def site(self) -> str:
        """The site picked first; empty while there is none."""
        return self.picked[0] if self.picked else ""

    def show_sites(
        self,
        sites: Sequence[str],
        picked: Sequence[str],
        shapes: Mapping[str, str] | None = None,
        *,
        causal: bool = True,
    ) -> None:
        """Draw a model with these sites, some of them picked."""
        self._sites = list(sites)
        self._points = site_points(sites)
        self._shapes = dict(shapes or {})
        self._layers = 1 + max((point.layer for point in self._points), default=-1)
        self._causal = causal
        self.picked = list(picked)
        self.current = self.site
        self.updateGeometry()
        self.setMinimumHeight(self.sizeHint().height())
        self._tell(changed=False)

    def site_words(self, site: str) -> str:
        """Return a site in words, with its shape."""
        return site_text(site, self._shapes.get(site, ""))

    # ------------------------------------------------------------------ picking
    def pick(self, site: str) -> None:
        """Pick a site and no other."""
        self.set_picked([site], site)

    def toggle(self, site: str) -> None:
        """Add a site, or remove it unless it is the only one."""
        if site not in self.picked:
            self.set_picked([*self.picked, site], site)
        elif len(self.picked) > 1:
            self.set_picked([other for other in self.picked if other != site], site)

    def set_picked(self, sites: Sequence[str], current: str = "") -> None:
        """Pick these sites, each once, and no others."""
        picked = list(dict.fromkeys(sites))
        changed = picked != self.picked
        self.picked = picked
        self._set_current(current or self.site)
        self._tell(changed=changed)

    def walk_to(self, site: str) -> None:
        """Put the keyboard at a site, picked or not."""
        self._set_current(site)
        self._tell(changed=False)

    def _set_current(self, site: str) -> None:
        if site != self.current:
            self.current = site
            self.currentChanged.emit()

    def _tell(self, *, changed: bool) -> None:
        state = "picked" if self.current in self.picked else "not picked"
        others = f"{len(self.picked)} sites are picked. " if len(self.picked) > 1 else ""
        self.setAccessibleDescription(
            f"{self.site_words(self.current)} ({state}). {others}{_HINT}" if self.current else ""
        )
        self.update()
        if changed:
            self.pickedChanged.emit()

    # ------------------------------------------------------------------ geometry
    def sizeHint(self) -> QSize:
        return QSize(288, height_of(self._layers))

    def _drawing(self) -> Drawing:
        current = self.current if self.hasFocus() else ""
        return Drawing(
            self._points,
            self._layers,
            frozenset(self.picked),
            current,
            self.width(),
            self._causal,
            variant_points(self.picked),
        )

    def position_of(self, site: str) -> QPointF | None:
        """Return where a site is drawn; None for one without a place."""
        known = [*self._points, *variant_points([site])]
        point = next((p for p in known if p.site == site), None)
        return None if point is None else self._drawing().position(point)

    def rect_of(self, site: str) -> QRect:
        """Return the surroundings of a site, to be scrolled to."""
        position = self.position_of(site)
        if position is None:
            return QRect()
        return QRect(position.toPoint() - QPoint(40, ROW), QSize(80, 2 * ROW))

    def _point_at(self, position: QPointF) -> SitePoint | None:
        drawing = self._drawing()

        def distance(point: SitePoint) -> float:
            offset = drawing.position(point) - position
            return abs(offset.x()) * 0.5 + abs(offset.y())

        nearest = min(self._points, key=distance, default=None)
        return nearest if nearest is not None and distance(nearest) < _REACH else None

    # ------------------------------------------------------------------ input
    def mousePressEvent(self, event: QMouseEvent) -> None:
        point = self._point_at(event.position())
        if point is None or event.button() != Qt.MouseButton.LeftButton:
            return
        adding = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        if event.modifiers() & adding:
            self.toggle(point.site)
        else:
            self.pick(point.site)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        point = self._point_at(event.position())
        self.setCursor(Qt.CursorShape.PointingHandCursor if point else Qt.CursorShape.ArrowCursor)
        if point is not None:
            text = f"{self.site_words(point.site)}\n{point.site}\nCtrl+click adds or removes"
            show_tip(event.globalPosition().toPoint(), text, self)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if not self._points:
            super().keyPressEvent(event)
        elif key == Qt.Key.Key_Space:
            self.toggle(self.current)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.pick(self.current)
        elif key in _KEYS:
            self._walk(self._reached_by(key), event.modifiers())
        else:
            super().keyPressEvent(event)

    def _walk(self, site: str, modifiers: Qt.KeyboardModifier) -> None:
        if modifiers & Qt.KeyboardModifier.ShiftModifier:
            self.set_picked([*self.picked, site], site)
        elif modifiers & Qt.KeyboardModifier.ControlModifier or len(self.picked) > 1:
            self.walk_to(site)
        else:
            self.pick(site)

    def _reached_by(self, key: Qt.Key) -> str:
        sites = [point.site for point in self._points]
        beside = [b.place for b in variant_points([self.current])]
        here = (
            n for n, p in enumerate(self._points) if p.site == self.current or p.place in beside
        )
        at = next(here, 0)
        if key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            return sites[0 if key == Qt.Key.Key_Home else -1]
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            step = 1 if key == Qt.Key.Key_Right else -1
            return sites[min(max(at + step, 0), len(sites) - 1)]
        alike = same_hook(self._sites, sites[at])
        step = {
            Qt.Key.Key_Up: 1,
            Qt.Key.Key_Down: -1,
            Qt.Key.Key_PageUp: _PAGE,
            Qt.Key.Key_PageDown: -_PAGE,
        }[key]
        return alike[min(max(alike.index(sites[at]) + step, 0), len(alike) - 1)]

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._layers:
            painter = QPainter(self)
            self._drawing().paint(painter, QRectF(event.rect()))


_KEYS = frozenset(
    {
        Qt.Key.Key_Right,
        Qt.Key.Key_Left,
        Qt.Key.Key_Up,
        Qt.Key.Key_Down,
        Qt.Key.Key_Home,
        Qt.Key.Key_End,
        Qt.Key.Key_PageUp,
        Qt.Key.Key_PageDown,
    }
)
