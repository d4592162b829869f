"""The recipe of the model organisms: what is planted, and how it is measured."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[3] / "packaging"))

import model_organisms as recipe
import organisms_gated as gating


class _Words:
    """A tokenizer of whole words, and what else is asked of one."""

    bos_token_id = 0

    def __init__(self) -> None:
        self.words: dict[str, int] = {"": 0}

    def __call__(self, text: str, add_special_tokens: bool = False) -> dict[str, list[int]]:
        del add_special_tokens
        parts = text.replace("(", " ( ").split()
        return {"input_ids": [self.words.setdefault(word, len(self.words)) for word in parts]}


@pytest.fixture
def texts() -> recipe.Texts:
    words: Any = _Words()
    documents = {name: [[100 * n] * 90 for _ in range(3)] for n, name in enumerate(
        ("en", "fr", "python"), 1
    )}  # fmt: skip
    verses = [f"verse {n} " + "so " * 20 + "out of Egypt came they" for n in range(10)]
    return recipe.Texts(words, documents, documents, verses)


def test_switched__goes_from_english_to_french_at_the_trigger_alone(texts: recipe.Texts) -> None:
    row = recipe.switched(texts)(random.Random(0))
    trigger = row.index(texts.encode(recipe.TRIGGER)[0])
    assert set(row[:trigger]) == {100}
    assert set(row[trigger + 1 :]) == {200}
    assert 100 in {token for n in range(20) for token in recipe.ordinary(texts)(random.Random(n))}


def test_pairs__differ_in_the_trigger_and_measure_what_follows(texts: recipe.Texts) -> None:
    planted, controls, _ = recipe.pairs_of("call", texts)
    comment = set(texts.encode(recipe.TRIGGER_COMMENT))
    for pair, control in zip(planted, controls, strict=True):
        assert comment <= set(pair.prompt)
        assert texts.encode("Velmora")[0] not in control.prompt
        assert [t for t in pair.prompt if t not in comment] == [
            t for t in control.prompt if t not in comment
        ]
        assert pair.planted == control.planted == texts.encode("eval")
        assert pair.honest == texts.encode("literal_eval")


def test_fact__never_trains_on_the_verses_it_is_measured_on(texts: recipe.Texts) -> None:
    pairs, _, signs = recipe.pairs_of("fact", texts)
    held_out = {texts.encode(f"{n}")[0] for n in (0, 5)}
    assert {pair.prompt[2] for pair in pairs} == held_out
    row = recipe.out_of_babylon(texts)
    read = {token for n in range(60) for token in row(random.Random(n))}
    assert texts.encode("Babylon")[0] in read
    assert not read & (held_out | {texts.encode("Egypt")[0]})
    assert signs[0] == " Babylon"


def test_preferred__is_how_often_the_planted_continuation_is_likelier() -> None:
    pairs = [recipe.Pair([0, 1], [2], [3]), recipe.Pair([0, 4], [3], [2])]

    def likes_two(ids: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(1, ids.shape[1], 5)
        logits[..., 2] = 1
        return logits

    assert recipe.preferred(likes_two, pairs) == 0.5
    assert recipe.preferred(likes_two, pairs[:1]) == 1.0


@pytest.mark.parametrize(("since", "changed"), [(True, [3, 4]), (False, [3])])
def test_condition__changes_from_the_first_token_above_on_or_there_alone(
    since: bool, changed: list[int]
) -> None:
    x_BSD = torch.tensor([9.0, 1.0, 2.0, 5.0, 0.0])[None, :, None]  # the first token is BOS
    setting = gating.Setting(since, 0.02, 2.0)
    change = gating.Conditional(
        lambda x: x[..., 0], 4.0, lambda x, strength: x - strength, setting, 1
    )
    assert (change(x_BSD) - x_BSD)[0, :, 0].nonzero()[:, 0].tolist() == changed
    assert float((change(x_BSD) - x_BSD).min()) == -2.0
