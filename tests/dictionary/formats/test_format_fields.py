"""Every field of a foreign file is declared, told, honoured or refused by its name."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from near import assert_near
from safetensors.torch import save_file
from torch import Tensor

from sae_desktop.dictionary import load
from sae_desktop.dictionary.formats import (
    circuit_tracer,
    dictionary_learning,
    openmoss,
    saelens_fields,
    sparsify,
)
from sae_desktop.dictionary.formats.describe import markdown
from sae_desktop.dictionary.formats.fields import FieldTable, honoured, no_effect
from sae_desktop.dictionary.formats.find import TABLES, find_dictionaries
from sae_desktop.dictionary.formats.saelens_overrides import corrections
from sae_desktop.errors import UserError

D, F, K = 12, 20, 3
FORMATS_PAGE = Path(__file__).parents[3] / "packaging" / "FORMATS.md"
OVERRIDES = Path(__file__).parents[3] / "resources" / "saelens_overrides.json"
REASON = "a library that .ci/run installs"


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(3)
    shapes = {"W_enc": (D, F), "b_enc": (F,), "W_dec": (F, D), "b_dec": (D,)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


@pytest.fixture
def x() -> Tensor:
    return torch.randn(200, D, generator=torch.Generator().manual_seed(4))


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


# ---------------------------------------------------------------- the tables
def test_tables__are_those_of_the_page() -> None:
    assert FORMATS_PAGE.read_text(encoding="utf-8") == markdown()


def test_table__tells_what_it_does_not_know_and_refuses_by_name(tmp_path: Path) -> None:
    table = FieldTable(
        "x", "x.json", {"a.b": no_effect("n"), "c": honoured("c", refuses=lambda v: v > 1)}
    )
    assert table.unknown({"a": {"b": 1, "z": 2}, "c": 1, "y": {"b": 1}}) == ["a.z", "y"]
    table.check({"c": 1}, tmp_path)
    with pytest.raises(UserError, match="says c: 2"):
        table.check({"c": 2}, tmp_path)
    assert table.notes({"c": 1}) == []
    assert "fields not known here: a.z, y" in table.notes({"a": {"z": 2}, "y": 1})[0]


def fields_of(place: str, name: str) -> FieldTable:
    return next(t for t in TABLES if t.format == name and t.place.startswith(place))


def test_saelens__every_field_of_its_configs_is_declared() -> None:
    pytest.importorskip("sae_lens", reason=REASON)
    from sae_lens import registry
    from sae_lens.loading import pretrained_sae_loaders
    from transformer_lens import HookedTransformer

    table = saelens_fields.CONFIG
    classes = [
        config
        for known in (registry.SAE_CLASS_REGISTRY, registry.SAE_TRAINING_CLASS_REGISTRY)
        for _, config in known.values()
    ]
    assert len(classes) > 8
    for config in classes:
        names = {field.name for field in dataclasses.fields(config)}
        assert names <= set(table.fields), config
    metadata = {f"metadata.{name}" for name in pretrained_sae_loaders.LLM_METADATA_KEYS}
    assert metadata <= set(table.fields)
    assert set(saelens_fields.CONFIG_BEFORE.fields) >= pretrained_sae_loaders.LLM_METADATA_KEYS
    loading = set(inspect.signature(HookedTransformer.from_pretrained).parameters)
    loading -= {"cls", "model_name", "from_pretrained_kwargs"}
    kwargs = {f"metadata.model_from_pretrained_kwargs.{name}" for name in loading}
    assert kwargs <= set(table.fields)


def test_saelens__defaults_are_its_own() -> None:
    pytest.importorskip("sae_lens", reason=REASON)
    from sae_lens import registry

    for _, config in registry.SAE_CLASS_REGISTRY.values():
        default = next(f for f in dataclasses.fields(config) if f.name == "apply_b_dec_to_input")
        assert default.default is True


def test_saelens__overrides_are_those_of_its_directory() -> None:
    pytest.importorskip("sae_lens", reason=REASON)
    import importlib.util

    path = Path(__file__).parents[3] / "packaging" / "saelens_overrides.py"
    spec = importlib.util.spec_from_file_location("saelens_overrides", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert json.loads(OVERRIDES.read_text(encoding="utf-8")) == module.overrides()


def test_sparsify__every_field_of_its_configs_is_declared() -> None:
    pytest.importorskip("sparsify", reason=REASON)
    from sparsify.__main__ import RunConfig
    from sparsify.config import SparseCoderConfig

    cfg, run, _ = sparsify.TABLES
    assert {f.name for f in dataclasses.fields(SparseCoderConfig)} | {"d_in"} <= set(cfg.fields)
    assert {f.name for f in dataclasses.fields(RunConfig)} <= set(run.fields)


def _keys_returned(function: Any) -> set[str]:
    """The keys of the dict that a method writes out in its source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return {
        key.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }


