"""Every field of a foreign file is declared, told, honoured or refused by its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from format_files import D, F, K
from near import assert_near
from safetensors.torch import save_file
from torch import Tensor

from sae_desktop.dictionary import load
from sae_desktop.dictionary.formats.find import find_dictionaries
from sae_desktop.dictionary.formats.saelens_overrides import corrections
from sae_desktop.errors import UserError


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(3)
    shapes = {"W_enc": (D, F), "b_enc": (F,), "W_dec": (F, D), "b_dec": (D,)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def saelens(folder: Path, tensors: dict[str, Tensor], **told: Any) -> Path:
    """A folder of version 6."""
    folder.mkdir(exist_ok=True)
    metadata = {"sae_lens_version": "6.54.12", "model_name": "gpt2-small",
                "hook_name": "blocks.8.hook_resid_pre", **told.pop("metadata", {})}  # fmt: skip
    cfg = {"architecture": "standard", "d_in": D, "d_sae": F, "dtype": "float32",
           "metadata": metadata, **told}  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(cfg))
    save_file(tensors, folder / "sae_weights.safetensors")
    return folder


# ---------------------------------------------------------------- what is told and refused
def test_unknown_field__is_told_at_import(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    folder = saelens(tmp_path / "sae", tensors, clamp_activations=3.0)
    (found,) = find_dictionaries(folder)
    assert any("a field not known here: clamp_activations" in note for note in found.notes)
    save_file(tensors | {"W_gate": torch.zeros(3)}, folder / "sae_weights.safetensors")
    (found,) = find_dictionaries(folder)
    assert any("W_gate" in note and "tensors" in note for note in found.notes)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"hook_head_index": 3}, "hook_head_index: 3"),
        (
            {"hook_name": "blocks.8.attn.hook_z",
             "model_from_pretrained_kwargs": {"refactor_factored_attn_matrices": True}},
            "says refactor_factored_attn_matrices",
        ),
    ],
)  # fmt: skip
def test_saelens__what_cannot_be_honoured_is_refused_by_name(
    tmp_path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any], said: str
) -> None:
    folder = saelens(tmp_path / "sae", tensors, metadata=metadata)
    (found,) = find_dictionaries(folder)
    with pytest.raises(UserError, match=said):
        found.read()
    with pytest.raises(UserError, match=said):
        load(folder)


@pytest.mark.parametrize(
    ("hook", "kwargs", "site"),
    [
        ("hook_resid_pre", {"center_writing_weights": True}, "hook_resid_pre.centred"),
        ("hook_mlp_out", {"center_writing_weights": True}, "hook_mlp_out.centred"),
        ("mlp.hook_post", {"center_writing_weights": True}, "mlp.hook_post"),
        ("hook_resid_post", {"fold_ln": True, "center_unembed": True}, "hook_resid_post"),
        ("hook_mlp_out", {"fold_value_biases": True}, "hook_mlp_out"),
        ("mlp.hook_in", {"fold_ln": True}, "ln2.hook_normalized"),
        ("mlp.hook_in", {"fold_ln": False}, "mlp.hook_in"),
        ("ln2.hook_normalized", {}, "ln2.hook_normalized"),
    ],
)
def test_saelens__site_is_that_of_the_processed_model(
    tmp_path: Path, tensors: dict[str, Tensor], hook: str, kwargs: dict[str, bool], site: str
) -> None:
    told = {"hook_name": f"blocks.8.{hook}", "model_from_pretrained_kwargs": kwargs}
    (found,) = find_dictionaries(saelens(tmp_path / "sae", tensors, metadata=told))
    assert found.site == f"blocks.8.{site}"
    flat = {"architecture": "standard", "d_in": D, "d_sae": F, "dtype": "float32", **told}
    (tmp_path / "sae" / "cfg.json").write_text(json.dumps(flat))  # as before version 6
    (found,) = find_dictionaries(tmp_path / "sae")
    assert found.site == f"blocks.8.{site}"


def test_saelens_6__subtracts_its_bias_where_the_config_does_not_say(
    tmp_path: Path, tensors: dict[str, Tensor], x: Tensor
) -> None:
    folder = saelens(tmp_path / "sae", tensors)
    acts = ((x - tensors["b_dec"]) @ tensors["W_enc"] + tensors["b_enc"]).relu()
    expected = acts * tensors["W_dec"].norm(dim=1)
    assert_near(load(folder).encode(x), expected)
    (found,) = find_dictionaries(folder)
    assert_near(found.read().encode(x), expected)


def test_saelens_transcoder__subtracts_nothing_where_the_config_does_not_say(
    tmp_path: Path, tensors: dict[str, Tensor], x: Tensor
) -> None:
    folder = saelens(tmp_path / "sae", tensors, architecture="transcoder", d_out=D)
    expected = (x @ tensors["W_enc"] + tensors["b_enc"]).relu() * tensors["W_dec"].norm(dim=1)
    assert_near(load(folder).encode(x), expected)


def test_saelens__repository_that_its_directory_corrects_is_read_corrected(
    tmp_path: Path, tensors: dict[str, Tensor], x: Tensor
) -> None:
    name = "models--JoshEngels--Mistral-7B-Residual-Stream-SAEs"
    folder = tmp_path / name / "snapshots" / "1" / "mistral_7b_layer_8"
    folder.parent.mkdir(parents=True)
    flat = {"d_in": D, "d_sae": F, "dtype": "float32", "hook_name": "blocks.8.hook_resid_pre",
            "normalize_activations": "none"}  # fmt: skip
    saelens(folder, tensors)
    (folder / "cfg.json").write_text(json.dumps(flat))
    scaled = x * D**0.5 / x.norm(dim=1, keepdim=True)
    acts = ((scaled - tensors["b_dec"]) @ tensors["W_enc"] + tensors["b_enc"]).relu()
    (found,) = find_dictionaries(folder)
    assert_near(found.read().encode(x), acts * tensors["W_dec"].norm(dim=1))


def test_saelens__scale_that_its_directory_knows_is_folded_in(
    tmp_path: Path, tensors: dict[str, Tensor], x: Tensor
) -> None:
    name, inside = (
        "jbloom/Gemma-2b-Residual-Stream-SAEs",
        "gemma_2b_blocks.12.hook_resid_post_16384",
    )
    scale = corrections(name)["norm_scaling_factor"][inside]
    folder = tmp_path / f"models--{name.replace('/', '--')}" / "snapshots" / "1" / inside
    folder.parent.mkdir(parents=True)
    scaled = {"normalize_activations": "expected_average_only_in", "apply_b_dec_to_input": False}
    (found,) = find_dictionaries(saelens(folder, tensors, **scaled))
    acts = (x * scale @ tensors["W_enc"] + tensors["b_enc"]).relu()
    assert_near(found.read().encode(x), acts * tensors["W_dec"].norm(dim=1) / scale)
    assert not any("one number" in note for note in found.notes)
    (found,) = find_dictionaries(saelens(tmp_path / "elsewhere", tensors, **scaled))
    assert any("one number" in note for note in found.notes)


# ---------------------------------------------------------------- circuit-tracer
def tracer_set(folder: Path, tensors: dict[str, Tensor], **told: Any) -> Path:
    folder.mkdir()
    own = {**tensors, "W_enc": tensors["W_enc"].T.contiguous()}
    save_file(own, folder / "layer_2.safetensors")
    cfg = {"model_kind": "transcoder_set", "feature_input_hook": "mlp.hook_in",
           "feature_output_hook": "hook_mlp_out", **told}  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(cfg))
    return folder


@pytest.mark.parametrize("place", ["config", "tensor"])
def test_circuit_tracer__keeps_the_k_largest(
    tmp_path: Path, tensors: dict[str, Tensor], x: Tensor, place: str
) -> None:
    if place == "config":
        folder = tracer_set(tmp_path / "set", tensors, activation="topk", k=K)
    else:
        folder = tracer_set(tmp_path / "set", tensors | {"k": torch.tensor(K)})
    (found,) = find_dictionaries(folder)
    assert found.architecture == "topk transcoder"
    kept = (x @ tensors["W_enc"] + tensors["b_enc"]).relu().topk(K, dim=-1)
    acts = torch.zeros(len(x), F).scatter_(-1, kept.indices, kept.values)
    assert_near(found.read().encode(x), acts * tensors["W_dec"].norm(dim=1))


def test_circuit_tracer__activation_that_is_not_known_or_has_no_k_is_refused(
    tmp_path: Path, tensors: dict[str, Tensor]
) -> None:
    with pytest.raises(UserError, match="activation: 'gelu'"):
        load(tracer_set(tmp_path / "one", tensors, activation="gelu"))
    with pytest.raises(UserError, match=r"\(k\) is not clear"):
        load(tracer_set(tmp_path / "two", tensors, activation="topk"))
    both = tensors | {"k": torch.tensor(K)}
    with pytest.raises(UserError, match=r"\(k\) is not clear: there is 3 and 5"):
        load(tracer_set(tmp_path / "three", both, activation="topk", k=5))


# ---------------------------------------------------------------- sparsify
@pytest.mark.parametrize(
    ("module", "site", "out"),
    [
        ("layers.3", "hook_resid_pre", "hook_resid_post"),
        ("layers.3.mlp", "mlp.hook_in", "hook_mlp_out"),
        ("layers.3.self_attn", "attn.hook_in", "hook_attn_out"),
        ("h.3.attn", "attn.hook_in", "hook_attn_out"),
    ],
)
def test_sparsify__transcoder_reads_the_input_of_its_module(
    tmp_path: Path, tensors: dict[str, Tensor], module: str, site: str, out: str
) -> None:
    folder = tmp_path / "run" / module
    folder.mkdir(parents=True)
    save_file(
        {"encoder.weight": tensors["W_enc"].T.contiguous(), "encoder.bias": tensors["b_enc"],
         "W_dec": tensors["W_dec"], "b_dec": tensors["b_dec"]},
        folder / "sae.safetensors",
    )  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps({"k": K, "d_in": D, "transcode": True}))
    run = {"sae": {"k": K}, "model": "HuggingFaceTB/SmolLM2-135M", "revision": "step-7"}
    (folder.parent / "config.json").write_text(json.dumps(run))
    (found,) = find_dictionaries(folder)
    assert (found.site, found.site_out) == (f"blocks.3.{site}", f"blocks.3.{out}")
    assert found.model == "HuggingFaceTB/SmolLM2-135M"
    assert any("step-7" in note for note in found.notes)
    (folder / "cfg.json").write_text(json.dumps({"k": K, "d_in": D, "signed": True}))
    with pytest.raises(UserError, match="says signed: True"):
        load(folder)


# ---------------------------------------------------------------- dictionary_learning
def test_topk_of_dictionary_learning__from_before_thresholds_takes_its_k_from_the_config(
    tmp_path: Path, tensors: dict[str, Tensor], x: Tensor
) -> None:
    state = {"encoder.weight": tensors["W_enc"].T, "encoder.bias": tensors["b_enc"],
             "decoder.weight": tensors["W_dec"].T, "b_dec": tensors["b_dec"]}  # fmt: skip
    torch.save(state, tmp_path / "ae.pt")
    with pytest.raises(UserError, match="no dictionary in a known format"):
        load(tmp_path)
    trainer = {"dict_class": "AutoEncoderTopK", "k": K, "layer": 4, "submodule_name": "",
               "lm_name": "EleutherAI/pythia-70m-deduped"}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {}}))
    kept = ((x - tensors["b_dec"]) @ tensors["W_enc"] + tensors["b_enc"]).relu().topk(K, dim=-1)
    acts = torch.zeros(len(x), F).scatter_(-1, kept.indices, kept.values)
    assert_near(load(tmp_path).encode(x), acts * tensors["W_dec"].norm(dim=1))
    torch.save(state | {"k": torch.tensor(K + 1)}, tmp_path / "ae.pt")
    with pytest.raises(UserError, match=r"\(k\) is not clear: there is 3 and 4"):
        load(tmp_path)


def test_dictionary_learning__of_a_modules_input_reads_it(
    tmp_path: Path, tensors: dict[str, Tensor]
) -> None:
    state = {"encoder.weight": tensors["W_enc"].T, "encoder.bias": tensors["b_enc"],
             "decoder.weight": tensors["W_dec"].T, "bias": tensors["b_dec"]}  # fmt: skip
    torch.save(state, tmp_path / "ae.pt")
    for io, site in (("in", "mlp.hook_in"), ("out", "hook_mlp_out")):
        cfg = {"trainer": {"dict_class": "AutoEncoder", "submodule_name": "model.layers.2.mlp"},
               "buffer": {"io": io}}  # fmt: skip
        (tmp_path / "config.json").write_text(json.dumps(cfg))
        (found,) = find_dictionaries(tmp_path)
        assert found.site == f"blocks.2.{site}"
    (tmp_path / "config.json").write_text(json.dumps({**cfg, "buffer": {"io": "in_and_out"}}))
    with pytest.raises(UserError, match="in_and_out"):
        load(tmp_path)
