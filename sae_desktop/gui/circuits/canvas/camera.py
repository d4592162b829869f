"""Which piece of the drawing is in sight, and how large. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass, replace

LEAST, MOST = 0.02, 3.0
"""Zoom at least and at most."""
_BEYOND = 0.4
"""Of the view, how much may be empty beyond an edge of the drawing."""


@dataclass(frozen=True)
class Camera:
    """The place (x, y) of the drawing in the view's upper left corner, and pixels per unit."""

    x: float = 0.0
    y: float = 0.0
    zoom: float = 1.0

    def to_view(self, x: float, y: float) -> tuple[float, float]:
        return (x - self.x) * self.zoom, (y - self.y) * self.zoom

    def to_drawing(self, x: float, y: float) -> tuple[float, float]:
        return self.x + x / self.zoom, self.y + y / self.zoom

    def moved(self, across: float, down: float) -> Camera:
        """Return the camera moved by pixels of the view."""
        return replace(self, x=self.x + across / self.zoom, y=self.y + down / self.zoom)

    def zoomed(self, factor: float, x: float, y: float) -> Camera:
        """Return it zoomed about a place of the view, which stays where it is."""
        zoom = min(max(self.zoom * factor, LEAST), MOST)
        at = self.to_drawing(x, y)
        return Camera(at[0] - x / zoom, at[1] - y / zoom, zoom)

    def centred(self, x: float, y: float, width: float, height: float) -> Camera:
        """Return it with a place of the drawing in the middle of a view of a size."""
        return replace(self, x=x - width / self.zoom / 2, y=y - height / self.zoom / 2)

    def held(self, size: tuple[float, float], view: tuple[float, float]) -> Camera:
        """Return it so that a drawing of a size does not leave a view of a size."""
        return replace(
            self,
            x=_held(self.x, size[0], view[0] / self.zoom),
            y=_held(self.y, size[1], view[1] / self.zoom),
        )


def fitting(size: tuple[float, float], view: tuple[float, float], most: float = 1.0) -> Camera:
    """Return the camera that shows all of a drawing in a view, no larger than `most`."""
    zoom = min(view[0] / max(size[0], 1.0), view[1] / max(size[1], 1.0), most)
    zoom = min(max(zoom, LEAST), MOST)
    return Camera((size[0] - view[0] / zoom) / 2, (size[1] - view[1] / zoom) / 2, zoom)


def _held(start: float, size: float, seen: float) -> float:
    if size <= seen:  # all of it is seen: it stays within
        low, high = size - seen, 0.0
    else:
        low, high = -_BEYOND * seen, size - (1 - _BEYOND) * seen
    return min(max(start, low), high)
