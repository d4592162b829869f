"""Teach the encoder and the built-in language model to say what a picture shows.

    python packaging/pictures/train.py CACHE --builtin resources/models/builtin \
        --corpus resources/corpus/builtin.jsonl.xz --steps 4000

Begins with the encoder of `train_eyes.py` and the built-in model. Each step learns from pictures
with lines of text, from such lines alone, and from windows of the built-in corpus, so that the
model still writes as it did. `--frozen` leaves the language model as it is but for the picture's
token. Written to `CACHE/pictures.pt` every `--keep` steps, and resumed from there.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "builtin"))

import numpy as np
import torch
from emoji import languages, read
from feeder import fed
from model import joined, new_eyes, pixels_of
from muon import Muon
from scenes import Painter
from texts import CONTEXT, Teller
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional
from windows import Windows

SEED = 17
PICTURES, WORDS, WINDOWS = 24, 8, 6
"""Rows of a step: with a picture, of words alone, of the corpus."""
MATRIX_RATE, OTHER_RATE = 0.01, 1e-3
DECAY_SHARE = 0.4
NOTHING = -100


def batches(
    builtin: Path, corpus: Path, cache: Path, seed: int
) -> Iterator[tuple[list[np.ndarray], np.ndarray, np.ndarray]]:
    """Yield (pictures, ids (N, CONTEXT), targets (N, CONTEXT)), rows with a picture first."""
    emoji = read(cache)
    painter = Painter(cache, emoji, None, seed)
    teller = Teller(Tokenizer.from_file(str(builtin / "tokenizer.json")), languages(cache), seed)
    windows = halves(Windows(corpus, builtin, seed).batches(WINDOWS // 2))
    chooser = np.random.default_rng(seed)
    while True:
        scenes = [painter.any() for _ in range(PICTURES)]
        texts = [teller.of_scene(scene) for scene in scenes]
        texts += [teller.of_words(emoji[n]) for n in chooser.integers(0, len(emoji), WORDS)]
        ids = np.full((len(texts) + WINDOWS, CONTEXT), teller.eos, dtype=np.int64)
        targets = np.full(ids.shape, NOTHING, dtype=np.int64)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = text
            after = np.array(text[1:])
            targets[row, : len(after)] = np.where(after == teller.image, NOTHING, after)
        ids[len(texts) :], targets[len(texts) :] = next(windows)
        yield [scene.pixels for scene in scenes], ids, targets


def halves(
    windows: Iterator[tuple[np.ndarray, np.ndarray]],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield windows of the corpus cut to the length of the other rows."""
    for inputs, targets in windows:
        yield inputs.reshape(-1, CONTEXT), targets.reshape(-1, CONTEXT)


def optimisers(model: nn.Module, frozen: bool) -> list[torch.optim.Optimizer]:
    inner = model.model
    learnt = [inner.vision_tower, inner.multi_modal_projector]
    if not frozen:
        learnt.append(inner.language_model)
    layers = [p for part in learnt for name, p in part.named_parameters() if ".layers." in name]
    matrices = [p for p in layers if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    others = [p for part in learnt for p in part.parameters() if id(p) not in chosen]
    return [
        Muon(matrices, lr=MATRIX_RATE, weight_decay=0.02, precision=torch.float32),
        torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--builtin", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--keep", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--frozen", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    eyes = new_eyes(SEED)
    told = torch.load(args.cache / "eyes.pt", weights_only=True)["eyes"]
    prefix = "encoder."
    eyes.load_state_dict(
        {k.removeprefix(prefix): v for k, v in told.items() if k.startswith(prefix)}
    )
    model = joined(args.builtin, eyes, SEED)
    both = optimisers(model, args.frozen)
    path, step = args.cache / "pictures.pt", 0
    if path.is_file():
        kept = torch.load(path, weights_only=True)
        model.load_state_dict(kept["model"])
        for one, state in zip(both, kept["optimisers"], strict=True):
            one.load_state_dict(state)
        step = kept["step"]
    groups = [group for one in both for group in one.param_groups]
    rates = [group["lr"] for group in groups]
    began, means = time.process_time(), np.zeros(3)
    make = partial(batches, args.builtin, args.corpus)
    for pictures, ids, targets in fed(make, args.cache, SEED + step):
        if step >= args.steps:
            break
        left = (1 - step / args.steps) / DECAY_SHARE
        factor = min(1.0, (step + 1) / 100, left)
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate * factor
        losses = stepped(model, pictures, ids, targets)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for one in both:
            one.step()
        model.zero_grad()
        step += 1
        means += (losses - means) / min(step, 50)
        if step % args.keep == 0 or step == args.steps:
            states = [one.state_dict() for one in both]
            torch.save({"model": model.state_dict(), "optimisers": states, "step": step}, path)
            shown, spent = " ".join(f"{m:.3f}" for m in means), time.process_time() - began
            print(f"{step} loss of pictures, words, corpus {shown} {spent:.0f} s", flush=True)


def stepped(
    model: nn.Module, pictures: list[np.ndarray], ids: np.ndarray, targets: np.ndarray
) -> np.ndarray:
    """Add the gradients of a step; return the mean loss of pictures, words and corpus."""
    hidden = model.model(
        input_ids=torch.from_numpy(ids), pixel_values=pixels_of(pictures), use_cache=False
    ).last_hidden_state  # fmt: skip
    wanted = torch.from_numpy(targets)
    logits = model.lm_head(hidden)
    each = functional.cross_entropy(
        logits.flatten(0, 1), wanted.flatten(), ignore_index=NOTHING, reduction="none"
    ).view(wanted.shape)
    (each.sum() / (wanted != NOTHING).sum()).backward()
    parts = torch.split(each.detach(), [PICTURES, WORDS, WINDOWS])
    counts = torch.split(wanted != NOTHING, [PICTURES, WORDS, WINDOWS])
    return np.array([float(a.sum() / b.sum()) for a, b in zip(parts, counts, strict=True)])


if __name__ == "__main__":
    main()
