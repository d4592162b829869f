"""Teach the encoder what a picture shows before it meets the language model.

    python packaging/pictures/train_eyes.py CACHE --steps 7000

Linear layers, thrown away afterwards, name the emoji and say which English keywords it has, which
drawings of the same kind of thing share. Of two things side by side they name that of each half
from that half's patches alone; of several of one they say how many; of a shape its colour and form.
Until rates fall, half of the patches of a single thing are looked at, drawn anew for each picture
(Li et al. 2023): twice as fast, and no single patch can be leant on. Written to `CACHE/eyes.pt`
every `--keep` steps, and resumed from there; `--begin` begins a new schedule with the weights of
another run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

sys.path.append(str(Path(__file__).parents[1] / "builtin"))

import numpy as np
import torch
from emoji import Artist, Emoji, fetch, read, taught
from feeder import fed
from model import PATCHES, TRAINED, new_eyes, pixels_of
from muon import Muon
from numpy.typing import NDArray
from scenes import COLOURS, SHAPES, Painter, Scene
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

from sae_desktop.language_model.files.packed import pack

SEED = 17
BATCH, COMPOSED = 96, 48
"""Pictures of a step: of single things, and of compositions."""
SINGLE = 0.7
"""Share of the steps that are of single things."""
TAUGHT = 0.8
"""Share of single things whose names the language model is taught."""
MATRIX_RATE, OTHER_RATE = 0.02, 2e-3
DECAY_SHARE = 0.4
FEWEST = 4
"""A keyword counts that so many emoji have."""
SHARE = 0.5
"""Of the patches are looked at, until the rates fall."""
KEYWORDS = 0.2
"""Weight of the keywords beside the names."""
MOST = 5
"""Of one thing in a picture."""
UNASKED = -100
COLUMNS = torch.arange(PATCHES) % round(PATCHES**0.5) < round(PATCHES**0.5) // 2
"""(P,), which patches are of the left half."""


class Told(NamedTuple):
    """What heads make of pictures."""

    names: torch.Tensor
    """(N, 2, emoji), of each half, or twice of the whole."""
    keywords: torch.Tensor
    number: torch.Tensor
    colour: torch.Tensor
    shape: torch.Tensor


class Eyes(nn.Module):
    """The encoder, and what says what it sees."""

    def __init__(self, classes: int, keywords: int) -> None:
        super().__init__()
        self.encoder = new_eyes(SEED)
        width = self.encoder.config.hidden_size
        self.naming = nn.Linear(width, classes)
        self.saying = nn.Linear(width, keywords)
        self.counting = nn.Linear(width, MOST + 1)
        self.colouring = nn.Linear(width, len(COLOURS))
        self.shaping = nn.Linear(width, len(SHAPES))

    def forward(
        self, pixels: torch.Tensor, halved: torch.Tensor | None = None, share: float = 1.0
    ) -> Told:
        """`halved` (N,): which pictures show one thing in each half.

        `share`: of the patches, by chance anew each time; the others are not looked at.
        """
        patches = self.encoder.embeddings(pixels)
        if share < 1:
            kept = torch.rand(patches.shape[:2]).topk(round(share * patches.shape[1])).indices
            patches = patches.take_along_dim(kept[..., None], dim=1)
        hidden = self.encoder.encoder(inputs_embeds=patches).last_hidden_state
        seen = self.encoder.post_layernorm(hidden)
        mean = seen.mean(dim=1)
        halves = torch.stack([mean, mean], dim=1)
        if halved is not None:
            sides = torch.stack([seen[:, COLUMNS].mean(1), seen[:, ~COLUMNS].mean(1)], dim=1)
            halves = torch.where(halved[:, None, None], sides, halves)
        heads = (self.saying, self.counting, self.colouring, self.shaping)
        return Told(self.naming(halves), *(head(mean) for head in heads))


class Asked(NamedTuple):
    """What is to be told of pictures; `UNASKED` where there is nothing to tell."""

    names: NDArray[np.int64]
    """(N, 2)."""
    halved: NDArray[np.bool_]
    number: NDArray[np.int64]
    colour: NDArray[np.int64]
    shape: NDArray[np.int64]


def asked_of(scenes: list[Scene], places: dict[str, int]) -> Asked:
    """`places`: by file, which emoji."""
    names = np.full((len(scenes), 2), UNASKED)
    number, colour, shape = (np.full(len(scenes), UNASKED) for _ in range(3))
    for row, scene in enumerate(scenes):
        if scene.form is None:
            names[row] = places[scene.of[0].file], places[scene.of[-1].file]
        else:
            colour[row] = list(COLOURS).index(scene.form[0])
            shape[row] = list(SHAPES).index(scene.form[1])
        if scene.kind in ("one", "count"):
            number[row] = len(scene.of)
    halved = np.array([scene.kind == "pair" for scene in scenes])
    return Asked(names, halved, number, colour, shape)


def keywords_of(emoji: list[Emoji]) -> torch.Tensor:
    """Return (emoji, keywords) of 0 and 1: the kind and the English words that several have."""
    said = [{one.kind, *one.words.get("en", ())} for one in emoji]
    counts = Counter(word for words in said for word in words)
    kept = sorted(word for word, count in counts.items() if count >= FEWEST)
    return torch.tensor([[float(word in words) for word in kept] for words in said])


def loss_of(told: Told, asked: Asked, keywords: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss, and of it that of the names alone."""
    wanted = torch.from_numpy(asked.names)
    loss = of_names = functional.cross_entropy(told.names.float().flatten(0, 1), wanted.flatten())
    single = torch.from_numpy((asked.names[:, 0] != UNASKED) & ~asked.halved)
    if single.any():
        of = told.keywords.float()[single], keywords[wanted[single, 0]]
        # The sum over keywords, so that both are of one size.
        each = functional.binary_cross_entropy_with_logits(*of, reduction="none").sum(1)
        loss = loss + KEYWORDS * each.mean()
    for scores, right in zip(told[2:], asked[2:], strict=True):
        if (right != UNASKED).any():
            loss = loss + functional.cross_entropy(scores.float(), torch.from_numpy(right))
    return loss, of_names


