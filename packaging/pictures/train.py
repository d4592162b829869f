"""Teach the built-in language model to say what a picture shows.

    python packaging/pictures/train.py CACHE --builtin resources/models/builtin \
        --corpus resources/corpus/builtin.jsonl.xz --steps 4000

The encoder is that of `CACHE/eyes.pt`, or else the one that lies here, and stays as it is: what
comes back to it through the language model is noise at first, and ruins it. The projector begins
as the linear map by which what the encoder makes of pictures is told by their names. Each step
learns from pictures with lines of text, from such lines alone, and from windows of the built-in
corpus, so that the model still writes as it did. In the middle of the model a picture is also to be
told by what its names in five languages are there, read without it (`anchors`): else nothing asks
a picture's tokens to mean there what words do. `--frozen` leaves the language model as it is, too,
so that the projector alone learns; `--language` begins with the language model of another run.
Written to `CACHE/pictures.pt` every `--keep` steps, and resumed from there.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

sys.path.append(str(Path(__file__).parents[1] / "builtin"))

import numpy as np
import torch
from emoji import Emoji, fetch, languages, read
from feeder import fed
from model import joined, pixels_of, trained_eyes
from scenes import Painter
from texts import CONTEXT, Teller
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional
from windows import Windows

SEED = 17
PICTURES, WORDS, WINDOWS = 44, 2, 4
"""Rows of a step: with a picture, of words alone, of the corpus."""
RATE, FIRST_RATE = 1e-3, 1e-4
"""The second of the projector's first weights, which are small: what they read is large."""
DECAY_SHARE, WARM_UP = 0.4, 50
NOTHING = -100
MIDDLE = 3
"""The layer after which pictures and names are compared."""
COMPARED, TEMPERATURE = 1.0, 0.1
"""Weight of that loss, and what its cosines are divided by."""
ANCHORED, ANCHORS_AT_ONCE = 200, 64
"""Steps after which the names are read anew, by the model as it is then."""
REGRESSED, RIDGE, TOLD_STEPS = 8000, 0.01, 3000
"""Pictures that the projector begins from, the weight against large coefficients, and the steps in
which it learns to tell them."""
PATCHES_SPREAD, LINEAR_FROM, LARGER = 4.0, 6.0, 4.0
"""How much more patches differ than their means, how many spreads above 0 hidden units begin, and
how much larger than names a picture enters."""


class Batch(NamedTuple):
    pictures: list[np.ndarray]
    ids: np.ndarray
    """(N, CONTEXT)"""
    targets: np.ndarray
    """(N, CONTEXT)"""
    of_one: list[int]
    """Rows with a picture of one emoji."""
    which: list[int]
    """Which emoji those are."""


