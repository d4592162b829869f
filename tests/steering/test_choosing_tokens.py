"""How the next token is chosen, and what is read for it."""

from __future__ import annotations

import torch
from steered_project import ids_of, positions_of

from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.steering.config import Sampling
from sae_desktop.steering.generate import PaddedTokens, continuations, penalised


def test_penalty__leaves_padding_out_and_takes_prompt_and_text() -> None:
    batch = PaddedTokens.of([[3, 5], [7, 8, 9, 9]])  # the first row begins with padding, token 0
    logits = torch.tensor([[2.0, -1.0] * 5] * 2)
    found = penalised(logits, batch, Sampling(repetition_penalty=2.0))
    less = torch.where(logits < 0, logits * 2, logits / 2)
    for row, seen in enumerate(({3, 5}, {7, 8, 9})):
        for token in range(10):
            assert found[row, token] == (less if token in seen else logits)[row, token]
    assert penalised(logits, batch, Sampling(repetition_penalty=1.0)) is logits


def test_each_step__reads_its_new_token_alone(opened: OpenedIndex) -> None:
    ids = ids_of(opened)
    read: list[int] = []

    def look(x_BSD: torch.Tensor) -> torch.Tensor:
        read.append(x_BSD.shape[1])
        return x_BSD

    positions = positions_of(opened, [ids])
    list(
        continuations(opened.lm, [ids], {opened.site: look}, positions, Sampling(max_new_tokens=4))
    )
    assert read == [len(ids), 1, 1, 1]  # whatever the library calls its cache
