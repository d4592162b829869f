import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from toy_features import ToyData, train_toy

from sae_desktop.dictionary import Dictionary, load, save
from sae_desktop.dictionary.architectures import ARCHITECTURES, Setup
from sae_desktop.dictionary.control import random_direction_dictionary
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.errors import UserError
from sae_desktop.training.metrics import measure_fit

D, F = 6, 10


@pytest.mark.parametrize("name", ["standard", "batchtopk"])
def test_folding__keeps_reconstruction_activations_and_l0(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    architecture = ARCHITECTURES[name](Setup(D, F, steps=10, k=2), generator)
    p = architecture.parameters
    p["b_enc"] = 0.1 * torch.randn(F, generator=generator)
    p["b_dec"] = torch.randn(D, generator=generator)
    architecture.buffers["threshold"] = torch.tensor(0.4)
    raw, scalar = torch.randn(50, D, generator=generator), 0.25
    x = raw * scalar
    if name == "batchtopk":
        pre = (x - p["b_dec"]) @ p["W_enc"].T + p["b_enc"]
        f = pre * (pre > 0.4)
    else:
        f = (x @ p["W_enc"].T + p["b_enc"]).relu()
    scaling = Affine.scaling(scalar, D)
    dictionary = architecture.folded(scaling, scaling)
    activations = dictionary.encode(raw)
    expected = f * p["W_dec"].norm(dim=1) / scalar
    torch.testing.assert_close(activations, expected)
    torch.testing.assert_close(
        dictionary.decode(activations), (f @ p["W_dec"] + p["b_dec"]) / scalar
    )
    torch.testing.assert_close(dictionary.W_dec.norm(dim=1), torch.ones(F))
    ids = torch.tensor([7, 2])
    torch.testing.assert_close(dictionary.encode_features(raw, ids), activations[:, ids])


def _dictionary(threshold: bool) -> Dictionary:
    generator = torch.Generator().manual_seed(3)
    W_dec = torch.nn.functional.normalize(torch.randn(F, D, generator=generator))
    return Dictionary(
        torch.randn(D, F, generator=generator),
        torch.randn(F, generator=generator),
        W_dec,
        torch.randn(D, generator=generator),
        torch.rand(F, generator=generator) if threshold else None,
        metadata={"model_name": "builtin", "hook_name": "blocks.3.hook_resid_post"},
    )


@pytest.mark.parametrize("threshold", [False, True])
def test_saved_dictionary__comes_back_the_same_in_the_keys_saelens_reads(
    tmp_path: Path, threshold: bool
) -> None:
    dictionary = _dictionary(threshold)
    save(dictionary, tmp_path)
    again = load(tmp_path)
    x = torch.randn(20, D)
    assert torch.equal(again.encode(x), dictionary.encode(x))
    assert again.metadata["hook_name"] == "blocks.3.hook_resid_post"
    cfg = json.loads((tmp_path / "cfg.json").read_text())
    assert cfg["architecture"] == ("jumprelu" if threshold else "standard")
    assert (cfg["d_in"], cfg["d_sae"], cfg["dtype"]) == (D, F, "float32")
    assert cfg["metadata"]["sae_lens_version"]


def test_load__folds_decoder_norms_and_input_bias(tmp_path: Path) -> None:
    unit = _dictionary(True)
    norms = torch.linspace(0.5, 2.0, F)
    assert unit.threshold is not None
    save_file(
        {
            "W_enc": unit.W_enc / norms,
            "b_enc": (unit.b_enc + unit.b_dec @ unit.W_enc) / norms,
            "W_dec": unit.W_dec * norms[:, None],
            "b_dec": unit.b_dec,
            "threshold": unit.threshold / norms,
        },
        tmp_path / "sae_weights.safetensors",
    )
    cfg = {"architecture": "jumprelu", "d_in": D, "d_sae": F, "apply_b_dec_to_input": True}
    (tmp_path / "cfg.json").write_text(json.dumps(cfg))
    x = torch.randn(30, D)
    torch.testing.assert_close(load(tmp_path).encode(x), unit.encode(x))


def test_load__names_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no cfg\.json"):
        load(tmp_path)
    save(_dictionary(True), tmp_path)
    weights = tmp_path / "sae_weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-20])
    with pytest.raises(UserError, match="cut short"):
        load(tmp_path)
    cfg = json.loads((tmp_path / "cfg.json").read_text()) | {"architecture": "hypernet"}
    (tmp_path / "cfg.json").write_text(json.dumps(cfg))
    with pytest.raises(UserError, match="hypernet"):
        load(tmp_path)


def test_random_control__has_the_asked_l0_and_fits_worse_than_a_trained_one() -> None:
    data = ToyData.make()
    x = data.batch(4096, torch.Generator().manual_seed(9))
    trained = train_toy(data, "batchtopk", steps=300)
    fit = measure_fit(trained, [x])
    control = random_direction_dictionary(x, 128, fit.l0, seed=0)
    other = measure_fit(control, [x])
    assert other.l0 == pytest.approx(fit.l0, rel=0.01)
    assert 0 < fit.fvu < 0.5 * other.fvu < 0.5
