"""Sets as other libraries keep them: found as one, imported whole or not at all, written back."""

from __future__ import annotations

import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.dictionary.formats.folder_view import Found
from sae_desktop.dictionary.set_info import SetOrigin
from sae_desktop.dictionary.sets import load_set, save_set
from sae_desktop.errors import UserError
from sae_desktop.exchange.config import FindDictionariesConfig, ImportPackageConfig
from sae_desktop.exchange.dictionaries import find_dictionaries
from sae_desktop.exchange.found_sets import sets_in
from sae_desktop.exchange.set_config import ExportSetConfig, ImportSetConfig
from sae_desktop.exchange.set_package import open_package
from sae_desktop.exchange.sets import export_set, import_set
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.project_notes import FeatureNote, Notes

WIDTH, FEATURES, LAYERS = 6, 10, 3
ROWS = torch.randn(5, WIDTH, generator=torch.Generator().manual_seed(9))


def _transcoder(layer: int, k: int | None = None) -> Dictionary:
    draw = torch.Generator().manual_seed(layer)
    return Dictionary(
        torch.randn(WIDTH, FEATURES, generator=draw), torch.randn(FEATURES, generator=draw),
        torch.nn.functional.normalize(torch.randn(FEATURES, WIDTH, generator=draw), dim=1),
        torch.randn(WIDTH, generator=draw), None if k else torch.full((FEATURES,), 0.2), k=k,
        W_skip=torch.randn(WIDTH, WIDTH, generator=draw),
        metadata={
            "model_name": "owner/toy", "hook_name": f"blocks.{layer}.mlp.hook_in",
            "hook_name_out": f"blocks.{layer}.hook_mlp_out",
        },
    )  # fmt: skip


def _cross_layer() -> CrossLayerDictionary:
    blocks = [
        Dictionary(
            torch.randn(WIDTH, FEATURES), torch.randn(FEATURES),
            torch.nn.functional.normalize(torch.randn(FEATURES, (LAYERS - n) * WIDTH), dim=1),
            torch.zeros((LAYERS - n) * WIDTH), torch.full((FEATURES,), 0.1),
        )
        for n in range(LAYERS)
    ]  # fmt: skip
    metadata = {
        "model_name": "owner/toy",
        "input_sites": [f"blocks.{n}.mlp.hook_in" for n in range(LAYERS)],
        "output_sites": [f"blocks.{n}.hook_mlp_out" for n in range(LAYERS)],
    }
    return CrossLayerDictionary(blocks, torch.randn(LAYERS * WIDTH), metadata)


@pytest.fixture
def whole(project: Project) -> Project:
    save_set({n: _transcoder(n) for n in range(LAYERS)}, project.set_path("deep"), SetOrigin())
    return project


def _exported(project: Project, out: Path, name: str = "deep", **changes: str) -> Path:
    config = ExportSetConfig(project=str(project.path), set=name, path=str(out), **changes)  # type: ignore[arg-type]
    export_set(config, SilentContext())
    return out


def _imported(project: Project, source: Path, **changes: object) -> None:
    config = ImportSetConfig(project=str(project.path), name="back", source=str(source), **changes)  # type: ignore[arg-type]
    import_set(config, SilentContext())


@pytest.mark.parametrize("library", ["circuit_tracer", "saelens"])
def test_set__written_for_another_library_comes_back_the_same(
    whole: Project, tmp_path: Path, library: str
) -> None:
    out = _exported(whole, tmp_path / "out", format=library)
    found = find_dictionaries(FindDictionariesConfig(source=str(out)), SilentContext())
    assert len(found.dictionaries) == LAYERS
    assert [(one.kind, one.layers, one.features) for one in found.sets] == [
        ("transcoders", (0, 1, 2), LAYERS * FEATURES)
    ]
    _imported(whole, out)
    opened = load_set(whole.set_path("back"))
    assert opened.info.model == "owner/toy"
    assert opened.info.skip
    assert opened.info.origin.source == str(out)
    for layer in range(LAYERS):
        got, expected = opened.dictionary(layer), _transcoder(layer)
        assert torch.allclose(got.encode(ROWS), expected.encode(ROWS), atol=1e-6)
        assert torch.allclose(got.apply(ROWS), expected.apply(ROWS), atol=1e-5)


def test_circuit_tracers_files__are_as_its_loader_names_them(
    whole: Project, tmp_path: Path
) -> None:
    out = _exported(whole, tmp_path / "out")
    config = yaml.safe_load((out / "config.yaml").read_text())
    assert config["model_kind"] == "transcoder_set"
    assert config["feature_input_hook"] == "mlp.hook_in"
    assert config["feature_output_hook"] == "hook_mlp_out"
    tensors = load_file(out / "layer_1.safetensors")
    assert tensors["W_enc"].shape == tensors["W_dec"].shape == (FEATURES, WIDTH)
    assert torch.equal(tensors["W_enc"], _transcoder(1).W_enc.T)
    assert set(tensors) == {
        "W_enc", "W_dec", "b_enc", "b_dec", "W_skip", "activation_function.threshold",
    }  # fmt: skip


def test_cross_layer_set__comes_back_the_same(project: Project, tmp_path: Path) -> None:
    made = _cross_layer()
    save_set(made, project.set_path("clt"), SetOrigin())
    out = _exported(project, tmp_path / "out", "clt")
    _imported(project, out)
    opened = load_set(project.set_path("back"))
    assert opened.info.kind == "cross_layer"
    x = torch.randn(5, LAYERS * WIDTH)
    assert opened.cross_layer is not None
    assert torch.allclose(opened.cross_layer.apply(x), made.apply(x), atol=1e-5)


