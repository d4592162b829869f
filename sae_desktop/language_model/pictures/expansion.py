"""The words and tokens that stand for a picture among those of a text.

As the processors of transformers write them, which for some families insist on libraries for
video; `tests/language_model/pictures` holds the two to each other.
"""

from __future__ import annotations

from typing import Any

from sae_desktop.language_model.pictures.families import Family
from sae_desktop.pictures.places import PictureLayout

_AROUND = "<fake_token_around_image>"
_WHOLE = "<global-img>"


def image_token(family: Family, tokenizer: Any) -> str:
    """Return the token that stands for a part of a picture."""
    return str(getattr(tokenizer, "image_token", None) or family.image_token)


def placeholders(family: Family, mark: str) -> list[str]:
    """Return the names of tokens that a text itself must not contain."""
    around = [_AROUND] if family.grid == "shuffled" else [family.before, family.after]
    return [mark, *(name.strip() for name in around if name)]


def expanded(family: Family, mark: str, layout: PictureLayout, split: tuple[int, int]) -> str:
    """Return what stands for a picture; `split`: its rows and columns of tiles."""
    if family.grid == "shuffled":
        return _tiled(mark, layout, *split)
    tiles = [f"{family.before}{mark * _count(tile)}{family.after}" for tile in layout.tiles]
    return mark * layout.loose + "".join(tiles)


def pieces(family: Family, mark: str, text: str, count: int) -> list[str] | None:
    """Return the words around the places of `count` pictures in what a chat template wrote.

    None where it does not have that many places.
    """
    before, after = family.before.strip(), family.after.strip()
    for place in (f"{before}{mark}{after}", before, mark):
        if place and text.count(place) == count:
            return text.split(place)
    return None


def _tiled(mark: str, layout: PictureLayout, rows: int, columns: int) -> str:
    whole = f"{_AROUND}{_WHOLE}{mark * _count(layout.tiles[-1])}{_AROUND}"
    if not rows:
        return whole
    tiles = iter(layout.tiles)
    lines = [
        "".join(
            f"{_AROUND}<row_{row + 1}_col_{column + 1}>{mark * _count(next(tiles))}"
            for column in range(columns)
        )
        for row in range(rows)
    ]
    return "\n".join([*lines, "", whole])


def _count(tile: Any) -> int:
    return int(tile.rows * tile.columns)
