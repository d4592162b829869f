"""Folders laid out as Gemma Scope 2 and SAELens publish transcoders: imported as sets, and traced.

What they compute is held to the formulas that their files stand for, and where SAELens is
installed to SAELens's own loader.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from near import assert_near
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from toy_models import WIDTH, save_toy_model

from sae_desktop.circuits.config import TraceConfig
from sae_desktop.circuits.reading.graph_file import ERROR, FEATURE, read_graph
from sae_desktop.circuits.tracing.job import trace
from sae_desktop.dictionary.formats.find import find_dictionaries
from sae_desktop.dictionary.sets import load_set
from sae_desktop.errors import UserError
from sae_desktop.exchange.found_sets import sets_in
from sae_desktop.exchange.set_config import ExportSetConfig, ImportSetConfig
from sae_desktop.exchange.sets import export_set, import_set
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.load import load_model
from sae_desktop.project import Project

LAYERS, FEATURES = 2, 40
REPOSITORY = "gemma-scope-2-270m-pt"
ROWS = torch.randn(60, WIDTH, generator=torch.Generator().manual_seed(9))


def _tensors(layer: int) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(layer)

    def made(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draw)

    return {
        "w_enc": 0.4 * made(WIDTH, FEATURES), "w_dec": made(FEATURES, WIDTH),
        "b_enc": 0.1 * made(FEATURES), "b_dec": made(WIDTH), "threshold": made(FEATURES).abs(),
        "affine_skip_connection": 0.3 * made(WIDTH, WIDTH),
    }  # fmt: skip


def _fires(tensors: dict[str, Tensor], x: Tensor) -> Tensor:
    pre = x @ tensors["w_enc"] + tensors["b_enc"]
    return pre.relu() * (pre > tensors["threshold"])


def _writes(tensors: dict[str, Tensor], x: Tensor) -> Tensor:
    skipped = x @ tensors["affine_skip_connection"]
    return _fires(tensors, x) @ tensors["w_dec"] + tensors["b_dec"] + skipped


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of two sizes of dictionaries, with and without the affine connection."""
    root = tmp_path_factory.mktemp("hub") / REPOSITORY
    for layer in range(LAYERS):
        for size, affine in (("small", "_affine"), ("small", ""), ("big", "_affine")):
            folder = root / "transcoder_all" / f"layer_{layer}_width_16k_l0_{size}{affine}"
            folder.mkdir(parents=True)
            tensors = _tensors(layer)
            if not affine:
                del tensors["affine_skip_connection"]
            save_file(tensors, folder / "params.safetensors")
            if size == "small":
                told = {
                    "architecture": "jump_relu", "model_name": "gemma-v3-270m-pt",
                    "hf_hook_point_in": f"model.layers.{layer}.pre_feedforward_layernorm.output",
                    "hf_hook_point_out": f"model.layers.{layer}.post_feedforward_layernorm.output",
                    "width": FEATURES, "l0": 10, "affine_connection": bool(affine),
                    "type": "transcoder",
                }  # fmt: skip
                (folder / "config.json").write_text(json.dumps(told))
    return root


WHICH = "transcoder_all/layer_*_width_16k_l0_{}/params.safetensors"


def _imported(project: Project, source: Path, which: str, model: str = "") -> str:
    config = ImportSetConfig(
        project=str(project.path), name="scope", source=str(source), which=which, model=model
    )
    return import_set(config, SilentContext()).model


def test_gemma_scope_2__is_a_set_for_each_size(published: Path) -> None:
    found = sets_in(find_dictionaries(published), published)
    assert {one.path for one in found} == {
        WHICH.format(size) for size in ("small", "small_affine", "big_affine")
    }
    for one in found:
        told = one.told()
        assert (told.format, told.layers) == ("Gemma Scope 2", tuple(range(LAYERS)))
        # The base model of this size has no “-pt” on the hub; the “big” ones have no config.
        assert told.model == "google/gemma-3-270m"
        assert [(d.site, d.site_out) for d in one.dictionaries] == [
            (f"blocks.{n}.mlp.hook_in", f"blocks.{n}.hook_mlp_out") for n in range(LAYERS)
        ]


