"""Runs in bfloat16 come to where runs in float32 do."""

import pytest
import torch
from toy_features import ToyData, mean_max_cosine, train_architecture

from sae_desktop.devices.abilities import has_native_bfloat16
from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.dictionary.precision import resolve_precision
from sae_desktop.training.measuring.metrics import measure_fit

WIDTH, FEATURES, K, STEPS = 32, 128, 3, 600


def _reached(name: str, precision: torch.dtype) -> tuple[float, float]:
    """Return (FVU, mean max cosine) of a run in that precision."""
    data = ToyData.make()
    generator = torch.Generator().manual_seed(0)
    setup = Setup(WIDTH, FEATURES, STEPS, K, precision=precision)
    architecture = ARCHITECTURES[name](setup, generator)
    train_architecture(
        architecture,
        lambda count: Batch.of(data.batch(count, generator)),
        features=FEATURES,
        steps=STEPS,
        rows=512,
        sparsity=1.0,
    )
    whole = Affine.scaling(1.0, WIDTH)
    dictionary = architecture.folded(whole, whole)
    rows = data.batch(4096, torch.Generator().manual_seed(9))
    return measure_fit(dictionary, [rows]).fvu, mean_max_cosine(data.directions, dictionary.W_dec)


@pytest.mark.parametrize("name", ["standard", "topk", "batchtopk", "matryoshka", "jumprelu"])
def test_bfloat16__reaches_the_loss_and_the_recovery_of_float32(name: str) -> None:
    fvu, recovered = _reached(name, torch.float32)
    low_fvu, low_recovered = _reached(name, torch.bfloat16)
    assert low_fvu == pytest.approx(fvu, rel=0.05)
    assert low_recovered == pytest.approx(recovered, abs=0.01)


def test_auto__is_bfloat16_where_the_processor_has_it_and_float32_elsewhere() -> None:
    cpu = torch.device("cpu")
    native = torch.bfloat16 if has_native_bfloat16(cpu) else torch.float32
    assert resolve_precision("auto", cpu) is native
    assert resolve_precision("auto", torch.device("mps")) is torch.float32
    assert resolve_precision("bfloat16", cpu) is torch.bfloat16
