"""The tables of fields tell every field and tensor that other libraries write."""

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
from format_files import D, F, K

from sae_desktop.dictionary.formats import (
    circuit_tracer,
    dictionary_learning,
    openmoss,
    saelens_fields,
    sparsify,
)
from sae_desktop.dictionary.formats.describe import markdown
from sae_desktop.dictionary.formats.fields import FieldTable, honoured, no_effect
from sae_desktop.dictionary.formats.find import TABLES
from sae_desktop.errors import UserError

FORMATS_PAGE = Path(__file__).parents[3] / "packaging" / "FORMATS.md"
OVERRIDES = Path(__file__).parents[3] / "resources" / "saelens_overrides.json"
REASON = "a library that .ci/run installs"


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
