"""A picture with the light of a feature's activations drawn into it, for pages. Free of Qt."""

from __future__ import annotations

import base64
import io
import math

import numpy as np
from PIL import Image, ImageDraw

from sae_desktop.features.reading.facts import PictureContext
from sae_desktop.pictures.light import light, outline, strongest_region
from sae_desktop.pictures.thumbnails import THUMBNAIL_SIDE

_SIDE = 2 * THUMBNAIL_SIDE
_LEAST = 12
_ACCENT = np.array([242.0, 140.0, 40.0], np.float32)
_GREY, _FAINT, _STRONGEST = 0.75, 0.22, 0.82
_DECADES = 1.5
_SHARP_FROM = 2.0
"""As the window draws them: see `gui/parts/lit_drawing.py`."""


def lit_webp(picture: PictureContext, maximum: float) -> bytes:
    """Return a picture under its light as WebP; b"" where its small copy cannot be read.

    `maximum`: the activation that has the full accent; below it, the light is logarithmic.
    """
    try:
        with Image.open(io.BytesIO(picture.thumbnail), formats=("WEBP",)) as opened:
            if max(opened.size) > THUMBNAIL_SIDE:
                return b""
            small = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return b""
    layout = picture.layout
    scale = _SIDE / max(layout.width, layout.height)
    size = (
        max(round(layout.width * scale), _LEAST),
        max(round(layout.height * scale), _LEAST),
    )
    sharp = size[0] >= _SHARP_FROM * small.width and size[1] >= _SHARP_FROM * small.height
    how = Image.Resampling.NEAREST if sharp else Image.Resampling.BICUBIC
    colours = np.asarray(small.resize(size, how), np.float32).copy()
    grey = colours @ np.array([0.299, 0.587, 0.114], np.float32)
    colours += (grey[:, :, None] - colours) * _GREY
    colours += (255.0 - colours) * _FAINT
    shares = np.array([_share(float(a), maximum) for a in picture.activations], np.float32)
    over = light(layout, shares, *size)[:, :, None] * _STRONGEST
    colours += (_ACCENT - colours) * over
    drawn = Image.fromarray((colours + 0.5).clip(0, 255).astype(np.uint8))
    _outline(drawn, picture)
    out = io.BytesIO()
    drawn.save(out, "WEBP", quality=80)
    return out.getvalue()


def data_address(webp: bytes) -> str:
    """Return a picture as what stands in a page in the place of its address."""
    return "data:image/webp;base64," + base64.b64encode(webp).decode()


def _share(activation: float, maximum: float) -> float:
    if activation <= 0.0 or maximum <= 0.0:
        return 0.0
    position = max(0.0, 1.0 + math.log10(min(activation / maximum, 1.0)) / _DECADES)
    return 0.12 + 0.88 * position


def _outline(drawn: Image.Image, picture: PictureContext) -> None:
    layout, pen = picture.layout, ImageDraw.Draw(drawn)
    across, down = drawn.width / layout.width, drawn.height / layout.height
    region = strongest_region(layout, picture.activations)
    for colour, width in (("white", 4), ("#1B1F26", 2)):
        for a, b, c, d in outline(layout, region):
            pen.line((a * across, b * down, c * across, d * down), fill=colour, width=width)
