"""Levels of the most frequent features, each learning from its own error and the whole's."""

from __future__ import annotations

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup, StepState
from sae_desktop.dictionary.architectures.sorted_matryoshka import SortedMatryoshka

D, F, SIZES = 6, 12, (2, 4, 6)
STATE = StepState(0.0, torch.zeros(F, dtype=torch.bool))


def made(k: int = F) -> SortedMatryoshka:
    generator = torch.Generator().manual_seed(0)
    found = SortedMatryoshka(Setup(D, F, steps=10, k=k), generator, SIZES)
    found.to(torch.device("cpu"))
    return found


def test_levels__are_filled_by_how_often_features_were_active_lately() -> None:
    architecture = made()
    fired = torch.tensor([3, 9, 1, 8, 0, 2, 7, 5, 0, 6, 4, 0])
    group = architecture.group_of(fired, 10)
    assert group.tolist() == [2, 0, 2, 0, 2, 2, 1, 1, 2, 1, 1, 2]
    assert architecture.buffers["frequency"].tolist() == (fired / 10).tolist()
    # One step in which the order is the reverse does not turn it: it is a mean over many.
    assert architecture.group_of(9 - fired, 10).equal(group)
    torch.testing.assert_close(
        architecture.buffers["frequency"], 0.99 * fired / 10 + 0.01 * (9 - fired) / 10
    )
    for _ in range(300):
        turned = architecture.group_of(9 - fired, 10)
    assert turned.tolist().count(0) == 2
    assert {int(i) for i in (turned == 0).nonzero()} <= {4, 8, 11}


def test_a_level__learns_from_its_own_error_and_the_wholes_alone() -> None:
    architecture = made()
    x = torch.randn(30, D, generator=torch.Generator().manual_seed(2)).double()
    for name, value in architecture.parameters.items():
        architecture.parameters[name] = value.detach().double().requires_grad_(True)
    p = architecture.parameters
    architecture.loss(Batch.of(x), STATE).total.backward()
    acts = architecture.encode(x)
    group = architecture.group_of((acts > 0).sum(0), len(x))
    whole = x - p["b_dec"] - acts @ p["W_dec"]
    for level in range(3):
        inner = group <= level
        left = x - p["b_dec"] - (acts * inner) @ p["W_dec"]
        seen = whole if level == 2 else whole + left
        mine = group == level
        expected = -2 / (3 * len(x)) * acts[:, mine].T @ seen
        found: Tensor | None = p["W_dec"].grad
        assert found is not None
        torch.testing.assert_close(found[mine], expected, rtol=1e-9, atol=1e-12)


def test_it_is_kept_as_a_dictionary_of_thresholds() -> None:
    architecture = made(k=3)
    architecture.gradients(Batch.of(torch.randn(64, D)), STATE)
    threshold = architecture.folded_threshold()
    assert float(threshold[0]) > 0
    assert threshold.equal(threshold[0].expand(F))
    assert ARCHITECTURES["sorted_matryoshka"] is SortedMatryoshka
