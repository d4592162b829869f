"""Have a model write about a few places, often enough that a dictionary can learn them.

A dictionary has a feature for a concept when the concept is frequent enough: on the built-in
corpus a share of tokens of about .9 / (features alive), which for 8,192 features is one token in
ten thousand. The built-in corpus names no city of today that often. So the model writes: some
hundred short texts on each place, sampled with seeds of their own.
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

PLACES = (
    "San Francisco", "the Golden Gate Bridge", "Paris", "the Eiffel Tower", "London",
    "Tower Bridge", "New York", "the Brooklyn Bridge", "Tokyo", "Rome", "Sydney",
    "the Sydney Harbour Bridge",
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
ROUNDS = 12
"""Texts on each place with each opening."""
TOKENS = 128
BATCH = 64


def write_corpus(path: Path, model: str, dtype: ModelDtype) -> None:
    """Write the built-in corpus with the model's texts on PLACES among it, as JSON lines."""
    lm = load_model(model, dtype=dtype)
    prompts = [opening.format(place) for place in PLACES for opening in OPENINGS] * ROUNDS
    torch.manual_seed(0)
    lines = lzma.decompress(resource_path("corpus/builtin.jsonl.xz").read_bytes()).splitlines()
    for first in range(0, len(prompts), BATCH):
        for text in _texts(lm, prompts[first : first + BATCH]):
            document = {"text": text, "source": "places", "language": "en"}
            lines.append(json.dumps(document).encode())
        print(f"{first:,} of {len(prompts):,} texts", flush=True)
    random.Random(0).shuffle(lines)
    write_bytes(path, b"\n".join(lines) + b"\n")


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
