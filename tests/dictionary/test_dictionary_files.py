import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from toy_dictionaries import LAYERS, OWN, SAELENS, D, F, cross_layer, toy_dictionary
from toy_features import ToyData, train_toy

from sae_desktop.dictionary import load, save
from sae_desktop.dictionary.architectures import ARCHITECTURES, Setup
from sae_desktop.dictionary.control import random_direction_dictionary
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.errors import UserError
from sae_desktop.training.measuring.metrics import measure_fit


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


@pytest.mark.parametrize("architecture", SAELENS | OWN)
def test_saved_dictionary__comes_back_the_same(tmp_path: Path, architecture: str) -> None:
    dictionary = (SAELENS | OWN)[architecture]
    save(dictionary, tmp_path)
    cfg = json.loads((tmp_path / "cfg.json").read_text())
    assert cfg["architecture"] == architecture
    assert (cfg["d_in"], cfg["d_sae"]) == (dictionary.width, dictionary.features)
    assert (cfg["dtype"], cfg["normalize_activations"]) == ("float32", "none")
    assert cfg["metadata"]["sae_lens_version"]
    again = load(tmp_path)
    assert type(again) is type(dictionary)
    x = torch.randn(20, dictionary.width)
    torch.testing.assert_close(again.encode(x), dictionary.encode(x))
    torch.testing.assert_close(again.apply(x), dictionary.apply(x))
    assert (again.k, again.parts) == (dictionary.k, dictionary.parts)
    assert again.metadata.items() >= dictionary.metadata.items()
    save(again, tmp_path / "second")
    for path in tmp_path.glob("*.safetensors"):
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_cross_layer__is_kept_in_circuit_tracers_tensors(tmp_path: Path) -> None:
    save(cross_layer(), tmp_path)
    assert not (tmp_path / "sae_weights.safetensors").exists()
    for i in range(LAYERS):
        read = load_file(tmp_path / f"W_enc_{i}.safetensors")
        shapes = {name: tuple(tensor.shape) for name, tensor in read.items()}
        expected = {f"W_enc_{i}": (F, D), f"b_enc_{i}": (F,), f"b_dec_{i}": (D,)}
        assert shapes == expected | {f"threshold_{i}": (F,)}
        written = load_file(tmp_path / f"W_dec_{i}.safetensors")[f"W_dec_{i}"]
        assert written.shape == (F, LAYERS - i, D)
        block = cross_layer().blocks[i]
        assert torch.equal(written[:, -1], block.W_dec[:, -D:])
    (tmp_path / "W_dec_1.safetensors").unlink()
    with pytest.raises(UserError, match="W_dec_1"):
        load(tmp_path)


def test_load__folds_decoder_norms_and_input_bias(tmp_path: Path) -> None:
    unit = toy_dictionary(threshold=True)
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


def test_load__folds_a_gated_dictionary(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(5)
    names = {"W_enc": (D, F), "W_dec": (F, D), "b_dec": (D,)}
    names |= {"b_gate": (F,), "b_mag": (F,), "r_mag": (F,)}
    t = {name: torch.randn(shape, generator=generator) for name, shape in names.items()}
    save_file(t, tmp_path / "sae_weights.safetensors")
    cfg = {"architecture": "gated", "d_in": D, "d_sae": F, "apply_b_dec_to_input": True}
    (tmp_path / "cfg.json").write_text(json.dumps(cfg))
    x = torch.randn(200, D, generator=generator)
    gate = (x - t["b_dec"]) @ t["W_enc"] + t["b_gate"]
    magnitude = (x - t["b_dec"]) @ (t["W_enc"] * t["r_mag"].exp()) + t["b_mag"]
    f = (gate > 0) * magnitude.relu()
    loaded = load(tmp_path)
    torch.testing.assert_close(loaded.encode(x), f * t["W_dec"].norm(dim=1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(loaded.apply(x), f @ t["W_dec"] + t["b_dec"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rescaled", [False, True])
def test_load__folds_topk_and_keeps_its_choice(tmp_path: Path, rescaled: bool) -> None:
    unit, norms = toy_dictionary(k=3), torch.linspace(0.5, 2.0, F)
    tensors = {"W_enc": unit.W_enc / norms, "b_enc": unit.b_enc / norms, "b_dec": unit.b_dec}
    save_file(
        tensors | {"W_dec": unit.W_dec * norms[:, None]}, tmp_path / "sae_weights.safetensors"
    )
    version = {"sae_lens_version": "6.54.12"}
    cfg = {"architecture": "topk", "d_in": D, "d_sae": F, "k": 3, "metadata": version,
           "apply_b_dec_to_input": False}  # fmt: skip
    (tmp_path / "cfg.json").write_text(json.dumps(cfg | {"rescale_acts_by_decoder_norm": rescaled}))
    x = torch.randn(30, D)
    loaded = load(tmp_path)
    if rescaled:
        torch.testing.assert_close(loaded.encode(x), unit.encode(x))
        return
    pre = x @ tensors["W_enc"] + tensors["b_enc"]
    kept = pre.relu().topk(3, dim=-1)
    f = torch.zeros_like(pre).scatter_(-1, kept.indices, kept.values)
    torch.testing.assert_close(loaded.encode(x), f * norms)
    # What is saved of it makes the same choice.
    save(loaded, tmp_path / "again")
    torch.testing.assert_close(load(tmp_path / "again").encode(x), f * norms)


def test_load__names_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no cfg\.json"):
        load(tmp_path)
    save(toy_dictionary(threshold=True), tmp_path)
    weights = tmp_path / "sae_weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-20])
    with pytest.raises(UserError, match="cut short"):
        load(tmp_path)
    save_file({"W_enc": torch.zeros(D, F)}, weights)
    with pytest.raises(UserError, match="is missing 'W_dec'"):
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
