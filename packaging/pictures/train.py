"""Teach the built-in language model to say what a picture shows.

    python packaging/pictures/train.py CACHE --builtin resources/models/builtin \
        --corpus resources/corpus/builtin.jsonl.xz --steps 4000

The encoder is that of `CACHE/eyes.pt`, or else the one that lies here, and stays as it is: what
comes back to it through the language model is noise at first, and ruins it. The projector begins
as the linear map by which what the encoder makes of pictures is told by their names. Each step
learns from pictures with lines of text (`rows`), from such lines alone, and from windows of the
built-in corpus, so that the model still writes as it did. In the middle of the model a thing has
one direction (`things`), by which its pictures are to be told there as its names are where they
end, in five languages and within the words of other texts: else nothing asks a picture's tokens to
mean there what words do, and what is alike of both is the pieces that names are written in. On the
corpus the model that it was made from teaches it: what that expects next says more than what came.
Written to `CACHE/pictures.pt` every `--keep` steps, and resumed from there; `--language` begins
with the language model of another run, and `--again` goes on with another run's whole model, behind
the encoder of this one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

sys.path.append(str(Path(__file__).parents[1] / "builtin"))

import numpy as np
import rows
import torch
from emoji import Emoji, fetch, languages, taught
from feeder import fed
from model import joined, pixels_of, trained_eyes
from rows import NOTHING, Rows
from scenes import Painter
from texts import CONTEXT, Teller
from things import Things
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional
from transformers import LlamaForCausalLM
from windows import Windows

SEED = 17
WORDS, WINDOWS, NAMED = 3, 6, 32
"""Rows of a step that are of words alone, of the corpus, and of a name among other words."""
GRIDS = ((0.35, (1, 2)), (0.65, (2, 4)), (1.0, (4, 8, 8)))
"""Until which share of the steps a picture is how many cells a side, by chance; a model that has
learnt goes on with the last."""
PICTURES = {1: 96, 2: 96, 4: 72, 8: 44}
"""Pictures of a step by cells a side."""
SHOWN = {"pair": 2, "count": 4}
"""Cells a side without which a scene is not to be seen."""
BANK, AGAIN = 800, 3
"""Scenes to choose from, and how often each is chosen on average before it is drawn anew."""
RATE, FIRST_RATE = 1e-3, 1e-4
"""The second of the projector's first weights, which are small: what they read is large."""
DECAY_SHARE, WARM_UP = 0.4, 50
MIDDLE = 3
"""The layer after which pictures and names are compared."""
COMPARED = 1.0
"""Weight of the losses by which pictures, and names, are told in the middle."""
AT_ONCE = 64
"""Names or drawings that are read at once before the first step."""
REGRESSED, RIDGE, TOLD_STEPS = 8000, 0.01, 3000
"""Pictures that the projector begins from, the weight against large coefficients, and the steps in
which it learns to tell them."""
PATCHES_SPREAD, LINEAR_FROM, LARGER = 4.0, 6.0, 4.0
"""How much more patches differ than their means, how many spreads above 0 hidden units begin, and
how much larger than names a picture enters."""


class Batch(NamedTuple):
    pictures: list[np.ndarray]
    grid: int
    """Cells a side."""
    shown: Rows
    """A row for a picture."""
    texts: Rows
    """Those of words alone, then those of the corpus."""
    named: Rows
    """Names among other words."""
    ends: list[int]
    """Where the names end."""
    which_named: list[int]
    """Which emoji those are."""
    of_one: list[int]
    """Pictures of one emoji."""
    which: list[int]
    """Which emoji those are."""


