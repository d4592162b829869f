"""The light over a picture, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sae_desktop.pictures.light import (
    light,
    next_token,
    outline,
    strongest_region,
    tokens_at,
)
from sae_desktop.pictures.places import PictureLayout, Tile
from sae_desktop.words.picture_words import place_words

ONE = PictureLayout(40, 20, [Tile(2, 4, 0.0, 0.0, 10.0, 10.0)])
"""Patches of 10 × 10 pixels: 2 rows, 4 columns."""
TWO = PictureLayout(
    20, 10, [Tile(1, 2, 0.0, 0.0, 5.0, 10.0), Tile(1, 2, 0.0, 0.0, 10.0, 10.0)], loose=2
)
"""A fine tile over the left half, a coarse one over all, and two tokens without a place."""


def test_light__is_a_patchs_own_at_its_centre_and_even_between_two() -> None:
    values = [0, 1, 0, 0, 0, 0, 0, 4]
    found = light(ONE, values, 80, 40)  # two pixels drawn for each of the picture
    centre, between = found[[9, 10], :][:, [29, 30]].mean(), found[10, 40]
    assert centre == pytest.approx(1.0, abs=0.06)
    # Half a pixel past the half-way line, a quarter of the picture’s below the upper centres.
    assert between == pytest.approx(0.475 * 0.975)
    assert found[39, 79] == 4.0  # from the outer centres on it stays as it is
    assert found[0, 0] == 0.0


def test_light__ends_with_its_tile_and_is_the_strongest_where_tiles_overlap() -> None:
    values = [9, 9, 1.0, 3.0, 2.0, 0.0]
    found = light(TWO, values, 20, 10)
    assert found[5, 7] == 3.0  # fine tile, right patch, over the coarse one
    assert found[5, 2] == pytest.approx(2.0)  # coarse tile, left patch, over the fine one’s 1
    assert found[5, 19] == 0.0
    assert light(TWO, values, 20, 10, tile=0)[5, 12] == 0.0


def test_light__of_padding_and_of_one_pixel_is_what_is_seen_of_it() -> None:
    padded = PictureLayout(10, 10, [Tile(2, 1, 0.0, 0.0, 10.0, 10.0)])
    assert (light(padded, [2.0, 5.0], 8, 8)[:3] == 2.0).all()
    dot = PictureLayout(1, 1, [Tile(1, 1, 0.0, 0.0, 1.0, 1.0)])
    assert (light(dot, [3.0], 5, 7) == 3.0).all()


def test_strongest_region__is_what_touches_the_peak_with_half_its_activation() -> None:
    values = [4.0, 2.0, 1.9, 2.5, 0.0, 2.1, 0.0, 0.0]
    assert strongest_region(ONE, values) == [0, 1, 5]  # 3 is strong enough, but apart
    assert strongest_region(ONE, np.zeros(8)) == []
    assert strongest_region(TWO, [9, 0, 1, 1, 1, 1]) == []  # a token without a place
    lines = outline(ONE, [0, 1, 5])
    assert sum(abs(c - a) + abs(d - b) for a, b, c, d in lines) == 80  # 8 sides of 10 pixels
    assert (10.0, 0.0, 10.0, 10.0) not in lines  # between patches 0 and 1


def test_tokens_at__names_the_smallest_patch_first_and_nothing_outside() -> None:
    assert tokens_at(TWO, 7.0, 5.0) == [3, 4]
    assert tokens_at(TWO, 15.0, 5.0) == [5]
    assert tokens_at(TWO, 20.0, 5.0) == []


def test_words__say_row_column_tile_and_what_has_no_place() -> None:
    assert place_words(ONE, 6) == "patch row 2, column 3"
    assert place_words(TWO, 3) == "patch row 1, column 2 of tile 1 of 2"
    assert place_words(TWO, 4) == "patch row 1, column 1 of the small copy of the whole"
    assert place_words(TWO, 0) == "class token, of the whole picture"
    assert next_token(ONE, 3, 1, 1) == 7  # down, and no further to the right
