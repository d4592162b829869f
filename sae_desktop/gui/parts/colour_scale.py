"""Which colour an activation or an effect has, and which text can be read on it. Free of Qt.

Colours are sRGB triples 0–255. Contrast follows the WCAG 2 definition of relative luminance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

RGB = tuple[int, int, int]

DECADES = 1.5
"""A logarithmic scale reaches the surface colour at this many decades below the maximum."""
FAINTEST = 0.12
"""Share of the accent in the weakest visible highlight, so that it is told from none."""


def blend(a: RGB, b: RGB, share: float) -> RGB:
    """Return the colour `share` of the way from a (0) to b (1)."""
    share = min(max(share, 0.0), 1.0)
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return (red, green, blue)


def luminance(colour: RGB) -> float:
    """Return the relative luminance, 0 for black to 1 for white."""
    red, green, blue = (_linear(channel / 255) for channel in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


def contrast(a: RGB, b: RGB) -> float:
    """Return the contrast ratio of two colours, 1 to 21."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


BLACK: RGB = (0, 0, 0)
WHITE: RGB = (255, 255, 255)


def readable_on(background: RGB, preferred: RGB | None = None) -> RGB:
    """Return a text colour of contrast ≥ 4.5 on `background`: `preferred` where it will do.

    Black or white always will: of the two, the better has at least √21 ≈ 4.58 on any colour.
    """
    if preferred is not None and contrast(preferred, background) >= 4.5:
        return preferred
    return max(BLACK, WHITE, key=lambda colour: contrast(colour, background))


@dataclass(frozen=True)
class ColourScale:
    """Activation → highlight, from nothing at 0 to the accent at `maximum`."""

    maximum: float
    logarithmic: bool = True

    def share(self, activation: float) -> float:
        """Return how much of the accent an activation gets, 0 to 1; 0 when it does not fire."""
        if not math.isfinite(activation) or activation <= 0.0 or self.maximum <= 0.0:
            return 0.0
        return FAINTEST + (1.0 - FAINTEST) * self.position(activation)

    def position(self, activation: float) -> float:
        """Return where an activation stands along the legend, 0 (weakest) to 1 (maximum)."""
        if activation <= 0.0 or self.maximum <= 0.0:
            return 0.0
        ratio = min(activation / self.maximum, 1.0)
        return max(0.0, 1.0 + math.log10(ratio) / DECADES) if self.logarithmic else ratio

    def activation(self, position: float) -> float:
        """Return the activation at a position along the legend."""
        if self.logarithmic:
            return float(self.maximum * 10 ** ((min(max(position, 0.0), 1.0) - 1.0) * DECADES))
        return self.maximum * min(max(position, 0.0), 1.0)

    def background(self, activation: float, surface: RGB, accent: RGB) -> RGB:
        """Return the highlight's colour."""
        return blend(surface, accent, self.share(activation))


def diverging(value: float, extreme: float, middle: RGB, negative: RGB, positive: RGB) -> RGB:
    """Return the colour of a signed quantity: `negative` at −extreme, `positive` at +extreme."""
    if extreme <= 0.0 or not math.isfinite(value):
        return middle
    return blend(middle, positive if value > 0 else negative, abs(value) / extreme)
