"""Dictionaries of SAELens, computed by it and read by us."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from near import assert_near
from peers import SIZES, K, assert_same, rows, shake
from safetensors.torch import save_file
from torch import Tensor

from sae_desktop.dictionary import load, save
from sae_desktop.dictionary.formats import dictionary_learning as dl_format
from sae_desktop.dictionary.formats import sparsify as sparsify_format
from sae_desktop.dictionary.formats import through_saelens
from sae_desktop.dictionary.formats.find import find_dictionaries
from sae_desktop.dictionary.formats.through_saelens import SAELensDictionary
from sae_desktop.errors import UserError

sae_lens = pytest.importorskip("sae_lens", reason="a library that .ci/run installs")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


# ---------------------------------------------------------------- SAELens
def saelens_sae(architecture: str, width: int, features: int, **settings: Any) -> Any:
    metadata = sae_lens.saes.sae.SAEMetadata(
        model_name="gpt2-small", hook_name="blocks.8.hook_resid_pre"
    )
    cls, cfg = sae_lens.registry.get_sae_class(architecture)
    if "transcoder" in architecture:
        settings |= {"d_out": width, "apply_b_dec_to_input": False}
    return cls(cfg(d_in=width, d_sae=features, metadata=metadata, **settings))


def saelens_acts(theirs: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    with torch.no_grad():
        return theirs.encode(x), theirs.W_dec.norm(dim=1), theirs(x)


@pytest.mark.parametrize(("width", "features"), SIZES)
@pytest.mark.parametrize(
    "norm",
    [
        "none", "expected_average_only_in", "constant_norm_rescale", "layer_norm",
        "covariance_whitening",
    ],
)  # fmt: skip
@pytest.mark.parametrize("subtract", [False, True])
@pytest.mark.parametrize("architecture", ["standard", "topk", "jumprelu", "gated"])
def test_saelens(
    tmp_path: Path, architecture: str, subtract: bool, norm: str, width: int, features: int
) -> None:
    settings = {"k": K} if architecture == "topk" else {}
    theirs = saelens_sae(
        architecture, width, features, apply_b_dec_to_input=subtract, normalize_activations=norm,
        **settings,
    )  # fmt: skip
    shake(theirs)
    theirs.save_model(tmp_path)
    (found,) = find_dictionaries(tmp_path)
    assert (found.format, found.features, found.width) == ("SAELens", features, width)
    assert (found.model, found.site) == ("openai-community/gpt2", "blocks.8.hook_resid_pre")
    x = rows(width)
    acts, norms, written = saelens_acts(theirs, x)
    if architecture == "topk":  # theirs are in the order of their choice, without the norms
        assert bool((acts > 0).sum(dim=1).le(K).all())
    ours = load(tmp_path)
    assert_same(ours, acts, norms, written, x)
    save(ours, tmp_path / "again")
    again = sae_lens.SAE.load_from_disk(tmp_path / "again")
    acts_again, norms_again, written_again = saelens_acts(again, x)
    assert_near(acts_again * norms_again, acts * norms)
    assert_near(written_again, written)


@pytest.mark.parametrize(("width", "features"), SIZES)
@pytest.mark.parametrize(
    "architecture",
    ["transcoder", "skip_transcoder", "jumprelu_transcoder", "jumprelu_skip_transcoder"],
)
def test_saelens_transcoders(tmp_path: Path, architecture: str, width: int, features: int) -> None:
    theirs = saelens_sae(architecture, width, features)
    shake(theirs)
    theirs.save_model(tmp_path)
    x = rows(width)
    with torch.no_grad():
        acts, norms, written = theirs.encode(x), theirs.W_dec.norm(dim=1), theirs(x)
    assert_same(load(tmp_path), acts, norms, written, x)


@pytest.mark.parametrize(("width", "features"), SIZES)
def test_saelens_topk__ranked_by_decoder_norm(tmp_path: Path, width: int, features: int) -> None:
    theirs = saelens_sae("topk", width, features, k=K, rescale_acts_by_decoder_norm=True)
    shake(theirs)
    theirs.save_model(tmp_path)
    x = rows(width)
    with torch.no_grad():
        acts, written = theirs.encode(x), theirs(x)
    # Theirs are multiplied by the norms already.
    assert_same(load(tmp_path), acts, torch.ones(features), written, x)


@pytest.mark.parametrize("activation", ["relu", "topk"])
def test_saelens__before_version_6(tmp_path: Path, activation: str) -> None:
    width, features = SIZES[0]
    new = saelens_sae("standard", width, features)
    shake(new, norms=activation != "topk")
    tensors = {name: value.detach().clone() for name, value in new.state_dict().items()}
    old = {
        "architecture": "standard", "d_in": width, "d_sae": features, "dtype": "float32",
        "activation_fn_str": activation, "model_name": "pythia-70m-deduped",
        "hook_name": "blocks.3.hook_resid_post", "hook_layer": 3, "context_size": 128,
        "activation_fn_kwargs": {"k": K} if activation == "topk" else {}, "device": "cpu",
        "normalize_activations": "none", "finetuning_scaling_factor": False,
    }  # fmt: skip
    (tmp_path / "cfg.json").write_text(json.dumps(old))
    save_file(tensors, tmp_path / "sae_weights.safetensors")
    theirs = sae_lens.SAE.load_from_disk(tmp_path)
    x = rows(width)
    acts, norms, written = saelens_acts(theirs, x)
    ours = load(tmp_path)
    assert_same(ours, acts, norms, written, x)
    assert ours.metadata["model_name"] == "pythia-70m-deduped"
    assert ours.metadata["prepend_bos"] is True


@pytest.mark.parametrize(
    "architecture",
    ["standard", "topk", "jumprelu", "gated", "transcoder", "jumprelu_skip_transcoder"],
)
def test_saelens__in_bfloat16(tmp_path: Path, architecture: str) -> None:
    settings = {"k": K} if architecture == "topk" else {}
    theirs = saelens_sae(architecture, 12, 32, dtype="bfloat16", **settings)
    shake(theirs)
    theirs.save_model(tmp_path)
    again = sae_lens.SAE.load_from_disk(tmp_path, dtype="float32")
    x = rows(12)
    assert_same(load(tmp_path), *saelens_acts(again, x), x)


@pytest.mark.parametrize("architecture", ["standard", "topk", "jumprelu", "gated"])
@pytest.mark.parametrize("expansion", [1, 2])
def test_saelens__on_rows_of_a_model(
    tmp_path: Path, residuals: Tensor, architecture: str, expansion: int
) -> None:
    settings = {"k": 32} if architecture == "topk" else {}
    width = residuals.shape[1]
    theirs = saelens_sae(
        architecture, width, expansion * width, apply_b_dec_to_input=True, **settings
    )
    shake(theirs)
    theirs.save_model(tmp_path)
    assert_same(load(tmp_path), *saelens_acts(theirs, residuals), residuals)


@pytest.mark.parametrize(("width", "features"), SIZES)
@pytest.mark.parametrize("ranked", [False, True])
def test_saelens_abstopk__has_two_features_for_one_of_both_signs(
    tmp_path: Path, ranked: bool, width: int, features: int
) -> None:
    theirs = saelens_sae("abstopk", width, features, k=K, rescale_acts_by_decoder_norm=ranked)
    shake(theirs)
    theirs.save_model(tmp_path)
    (found,) = find_dictionaries(tmp_path)
    assert found.features == 2 * features
    assert "have a sign" in found.notes[0]
    x = rows(width)
    acts, norms, written = saelens_acts(theirs, x)
    assert bool((acts < 0).any())
    both = torch.cat([acts.relu(), (-acts).relu()], dim=1)
    scale = torch.ones(2 * features) if ranked else norms.repeat(2)
    assert_same(load(tmp_path), both, scale, written, x)


@pytest.mark.parametrize(("width", "features"), SIZES)
@pytest.mark.parametrize("subtract", [False, True])
def test_matching_pursuit__is_computed_by_saelens(
    tmp_path: Path, subtract: bool, width: int, features: int
) -> None:
    theirs = saelens_sae(
        "matching_pursuit", width, features, apply_b_dec_to_input=subtract, max_iterations=6
    )
    shake(theirs, norms=False)
    with torch.no_grad():
        theirs.W_dec /= theirs.W_dec.norm(dim=1, keepdim=True) * 1.25
    theirs.save_model(tmp_path / "theirs")
    x = rows(width)
    acts, norms, written = saelens_acts(theirs, x)
    ours = load(tmp_path / "theirs")
    assert isinstance(ours, SAELensDictionary)
    assert_same(ours, acts, norms, written, x)
    _, features_active, activations = ours.active(x)
    assert torch.equal(activations, ours.encode(x)[ours.encode(x) > 0])
    assert torch.equal(ours.encode_features(x[None], features_active[:3])[0, :, 0],
                       ours.encode(x)[:, features_active[0]])  # fmt: skip
    scaled = ours.scaled(0.5)
    assert_near(scaled.encode(2 * x) / 2, ours.encode(x))
    save(ours, tmp_path / "project")  # as a project keeps it
    assert_same(load(tmp_path / "project"), acts, norms, written, x)
    with pytest.raises(UserError, match="has no “matching_pursuit”"):
        dl_format.write(ours, tmp_path / "dl")
    with pytest.raises(UserError, match="only TopK dictionaries"):
        sparsify_format.write(ours, tmp_path / "sparsify")


def test_temporal__is_refused_for_it_reads_sequences(tmp_path: Path) -> None:
    theirs = saelens_sae("temporal", 16, 64, n_heads=1, sae_diff_type="topk", kval_topk=4)
    theirs.save_model(tmp_path)
    with pytest.raises(UserError, match="“temporal”, which does not read token by token"):
        load(tmp_path)


def test_matching_pursuit__of_normalised_rows_is_refused(tmp_path: Path) -> None:
    theirs = saelens_sae("matching_pursuit", 12, 32, normalize_activations="layer_norm")
    theirs.save_model(tmp_path)
    with pytest.raises(UserError, match="normalises each row by “layer_norm”"):
        load(tmp_path)


def test_matching_pursuit__of_attention_heads_reads_all_of_them(tmp_path: Path) -> None:
    theirs = saelens_sae("matching_pursuit", 12, 32, max_iterations=4)
    theirs.cfg.reshape_activations = "hook_z"
    theirs.cfg.metadata.hook_name = "blocks.8.attn.hook_z"
    theirs.save_model(tmp_path)
    x = rows(12)
    acts, norms, written = saelens_acts(theirs, x)
    assert_same(load(tmp_path), acts, norms, written, x)


def test_matching_pursuit__without_saelens_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saelens_sae("matching_pursuit", 12, 32).save_model(tmp_path)
    monkeypatch.setattr(through_saelens, "find_spec", lambda _: None)
    (found,) = find_dictionaries(tmp_path)
    assert (found.architecture, found.features) == ("matching_pursuit", 32)
    with pytest.raises(UserError) as error:
        load(tmp_path)
    assert "not installed" in error.value.what
    assert through_saelens.INSTALL in error.value.next_step
