"""The recipe of the model of pictures: what a thing's direction asks for, and names among words."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "packaging/pictures"))

from emoji import MAIN, Emoji  # noqa: E402
from texts import BEFORE, Teller  # noqa: E402
from things import Things  # noqa: E402


def test_things__ask_that_pictures_and_names_of_one_lie_along_one_direction() -> None:
    generator = torch.Generator().manual_seed(0)
    named = torch.randn(20, 32, generator=generator)
    named[:, 0] *= 100  # what all cosines would see
    things = Things(named)
    which = torch.arange(20)
    right = float(things.untold(named, which).detach())
    assert right < 0.1
    assert float(things.untold(named, which.roll(1)).detach()) > 5
    # Neither what all have in common nor the length of a row counts.
    moved = 7 * named + torch.full((32,), 30.0)
    assert float(things.untold(moved, which).detach()) == pytest.approx(right, abs=1e-3)
    x = torch.randn(20, 32, generator=generator).requires_grad_()
    things.untold(x, which).backward()
    assert float(x.grad.norm()) > 0
    assert float(things.directions_EI.grad.norm()) > 0


def test_teller__puts_a_name_behind_other_words_and_tells_where_it_ends() -> None:
    tokenizer = Tokenizer.from_file(str(ROOT / "resources/models/builtin/tokenizer.json"))
    titles = dict(zip(MAIN, ("English", "German", "French", "Spanish", "Russian"), strict=True))
    teller = Teller(tokenizer, titles, seed=0)
    names = {"en": "horse", "de": "Pferd", "fr": "cheval", "ru": "лошадь"}
    horse = Emoji("🐎", "1f40e.png", "Animals & Nature", names, {})
    others = tokenizer.encode("the quick brown fox " * 20, add_special_tokens=False).ids
    seen = set()
    for _ in range(60):
        ids, end = teller.among(horse, others)
        text = tokenizer.decode(ids)
        name = next(one for one in names.values() if text.endswith(f" {one}"))
        seen.add((name, ":" in text))
        assert ids[0] == teller.bos
        assert end == len(ids) - 1
        assert len(ids) <= 1 + BEFORE + len(tokenizer.encode(f" {name}").ids)
    assert seen == {(name, line) for name in names.values() for line in (False, True)}