def test_topk_set__keeps_its_k_through_circuit_tracers_config(
    project: Project, tmp_path: Path
) -> None:
    save_set({n: _transcoder(n, k=3) for n in range(2)}, project.set_path("k"), SetOrigin())
    _imported(project, _exported(project, tmp_path / "out", "k"))
    assert load_set(project.set_path("back")).dictionary(1).k == 3


def test_import__of_some_layers_and_of_one_of_several_sets(whole: Project, tmp_path: Path) -> None:
    for name in ("a", "b"):
        _exported(whole, tmp_path / "two" / name)
    with pytest.raises(UserError, match="holds 2 sets") as refused:
        _imported(whole, tmp_path / "two")
    assert "a/layer_*.safetensors" in refused.value.next_step
    _imported(whole, tmp_path / "two", which="b/layer_*.safetensors", layers=(2, 0))
    assert load_set(whole.set_path("back")).layers == [0, 2]


def test_import__keeps_nothing_of_a_set_with_a_bad_layer(whole: Project, tmp_path: Path) -> None:
    out = _exported(whole, tmp_path / "out")
    tensors = load_file(out / "layer_2.safetensors")
    tensors["W_enc"] = tensors["W_enc"] * torch.nan
    save_file(tensors, out / "layer_2.safetensors")
    with pytest.raises(UserError, match="not finite"):
        _imported(whole, out)
    assert whole.sets() == ["deep"]
    (out / "layer_2.safetensors").write_bytes(b"cut short")
    with pytest.raises(UserError, match="layer_2"):
        _imported(whole, out)
    assert [path.name for path in (whole.path / "sets").iterdir()] == ["deep"]


def test_export__refuses_what_circuit_tracer_cannot_read(project: Project, tmp_path: Path) -> None:
    save_set({n: _transcoder(n) for n in (1, 2)}, project.set_path("late"), SetOrigin())
    with pytest.raises(UserError, match="from the first one on"):
        _exported(project, tmp_path / "out", "late")
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match="no set “deep”"):
        _exported(project, tmp_path / "out")


def test_package_of_a_set__comes_back_with_its_labels(whole: Project, tmp_path: Path) -> None:
    with closing(Notes(whole.notes_path)) as notes:
        notes.save("deep.L02", FeatureNote(feature=4, label="four"))
    file = tmp_path / "deep.saepack"
    _exported(whole, file, format="package")
    other = Project.open_or_create(tmp_path / "other")
    config = ImportPackageConfig(project=str(other.path), file=str(file), name="again")
    result = open_package(config, SilentContext())
    assert (result.name, result.features, result.labels) == ("again", LAYERS * FEATURES, 1)
    opened = load_set(other.set_path("again"))
    assert opened.info.origin.kind == "package"
    assert torch.equal(opened.dictionary(1).apply(ROWS), _transcoder(1).apply(ROWS))
    with closing(Notes(other.notes_path)) as notes:
        assert notes.note("again.L02", 4).label == "four"
    with pytest.raises(UserError, match="already a set “again”"):
        open_package(config, SilentContext())


def test_package_of_a_set__with_another_layer_in_it_is_refused(
    whole: Project, tmp_path: Path
) -> None:
    file = tmp_path / "deep.saepack"
    _exported(whole, file, format="package")
    with zipfile.ZipFile(file) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content["members/L01.saepack"] = content["members/L00.saepack"]
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    other = Project.open_or_create(tmp_path / "other")
    config = ImportPackageConfig(project=str(other.path), file=str(file))
    with pytest.raises(UserError, match="not the one that the set was made with"):
        open_package(config, SilentContext())
    assert other.sets() == []
    assert not other.notes_path.exists()


def _found(place: str, layer: int, features: int = FEATURES) -> Found:
    return Found(
        format="Gemma Scope", path=Path("/source") / place, architecture="jump_relu", width=WIDTH,
        features=features, read=lambda: _transcoder(layer), model="google/gemma-3-1b-pt",
        site=f"blocks.{layer}.mlp.hook_in", site_out=f"blocks.{layer}.hook_mlp_out",
    )  # fmt: skip


def test_sets__are_told_from_places_that_hold_other_numbers() -> None:
    # Layer 2 stands in the name of the release, too, and layer 16 in that of the width.
    second = [
        _found(f"scope-2-1b/transcoder_all/layer_{n}_width_16k_l0_{size}/params.safetensors", n)
        for n in (0, 2, 16)
        for size in ("small", "big")
    ]
    sets = sets_in(second, Path("/source"))
    assert [one.layers for one in sets] == [(0, 2, 16), (0, 2, 16)]
    assert sets[0].path == "scope-2-1b/transcoder_all/layer_*_width_16k_l0_small/params.safetensors"
    # Of several dictionaries of a layer that differ in L0 alone, the one nearest to 100.
    first = [
        _found(f"layer_{n}/width_16k/average_l0_{l0}/params.npz", n)
        for n in (0, 1)
        for l0 in (30, 90 + n, 300)
    ]
    (one,) = sets_in(first, Path("/source"))
    assert one.layers == (0, 1)
    assert [found.path.parts[-2] for found in one.dictionaries] == [
        "average_l0_90",
        "average_l0_91",
    ]
    # A single layer is no set, nor are dictionaries of one site.
    assert sets_in(first[:3], Path("/source")) == []
    plain = [replace(found, site_out="") for found in second]
    assert sets_in(plain, Path("/source")) == []
