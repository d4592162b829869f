"""The world of the planted circuit, and a small model that learns it: a look-up in two steps.

People live in cities. Of a city several things can be asked (its country, its language …), each of
which two cities share, but in other pairs: so that whoever knows the city can tell them all, and
nothing short of the city can. The model learns “person lives → city”, “city lies → country” (and
so on), and of most people both steps together, “person lives lies → country”; of all of them also
“person lives likes → colour”, which the city has nothing to do with. Of people held out it never
sees both steps.

What a word is like is drawn at random and stays, so that embeddings cannot take the first step:
layers must. The first layers are asked for the city early, too, by the model's own head, which is
how the middle step comes to lie where later layers can read it.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

LIVES, LIKES = "lives", "likes"
ASKED = {"lies": "country", "speaks": "language", "pays": "coin", "cheers": "team"}
"""The word that asks → what is asked of a city."""
LAYERS = 3
_EARLY = 1
"""The layer after which the city must be there."""
_EARLY_WEIGHT = 0.3
_OF_A_KIND = 24
"""Prompts of each kind in a step."""
_LIVES = 1
"""Its token."""


@dataclass(frozen=True)
class World:
    """Who lives where, what is there, and what who likes."""

    city: list[int]
    """Person → city."""
    things: dict[str, list[int]]
    """The word that asks → city → the number of the country, of the language …"""
    colour: list[int]
    held_out: list[int]
    """People of whom the model never sees both steps together."""

    @property
    def trained(self) -> list[int]:
        kept = set(self.held_out)
        return [person for person in range(len(self.city)) if person not in kept]

    @property
    def cities(self) -> int:
        return len(next(iter(self.things.values())))

    def answer(self, person: int, asks: str) -> str:
        return f"{ASKED[asks]}{self.things[asks][self.city[person]]}"


def make_world(people: int = 96, cities: int = 8, seed: int = 0) -> World:
    """Draw a world: every city has as many people, every country, language … two cities."""
    rng = random.Random(seed)
    city = [number % cities for number in range(people)]
    rng.shuffle(city)
    things = {}
    for asks in ASKED:
        things[asks] = [number % (cities // 2) for number in range(cities)]
        rng.shuffle(things[asks])
    colour = [rng.randrange(cities) for _ in range(people)]
    return World(city, things, colour, sorted(rng.sample(range(people), people // 5)))


def two_steps(person: int, asks: str = "lies") -> str:
    return f"person{person} {LIVES} {asks}"


def prompts_of(world: World) -> list[tuple[str, str]]:
    """Return all that the model is taught: prompt and answer, in words."""
    found = []
    held_out = set(world.held_out)
    for person, city in enumerate(world.city):
        found.append((f"person{person} {LIVES}", f"city{city}"))
        found.append((f"person{person} {LIVES} {LIKES}", f"colour{world.colour[person]}"))
        if person not in held_out:
            found += [(two_steps(person, asks), world.answer(person, asks)) for asks in ASKED]
    found += [
        (f"city{city} {asks}", f"{ASKED[asks]}{number}")
        for asks, numbers in world.things.items()
        for city, number in enumerate(numbers)
    ]
    return found


def words_of(world: World) -> dict[str, int]:
    """Return the vocabulary: word → token."""
    counts = {"person": len(world.city), "city": world.cities, "colour": world.cities}
    counts |= {ASKED[asks]: max(numbers) + 1 for asks, numbers in world.things.items()}
    words = ["<bos>", LIVES, LIKES, *ASKED]
    words += [f"{kind}{number}" for kind, count in counts.items() for number in range(count)]
    return {word: number for number, word in enumerate(words)}


def save_tokenizer(folder: Path, ids: dict[str, int]) -> None:
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<bos>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<bos>").save_pretrained(folder)


def save_model(folder: Path, world: World, *, steps: int, seed: int = 0, width: int = 64) -> float:
    """Train the model, save it with its tokenizer, and return its share of right held-out answers.

    The loss counts at the answer, and of “person lives” also early.
    """
    ids = words_of(world)
    save_tokenizer(folder, ids)
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(ids), hidden_size=width, intermediate_size=4 * width,
            num_hidden_layers=LAYERS, num_attention_heads=4, num_key_value_heads=4,
            max_position_embeddings=16, bos_token_id=0, eos_token_id=None,
            tie_word_embeddings=False,
        )
    )  # fmt: skip
    _fix_embeddings(model)
    kinds = _rows_by_kind(world)
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=1e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = torch.cat(
            [kind[torch.randint(len(kind), (_OF_A_KIND,), generator=generator)] for kind in kinds]
        )
        loss = _loss(model, rows)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    model.eval().save_pretrained(folder)
    return share_right(model, world, world.held_out)


def _fix_embeddings(model: LlamaForCausalLM) -> None:
    weight = model.get_input_embeddings().weight
    with torch.no_grad():
        weight.copy_(torch.randn(weight.shape) / weight.shape[1] ** 0.5)
    weight.requires_grad_(False)


def _rows_by_kind(world: World) -> list[torch.Tensor]:
    """Return the prompts of each kind as tokens, the last two columns: answer, last position."""
    ids = words_of(world)
    taught = defaultdict(list)
    for prompt, answer in prompts_of(world):
        words = prompt.split()
        kind = words[0].rstrip("0123456789"), len(words), words[-1] == LIKES
        row = [0, *(ids[word] for word in words), 0]
        taught[kind].append([*row[:4], ids[answer], len(words)])
    return [torch.tensor(found) for found in taught.values()]


def _loss(model: LlamaForCausalLM, rows: torch.Tensor) -> torch.Tensor:
    tokens, answers, last = rows[:, :4], rows[:, 4], rows[:, 5]
    found = model(tokens, output_hidden_states=True)
    each = torch.arange(len(rows))
    loss = torch.nn.functional.cross_entropy(found.logits[each, last], answers)
    # “person lives” alone has two words and no city before them.
    early = (last == 2) & (tokens[:, 2] == tokens.new_tensor(_LIVES))
    stream = model.model.norm(found.hidden_states[_EARLY + 1][early, 2])
    return loss + _EARLY_WEIGHT * torch.nn.functional.cross_entropy(
        model.lm_head(stream), answers[early]
    )


def share_right(
    model: LlamaForCausalLM, world: World, people: list[int], asks: Iterable[str] = ASKED
) -> float:
    """Return the share of right answers to both steps together."""
    ids = words_of(world)
    asked = [(person, word) for person in people for word in asks]
    rows = torch.tensor([[0, *(ids[word] for word in two_steps(*one).split())] for one in asked])
    with torch.no_grad():
        best = model(rows).logits[:, -1].argmax(-1).tolist()
    right = [ids[world.answer(*one)] for one in asked]
    return float(np.mean([a == b for a, b in zip(best, right, strict=True)]))
