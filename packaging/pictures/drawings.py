"""Write the drawings that come with the demonstration “Pictures and words”: tried first, and named.

    python packaging/pictures/drawings.py CACHE

Each is by an artist whose drawings the model has learnt from, as it is, on white.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from emoji import read
from PIL import Image
from scenes import Painter

OUT = Path(__file__).parents[2] / "resources" / "drawings"
DRAWN = {"🐎": "horse.png", "🏠": "house.png"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    args = parser.parse_args()
    emoji = read(args.cache)
    painter = Painter(args.cache, emoji, "twitter", 0)
    OUT.mkdir(exist_ok=True)
    for one in emoji:
        if one.text in DRAWN:
            Image.fromarray(painter.plain(one)).save(OUT / DRAWN[one.text], optimize=True)


if __name__ == "__main__":
    main()
