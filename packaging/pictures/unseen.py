"""Write the drawings by artists that nothing was learnt from, to try concepts on.

    QT_QPA_PLATFORM=offscreen python packaging/pictures/unseen.py CACHE OUT

`OUT/google/1f40e.png` and the like: of each artist the emoji of `resources/instances`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from emoji import UNSEEN, drawing, fetch
from PIL import Image

from sae_desktop.benchmark.kinds.instances import PICTURE, instances, read_concepts


def write(cache: Path, out: Path) -> dict[str, int]:
    """Return how many drawings of each artist there are; those are white where nothing is."""
    codes = {one.text for c in read_concepts() for one in instances(c) if one.kind == PICTURE}
    counts = dict.fromkeys(UNSEEN, 0)
    for artist in UNSEEN:
        (out / artist).mkdir(parents=True, exist_ok=True)
        for code in sorted(codes):
            try:
                drawn = drawing(cache, artist, f"{code}.png")
            except (KeyError, FileNotFoundError):
                continue  # not every artist has drawn all
            white = Image.new("RGBA", drawn.size, "white")
            white.alpha_composite(drawn)
            white.convert("RGB").save(out / artist / f"{code}.png")
            counts[artist] += 1
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    fetch(args.cache)
    print(write(args.cache, args.out))


if __name__ == "__main__":
    main()