def optimisers(eyes: Eyes) -> list[torch.optim.Optimizer]:
    matrices = [p for p in eyes.encoder.encoder.layers.parameters() if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    others = [p for p in eyes.parameters() if id(p) not in chosen]
    return [
        Muon(matrices, lr=MATRIX_RATE, weight_decay=0.05, precision=torch.float32),
        torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.95), weight_decay=0.01),
    ]


@torch.no_grad()
def found(eyes: Eyes, cache: Path, artist: Artist, emoji: list[Emoji]) -> tuple[float, float]:
    """Return how often the right emoji of an artist comes first, and among the first five."""
    everything = read(cache)
    places = torch.tensor([everything.index(one) for one in emoji])
    painter = Painter(cache, emoji, artist, seed=10**6)
    first = five = 0
    for at in range(0, len(emoji), BATCH):
        shown = [painter.plain(one) for one in emoji[at : at + BATCH]]
        top = eyes(pixels_of(shown)).names[:, 0, places].topk(5).indices
        right = torch.arange(at, at + len(shown))
        first += int((top[:, 0] == right).sum())
        five += int((top == right[:, None]).any(1).sum())
    return first / len(emoji), five / len(emoji)


def batches(
    builtin: Path, cache: Path, seed: int
) -> Iterator[tuple[list[NDArray[np.uint8]], Asked]]:
    """Yield (pictures, what they show) without end."""
    everything = read(cache)
    short = taught(cache, Tokenizer.from_file(str(builtin / "tokenizer.json")))
    places = {one.file: number for number, one in enumerate(everything)}
    all_things, named = (Painter(cache, of, None, seed) for of in (everything, short))
    chance = np.random.default_rng(seed)
    while True:
        if chance.random() < SINGLE:
            many = chance.random(BATCH) < TAUGHT
            scenes = [(named if one else all_things).one() for one in many]
        else:
            kinds = chance.choice(["pair", "count", "shape"], COMPOSED, p=[0.5, 0.35, 0.15])
            draw = {"pair": named.pair, "count": named.count, "shape": named.shape}
            scenes = [draw[kind]() for kind in kinds]
        yield [scene.pixels for scene in scenes], asked_of(scenes, places)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--builtin", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=7000)
    parser.add_argument("--keep", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--begin", type=Path, help="begin with what another run of this kept here")
    parser.add_argument("--pack", action="store_true", help="keep what was trained here, too")
    parser.add_argument("--bf16", action="store_true", help="for processors that multiply in it")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    fetch(args.cache)
    keywords = keywords_of(read(args.cache))
    short = taught(args.cache, Tokenizer.from_file(str(args.builtin / "tokenizer.json")))
    eyes = Eyes(*keywords.shape)
    if args.bf16:
        # The fused attention's gradient is slow in it.
        eyes.encoder.set_attn_implementation("eager")
    both = optimisers(eyes)
    path, step = args.cache / "eyes.pt", 0
    if path.is_file():
        kept = torch.load(path, weights_only=True)
        eyes.load_state_dict(kept["eyes"])
        for one, state in zip(both, kept["optimisers"], strict=True):
            one.load_state_dict(state)
        step = kept["step"]
    elif args.begin:
        eyes.load_state_dict(torch.load(args.begin, weights_only=True)["eyes"], strict=False)
    rates = [group["lr"] for one in both for group in one.param_groups]
    began, mean = time.process_time(), 0.0
    for pictures, asked in fed(partial(batches, args.builtin), args.cache, SEED + step):
        if step >= args.steps:
            break
        left = (1 - step / args.steps) / DECAY_SHARE
        factor = min(1.0, (step + 1) / 100, left)
        groups = [group for one in both for group in one.param_groups]
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate * factor
        halved = torch.from_numpy(asked.halved)
        share = SHARE if left > 1 and len(pictures) == BATCH else 1.0
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            told = eyes(pixels_of(pictures), halved if halved.any() else None, share)
        loss, of_names = loss_of(told, asked, keywords)
        loss.backward()
        nn.utils.clip_grad_norm_(eyes.parameters(), 1.0)
        for one in both:
            one.step()
            one.zero_grad()
        step += 1
        mean += (of_names.item() - mean) / min(step, 50)
        if step % args.keep == 0 or step == args.steps:
            states = [one.state_dict() for one in both]
            torch.save({"eyes": eyes.state_dict(), "optimisers": states, "step": step}, path)
            seen, unseen = (found(eyes, args.cache, by, short) for by in ("twitter", "google"))
            told = "twitter {:.3f} {:.3f} google {:.3f} {:.3f}".format(*seen, *unseen)
            if args.pack:
                weights = eyes.encoder.state_dict()
                pack({name: w.float().numpy() for name, w in weights.items()}, TRAINED)
            print(f"{step} loss {mean:.3f} {told} {time.process_time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
