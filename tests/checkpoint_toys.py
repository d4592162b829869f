"""Toy checkpoints in which it is known what changed."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from toy_models import save_toy_model, toy_network, toy_tokenizer

_WORDS = ["beginning", "God", "created", "heaven", "earth", "first", "second", "return", "droit"]


def ordinary(count: int = 40) -> list[str]:
    """Return texts of words in any order."""
    drawn = random.Random(0)
    return [" ".join(drawn.choices(_WORDS, k=14)) for _ in range(count)]


def save_checkpoint(
    folder: Path, kind: str = "gpt2", *, noise: float = 0.0, moved: float = 0.0, seed: int = 0
) -> Path:
    """Write the toy model with noise on its weights, and a constant added by the second layer.

    The constant, of GPT-2 alone, goes to coordinate 3 of the stream and is of size `moved`.
    """
    network = toy_network(kind)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            drawn = torch.randn(parameter.shape, generator=generator)
            parameter.add_(noise * float(parameter.std(correction=0)) * drawn)
        if moved:
            network.transformer.h[1].mlp.c_proj.bias[3] += moved
    network.save_pretrained(folder)
    toy_tokenizer().save_pretrained(folder)
    return folder


def save_base(folder: Path) -> Path:
    return save_toy_model(folder, "gpt2")


def save_text(path: Path) -> str:
    """Write a corpus with a document a line."""
    path.write_text("".join(f'{{"text": "{line}"}}\n' for line in ordinary()), encoding="utf-8")
    return str(path)