@pytest.mark.parametrize("size", ["small_affine", "big_affine"])
def test_gemma_scope_2__imported_computes_what_its_files_say(
    project: Project, published: Path, size: str
) -> None:
    assert _imported(project, published, WHICH.format(size)) == "google/gemma-3-270m"
    opened = load_set(project.set_path("scope"))
    assert opened.info.skip
    for layer in range(LAYERS):
        tensors = _tensors(layer)
        norms = tensors["w_dec"].norm(dim=1)
        assert_near(opened.dictionary(layer).encode(ROWS), _fires(tensors, ROWS) * norms)
        assert_near(opened.dictionary(layer).apply(ROWS), _writes(tensors, ROWS))


def test_gemma_scope_2__without_its_affine_connection_is_refused(
    project: Project, published: Path
) -> None:
    folder = published.parent / "damaged" / "transcoder_all" / "layer_0_width_16k_l0_small_affine"
    folder.mkdir(parents=True)
    tensors = _tensors(0)
    del tensors["affine_skip_connection"]
    save_file(tensors, folder / "params.safetensors")
    twin = folder.with_name("layer_1_width_16k_l0_small_affine")
    twin.mkdir()
    save_file(_tensors(1), twin / "params.safetensors")
    with pytest.raises(UserError, match="affine_skip_connection"):
        _imported(project, folder.parent, "", "google/gemma-3-270m")
    assert project.sets() == []


def test_gemma_scope_2__is_traced_at_the_modules_its_config_names(
    project: Project, published: Path, tmp_path: Path
) -> None:
    model = save_toy_model(tmp_path / "gemma", "gemma3_text", num_hidden_layers=LAYERS)
    _imported(project, published, WHICH.format("small_affine"), str(model))
    config = TraceConfig(
        project=str(project.path), name="g", set="scope", prompt="In the beginning God created",
        most_features=0, keep_edges=1.0, device="cpu",
    )  # fmt: skip
    result = trace(config, SilentContext())
    assert result.largest_gap < 1e-5
    graph = read_graph(Path(result.path))
    lm = load_model(str(model), "cpu")
    seen: dict[str, Tensor] = {}
    for name, module in lm.model.named_modules():
        if name.endswith(("pre_feedforward_layernorm", "post_feedforward_layernorm")):
            module.register_forward_hook(lambda m, a, out, name=name: seen.update({name: out[0]}))
    with torch.no_grad():
        lm.model(torch.tensor([graph.tokens.tolist()]))
    first = graph.info.specials
    for layer in range(LAYERS):
        tensors = _tensors(layer)
        x = seen[f"model.layers.{layer}.pre_feedforward_layernorm"][first:]
        fires = _fires(tensors, x) * tensors["w_dec"].norm(dim=1)
        of_layer = (graph.layer == layer) & (graph.kind == FEATURE)
        found = torch.zeros_like(fires)
        places = graph.position[of_layer] - first, graph.feature[of_layer]
        found[places] = torch.from_numpy(graph.activation[of_layer]).float()
        assert 20 < int(of_layer.sum()) == int((fires > 0).sum())
        assert_near(found, fires)
        given = seen[f"model.layers.{layer}.post_feedforward_layernorm"][first:]
        errors = (given - _writes(tensors, x)).norm(dim=1)
        nodes = np.flatnonzero((graph.layer == layer) & (graph.kind == ERROR))
        assert np.allclose(graph.activation[nodes], errors, rtol=1e-4)


# ---------------------------------------------------------------- SAELens
def _saelens_folder(folder: Path, layer: int, architecture: str, **changes: Any) -> Path:
    """Write what SAELens 6.54.12 writes, key by key."""
    tensors = _tensors(layer)
    kept = {"W_enc": "w_enc", "W_dec": "w_dec", "b_enc": "b_enc", "b_dec": "b_dec"}
    weights = {name: tensors[key] for name, key in kept.items()}
    if architecture.startswith("jumprelu"):
        weights["threshold"] = tensors["threshold"]
    if "skip" in architecture:
        weights["W_skip"] = tensors["affine_skip_connection"].T.contiguous()
    cfg = {
        "architecture": architecture, "d_in": WIDTH, "d_sae": FEATURES, "d_out": WIDTH,
        "dtype": "float32", "device": "cpu", "apply_b_dec_to_input": False,
        "normalize_activations": "none", "reshape_activations": "none",
        "metadata": {
            "sae_lens_version": "6.54.12", "sae_lens_training_version": "6.54.12",
            "model_name": "gemma-2-2b", "hook_name": f"blocks.{layer}.ln2.hook_normalized",
            "hook_name_out": f"blocks.{layer}.hook_mlp_out", "context_size": 128,
            "prepend_bos": True, "dataset_path": "monology/pile-uncopyrighted",
        },
    } | changes  # fmt: skip
    folder.mkdir(parents=True)
    save_file(weights, folder / "sae_weights.safetensors")
    (folder / "cfg.json").write_text(json.dumps(cfg))
    return folder


