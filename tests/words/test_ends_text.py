"""What a dictionary reads and writes, in words."""

from __future__ import annotations

import pytest

from sae_desktop.dictionary.ends import End
from sae_desktop.words.ends_text import ends_text

X, Y, Z = End("x", 4), End("y", 4, 0, 4), End("z", 4, 0, 8)


@pytest.mark.parametrize(
    ("read", "written", "text"),
    [
        ((), (), ""),
        ((X,), (X,), "x"),
        ((X,), (End("y", 4),), "x → y"),
        ((X,), (End("", 4),), "x → unnamed site"),
        ((X, Y, Z), (X, Y, Z), "3 sites, x to z"),
        ((X, End("x", 4, 1, 4)), (X, End("x", 4, 1, 4)), "x of 2 models"),
        ((X, Y), (Z, End("w", 4, 0, 4)), "2 sites, x to y → 2 sites, z to w"),
    ],
)
def test_sites__are_told_in_one_line(read: tuple, written: tuple, text: str) -> None:
    assert ends_text(read, written) == text
