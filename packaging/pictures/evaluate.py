"""How well the model names pictures, beside chance and the nearest drawing by its pixels.

    python packaging/pictures/evaluate.py CACHE --builtin resources/models/builtin

Pictures by another artist, none of whose drawings were learnt from, and compositions that were
never put together before. Of all names there are in the language asked for, the one that the model
finds likeliest after the picture and “German:” is the answer.
"""

from __future__ import annotations

import argparse
import json
import random
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from emoji import Artist, Emoji, drawing, languages, read
from model import joined, new_eyes, pixels_of
from scenes import COLOURS, SHAPES, Painter, Scene, is_held_out
from texts import MAIN, Teller
from tokenizers import Tokenizer
from torch import nn

WIDTH = 24
"""Beginnings of names that are followed at once."""
MOST_TOKENS = 48
"""Of a line."""
SMALL = 16
"""Pixels a side, for the nearest drawing."""
Trie = dict[int, Any]
"""By token: what may follow; an end holds its name under −1."""


def trie_of(tokenizer: Tokenizer, names: set[str]) -> Trie:
    """Return the names there are, each to its end of line, by tokens."""
    root: Trie = {}
    for name in names:
        at = root
        for token in tokenizer.encode(f" {name}\n", add_special_tokens=False).ids:
            at = at.setdefault(token, {})
        at[-1] = name
    return root


class Namer:
    """Says what a picture shows: the most likely of the names there are."""

    def __init__(self, model: nn.Module, teller: Teller) -> None:
        self._model, self._teller = model.eval(), teller

    @torch.no_grad()
    def names(self, picture: npt.NDArray[np.uint8], language: str, names: Trie) -> list[str]:
        """Return names, the likeliest first, of the `WIDTH` likeliest beginnings at each token."""
        asked = torch.tensor([self._teller.asked(language)])
        told = self._model(
            input_ids=asked, pixel_values=pixels_of([picture]), use_cache=True, logits_to_keep=1
        )
        cache, found = told.past_key_values, []
        beams = [(0.0, names)]
        while beams:
            logp_BV = told.logits[:, -1].log_softmax(-1)
            grown = [
                (score + float(logp_BV[row, token]), row, token, after)
                for row, (score, at) in enumerate(beams)
                for token, after in at.items()
                if token != -1
            ]
            grown = sorted(grown, key=lambda one: -one[0])[:WIDTH]
            found += [(score, after[-1]) for score, _, _, after in grown if -1 in after]
            grown = [one for one in grown if one[3].keys() != {-1}]
            beams = [(score, after) for score, _, _, after in grown]
            if grown:
                cache.batch_select_indices(torch.tensor([row for _, row, _, _ in grown]))
                ids = torch.tensor([[token] for _, _, token, _ in grown])
                told = self._model(input_ids=ids, past_key_values=cache, use_cache=True)
        return [name for _, name in sorted(found, reverse=True)]

    @torch.no_grad()
    def writes(self, picture: npt.NDArray[np.uint8], language: str) -> str:
        """Return the line that the model writes in a language, its likeliest token each time."""
        ids = self._teller.asked(language)
        told = self._model.generate(
            input_ids=torch.tensor([ids]), pixel_values=pixels_of([picture]), do_sample=False,
            max_new_tokens=MOST_TOKENS, attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        )  # fmt: skip
        return self._teller.text(told[0, len(ids) :].tolist()).partition("\n")[0].strip()


def compositions(cache: Path, emoji: list[Emoji], count: int) -> dict[str, list[Scene]]:
    """Return scenes of compositions that were never learnt from, by the other artist."""
    painter, chooser = Painter(cache, emoji, "google", 10**6), random.Random(10**6)
    pairs = (tuple(chooser.choices(emoji, k=2)) for _ in range(100 * count))
    unseen_pairs = islice((pair for pair in pairs if is_held_out(*pair)), count)
    counts = ((chooser.choice(emoji), chooser.randint(2, 5)) for _ in range(100 * count))
    unseen_counts = islice((one for one in counts if is_held_out(*one)), count)
    shapes = [(colour, shape) for colour in COLOURS for shape in SHAPES]
    return {
        "two side by side": [painter.pair(left, right) for left, right in unseen_pairs],
        "several of one": [painter.count(one, number) for one, number in unseen_counts],
        "coloured shapes": [
            painter.shape(*one)
            for one in shapes if is_held_out(*one)
            for _ in range(count // 4)
        ],
    }  # fmt: skip


def nearest(
    cache: Path, emoji: list[Emoji], of: list[Emoji], artist: Artist
) -> npt.NDArray[np.int64]:
    """Return (N, E): the emoji in the order of how near the learnt drawings are, by pixels."""
    learnt, asked = (
        np.stack([_small(cache, one, by) for one in these])
        for these, by in ((emoji, "twitter"), (of, artist))
    )
    distances = ((asked[:, None] - learnt[None]) ** 2).sum(-1)
    return distances.argsort(1)


def _small(cache: Path, emoji: Emoji, artist: Artist) -> npt.NDArray[np.float32]:
    from PIL import Image

    white = Image.new("RGBA", (64, 64), "white")
    white.alpha_composite(drawing(cache, artist, emoji.file))
    small = white.convert("RGB").resize((SMALL, SMALL), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32).ravel() / 255


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--builtin", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200)
    args = parser.parse_args()
    emoji, titles = read(args.cache), languages(args.cache)
    tokenizer = Tokenizer.from_file(str(args.builtin / "tokenizer.json"))
    model = joined(args.builtin, new_eyes(0), 0)
    model.load_state_dict(torch.load(args.cache / "pictures.pt", weights_only=True)["model"])
    namer = Namer(model, Teller(tokenizer, titles, 0))
    of = [emoji[n * len(emoji) // args.count] for n in range(args.count)]
    found: dict[str, dict[str, float]] = {
        "chance": {"first": 1 / len(emoji), "five": 5 / len(emoji)},
        "nearest by pixels": hits(
            [[emoji[n].file for n in row] for row in nearest(args.cache, emoji, of, "google")],
            [one.file for one in of],
        ),
    }
    for artist in ("google", "twitter"):
        painter = Painter(args.cache, emoji, artist, 10**6)
        for tag in MAIN:
            names = trie_of(tokenizer, {one.names[tag] for one in emoji if tag in one.names})
            said = [namer.names(painter.plain(one), tag, names) for one in of]
            found[f"{artist}, {titles[tag]}"] = hits(said, [one.names.get(tag, "") for one in of])
            print(f"{artist}, {titles[tag]}: {found[f'{artist}, {titles[tag]}']}", flush=True)
    for kind, scenes in compositions(args.cache, emoji, args.count).items():
        for tag in MAIN:
            asked = [scene for scene in scenes if tag in scene.said]
            said = [[namer.writes(scene.pixels, tag)] for scene in asked]
            found[f"{kind}, {titles[tag]}"] = hits(said, [scene.said[tag] for scene in asked])
            print(f"{kind}, {titles[tag]}: {found[f'{kind}, {titles[tag]}']['first']}", flush=True)
    (args.cache / "figures.json").write_text(json.dumps(found, indent=1))
    print(json.dumps(found, indent=1))


def hits(ranked: list[list[str]], right: list[str]) -> dict[str, float]:
    """Return how often the right one comes first, and among the first five."""
    first = [one[:1] == [r] for one, r in zip(ranked, right, strict=True)]
    five = [r in one[:5] for one, r in zip(ranked, right, strict=True)]
    return {"first": sum(first) / len(right), "five": sum(five) / len(right)}


if __name__ == "__main__":
    main()
