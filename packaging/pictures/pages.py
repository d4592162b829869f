"""Write pages of pictures and words, to harvest for the demonstration “Pictures and words”.

    python packaging/pictures/pages.py CACHE OUT --builtin resources/models/builtin \
        --corpus resources/corpus/builtin.jsonl.xz --pictures 1500 --seed 1

`OUT/pages.jsonl` has pages of a picture with lines of what it shows in several languages, half as
many of such lines alone, and as many of the built-in corpus; the pictures lie beside it. None is
by the artist that the model is tested on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "builtin"))

import numpy as np
from build_corpus import read as read_corpus
from emoji import languages, taught
from PIL import Image
from scenes import Painter, Scene
from texts import Teller
from tokenizers import Tokenizer

LINES = 5
CHARACTERS = 900
"""Of a page of the corpus."""

Page = list[dict[str, str]]


def pages(
    out: Path, painter: Painter, teller: Teller, texts: list[str], count: int, seed: int
) -> Iterator[Page]:
    """Yield pages, and write the pictures that they name."""
    chooser = np.random.default_rng(seed)
    emoji = painter.emoji
    order = [emoji[n] for n in chooser.permutation(np.arange(count) % len(emoji))]
    for number, one in enumerate(order):
        scene = painter.one(one) if number % 4 else painter.any()
        name = f"pictures/{number:05}.png"
        Image.fromarray(scene.pixels).save(out / name, optimize=True)
        said = {"type": "text", "text": teller.lines(scene, LINES)}
        yield [{"type": "image", "image": name}, said]
        if number % 2:
            alone = emoji[chooser.integers(len(emoji))]
            words = Scene("one", scene.pixels, alone.names, (alone,))
            yield [{"type": "text", "text": teller.lines(words, 2 * LINES)}]
        else:
            yield [{"type": "text", "text": texts[chooser.integers(len(texts))][:CHARACTERS]}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--builtin", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    (args.out / "pictures").mkdir(parents=True)
    tokenizer = Tokenizer.from_file(str(args.builtin / "tokenizer.json"))
    painter = Painter(args.cache, taught(args.cache, tokenizer), None, args.seed)
    teller = Teller(tokenizer, languages(args.cache), args.seed)
    texts = [document.text for document in read_corpus(args.corpus)]
    made: Iterator[dict[str, Any]] = (
        {"content": page}
        for page in pages(args.out, painter, teller, texts, args.pictures, args.seed)
    )
    with (args.out / "pages.jsonl").open("w") as file:
        file.writelines(json.dumps(page, ensure_ascii=False) + "\n" for page in made)


if __name__ == "__main__":
    main()
