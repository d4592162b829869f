"""Data-point initialisation: directions are rows of the data less their mean."""

from __future__ import annotations

import msgspec
import pytest
import torch
from toy_features import ToyData, unit_directions
from toy_targets import train_on

from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup
from sae_desktop.training.config import Target, TrainConfig
from sae_desktop.training.run_setup import identity
from sae_desktop.training.settings_check import chosen_init

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


@pytest.mark.parametrize(
    ("target", "init"),
    [
        ("input", "random"),
        ("crosscoder", "random"),
        ("cross_layer_transcoder", "random"),
        ("transcoder", "data"),
        ("skip_transcoder", "data"),
    ],
)
def test_transcoder__begins_at_rows_of_the_data_unless_told_otherwise(
    target: Target, init: str
) -> None:
    config = TrainConfig(project="p", name="d", target=target)
    assert chosen_init(config) == init
    # A run that was told so, or begun before this was chosen by itself, is the same run.
    assert identity(config) == identity(msgspec.structs.replace(config, init=init))
    for other in ("random", "data"):
        assert chosen_init(msgspec.structs.replace(config, init=other)) == other


def test_transcoder__begun_at_rows_of_the_data_has_fewer_dead_features() -> None:
    data, written = ToyData.make(n=200, d=32), unit_directions(200, 32, seed=7)
    dead, fvu = {}, {}
    for init in ("random", "data"):
        generator = torch.Generator().manual_seed(0)

        def batch(generator: torch.Generator = generator) -> Batch:
            acts = data.activations(1024, generator)
            return Batch(acts @ data.directions, acts @ written)

        kind = ARCHITECTURES["topk"]
        setup = Setup(32, 512, steps=400, k=10, out_width=32, init=init)
        architecture = kind(setup, generator)
        train_on(architecture, batch, steps=400, lr=kind.default_lr(512, 400), sparsity=0.0)
        with torch.no_grad():
            x, y = batch()
            acts = architecture.encode(x)
            error = architecture.decode(acts, x) - y
            fired = sum((architecture.encode(batch().x_TI) > 0).sum(dim=0) for _ in range(10))
        fvu[init] = float(error.square().sum() / (y - y.mean(dim=0)).square().sum())
        dead[init] = float((torch.as_tensor(fired) == 0).double().mean())
    assert dead["data"] < dead["random"] - 0.03, dead
    assert fvu["data"] < fvu["random"] + 0.01, fvu