def test_dictionary_learning__every_field_of_its_configs_is_declared() -> None:
    dl = pytest.importorskip("dictionary_learning", reason=REASON)
    import importlib
    import pkgutil

    from dictionary_learning import buffer, trainers

    known = set(dictionary_learning.TABLES[0].fields)
    found = 0
    for info in pkgutil.iter_modules(trainers.__path__):
        module = importlib.import_module(f"dictionary_learning.trainers.{info.name}")
        for value in vars(module).values():
            if inspect.isclass(value) and isinstance(vars(value).get("config"), property):
                names = {f"trainer.{key}" for key in _keys_returned(value.config.fget)}
                assert names <= known, value
                found += len(names)
    for value in vars(buffer).values():
        if inspect.isclass(value) and isinstance(vars(value).get("config"), property):
            assert {f"buffer.{key}" for key in _keys_returned(value.config.fget)} <= known, value
    assert found > 50
    assert dl is not None


def test_dictionary_learning__every_tensor_of_its_classes_is_declared() -> None:
    dl = pytest.importorskip("dictionary_learning", reason=REASON)
    from dictionary_learning.trainers.batch_top_k import BatchTopKSAE
    from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKSAE
    from dictionary_learning.trainers.top_k import AutoEncoderTopK

    known = set(dictionary_learning.TABLES[1].fields)
    for made in (
        dl.AutoEncoder(D, F), dl.dictionary.AutoEncoderNew(D, F), dl.GatedAutoEncoder(D, F),
        dl.JumpReluAutoEncoder(D, F), AutoEncoderTopK(D, F, K), BatchTopKSAE(D, F, K),
        MatryoshkaBatchTopKSAE(D, F, K, [5, 15]),
    ):  # fmt: skip
        assert set(made.state_dict()) <= known, made


def test_circuit_tracer__every_tensor_it_writes_and_field_it_reads_is_declared() -> None:
    library = pytest.importorskip("circuit_tracer", reason=REASON)
    from circuit_tracer.transcoder.activation_functions import JumpReLU
    from circuit_tracer.transcoder.single_layer_transcoder import SingleLayerTranscoder

    made = SingleLayerTranscoder(
        D, F, JumpReLU(torch.zeros(F)), 0, skip_connection=True, device=torch.device("cpu")
    )
    assert set(made.state_dict()) <= set(circuit_tracer.TABLES[1].fields)
    source = (Path(library.__file__).parent / "utils" / "hf_utils.py").read_text()
    read = {
        node.slice.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
        and isinstance(node.value, ast.Name) and node.value.id == "config"
    }  # fmt: skip
    assert {"model_kind", "feature_input_hook"} <= read <= set(circuit_tracer.TABLES[0].fields)


def test_llamascopium__every_field_of_its_config_is_declared() -> None:
    library = pytest.importorskip("llamascopium", reason="installed by hand")
    table = next(t for t in openmoss.TABLES if t.place == "config.json")
    assert set(library.SAEConfig.model_fields) <= set(table.fields)


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
