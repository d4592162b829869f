"""Data-point initialisation: directions are rows of the data less their mean."""

from __future__ import annotations

import torch

from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(20, 6, generator=GENERATOR) + 2
Y = torch.randn(20, 4, generator=GENERATOR) - 1


def unit(rows: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(rows - rows.mean(dim=0))


def test_dictionary__reads_and_writes_rows_of_the_data() -> None:
    setup = Setup(width=6, features=30, steps=10, init="data")
    architecture = ARCHITECTURES["standard"](setup, torch.Generator().manual_seed(1))
    random = architecture.parameters["W_dec"].clone()
    architecture.initialise_from(Batch.of(X))
    p = architecture.parameters
    torch.testing.assert_close(p["W_dec"][:20], 0.1 * unit(X))
    assert torch.equal(p["W_dec"][20:], random[20:])
    assert torch.equal(p["W_enc"], p["W_dec"])


def test_transcoder__reads_the_row_whose_output_it_writes() -> None:
    setup = Setup(width=6, features=8, steps=10, out_width=4, init="data")
    architecture = ARCHITECTURES["topk"](setup, torch.Generator().manual_seed(1))
    architecture.initialise_from(Batch(X, Y))
    torch.testing.assert_close(architecture.parameters["W_enc"], unit(X)[:8])
    torch.testing.assert_close(architecture.parameters["W_dec"], unit(Y)[:8])
