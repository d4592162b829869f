"""Teach the encoder which emoji a picture shows, and its keywords, before it meets the language
model.

    python packaging/pictures/train_eyes.py CACHE --steps 2800

Linear layers on the mean of the patches name the emoji and say which English keywords it has,
which drawings of the same kind of thing share; both are thrown away. Until rates fall, half of the
patches are looked at, drawn anew for each picture (Li et al. 2023): twice as fast, and no
single patch can be leant on. Written to `CACHE/eyes.pt` every `--keep` steps, and resumed from
there.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "builtin"))

import numpy as np
import torch
from emoji import Artist, Emoji, fetch, read
from feeder import fed
from model import TRAINED, new_eyes, pixels_of
from muon import Muon
from numpy.typing import NDArray
from scenes import Painter
from torch import nn
from torch.nn import functional

from sae_desktop.language_model.files.packed import pack

SEED = 17
BATCH = 96
MATRIX_RATE, OTHER_RATE = 0.02, 2e-3
DECAY_SHARE = 0.4
FEWEST = 4
"""A keyword counts that so many emoji have."""
SHARE = 0.5
"""Of the patches are looked at, until the rates fall."""
KEYWORDS = 0.2
"""Weight of the keywords beside the names."""


class Eyes(nn.Module):
    """The encoder, what names the emoji, and what says its keywords."""

    def __init__(self, classes: int, keywords: int) -> None:
        super().__init__()
        self.encoder = new_eyes(SEED)
        self.naming = nn.Linear(self.encoder.config.hidden_size, classes)
        self.saying = nn.Linear(self.encoder.config.hidden_size, keywords)

    def forward(
        self, pixels: torch.Tensor, share: float = 1.0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """`share`: of the patches, by chance anew each time; the others are not looked at."""
        patches = self.encoder.embeddings(pixels)
        if share < 1:
            kept = torch.rand(patches.shape[:2]).topk(round(share * patches.shape[1])).indices
            patches = patches.take_along_dim(kept[..., None], dim=1)
        hidden = self.encoder.encoder(inputs_embeds=patches).last_hidden_state
        seen = self.encoder.post_layernorm(hidden).mean(dim=1)
        return self.naming(seen), self.saying(seen)


def keywords_of(emoji: list[Emoji]) -> torch.Tensor:
    """Return (emoji, keywords) of 0 and 1: the kind and the English words that several have."""
    said = [{one.kind, *one.words.get("en", ())} for one in emoji]
    counts = Counter(word for words in said for word in words)
    kept = sorted(word for word, count in counts.items() if count >= FEWEST)
    return torch.tensor([[float(word in words) for word in kept] for words in said])


def optimisers(eyes: Eyes) -> list[torch.optim.Optimizer]:
    matrices = [p for p in eyes.encoder.encoder.layers.parameters() if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    others = [p for p in eyes.parameters() if id(p) not in chosen]
    return [
        Muon(matrices, lr=MATRIX_RATE, weight_decay=0.05, precision=torch.float32),
        torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.95), weight_decay=0.01),
    ]


@torch.no_grad()
def found(eyes: Eyes, cache: Path, artist: Artist, count: int) -> tuple[float, float]:
    """Return how often the right emoji of an artist comes first, and among the first five."""
    emoji = read(cache)
    painter = Painter(cache, emoji, artist, seed=10**6)
    first = five = 0
    chosen = [emoji[n * len(emoji) // count] for n in range(count)]
    for at in range(0, count, BATCH):
        part = chosen[at : at + BATCH]
        scores, _ = eyes(pixels_of([painter.plain(one) for one in part]))
        top = scores.topk(5).indices
        right = torch.tensor([emoji.index(one) for one in part])
        first += int((top[:, 0] == right).sum())
        five += int((top == right[:, None]).any(1).sum())
    return first / count, five / count


def batches(cache: Path, seed: int) -> Iterator[tuple[list[NDArray[np.uint8]], list[int]]]:
    """Yield (pictures, which emoji) without end."""
    emoji = read(cache)
    place = {one.file: number for number, one in enumerate(emoji)}
    painter = Painter(cache, emoji, None, seed)
    while True:
        scenes = [painter.one() for _ in range(BATCH)]
        yield [scene.pixels for scene in scenes], [place[scene.of[0].file] for scene in scenes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--keep", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pack", action="store_true", help="keep what was trained here, too")
    parser.add_argument("--bf16", action="store_true", help="for processors that multiply in it")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    fetch(args.cache)
    keywords = keywords_of(read(args.cache))
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
    rates = [group["lr"] for one in both for group in one.param_groups]
    began, mean = time.process_time(), 0.0
    for pictures, which in fed(batches, args.cache, SEED + step):
        if step >= args.steps:
            break
        left = (1 - step / args.steps) / DECAY_SHARE
        factor = min(1.0, (step + 1) / 100, left)
        groups = [group for one in both for group in one.param_groups]
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate * factor
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            names, words = eyes(pixels_of(pictures), SHARE if left > 1 else 1.0)
        names, words = names.float(), words.float()
        loss = functional.cross_entropy(names, torch.tensor(which))
        # The sum over keywords, so that both are of one size.
        also = functional.binary_cross_entropy_with_logits(
            words, keywords[which], reduction="none"
        ).sum(1)
        (loss + KEYWORDS * also.mean()).backward()
        nn.utils.clip_grad_norm_(eyes.parameters(), 1.0)
        for one in both:
            one.step()
            one.zero_grad()
        step += 1
        mean += (loss.item() - mean) / min(step, 50)
        if step % args.keep == 0 or step == args.steps:
            states = [one.state_dict() for one in both]
            torch.save({"eyes": eyes.state_dict(), "optimisers": states, "step": step}, path)
            seen, unseen = (found(eyes, args.cache, by, 384) for by in ("twitter", "google"))
            told = "twitter {:.3f} {:.3f} google {:.3f} {:.3f}".format(*seen, *unseen)
            if args.pack:
                weights = eyes.encoder.state_dict()
                pack({name: w.float().numpy() for name, w in weights.items()}, TRAINED)
            print(f"{step} loss {mean:.3f} {told} {time.process_time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
