"""How well the model names pictures, beside chance and the nearest drawing by its pixels.

    python packaging/pictures/evaluate.py CACHE --model resources/models/builtin-pictures

Measured is what ships, unpacked. Pictures by another artist, none of whose drawings were learnt
from, and compositions that were never put together before. Of all names there are in the language
asked for, the one that the model finds likeliest after the picture and “German:” is the answer; of
a composition, the line that it writes.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from emoji import MAIN, Artist, Emoji, drawing, languages, taught
from model import pixels_of
from PIL import Image
from scenes import COLOURS, COUNTED, LEFT_RIGHT, SHAPES, Painter, Scene, is_held_out
from texts import Teller
from tokenizers import Tokenizer
from torch import nn
from transformers import LlavaForConditionalGeneration

from sae_desktop.language_model.files.packed import unpacked_model
from sae_desktop.safety.monitors.intervals import wilson

WIDTH = 24
"""Beginnings of names that are followed at once."""
MOST_TOKENS = 48
"""Of a line."""
SMALL = 16
"""Pixels a side, for the nearest drawing."""
LEARNT_SCENES = 2000
"""Drawn of each kind of composition, to find the nearest of."""
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
        self._ends = [teller.eos, *teller.line_ends()]

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
    def writes(self, picture: npt.NDArray[np.uint8], language: str) -> list[str]:
        """Return the five likeliest lines in a language that are found by beams."""
        ids = self._teller.asked(language)
        told = self._model.generate(
            input_ids=torch.tensor([ids]), pixel_values=pixels_of([picture]), do_sample=False,
            max_new_tokens=MOST_TOKENS, attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            num_beams=5, num_return_sequences=5, eos_token_id=self._ends,
        )  # fmt: skip
        texts = [self._teller.text(row[len(ids) :].tolist()) for row in told]
        return [text.partition("\n")[0].strip() for text in texts]


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
    white = Image.new("RGBA", (64, 64), "white")
    white.alpha_composite(drawing(cache, artist, emoji.file))
    return _shrunk(white)


def _shrunk(image: Image.Image) -> npt.NDArray[np.float32]:
    small = image.convert("RGB").resize((SMALL, SMALL), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32).ravel() / 255


def parts(kind: str, language: str, line: str) -> list[str]:
    """Return what a line about a composition says one by one, as far as it has its form."""
    form = {"pair": LEFT_RIGHT[language], "count": COUNTED, "shape": "{} {}"}[kind]
    found = re.fullmatch(re.escape(form).replace(r"\{\}", "(.+?)"), line)
    return [one.strip() for one in found.groups()] if found else []


def share_of_parts(kind: str, language: str, said: list[str], right: list[str]) -> float:
    """Return how much of what compositions show is said in its place."""
    found = []
    for line, truth in zip(said, right, strict=True):
        wanted, told = parts(kind, language, truth), parts(kind, language, line)
        found += [a == b for a, b in zip_longest(wanted, told[: len(wanted)])]
    return sum(found) / len(found)


def nearest_scenes(painter: Painter, scenes: list[Scene]) -> list[Scene]:
    """Return for each scene the nearest, by pixels, of as many learnt ones as `LEARNT_SCENES`."""
    draw = {"pair": painter.pair, "count": painter.count, "shape": painter.shape}[scenes[0].kind]
    learnt = [draw() for _ in range(LEARNT_SCENES)]
    small = np.stack([_shrunk(Image.fromarray(scene.pixels)) for scene in learnt])
    asked = np.stack([_shrunk(Image.fromarray(scene.pixels)) for scene in scenes])
    distances = (asked**2).sum(1)[:, None] - 2 * asked @ small.T + (small**2).sum(1)[None]
    return [learnt[n] for n in distances.argmin(1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200, help="drawings of one thing")
    parser.add_argument("--scenes", type=int, default=50, help="of each kind of composition")
    args = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(args.model / "tokenizer.json"))
    emoji, titles = taught(args.cache, tokenizer), languages(args.cache)
    model = LlavaForConditionalGeneration.from_pretrained(
        unpacked_model(args.model), dtype=torch.float32
    )
    namer = Namer(model, Teller(tokenizer, titles, 0))
    of = [emoji[n * len(emoji) // args.count] for n in range(args.count)]
    found: dict[str, dict[str, float]] = {
        "chance": {"first": 1 / len(emoji), "five": 5 / len(emoji)},
        "nearest by pixels": hits(
            [[emoji[n].file for n in row] for row in nearest(args.cache, emoji, of, "google")],
            [one.file for one in of],
        ),
    }
    print(found, flush=True)
    for artist in ("google", "twitter"):
        painter = Painter(args.cache, emoji, artist, 10**6)
        for tag in MAIN:
            names = trie_of(tokenizer, {one.names[tag] for one in emoji if tag in one.names})
            said = [namer.names(painter.plain(one), tag, names) for one in of]
            found[f"{artist}, {titles[tag]}"] = hits(said, [one.names.get(tag, "") for one in of])
            print(f"{artist}, {titles[tag]}: {found[f'{artist}, {titles[tag]}']}", flush=True)
    painter = Painter(args.cache, emoji, None, 10**6 + 1)
    for kind, scenes in compositions(args.cache, emoji, args.scenes).items():
        near = nearest_scenes(painter, scenes)
        for tag in MAIN:
            asked = [
                (scene, other) for scene, other in zip(scenes, near, strict=True)
                if tag in scene.said
            ]  # fmt: skip
            right = [scene.said[tag] for scene, _ in asked]
            said = [namer.writes(scene.pixels, tag) for scene, _ in asked]
            told = hits(said, right)
            sort = scenes[0].kind
            told["parts"] = share_of_parts(sort, tag, [lines[0] for lines in said], right)
            of_nearest = [other.said.get(tag, "") for _, other in asked]
            told["parts of the nearest learnt scene"] = share_of_parts(sort, tag, of_nearest, right)
            found[f"{kind}, {titles[tag]}"] = told
            print(f"{kind}, {titles[tag]}: {told}", flush=True)
    (args.cache / "figures.json").write_text(json.dumps(found, indent=1))
    print(json.dumps(found, indent=1))


def hits(ranked: list[list[str]], right: list[str]) -> dict[str, float]:
    """Return how often the right one comes first, and among the first five, with 95% intervals."""
    found = {}
    for name, count in (("first", 1), ("five", 5)):
        shares = [truth in one[:count] for one, truth in zip(ranked, right, strict=True)]
        low, high = wilson(sum(shares), len(shares))
        found |= {name: sum(shares) / len(shares), f"{name} low": low, f"{name} high": high}
    return found


if __name__ == "__main__":
    main()