ARCHITECTURES = ["transcoder", "skip_transcoder", "jumprelu_transcoder", "jumprelu_skip_transcoder"]


def _expected(layer: int, architecture: str) -> Tensor:
    tensors = _tensors(layer)
    if not architecture.startswith("jumprelu"):
        tensors["threshold"] = torch.zeros(FEATURES)
    if "skip" not in architecture:
        tensors["affine_skip_connection"] = torch.zeros(WIDTH, WIDTH)
    return _writes(tensors, ROWS)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_saelens_folders__are_a_set_that_computes_what_they_say(
    project: Project, tmp_path: Path, architecture: str
) -> None:
    for layer in range(LAYERS):
        _saelens_folder(tmp_path / "lens" / f"layer_{layer}", layer, architecture)
    assert _imported(project, tmp_path / "lens", "") == "google/gemma-2-2b"
    opened = load_set(project.set_path("scope"))
    assert opened.info.skip == ("skip" in architecture)
    assert [member.reads for member in opened.info.members] == [
        f"blocks.{n}.ln2.hook_normalized" for n in range(LAYERS)
    ]
    for layer in range(LAYERS):
        assert_near(opened.dictionary(layer).apply(ROWS), _expected(layer, architecture))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_saelens__reads_the_same_folders_and_those_written_here(
    project: Project, tmp_path: Path, architecture: str
) -> None:
    sae_lens = pytest.importorskip("sae_lens", reason="a library that .ci/run installs")
    for layer in range(LAYERS):
        folder = _saelens_folder(tmp_path / "lens" / f"layer_{layer}", layer, architecture)
        with torch.no_grad():
            theirs = sae_lens.SAE.load_from_disk(folder)(ROWS)
        assert_near(theirs, _expected(layer, architecture))
    _imported(project, tmp_path / "lens", "")
    written = ExportSetConfig(
        project=str(project.path), set="scope", path=str(tmp_path / "out"), format="saelens"
    )
    export_set(written, SilentContext())
    for layer in range(LAYERS):
        again = sae_lens.SAE.load_from_disk(tmp_path / "out" / f"L{layer:02}")
        assert again.cfg.metadata.hook_name == f"blocks.{layer}.ln2.hook_normalized"
        with torch.no_grad():
            assert_near(again(ROWS), _expected(layer, architecture))


@pytest.mark.parametrize("size", ["small_affine", "small", "big_affine"])
def test_saelens__reads_gemma_scope_2_as_it_is_read_here(
    project: Project, published: Path, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    sae_lens = pytest.importorskip("sae_lens", reason="a library that .ci/run installs")
    from huggingface_hub.errors import EntryNotFoundError
    from sae_lens.loading import pretrained_sae_loaders as loaders

    def local(repo_id: str, filename: str, subfolder: str = "", **others: Any) -> str:
        path = published / subfolder / filename
        if not path.exists():
            raise EntryNotFoundError(filename)
        return str(path)

    def shapes(repo_id: str, filename: str) -> dict[str, list[int]]:
        with safe_open(published / filename, "pt") as file:
            return {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118

    monkeypatch.setattr(loaders, "hf_hub_download", local)
    monkeypatch.setattr(loaders, "get_safetensors_tensor_shapes", shapes)
    model = _imported(project, published, WHICH.format(size))
    opened = load_set(project.set_path("scope"))
    for layer in range(LAYERS):
        place = f"transcoder_all/layer_{layer}_width_16k_l0_{size}"
        cfg, weights, _ = loaders.gemma_3_sae_huggingface_loader(f"google/{REPOSITORY}", place)
        assert cfg["model_name"] == model
        cfg = loaders.handle_config_defaulting(loaders.handle_pre_6_0_config(cfg))
        kind, config = sae_lens.registry.get_sae_class(cfg["architecture"])
        theirs = kind(config.from_dict(cfg))
        theirs.process_state_dict_for_loading(weights)
        theirs.load_state_dict(weights)
        with torch.no_grad():
            assert_near(opened.dictionary(layer).apply(ROWS), theirs(ROWS))
