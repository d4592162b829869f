"""The public sets, by the formulas their files stand for; by their libraries where installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from near import assert_near
from safetensors.torch import save_file
from torch import Tensor

from sae_desktop.dictionary import load
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.dictionary.formats.find import find_dictionaries
from sae_desktop.errors import UserError

SIZES = [(12, 32), (16, 16)]


def made(*shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def matrices(width: int, features: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """W_enc (D, F), b_enc, W_dec (F, D), b_dec, positive thresholds, rows (300, D)."""
    W_enc, b_enc, W_dec, b_dec, threshold, x = made(
        (width, features), (features,), (features, width), (width,), (features,), (300, width)
    )
    return W_enc, b_enc, W_dec, b_dec, threshold.abs(), x


def jumped(pre: Tensor, threshold: Tensor) -> Tensor:
    return pre.relu() * (pre > threshold)


def assert_reads(path: Path, x: Tensor, f: Tensor, W_dec: Tensor, written: Tensor) -> None:
    ours = load(path)
    assert_near(ours.encode(x), f * W_dec.norm(dim=1))
    assert_near(ours.apply(x), written)
    assert 0 < int((f > 0).sum()) < f.numel()


# ---------------------------------------------------------------- Gemma Scope
@pytest.mark.parametrize(("width", "features"), SIZES)
@pytest.mark.parametrize("names", ["small", "capital"])
def test_gemma_scope(tmp_path: Path, names: str, width: int, features: int) -> None:
    W_enc, b_enc, W_dec, b_dec, threshold, x = matrices(width, features)
    folder = tmp_path / "gemma-scope-2b-pt-res" / "layer_20" / "width_16k" / "average_l0_71"
    folder.mkdir(parents=True)
    first = "W" if names == "capital" else "w"
    tensors = {f"{first}_enc": W_enc, f"{first}_dec": W_dec, "b_enc": b_enc, "b_dec": b_dec,
               "threshold": threshold}  # fmt: skip
    np.savez(folder / "params.npz", **{name: t.numpy() for name, t in tensors.items()})
    (found,) = find_dictionaries(tmp_path)
    assert (found.format, found.model) == ("Gemma Scope", "google/gemma-2-2b")
    assert (found.site, found.features) == ("blocks.20.hook_resid_post", features)
    assert "71 features" in found.notes[0]
    f = jumped(x @ W_enc + b_enc, threshold)
    assert_reads(folder, x, f, W_dec, f @ W_dec + b_dec)


def test_gemma_scope_2__transcoder_with_a_skip(tmp_path: Path) -> None:
    W_enc, b_enc, W_dec, b_dec, threshold, x = matrices(12, 32)
    (skip,) = made((12, 12))
    folder = tmp_path / "transcoder_all" / "layer_7_width_16k_l0_small"
    folder.mkdir(parents=True)
    cfg = {"architecture": "jump_relu", "model_name": "gemma-v3-1b-pt", "affine_connection": True,
           "hf_hook_point_in": "model.layers.7.pre_feedforward_layernorm.output"}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(cfg))
    save_file(
        {"w_enc": W_enc, "w_dec": W_dec, "b_enc": b_enc, "b_dec": b_dec, "threshold": threshold,
         "affine_skip_connection": skip},
        folder / "params.safetensors",
    )  # fmt: skip
    (found,) = find_dictionaries(tmp_path)
    assert (found.format, found.model) == ("Gemma Scope 2", "google/gemma-3-1b-pt")
    assert (found.site, found.site_out) == ("blocks.7.mlp.hook_in", "blocks.7.hook_mlp_out")
    f = jumped(x @ W_enc + b_enc, threshold)
    assert_reads(folder, x, f, W_dec, f @ W_dec + b_dec + x @ skip)


# ---------------------------------------------------------------- Llama Scope, Llamascopium
@pytest.mark.parametrize(("width", "features"), SIZES)
def test_llama_scope(tmp_path: Path, width: int, features: int) -> None:
    W_enc, b_enc, W_dec, b_dec, _, x = matrices(width, features)
    folder = tmp_path / "Llama3_1-8B-Base-L15R-8x"
    (folder / "checkpoints").mkdir(parents=True)
    norm, threshold = 9.0, 0.7
    hyperparams = {
        "d_model": width, "d_sae": features, "hook_point_in": "blocks.15.hook_resid_post",
        "hook_point_out": "blocks.15.hook_resid_post", "jump_relu_threshold": threshold,
        "dataset_average_activation_norm": {"in": norm, "out": norm},
    }  # fmt: skip
    (folder / "hyperparams.json").write_text(json.dumps(hyperparams))
    save_file(
        {"encoder.weight": W_enc.T.contiguous(), "encoder.bias": b_enc,
         "decoder.weight": W_dec.T.contiguous(), "decoder.bias": b_dec},
        folder / "checkpoints" / "final.safetensors",
    )  # fmt: skip
    (found,) = find_dictionaries(folder)
    assert (found.format, found.site) == ("Llama Scope", "blocks.15.hook_resid_post")
    assert (found.model, found.site_out) == ("meta-llama/Llama-3.1-8B", "")
    scalar = width**0.5 / norm
    f = jumped(x * scalar @ W_enc + b_enc, torch.full((features,), threshold * scalar))
    written = (f @ W_dec + b_dec) / scalar
    assert_reads(folder, x, f / scalar, W_dec, written)


@pytest.mark.parametrize("kind", ["jumprelu", "topk", "relu"])
@pytest.mark.parametrize("norm", ["dataset-wise", "token-wise", "inference"])
@pytest.mark.parametrize("with_norms", [False, True])
def test_llamascopium(tmp_path: Path, kind: str, norm: str, with_norms: bool) -> None:
    library = pytest.importorskip("llamascopium", reason="installed by hand")
    torch.manual_seed(0)
    hook = "blocks.3.hook_resid_post"
    cfg = library.SAEConfig(
        hook_point_in=hook, hook_point_out=hook, d_model=12, expansion_factor=3, act_fn=kind,
        norm_activation=norm, sparsity_include_decoder_norm=with_norms, top_k=5,
        dtype=torch.float32, device="cpu",
    )  # fmt: skip
    theirs = library.SparseAutoEncoder(cfg)
    W_enc, b_enc, W_dec, b_dec, threshold, x = matrices(12, 36)
    with torch.no_grad():
        for name, value in (("W_E", W_enc), ("b_E", b_enc), ("W_D", W_dec), ("b_D", b_dec)):
            getattr(theirs, name).copy_(value)
        if kind == "jumprelu":
            theirs.activation_function.log_jumprelu_threshold.copy_(threshold.log())
    if norm == "dataset-wise":
        theirs.set_dataset_average_activation_norm({hook: 5.0})
    theirs.save_pretrained(tmp_path)
    cfg.save_hyperparameters(tmp_path)
    with torch.no_grad():
        batch, scales = theirs.normalize_activations({hook: x}, return_scale_factor=True)
        f = theirs.encode(batch[hook])
        written = theirs.decode(f) / scales[hook]
    (found,) = find_dictionaries(tmp_path)
    assert (found.format, found.site) == ("Llamascopium", hook)
    ours = load(tmp_path)
    worth = ours.row_scale(x) if norm == "token-wise" else 1 / torch.as_tensor(scales[hook])
    theirs_raw = f * W_dec.norm(dim=1) * (1 if norm == "token-wise" else worth)
    assert_near(ours.encode(x), theirs_raw)
    assert_near(ours.apply(x), written)


# ---------------------------------------------------------------- Qwen-Scope
@pytest.mark.parametrize(("width", "features"), SIZES)
def test_qwen_scope(tmp_path: Path, width: int, features: int) -> None:
    W_enc, b_enc, W_dec, b_dec, _, x = matrices(width, features)
    folder = tmp_path / "SAE-Res-Qwen3-1.7B-Base-W32K-L0_5"
    folder.mkdir()
    tensors = {"W_enc": W_enc.T.contiguous(), "W_dec": W_dec.T.contiguous(), "b_enc": b_enc,
               "b_dec": b_dec}  # fmt: skip
    torch.save(tensors, folder / "layer3.sae.pt")
    (found,) = find_dictionaries(tmp_path)
    assert (found.format, found.model) == ("Qwen-Scope", "Qwen/Qwen3-1.7B-Base")
    assert found.site == "blocks.3.hook_resid_post"
    kept = (x @ W_enc + b_enc).relu().topk(5, dim=-1)
    f = torch.zeros(len(x), features).scatter_(-1, kept.indices, kept.values)
    assert_reads(folder, x, f, W_dec, f @ W_dec + b_dec)
    renamed = tmp_path / "renamed"
    folder.rename(renamed)
    with pytest.raises(UserError, match="name of its folder"):
        load(renamed)


# ---------------------------------------------------------------- circuit-tracer
@pytest.mark.parametrize(("width", "features"), SIZES)
@pytest.mark.parametrize("jumps", [False, True])
@pytest.mark.parametrize("skip", [False, True])
def test_circuit_tracer_set(
    tmp_path: Path, jumps: bool, skip: bool, width: int, features: int
) -> None:
    W_enc, b_enc, W_dec, b_dec, threshold, x = matrices(width, features)
    (W_skip,) = made((width, width))
    tensors = {"W_enc": W_enc.T.contiguous(), "W_dec": W_dec, "b_enc": b_enc, "b_dec": b_dec}
    if jumps:
        tensors["activation_function.threshold"] = threshold
    if skip:
        tensors["W_skip"] = W_skip
    for layer in range(2):
        save_file(tensors, tmp_path / f"layer_{layer}.safetensors")
    cfg = {"model_name": "google/gemma-2-2b", "model_kind": "transcoder_set",
           "feature_input_hook": "ln2.hook_normalized",
           "feature_output_hook": "hook_mlp_out"}  # fmt: skip
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(cfg))
    found = find_dictionaries(tmp_path)
    assert [(one.format, one.site, one.site_out) for one in found] == [
        ("circuit-tracer", f"blocks.{i}.ln2.hook_normalized", f"blocks.{i}.hook_mlp_out")
        for i in (0, 1)
    ]
    with pytest.raises(UserError, match="holds 2 dictionaries"):
        load(tmp_path)
    pre = x @ W_enc + b_enc
    f = jumped(pre, threshold) if jumps else pre.relu()
    written = f @ W_dec + b_dec + (x @ W_skip.T if skip else 0)
    assert_reads(tmp_path / "layer_1.safetensors", x, f, W_dec, written)


@pytest.mark.parametrize("jumps", [False, True])
def test_circuit_tracer__cross_layer_as_it_computes(tmp_path: Path, jumps: bool) -> None:
    library = pytest.importorskip("circuit_tracer", reason="a library that .ci/run installs")
    from circuit_tracer.transcoder.cross_layer_transcoder import CrossLayerTranscoder

    del library
    layers, width, features = 3, 12, 20
    theirs = CrossLayerTranscoder(
        layers, features, width, activation_function="jump_relu" if jumps else "relu",
        lazy_decoder=False, device=torch.device("cpu"), dtype=torch.float32,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
            if "threshold" in name:
                parameter.abs_()
    theirs.to_safetensors(str(tmp_path))
    cfg = {"model_name": "google/gemma-2-2b", "model_kind": "cross_layer_transcoder",
           "feature_input_hook": "hook_resid_mid",
           "feature_output_hook": "hook_mlp_out"}  # fmt: skip
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(cfg))
    (found,) = find_dictionaries(tmp_path)
    assert (found.architecture, found.features) == ("cross_layer_transcoder", layers * features)
    ours = load(tmp_path)
    assert isinstance(ours, CrossLayerDictionary)
    x = torch.randn(layers, 40, width, generator=generator)
    with torch.no_grad():
        acts, written = theirs.encode(x), theirs(x)
    side_by_side = x.transpose(0, 1).reshape(40, -1)
    norms = torch.stack([W_dec.flatten(1).norm(dim=1) for W_dec in theirs.W_dec])
    expected = (acts * norms[:, None]).transpose(0, 1).reshape(40, -1)
    assert_near(ours.encode(side_by_side), expected)
    out = written.transpose(0, 1).reshape(40, -1)
    assert_near(ours.apply(side_by_side), out)


# ---------------------------------------------------------------- what is not one
def test_unknown__is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        find_dictionaries(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no dictionary in a known format"):
        find_dictionaries(tmp_path)
    save_file({"lm_head.weight": torch.zeros(3, 3)}, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="no dictionary in a known format"):
        find_dictionaries(tmp_path)
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    with pytest.raises(UserError, match="not a weights file"):
        find_dictionaries(text)


def test_shapes_that_do_not_fit__are_named(tmp_path: Path) -> None:
    W_enc, b_enc, W_dec, b_dec, *_ = matrices(12, 32)
    bad: dict[str, Any] = {"encoder.weight": W_enc.T.contiguous(), "encoder.bias": b_enc[:5],
                           "W_dec": W_dec, "b_dec": b_dec}  # fmt: skip
    save_file({k: v.contiguous() for k, v in bad.items()}, tmp_path / "sae.safetensors")
    (tmp_path / "cfg.json").write_text(json.dumps({"k": 3, "d_in": 12}))
    with pytest.raises(UserError, match="do not fit together"):
        load(tmp_path)
