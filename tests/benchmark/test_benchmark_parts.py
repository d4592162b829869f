"""Probes, absorption, stability, controls and recipes, where the truth is known."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from made_benchmark import dictionary_of

from sae_desktop.benchmark.controls import pca_dictionary
from sae_desktop.benchmark.first_letters import (
    Words,
    absorbed_share,
    absorption,
    is_absorbed,
    letter_probes,
)
from sae_desktop.benchmark.intervals import mean_of_shares, mean_over_seeds, share_of
from sae_desktop.benchmark.probing import accuracies, majority, parted
from sae_desktop.benchmark.seeds import recipes_of
from sae_desktop.benchmark.stability import paired_cosine, returns
from sae_desktop.benchmark.text_tasks import builtin_tasks, labelled_tasks
from sae_desktop.dictionary import Dictionary, save
from sae_desktop.errors import UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training import run_folder
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.measuring.metrics import measure_fit

RNG = np.random.default_rng(0)
SPECIAL = 6
"""From here on the words have places of their own."""


def _texts(count: int) -> list[str]:
    return [" ".join(RNG.choice(list("abcdefghijklm"), 30)) for _ in range(count)]


def test_probe__takes_the_features_that_differ_and_is_scored_on_other_texts() -> None:
    label = np.repeat([1, 0], 60)
    X = RNG.normal(size=(120, 6)) * 0.1
    X[:, 4] += 3.0 * label
    X[:, 2] += RNG.normal(size=120) * 50  # varies much, and tells nothing
    X[:, 2] -= X[:, 2] @ (label - 0.5) / 30 * (label - 0.5)
    task = parted(range(120), label.tolist(), _texts(120), 0)
    found = accuracies(X, task, (1, 2))
    assert found["1"].value == 1.0
    assert found["1"].low == pytest.approx(0.912, abs=0.01)
    assert majority(task) == pytest.approx(0.5, abs=0.02)
    assert not set(task.learn) & set(task.score)
    shuffled = parted(range(120), RNG.permutation(label).tolist(), _texts(120), 0)
    assert accuracies(X, shuffled, (1,))["1"].value < 0.75


def test_alike_texts__are_never_on_both_sides() -> None:
    texts = [text for text in _texts(30) for _ in range(2)]
    task = parted(range(60), [0, 0, 1, 1] * 15, texts, 0)
    assert not set(task.groups[task.learn]) & set(task.groups[task.score])


@pytest.mark.parametrize(
    ("acts", "own", "projection", "share", "full"),
    [
        ([2.0, 0.0, 0.0], [0], 2.0, 0.0, False),  # its own feature says all
        ([0.0, 2.0, 0.0], [0], 2.0, 1.0, True),  # another alone
        ([0.5, 1.5, 0.0], [0], 2.0, 0.75, False),  # both
        ([0.0, 0.5, 0.0], [0], 2.0, 0.0, False),  # the other carries too little of it
        ([0.0, 0.0, 9.0], [0], 2.0, 0.0, False),  # another that is not aligned
        ([0.0, 2.0, 0.0], [0], -1.0, 0.0, False),  # the raw row does not have the letter
    ],
)
def test_absorption__of_one_word(
    acts: list[float], own: list[int], projection: float, share: float, full: bool
) -> None:
    cosines = np.array([1.0, 1.0, 0.01])
    assert absorbed_share(np.array(acts), cosines, own, projection) == pytest.approx(share)
    assert is_absorbed(np.array(acts), cosines, own, projection) is full


def _words(absorbed: bool) -> tuple[Words, Dictionary]:
    """Return words of three letters, and a dictionary with a feature for each letter.

    If absorbed, some words with the first letter have features of their own, which speak for the
    letter as well, and the letter's feature is silent on them.
    """
    letters = np.tile([0, 1, 2], 100)
    x = torch.zeros(300, 16)
    x[np.arange(300), letters] = 2.0
    for word in range(0, 90, 3):
        x[word, SPECIAL + word // 3 % 10] = 2.0
    x += 0.01 * torch.randn(300, 16, generator=torch.Generator().manual_seed(0))
    W_dec = torch.eye(16)[[0, 1, 2, *range(SPECIAL, SPECIAL + 10)]].clone()
    W_enc, bias = W_dec.T.clone(), torch.full((13,), -0.5)
    if absorbed:
        W_enc[SPECIAL:, 0] = -2.0
        W_dec[3:] = torch.nn.functional.normalize(W_dec[3:] + torch.eye(16)[0], dim=1)
        W_enc[:, 3:] *= 2.0
    order = np.random.default_rng(1).permutation(300)
    parts = [np.sort(part) for part in np.split(order, [150, 200])]
    return Words(letters, x, *parts), Dictionary(W_enc, bias, W_dec, torch.zeros(16))


def test_absorption__is_found_where_it_was_planted_and_nowhere_else() -> None:
    words, plain = _words(absorbed=False)
    letters, probes = letter_probes(words, 0)
    assert letters.usable == 3
    assert letters.probe_f1 > 0.9
    assert letters.chance_f1 < 0.6
    found = absorption(plain, words, probes, SilentContext())
    assert found is not None
    assert found.full.value == 0
    assert found.fraction.value < 0.05
    assert found.splits == 1
    words, planted = _words(absorbed=True)
    found = absorption(planted, words, probes, SilentContext())
    assert found is not None
    special = (words.x_NI[words.score, SPECIAL:] > 1).any(dim=1)
    # One of the ten special features may count as one of the letter's own.
    assert 0.8 * int(special.sum()) / found.words <= found.full.value
    assert found.full.value <= int(special.sum()) / found.words
    assert found.fraction.value >= found.full.value
    assert absorption(planted, words, [], SilentContext()) is None


def test_seeds__pair_features_whatever_their_order_and_sign() -> None:
    one = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(0))).Q
    other = one[torch.randperm(8, generator=torch.Generator().manual_seed(1))].clone()
    assert paired_cosine(one, other) == pytest.approx(1.0, abs=1e-5)
    assert paired_cosine(one, -other) == pytest.approx(1.0, abs=1e-5)
    turned = other.clone()
    turned[0] = -turned[0]
    counts = returns([one, other, turned], 0.9, SilentContext())
    assert [int((count == 2).sum()) for count in counts] == [7, 7, 7]
    assert counts[2][0] == 0  # a feature that fires on the opposite is another one


def test_principal_components__reconstruct_all_and_fire_as_often_as_asked() -> None:
    scale = torch.tensor([5.0, 3.0, 1.0, 0.5])
    x = torch.randn(500, 4, generator=torch.Generator().manual_seed(0)) * scale + 7
    whole = measure_fit(pca_dictionary(x, 100, 4.0), [x])
    assert whole.fvu < 1e-4
    some = measure_fit(pca_dictionary(x, 100, 1.5), [x])
    assert some.l0 == pytest.approx(1.5, abs=0.01)
    two = pca_dictionary(x, 4, 2.0)
    expected = float((scale[2:] ** 2).sum() / (scale**2).sum())
    assert (two.features, measure_fit(two, [x]).fvu) == (4, pytest.approx(expected, rel=0.2))


def test_intervals__are_those_of_the_books() -> None:
    ten = share_of(np.array([1] * 9 + [0]))
    assert (ten.low, ten.high) == (pytest.approx(0.596, abs=1e-3), pytest.approx(0.982, abs=1e-3))
    copies = share_of(np.repeat([1] * 9 + [0], 5), np.repeat(np.arange(10), 5))
    assert (copies.low, copies.high) == (pytest.approx(ten.low), pytest.approx(ten.high))
    both = mean_of_shares([ten, ten])
    assert both.low is not None
    assert ten.low is not None
    assert ten.value - both.low == pytest.approx((ten.value - ten.low) / 2**0.5)
    three = mean_over_seeds([1.0, 2.0, 3.0])
    assert (three.low, three.high) == (pytest.approx(-0.484, abs=1e-3), pytest.approx(4.484, 1e-3))
    assert mean_over_seeds([1.0]).low is None


def test_recipes__are_those_that_differ_in_their_seeds_alone(tmp_path: Path) -> None:
    project = Project.open_or_create(tmp_path / "p")
    for name, k, seed in (("a", 4, 1), ("b", 4, 0), ("c", 8, 0)):
        folder = project.dictionary_path(name)
        save(dictionary_of(torch.eye(32)), folder)
        config = TrainConfig(project="p", name=name, activations="acts", k=k, seed=seed)
        (folder / run_folder.TRAIN_CONFIG).write_bytes(msgspec.json.encode(config))
    for name in ("other-seed1", "other-seed2"):
        save(dictionary_of(torch.eye(32)), project.dictionary_path(name))
    every = recipes_of(project, ("a", "other-seed2"), siblings=True)
    told = [(recipe.name, [one.name for one in recipe.members]) for recipe in every]
    assert told == [("b", ["b", "a"]), ("other", ["other-seed1", "other-seed2"])]
    alone = recipes_of(project, ("a", "c"), siblings=False)
    assert [recipe.name for recipe in alone] == ["a", "c"]
    with pytest.raises(UserError):
        recipes_of(project, (), siblings=True)


def test_builtin_tasks__are_balanced_and_of_texts_on_one_side_only() -> None:
    tasks = builtin_tasks(40)
    assert len(tasks) == 8
    for task in tasks:
        assert len(task.positive) == len(task.negative) == 40
        assert not set(task.positive) & set(task.negative)
    (code,) = [task for task in tasks if task.name == "code"]
    assert sum("def " in text for text in code.positive) > 2 * sum(
        "def " in text for text in code.negative
    )


def test_labelled_texts__make_a_task_a_label_or_say_what_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "moods.jsonl"
    labels = ["glad"] * 30 + ["sad"] * 25 + ["odd"] * 3
    lines = [{"text": f"text {n} of many", "mood": label} for n, label in enumerate(labels)]
    file.write_text("\n".join(map(json.dumps, lines)))
    tasks = labelled_tasks(str(file), "mood", 100)
    assert [(task.name, len(task.positive)) for task in tasks] == [
        ("moods: glad", 28), ("moods: sad", 25),
    ]  # fmt: skip
    with pytest.raises(UserError, match="column “label”"):
        labelled_tasks(str(file), "label", 100)
    file.write_text("\n".join(map(json.dumps, lines[:10])))
    with pytest.raises(UserError, match="glad: 10"):
        labelled_tasks(str(file), "mood", 100)