def batches(
    builtin: Path, corpus: Path, steps: int, begun: int, again: bool, cache: Path, seed: int
) -> Iterator[Batch]:
    """Yield the batches of the steps that are left; `again`: of a model that has learnt."""
    tokenizer = Tokenizer.from_file(str(builtin / "tokenizer.json"))
    emoji = taught(cache, tokenizer)
    painter = Painter(cache, emoji, None, seed)
    teller = Teller(tokenizer, languages(cache), seed)
    windows = halves(Windows(corpus, builtin, seed).batches(WINDOWS // 2))
    chance = np.random.default_rng(seed)
    numbers = {one.file: number for number, one in enumerate(emoji)}
    bank = [painter.any() for _ in range(BANK)]
    grids = GRIDS[-1:] if again else GRIDS
    for step in range(begun, steps):
        grid = int(chance.choice(next(sides for until, sides in grids if step < until * steps)))
        count = PICTURES[grid]
        for place in chance.integers(0, BANK, count // AGAIN):
            bank[place] = painter.any()
        seen = (bank[place] for place in chance.permutation(BANK))
        scenes = list(islice((one for one in seen if SHOWN.get(one.kind, 1) <= grid), count))
        lines = [teller.of_scene(scene) for scene in scenes]
        words = [teller.of_words(emoji[n]) for n in chance.integers(0, len(emoji), WORDS)]
        inputs, targets = next(windows)
        of_corpus = Rows(inputs, targets, *rows.one_after_another(inputs.shape))
        which_named = chance.integers(0, len(emoji), NAMED).tolist()
        around = inputs[chance.integers(0, len(inputs), NAMED)]
        named = [
            teller.among(emoji[n], others.tolist())
            for n, others in zip(which_named, around, strict=True)
        ]
        of_one = [row for row, scene in enumerate(scenes) if scene.kind == "one"]
        yield Batch(
            [scene.pixels for scene in scenes],
            grid,
            rows.of_pictures(lines, grid, teller, chance),
            rows.together(rows.of_texts(words, CONTEXT, teller), of_corpus),
            rows.of_texts([ids for ids, _ in named], max(len(ids) for ids, _ in named), teller),
            [end for _, end in named],
            which_named,
            of_one,
            [numbers[scenes[row].of[0].file] for row in of_one],
        )


def begin_projector(
    model: nn.Module, named_EI: torch.Tensor, emoji: list[Emoji], cache: Path
) -> None:
    """Have the projector begin as the linear map by which a picture's mean is told by its names.

    A picture's tokens then enter the model as what its names are in the middle of it, which passes
    through the layers before. Its hidden units begin far above 0, where they are all but linear.
    """
    x_NE, which_N = seen(model, emoji, cache)
    mean_E, mean_I = x_NE.mean(dim=0), named_EI.mean(dim=0)
    x_NE, names_EI = x_NE - mean_E, named_EI - mean_I
    map_EI = ridge(x_NE, names_EI[which_N])
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
def seen(model: nn.Module, emoji: list[Emoji], cache: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (N, E), means over patches of what the encoder makes of drawings, and (N,), which."""
    painter = Painter(cache, emoji, None, SEED)
    order = np.random.default_rng(SEED).permutation(np.arange(REGRESSED) % len(emoji))
    found = []
    for first in range(0, REGRESSED, AT_ONCE):
        scenes = [painter.one(emoji[n]) for n in order[first : first + AT_ONCE]]
        told = model.model.vision_tower(
            pixels_of([scene.pixels for scene in scenes]), output_hidden_states=True
        )
        found.append(told.hidden_states[model.config.vision_feature_layer].mean(dim=1))
    return torch.cat(found), torch.from_numpy(order)


def take_over(model: nn.Module, eyes: nn.Module, emoji: list[Emoji], cache: Path) -> None:
    """Put another encoder into a model, whose projector then reads of it what it had read before.

    A linear map, to what the encoder before made on average of a thing, goes before its first
    layer, which takes it in.
    """
    before = model.model.vision_tower.state_dict()
    if all(torch.equal(weight, before[name]) for name, weight in eyes.state_dict().items()):
        return
    old_NE, which_N = seen(model, emoji, cache)
    model.model.vision_tower.load_state_dict(eyes.state_dict())
    new_NE, _ = seen(model, emoji, cache)
    means_CE = torch.stack([old_NE[which_N == n].mean(dim=0) for n in range(len(emoji))])
    new_E, old_E = new_NE.mean(dim=0), old_NE.mean(dim=0)
    map_EE = ridge(new_NE - new_E, means_CE[which_N] - old_E)
    first = model.model.multi_modal_projector.linear_1
    with torch.no_grad():
        first.bias += first.weight @ (old_E - new_E @ map_EE)
        first.weight.copy_(first.weight @ map_EE.T)


def ridge(x_NE: torch.Tensor, y_NI: torch.Tensor) -> torch.Tensor:
    """Return (E, I), the linear map from one to the other, both of mean 0."""
    gram_EE = x_NE.T @ x_NE
    gram_EE += RIDGE * gram_EE.diagonal().mean() * torch.eye(len(gram_EE))
    return torch.linalg.solve(gram_EE, x_NE.T @ y_NI)


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


def optimiser(model: nn.Module, things: Things) -> torch.optim.Optimizer:
    inner = model.model
    first = inner.multi_modal_projector.linear_1.weight
    others = [p for p in inner.multi_modal_projector.parameters() if p is not first]
    others += [*inner.language_model.parameters(), *things.parameters()]
    groups = [{"params": others}, {"params": [first], "lr": FIRST_RATE}]
    return torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.95), weight_decay=0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--builtin", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--keep", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--language", type=Path, help="begin with the language model of this file")
    parser.add_argument("--again", type=Path, help="go on with the model of this file")
    parser.add_argument("--bf16", action="store_true", help="for processors that multiply in it")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    fetch(args.cache)
    model = joined(args.builtin, trained_eyes(args.cache), SEED)
    model.model.vision_tower.requires_grad_(False)
    if args.language:
        before = torch.load(args.language, weights_only=True)["model"]
        of_language = {k: v for k, v in before.items() if k.startswith("model.language_model.")}
        model.load_state_dict(of_language, strict=False)
    teacher = LlamaForCausalLM.from_pretrained(args.builtin, dtype=torch.float32)
    # The fused attention's gradient is slow in bf16, and with masks.
    model.set_attn_implementation("eager")
    tokenizer = Tokenizer.from_file(str(args.builtin / "tokenizer.json"))
    emoji = taught(args.cache, tokenizer)
    teller = Teller(tokenizer, languages(args.cache), SEED)
    path, step = args.cache / "pictures.pt", 0
    kept = torch.load(path, weights_only=True) if path.is_file() else None
    if kept is None and args.again:
        model.load_state_dict(torch.load(args.again, weights_only=True)["model"])
        take_over(model, trained_eyes(args.cache), emoji, args.cache)
    named_EI = names_of(model, teller, emoji)
    things = Things(named_EI)
    learning = optimiser(model, things)
    if kept is not None:
        model.load_state_dict(kept["model"])
        things.load_state_dict(kept["things"])
        learning.load_state_dict(kept["optimiser"])
        step = kept["step"]
    elif not args.again:
        begin_projector(model, named_EI, emoji, args.cache)
    rates = [group["lr"] for group in learning.param_groups]
    began, means = time.process_time(), np.zeros(5)
    make = partial(batches, args.builtin, args.corpus, args.steps, step, bool(args.again))
    for batch in fed(make, args.cache, SEED + step):
        left = (1 - step / args.steps) / DECAY_SHARE
        factor = min(1.0, (step + 1) / WARM_UP, left)
        for group, rate in zip(learning.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        losses = stepped(model, teacher, things, batch, args.bf16)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        learning.step()
        learning.zero_grad()
        step += 1
        means += (losses - means) / min(step, 50)
        if step % args.keep == 0 or step == args.steps:
            state = {"model": model.state_dict(), "things": things.state_dict()}
            torch.save(state | {"optimiser": learning.state_dict(), "step": step}, path)
            shown, spent = " ".join(f"{m:.3f}" for m in means), time.process_time() - began
            print(
                f"{step} loss of pictures, words, corpus, pictures and names told in the middle "
                f"{shown} {spent:.0f} s",
                flush=True,
            )
        if step == args.steps:
            break


def stepped(
    model: nn.Module, teacher: nn.Module, things: Things, batch: Batch, bf16: bool
) -> np.ndarray:
    """Add the gradients of a step; return the mean loss of pictures, words, corpus, and of
    pictures and of names told in the middle.

    That of the corpus is how much less the model says of what the teacher expects (Hinton et
    al. 2015).
    """
    counts = [int((part.targets != NOTHING).sum()) for part in (batch.shown, batch.texts)]
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        hidden, middle = read_through(model, batch.shown, cells_of(model, batch))
        each = losses_of(model, hidden, batch.shown)
    is_picture = torch.from_numpy(batch.shown.ids[batch.of_one]) == model.config.image_token_index
    shown = things.untold(pooled(middle[batch.of_one], is_picture), torch.tensor(batch.which))
    (each.sum() / sum(counts) + COMPARED * shown).backward()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        hidden = read_through(model, batch.texts)[0]
        of_words = losses_of(model, hidden[:WORDS], batch.texts.part(0, WORDS))
        of_corpus = unlike(teacher, model.lm_head(hidden[WORDS:]), batch.texts.ids[WORDS:])
        middle = read_through(model, batch.named)[1]
    named_NI = middle[torch.arange(NAMED), torch.tensor(batch.ends)].float()
    named = things.untold(named_NI, torch.tensor(batch.which_named))
    ((of_words.sum() + of_corpus.sum()) / sum(counts) + COMPARED * named).backward()
    parts = [float(part.detach().mean()) for part in (each, of_words, of_corpus)]
    return np.array([*parts, shown.item(), named.item()])


def unlike(teacher: nn.Module, logits: torch.Tensor, ids: rows.Ids) -> torch.Tensor:
    """Return (N, T): how much less likely what the teacher expects is found, in nats."""
    with torch.no_grad():
        expected = teacher(torch.from_numpy(ids)).logits.float().log_softmax(-1)
    # A patch's token, the last, is none the teacher knows.
    found = logits[..., : expected.shape[-1]].float().log_softmax(-1)
    return (expected.exp() * (expected - found)).sum(-1)


def cells_of(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Return (N, cells, I): what the projector makes of pictures."""
    inner = model.model
    with torch.no_grad():
        told = inner.vision_tower(pixels_of(batch.pictures), output_hidden_states=True)
        patches = told.hidden_states[model.config.vision_feature_layer]
    return inner.multi_modal_projector(rows.pooled(patches, batch.grid))


def losses_of(model: nn.Module, hidden: torch.Tensor, of: Rows) -> torch.Tensor:
    """Return the loss of each token that is learnt, row by row."""
    wanted = torch.from_numpy(of.targets)
    asked = wanted != NOTHING
    logits = model.lm_head(hidden[asked])
    return functional.cross_entropy(logits.float(), wanted[asked], reduction="none")


def read_through(
    model: nn.Module, of: Rows, cells: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (N, T, I) after the last layer, and after `MIDDLE`, with cells of pictures."""
    language, middle = model.model.language_model, []
    embedded = language.embed_tokens(torch.from_numpy(of.ids))
    if cells is not None:
        embedded = torch.cat([embedded[:, :1], cells, embedded[:, 1 + cells.shape[1] :]], dim=1)
    hook = language.layers[MIDDLE].register_forward_hook(
        lambda _module, _inputs, output: middle.append(output)
    )
    hidden = language(
        inputs_embeds=embedded,
        attention_mask=rows.mask_of(of.blocks, torch.float32),
        position_ids=torch.from_numpy(of.places),
        use_cache=False,
    ).last_hidden_state
    hook.remove()
    return hidden, middle[0]


@torch.no_grad()
def names_of(model: nn.Module, teller: Teller, emoji: list[Emoji]) -> torch.Tensor:
    """Return (E, I): what each emoji's names in the main languages are in the middle."""
    found = []
    for first in range(0, len(emoji), AT_ONCE):
        texts = [teller.of_names(one) for one in emoji[first : first + AT_ONCE]]
        of = rows.of_texts(texts, max(map(len, texts)), teller)
        names = torch.zeros(of.ids.shape, dtype=torch.bool)
        for row, text in enumerate(texts):
            names[row, : len(text)] = torch.tensor(teller.names_in(text))
        found.append(pooled(read_through(model, of)[1], names))
    return torch.cat(found)


def pooled(hidden_NTI: torch.Tensor, which_NT: torch.Tensor) -> torch.Tensor:
    """Return (N, I), the mean of the rows' chosen tokens."""
    weights = which_NT.float() / which_NT.sum(dim=1, keepdim=True)
    return torch.einsum("nt,nti->ni", weights, hidden_NTI.float())


if __name__ == "__main__":
    main()
