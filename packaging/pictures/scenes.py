"""Pictures to learn from: one emoji, two side by side, several of one, or coloured shapes.

Every picture is drawn anew: place, size, slant, colours, ground and blur are by chance, so that
what is learnt is what a thing looks like, not one artist's pixels. What a scene shows can be said
in five languages, and of a single emoji in all that name it.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from emoji import Artist, Emoji, artists, drawing
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

SIDE = 96
"""Pixels of a picture, each way."""
_DRAWN = 4
"""Shapes are drawn this much larger, for smooth edges."""

LEFT_RIGHT = {
    "en": "left: {}, right: {}",
    "de": "links: {}, rechts: {}",
    "fr": "à gauche : {}, à droite : {}",
    "es": "a la izquierda: {}, a la derecha: {}",
    "ru": "слева: {}, справа: {}",
}
"""Two things side by side."""
COUNTED = "{} × {}"
"""Several of one thing, in any language."""
SHAPES: dict[str, dict[str, tuple[str, str]]] = {
    "circle": {
        "en": ("circle", ""), "de": ("Kreis", "m"), "fr": ("cercle", "m"), "es": ("círculo", "m"),
        "ru": ("круг", "m"),
    },
    "square": {
        "en": ("square", ""), "de": ("Quadrat", "n"), "fr": ("carré", "m"),
        "es": ("cuadrado", "m"), "ru": ("квадрат", "m"),
    },
    "triangle": {
        "en": ("triangle", ""), "de": ("Dreieck", "n"), "fr": ("triangle", "m"),
        "es": ("triángulo", "m"), "ru": ("треугольник", "m"),
    },
    "star": {
        "en": ("star", ""), "de": ("Stern", "m"), "fr": ("étoile", "f"), "es": ("estrella", "f"),
        "ru": ("звезда", "f"),
    },
}  # fmt: skip
"""By language: the noun and its gender."""
COLOURS: dict[str, tuple[tuple[int, int, int], dict[str, dict[str, str]]]] = {
    "red": ((214, 40, 40), {
        "en": {"": "red"}, "de": {"m": "roter", "n": "rotes"}, "fr": {"m": "rouge", "f": "rouge"},
        "es": {"m": "rojo", "f": "roja"}, "ru": {"m": "красный", "f": "красная"},
    }),
    "green": ((40, 150, 60), {
        "en": {"": "green"}, "de": {"m": "grüner", "n": "grünes"},
        "fr": {"m": "vert", "f": "verte"}, "es": {"m": "verde", "f": "verde"},
        "ru": {"m": "зелёный", "f": "зелёная"},
    }),
    "blue": ((40, 90, 210), {
        "en": {"": "blue"}, "de": {"m": "blauer", "n": "blaues"}, "fr": {"m": "bleu", "f": "bleue"},
        "es": {"m": "azul", "f": "azul"}, "ru": {"m": "синий", "f": "синяя"},
    }),
    "yellow": ((245, 205, 40), {
        "en": {"": "yellow"}, "de": {"m": "gelber", "n": "gelbes"},
        "fr": {"m": "jaune", "f": "jaune"}, "es": {"m": "amarillo", "f": "amarilla"},
        "ru": {"m": "жёлтый", "f": "жёлтая"},
    }),
    "black": ((25, 25, 25), {
        "en": {"": "black"}, "de": {"m": "schwarzer", "n": "schwarzes"},
        "fr": {"m": "noir", "f": "noire"}, "es": {"m": "negro", "f": "negra"},
        "ru": {"m": "чёрный", "f": "чёрная"},
    }),
    "white": ((250, 250, 250), {
        "en": {"": "white"}, "de": {"m": "weißer", "n": "weißes"},
        "fr": {"m": "blanc", "f": "blanche"}, "es": {"m": "blanco", "f": "blanca"},
        "ru": {"m": "белый", "f": "белая"},
    }),
}  # fmt: skip
"""By language and gender."""
_EITHER_WAY = ("Animals & Nature", "Food & Drink", "Travel & Places", "Activities")
"""Kinds of emoji that may look either way."""
_ONE_WAY = re.compile("left|right|first|last|quarter|crescent|clock|[0-9]")
"""In names of those that may not."""
_FILTERS = (
    ImageFilter.EDGE_ENHANCE_MORE, ImageFilter.SMOOTH_MORE, ImageFilter.SHARPEN,
    ImageFilter.MedianFilter(5), ImageFilter.CONTOUR,
)  # fmt: skip
_BEFORE = ("en", "de", "ru")
"""Languages whose adjectives stand before the noun."""


def is_held_out(*parts: object) -> bool:
    """Tell whether what a scene is composed of is never learnt from: every tenth composition."""
    named = [part.file if isinstance(part, Emoji) else str(part) for part in parts]
    return zlib.crc32("+".join(named).encode()) % 10 == 0


@dataclass(frozen=True)
class Scene:
    """A picture and what it shows."""

    kind: str
    """“one”, “pair”, “count” or “shape”."""
    pixels: npt.NDArray[np.uint8]
    """(SIDE, SIDE, 3)."""
    said: dict[str, str]
    """By language."""
    of: tuple[Emoji, ...] = ()
    form: tuple[str, str] | None = None
    """Colour and shape, of a shape."""


def shape_said(colour: str, shape: str, language: str) -> str:
    """Return such as “red circle”."""
    noun, gender = SHAPES[shape][language]
    adjective = COLOURS[colour][1][language][gender]
    return f"{adjective} {noun}" if language in _BEFORE else f"{noun} {adjective}"


class Painter:
    """Draws scenes of emoji as an artist, or any of those that are learnt from, draws them."""

    def __init__(self, cache: Path, emoji: list[Emoji], artist: Artist | None, seed: int) -> None:
        self._cache, self.emoji = cache, emoji
        learnt = artists(cache, emoji) if artist is None else {}
        drawn_by = (artist,) if artist else ()
        self._artists = {one.file: learnt.get(one.file, drawn_by) for one in emoji}
        self._random = random.Random(seed)
        self._noise = np.random.default_rng(seed)

    def one(self, emoji: Emoji | None = None) -> Scene:
        """Draw one emoji, by chance or the one that is named; every other time large and clear."""
        emoji = emoji or self._random.choice(self.emoji)
        if self._random.random() < 0.5:
            side = self._random.randint(72, SIDE)
            clear = Image.new("RGBA", (SIDE, SIDE), "white")
            drawn = self._drawn(emoji).resize((side, side), Image.Resampling.LANCZOS)
            place = [self._random.randint(0, SIDE - side) for _ in range(2)]
            clear.alpha_composite(drawn, (place[0], place[1]))
            pixels = clear.convert("RGB")
            if self._random.random() < 0.7:
                pixels = self._styled(pixels)
            return Scene("one", np.asarray(pixels), emoji.names, (emoji,))
        ground = self._ground()
        size = self._random.randint(round(0.5 * SIDE), SIDE)
        self._paste(ground, emoji, size, 0, SIDE)
        return Scene("one", self._finished(ground), emoji.names, (emoji,))

    def plain(self, emoji: Emoji) -> npt.NDArray[np.uint8]:
        """Return a drawing as it is, in the middle of a white picture."""
        ground = Image.new("RGBA", (SIDE, SIDE), "white")
        drawn = drawing(self._cache, self._artists[emoji.file][0], emoji.file)
        large = drawn.resize((80, 80), Image.Resampling.LANCZOS)
        ground.alpha_composite(large, ((SIDE - 80) // 2, (SIDE - 80) // 2))
        return np.asarray(ground.convert("RGB"))

    def pair(self, left: Emoji | None = None, right: Emoji | None = None) -> Scene:
        """Draw two emoji side by side."""
        if left is None or right is None:
            left, right = self._learnt(lambda: tuple(self._random.choices(self.emoji, k=2)))
        ground = self._ground()
        for emoji, first in ((left, 0), (right, SIDE // 2)):
            self._paste(ground, emoji, self._random.randint(36, 48), first, SIDE // 2)
        said = {
            tag: form.format(left.names[tag], right.names[tag])
            for tag, form in LEFT_RIGHT.items()
            if tag in left.names and tag in right.names
        }
        return Scene("pair", self._finished(ground), said, (left, right))

    def count(self, emoji: Emoji | None = None, number: int = 0) -> Scene:
        """Draw an emoji two to five times."""
        if emoji is None:
            emoji, number = self._learnt(
                lambda: (self._random.choice(self.emoji), self._random.randint(2, 5))
            )
        ground = self._ground()
        cells = self._random.sample(range(9), number)
        for cell in cells:
            row, column = divmod(cell, 3)
            small = self._slanted(self._drawn(emoji), self._random.randint(26, 32))
            ground.alpha_composite(small, (32 * column, 32 * row))
        said = {
            tag: COUNTED.format(number, name)
            for tag, name in emoji.names.items()
            if tag in LEFT_RIGHT
        }
        return Scene("count", self._finished(ground), said, (emoji,) * number)

    def shape(self, colour: str = "", shape: str = "") -> Scene:
        """Draw a coloured shape."""
        if not colour:
            colour, shape = self._learnt(
                lambda: (self._random.choice(list(COLOURS)), self._random.choice(list(SHAPES)))
            )
        fill = COLOURS[colour][0]
        ground = self._ground(unlike=fill)
        size = self._random.randint(36, 84)
        left, top = (self._random.randint(4, SIDE - size - 4) for _ in range(2))
        large = Image.new("RGBA", (SIDE * _DRAWN, SIDE * _DRAWN))
        draw = ImageDraw.Draw(large)
        box = [_DRAWN * v for v in (left, top, left + size, top + size)]
        if shape == "circle":
            draw.ellipse(box, fill=fill)
        elif shape == "square":
            draw.rectangle(box, fill=fill)
        else:
            draw.polygon(_corners(shape, box), fill=fill)
        ground.alpha_composite(large.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
        said = {tag: shape_said(colour, shape, tag) for tag in LEFT_RIGHT}
        return Scene("shape", self._finished(ground, jitter=False), said, (), (colour, shape))

    def any(self) -> Scene:
        """Draw a scene of any kind, a single emoji most often."""
        drawn = self._random.random()
        if drawn < 0.5:
            return self.one()
        if drawn < 0.75:
            return self.pair()
        return self.count() if drawn < 0.9 else self.shape()

    def _learnt(self, drawn: Callable[[], tuple[Any, ...]]) -> tuple[Any, ...]:
        """Return a composition by chance of those that may be learnt from."""
        while True:
            found = drawn()
            if not is_held_out(*found):
                return found

    # ------------------------------------------------------------------ drawing
    def _drawn(self, emoji: Emoji) -> Image.Image:
        """Return a drawing by chance of those there are."""
        artist = self._random.choice(self._artists[emoji.file])
        found = drawing(self._cache, artist, emoji.file)
        mirrored = emoji.kind in _EITHER_WAY and not _ONE_WAY.search(emoji.names["en"])
        if mirrored and self._random.random() < 0.5:
            return found.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return found

    def _ground(self, unlike: tuple[int, int, int] | None = None) -> Image.Image:
        """Return a ground: white, grey, black, or a colour that runs into another."""
        while True:
            if self._random.random() < 0.4:
                colours = [(255, 255, 255)] * 2
            else:
                colours = [tuple(self._random.randint(0, 255) for _ in range(3)) for _ in range(2)]
                if self._random.random() < 0.5:
                    colours[1] = colours[0]
            near = unlike is not None and any(
                sum(abs(a - b) for a, b in zip(unlike, one, strict=True)) < 150 for one in colours
            )
            if not near:
                break
        ramp = np.linspace(0, 1, SIDE)[:, None, None]
        rows = (1 - ramp) * np.array(colours[0]) + ramp * np.array(colours[1])
        pixels = np.broadcast_to(rows, (SIDE, SIDE, 3)).astype(np.uint8)
        if self._random.random() < 0.5:
            pixels = pixels.transpose(1, 0, 2)
        return Image.fromarray(np.ascontiguousarray(pixels)).convert("RGBA")

    def _paste(self, ground: Image.Image, emoji: Emoji, size: int, first: int, room: int) -> None:
        small = self._slanted(self._drawn(emoji), min(size, room))
        left = first + self._random.randint(0, room - small.width)
        top = self._random.randint(0, SIDE - small.height)
        ground.alpha_composite(small, (left, top))

    def _slanted(self, image: Image.Image, size: int) -> Image.Image:
        """Turn, stretch and shear a drawing, and bring it to a size."""
        turn = self._random.uniform(-20, 20)
        image = image.rotate(turn, Image.Resampling.BICUBIC, expand=True)
        wide = self._random.uniform(0.8, 1.0)
        sides = [size, max(8, round(size * wide))]
        self._random.shuffle(sides)
        shear = self._random.uniform(-0.15, 0.15)
        image = image.transform(
            image.size, Image.Transform.AFFINE,
            (1, shear, -shear * image.height / 2, 0, 1, 0), Image.Resampling.BICUBIC,
        )  # fmt: skip
        return image.resize((sides[0], sides[1]), Image.Resampling.LANCZOS)

    def _finished(self, ground: Image.Image, jitter: bool = True) -> npt.NDArray[np.uint8]:
        """Change colours, light and sharpness by chance."""
        image = ground.convert("RGB")
        if jitter and self._random.random() < 0.3:
            image = self._styled(image)
        if jitter:
            for enhance in (ImageEnhance.Color, ImageEnhance.Brightness, ImageEnhance.Contrast):
                image = enhance(image).enhance(self._random.uniform(0.6, 1.4))
            image = _turned(image, self._random.randint(-12, 12))
        blur = self._random.random()
        if blur < 0.3:
            image = image.filter(ImageFilter.GaussianBlur(self._random.uniform(0.3, 1.2)))
        pixels = np.asarray(image).astype(np.float32)
        pixels += self._noise.normal(0, self._random.uniform(0, 8), pixels.shape)
        return pixels.clip(0, 255).astype(np.uint8)

    def _styled(self, image: Image.Image) -> Image.Image:
        """Change a picture as another artist might: its forms a little, its colours, its light."""
        if self._random.random() < 0.5:
            image = self._warped(image)
        if self._random.random() < 0.25:
            image = _turned(image, self._random.randint(-32, 32))
        if self._random.random() < 0.25:
            image = ImageEnhance.Color(image).enhance(self._random.uniform(0.0, 2.0))
        if self._random.random() < 0.2:
            image = ImageOps.posterize(image, self._random.randint(2, 4))
        if self._random.random() < 0.2:
            image = image.filter(self._random.choice(_FILTERS))
        if self._random.random() < 0.3:
            ends = [self._random.uniform(0.5, 1.2) for _ in range(2)]
            light = np.linspace(*ends, SIDE)[:, None]
            light = light.T if self._random.random() < 0.5 else light
            lit = (np.asarray(image) * light[..., None]).clip(0, 255)
            image = Image.fromarray(lit.astype(np.uint8))
        return image

    def _warped(self, image: Image.Image) -> Image.Image:
        """Move the corners of a grid of 3 × 3 by chance, and what lies between with them."""
        cell, moved = SIDE // 3, {}
        for at in product(range(4), repeat=2):
            moves = [self._random.uniform(-6, 6) if 0 < one < 3 else 0.0 for one in at]
            moved[at] = [cell * one + move for one, move in zip(at, moves, strict=True)]
        mesh = []
        for x, y in product(range(3), repeat=2):
            box = (cell * x, cell * y, cell * (x + 1), cell * (y + 1))
            corners = (moved[x, y], moved[x, y + 1], moved[x + 1, y + 1], moved[x + 1, y])
            mesh.append((box, tuple(value for corner in corners for value in corner)))
        return image.transform(image.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)


def _turned(image: Image.Image, move: int) -> Image.Image:
    """Turn the hue, of 256."""
    hue, *others = image.convert("HSV").split()
    hue = hue.point([(value + move) % 256 for value in range(256)])
    return Image.merge("HSV", (hue, *others)).convert("RGB")


def _corners(shape: str, box: list[int]) -> list[tuple[float, float]]:
    left, top, right, bottom = box
    if shape == "triangle":
        return [((left + right) / 2, top), (right, bottom), (left, bottom)]
    middle = np.array([(left + right) / 2, (top + bottom) / 2])
    reach = (right - left) / 2
    turns = np.pi * (np.arange(10) / 5 - 0.5)
    reaches = np.where(np.arange(10) % 2 == 0, reach, 0.42 * reach)
    points = middle + np.stack([np.cos(turns), np.sin(turns)], 1) * reaches[:, None]
    return [(float(x), float(y)) for x, y in points]