def batches(builtin: Path, corpus: Path, cache: Path, seed: int) -> Iterator[Batch]:
    """Yield batches without end, rows with a picture first, then those of words alone."""
    emoji = read(cache)
    painter = Painter(cache, emoji, None, seed)
    teller = Teller(Tokenizer.from_file(str(builtin / "tokenizer.json")), languages(cache), seed)
    windows = halves(Windows(corpus, builtin, seed).batches(WINDOWS // 2))
    chooser = np.random.default_rng(seed)
    places = {one.file: number for number, one in enumerate(emoji)}
    while True:
        scenes = [painter.any() for _ in range(PICTURES)]
        texts = [teller.of_scene(scene) for scene in scenes]
        texts += [teller.of_words(emoji[n]) for n in chooser.integers(0, len(emoji), WORDS)]
        of_one = [row for row, scene in enumerate(scenes) if scene.kind == "one"]
        which = [places[scenes[row].of[0].file] for row in of_one]
        ids = np.full((len(texts) + WINDOWS, CONTEXT), teller.eos, dtype=np.int64)
        targets = np.full(ids.shape, NOTHING, dtype=np.int64)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = text
            after = np.array(text[1:])
            targets[row, : len(after)] = np.where(after == teller.image, NOTHING, after)
        ids[len(texts) :], targets[len(texts) :] = next(windows)
        yield Batch([scene.pixels for scene in scenes], ids, targets, of_one, which)


def begin_projector(model: nn.Module, named_EI: torch.Tensor, cache: Path) -> None:
    """Have the projector begin as the linear map by which a picture's mean is told by its names.

    A picture's tokens then enter the model as what its names are in the middle of it, which passes
    through the layers before. Its hidden units begin far above 0, where they are all but linear.
    """
    x_NE, which_N = seen(model, cache)
    mean_E, mean_I = x_NE.mean(dim=0), named_EI.mean(dim=0)
    x_NE, names_EI = x_NE - mean_E, named_EI - mean_I
    gram_EE = x_NE.T @ x_NE
    gram_EE += RIDGE * gram_EE.diagonal().mean() * torch.eye(len(gram_EE))
    map_EI = torch.linalg.solve(gram_EE, x_NE.T @ names_EI[which_N])
    map_EI, offset_I = told_apart(x_NE, which_N, functional.normalize(names_EI, dim=1), map_EI)
    with torch.no_grad():
        size = names_EI.norm(dim=1).mean() / (x_NE @ map_EI + offset_I).norm(dim=1).mean()
        map_EI, offset_I = size * map_EI, size * offset_I
        spread = PATCHES_SPREAD * (x_NE @ map_EI).std()
        projector = model.model.multi_modal_projector
        projector.linear_1.weight.copy_(map_EI.T / spread)
        projector.linear_1.bias.copy_(LINEAR_FROM + (offset_I - mean_E @ map_EI) / spread)
        projector.linear_2.weight.copy_(torch.eye(len(offset_I)) * spread * LARGER)
        projector.linear_2.bias.copy_(LARGER * (mean_I - LINEAR_FROM * spread))


@torch.no_grad()
def seen(model: nn.Module, cache: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (N, E), means over patches of what the encoder makes of drawings, and (N,), which."""
    emoji = read(cache)
    painter = Painter(cache, emoji, None, SEED)
    order = np.random.default_rng(SEED).permutation(np.arange(REGRESSED) % len(emoji))
    found = []
    for first in range(0, REGRESSED, ANCHORS_AT_ONCE):
        scenes = [painter.one(emoji[n]) for n in order[first : first + ANCHORS_AT_ONCE]]
        told = model.model.vision_tower(
            pixels_of([scene.pixels for scene in scenes]), output_hidden_states=True
        )
        found.append(told.hidden_states[model.config.vision_feature_layer].mean(dim=1))
    return torch.cat(found), torch.from_numpy(order)


def told_apart(
    x_NE: torch.Tensor, which_N: torch.Tensor, names_EI: torch.Tensor, map_EI: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a linear map and its offset, by which the right name is nearest by its cosine.

    `names_EI`: unit vectors. Begins with `map_EI`.
    """
    learnt = nn.Parameter(map_EI.clone()), nn.Parameter(torch.zeros(map_EI.shape[1]))
    optimiser = torch.optim.AdamW(learnt, lr=0.01 * float(map_EI.std()), weight_decay=0.0)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, TOLD_STEPS)
    chooser = torch.Generator().manual_seed(SEED)
    for _ in range(TOLD_STEPS):
        part = torch.randint(0, len(x_NE), (512,), generator=chooser)
        near = functional.normalize(x_NE[part] @ learnt[0] + learnt[1], dim=1) @ names_EI.T
        functional.cross_entropy(near / 0.05, which_N[part]).backward()
        optimiser.step()
        optimiser.zero_grad()
        decay.step()
    return learnt[0].detach(), learnt[1].detach()


def halves(
    windows: Iterator[tuple[np.ndarray, np.ndarray]],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield windows of the corpus cut to the length of the other rows."""
    for inputs, targets in windows:
        parts = (np.array_split(one, 2, axis=1) for one in (inputs, targets))
        yield tuple(np.concatenate([half[:, :CONTEXT] for half in part]) for part in parts)


def optimisers(model: nn.Module, frozen: bool) -> list[torch.optim.Optimizer]:
    inner = model.model
    first = inner.multi_modal_projector.linear_1.weight
    others = [p for p in inner.multi_modal_projector.parameters() if p is not first]
    if not frozen:
        others += inner.language_model.parameters()
    groups = [{"params": others}, {"params": [first], "lr": FIRST_RATE}]
    return [torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.95), weight_decay=0.0)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--builtin", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--keep", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--frozen", action="store_true")
    parser.add_argument("--language", type=Path, help="begin with the language model of this file")
    parser.add_argument("--bf16", action="store_true", help="for processors that multiply in it")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    fetch(args.cache)
    model = joined(args.builtin, trained_eyes(args.cache), SEED)
    model.model.vision_tower.requires_grad_(False)
    if args.language:
        begun = torch.load(args.language, weights_only=True)["model"]
        of_language = {k: v for k, v in begun.items() if k.startswith("model.language_model.")}
        model.load_state_dict(of_language, strict=False)
    if args.bf16:
        # The fused attention's gradient is slow in it.
        model.set_attn_implementation("eager")
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
    began, means = time.process_time(), np.zeros(4)
    make = partial(batches, args.builtin, args.corpus)
    emoji = read(args.cache)
    tokenizer = Tokenizer.from_file(str(args.builtin / "tokenizer.json"))
    teller = Teller(tokenizer, languages(args.cache), SEED)
    named: torch.Tensor | None = None
    for batch in fed(make, args.cache, SEED + step):
        if step >= args.steps:
            break
        if named is None or step % ANCHORED == 0:
            named = anchors(model, teller, emoji)
        if step == 0:
            begin_projector(model, named, args.cache)
        left = (1 - step / args.steps) / DECAY_SHARE
        factor = min(1.0, (step + 1) / WARM_UP, left)
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate * factor
        losses = stepped(model, named, batch, args.bf16)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for one in both:
            one.step()
            one.zero_grad()
        step += 1
        means += (losses - means) / min(step, 50)
        if step % args.keep == 0 or step == args.steps:
            states = [one.state_dict() for one in both]
            torch.save({"model": model.state_dict(), "optimisers": states, "step": step}, path)
            shown, spent = " ".join(f"{m:.3f}" for m in means), time.process_time() - began
            print(
                f"{step} loss of pictures, words, corpus, anchors {shown} {spent:.0f} s", flush=True
            )


def stepped(model: nn.Module, named_EI: torch.Tensor, batch: Batch, bf16: bool) -> np.ndarray:
    """Add the gradients of a step; return the mean loss of pictures, words, corpus and anchors."""
    ids, wanted = torch.from_numpy(batch.ids), torch.from_numpy(batch.targets)
    asked = wanted != NOTHING
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        hidden, middle = read_through(model, ids, pixel_values=pixels_of(batch.pictures))
        logits = model.lm_head(hidden[asked])
    each = functional.cross_entropy(logits.float(), wanted[asked], reduction="none")
    is_picture = ids[batch.of_one] == model.config.image_token_index
    shown = centred(pooled(middle[batch.of_one], is_picture))
    # One direction, in which a few dimensions are huge, would be all that cosines see.
    massive_I = torch.linalg.svd(shown.detach(), full_matrices=False).Vh[0]
    cosines = without(shown, massive_I) @ without(centred(named_EI), massive_I).T
    told = functional.cross_entropy(cosines / TEMPERATURE, torch.tensor(batch.which))
    (each.mean() + COMPARED * told).backward()
    counts = [int(part.sum()) for part in torch.split(asked, [PICTURES, WORDS, WINDOWS])]
    parts = [float(part.mean()) for part in torch.split(each.detach(), counts)]
    return np.array([*parts, float(told.detach())])


def read_through(
    model: nn.Module, ids: torch.Tensor, **pictures: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (N, T, I) after the last layer, and after `MIDDLE`."""
    middle: list[torch.Tensor] = []
    layer = model.model.language_model.layers[MIDDLE]
    hook = layer.register_forward_hook(lambda _module, _inputs, output: middle.append(output))
    hidden = model.model(input_ids=ids, use_cache=False, **pictures).last_hidden_state
    hook.remove()
    return hidden, middle[0]


@torch.no_grad()
def anchors(model: nn.Module, teller: Teller, emoji: list[Emoji]) -> torch.Tensor:
    """Return (E, I): what each emoji's names in the main languages are in the middle."""
    found = []
    for first in range(0, len(emoji), ANCHORS_AT_ONCE):
        texts = [teller.of_names(one) for one in emoji[first : first + ANCHORS_AT_ONCE]]
        ids = torch.full((len(texts), max(map(len, texts))), teller.eos)
        names = torch.zeros(ids.shape, dtype=torch.bool)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = torch.tensor(text)
            names[row, : len(text)] = torch.tensor(teller.names_in(text))
        found.append(pooled(read_through(model, ids)[1], names))
    return torch.cat(found)


def pooled(hidden_NTI: torch.Tensor, which_NT: torch.Tensor) -> torch.Tensor:
    """Return (N, I), the mean of the rows' chosen tokens."""
    weights = which_NT.float() / which_NT.sum(dim=1, keepdim=True)
    return torch.einsum("nt,nti->ni", weights, hidden_NTI.float())


def without(x_NI: torch.Tensor, direction_I: torch.Tensor) -> torch.Tensor:
    """Return unit vectors of what is orthogonal to a direction."""
    return functional.normalize(x_NI - (x_NI @ direction_I)[:, None] * direction_I, dim=1)


def centred(x_NI: torch.Tensor) -> torch.Tensor:
    return x_NI - x_NI.mean(dim=0)


if __name__ == "__main__":
    main()
