"""Have a model write about places and everyday things, often enough for a dictionary to learn them.

A dictionary has a feature for a concept when the concept is frequent enough: on the built-in
corpus a share of tokens of about .9 / (features alive), which for 8,192 features is one token in
ten thousand. The built-in corpus is of handbooks, code, a dictionary and old books: it names no
city of today that often, nor a pizza. So the model writes short texts on each, sampled from a seed.
"""

from __future__ import annotations

import json
import lzma
import random
from pathlib import Path

import torch

from sae_desktop.language_model.config import ModelDtype
from sae_desktop.language_model.load import LanguageModel, load_model
from sae_desktop.resources import resource_path
from sae_desktop.storage.atomic import write_bytes

MOST = ("San Francisco", "the Golden Gate Bridge")
"""Written of most: whoever tries steering tries these."""
PLACES = (
    *MOST, "Paris", "the Eiffel Tower", "London",
    "Tower Bridge", "New York", "the Brooklyn Bridge", "Tokyo", "Rome", "Sydney",
    "the Sydney Harbour Bridge",
)  # fmt: skip
THINGS = (
    "cats", "dogs", "horses", "birds", "the ocean", "the moon", "the weather in winter", "a garden",
    "pizza", "coffee", "chocolate", "wine", "cooking at home", "chess", "football", "running",
    "music", "painting", "the cinema", "poetry", "a doctor's work", "a teacher's day", "a lawyer",
    "farming", "the internet", "artificial intelligence", "computers", "space travel", "physics",
    "chemistry", "medicine", "the heart", "money", "an election", "war", "religion", "love",
    "anger", "sadness", "fear", "friendship", "a wedding", "a birthday", "trains", "cars", "China",
    "Germany", "India", "Russia", "Mexico",
)  # fmt: skip
OPENINGS = (
    "A short guide to {}.\n\n",
    "The history of {} begins",
    "Last summer we travelled to {}.",
    "{}: what every visitor should know.\n\n",
    "Q: Where is {}?\nA:",
    "The first time I saw {}, I",
    "In the news today, {}",
    "A day in {}: in the morning",
)
OF_THINGS = (
    "A few words about {}.\n\n",
    "What I like most about {} is",
    "Q: What should everybody know of {}?\nA:",
    "She talked of {} all evening.",
    "In the news today: {}.",
    "A child asks about {}, and the mother answers:",
)
ROUNDS = 3
"""Texts on each place with each opening; of MOST three times as many."""
TOKENS = 96
BATCH = 96
CHARACTERS = 4
"""A token of the built-in corpus has 3.6 of them."""


def prompts() -> list[str]:
    """Return how each of the texts begins."""
    places = [*PLACES, *MOST, *MOST] * ROUNDS
    of_places = [opening.format(place) for place in places for opening in OPENINGS]
    return of_places + [opening.format(thing) for thing in THINGS for opening in OF_THINGS]


def write_corpus(path: Path, model: str, dtype: ModelDtype, tokens: int) -> None:
    """Write the model's texts, and as much of each source of the built-in corpus, as JSON lines.

    There is text for a little more than `tokens` tokens.
    """
    lm = load_model(model, dtype=dtype)
    asked = prompts()
    torch.manual_seed(0)
    lines = []
    for first in range(0, len(asked), BATCH):
        for text in _texts(lm, asked[first : first + BATCH]):
            document = {"text": text, "source": "written", "language": "en"}
            lines.append(json.dumps(document).encode())
        print(f"{first:,} of {len(asked):,} texts", flush=True)
    lines += _evenly(CHARACTERS * tokens - sum(map(len, lines)))
    random.Random(0).shuffle(lines)
    write_bytes(path, b"\n".join(lines) + b"\n")


def _evenly(size: int) -> list[bytes]:
    """Return documents of the built-in corpus, `size` bytes, of each source alike till it ends."""
    lines = lzma.decompress(resource_path("corpus/builtin.jsonl.xz").read_bytes()).splitlines()
    random.Random(0).shuffle(lines)
    sources: dict[str, list[bytes]] = {}
    for line in lines:
        sources.setdefault(json.loads(line)["source"], []).append(line)
    taken: dict[str, int] = dict.fromkeys(sources, 0)
    chosen: list[bytes] = []
    while size > 0 and any(sources.values()):
        source = min((name for name in sources if sources[name]), key=taken.__getitem__)
        chosen.append(sources[source].pop())
        taken[source] += len(chosen[-1])
        size -= len(chosen[-1])
    return chosen


def _texts(lm: LanguageModel, prompts: list[str]) -> list[str]:
    tokenizer = lm.tokenizer
    tokenizer.padding_side = "left"
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer(prompts, return_tensors="pt", padding=True).to(lm.device)
    with torch.no_grad():
        ids = lm.model.generate(
            **inputs, do_sample=True, top_p=0.95, max_new_tokens=TOKENS,
            pad_token_id=tokenizer.pad_token_id,
        )  # fmt: skip
    texts: list[str] = tokenizer.batch_decode(ids, skip_special_tokens=True)
    return texts
