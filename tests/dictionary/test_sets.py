"""Sets of dictionaries: addressed, opened, and refused where a layer is not what it was."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch

from sae_desktop.dictionary import Dictionary, load, save
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.dictionary.set_info import SET_FILE, SetOrigin, read_set_info
from sae_desktop.dictionary.sets import load_set, save_set
from sae_desktop.errors import UserError
from sae_desktop.features.reading.dictionary_hash import dictionary_hash
from sae_desktop.project import Project
from sae_desktop.training.run_folder import read_summary

WIDTH, FEATURES = 6, 10


def _transcoder(layer: int, *, width: int = WIDTH, **told: str) -> Dictionary:
    draw = torch.Generator().manual_seed(layer)
    W_dec = torch.nn.functional.normalize(torch.randn(FEATURES, width, generator=draw), dim=1)
    return Dictionary(
        torch.randn(width, FEATURES, generator=draw), torch.zeros(FEATURES), W_dec,
        torch.randn(width, generator=draw), W_skip=torch.randn(width, width, generator=draw),
        metadata={
            "model_name": "toy", "tokenizer_hash": "t", "hook_name": f"blocks.{layer}.mlp.hook_in",
            "hook_name_out": f"blocks.{layer}.hook_mlp_out", **told,
        },
    )  # fmt: skip


def _cross_layer(layers: int) -> CrossLayerDictionary:
    blocks = [
        Dictionary(
            torch.randn(WIDTH, FEATURES), torch.zeros(FEATURES),
            torch.nn.functional.normalize(torch.randn(FEATURES, (layers - n) * WIDTH), dim=1),
            torch.zeros((layers - n) * WIDTH), torch.full((FEATURES,), 0.1),
        )
        for n in range(layers)
    ]  # fmt: skip
    metadata = {
        "model_name": "toy",
        "input_sites": [f"blocks.{n}.mlp.hook_in" for n in range(layers)],
        "output_sites": [f"blocks.{n}.hook_mlp_out" for n in range(layers)],
    }
    return CrossLayerDictionary(blocks, torch.randn(layers * WIDTH), metadata)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.open_or_create(tmp_path / "p.saeproj")


def _saved(project: Project, name: str = "deep") -> Path:
    folder = project.set_path(name)
    save_set({n: _transcoder(n) for n in (0, 1, 2)}, folder, SetOrigin(kind="import"))
    return folder


def test_set__members_are_dictionaries_by_name(project: Project) -> None:
    folder = _saved(project)
    save(_transcoder(7), project.dictionary_path("plain"))
    assert project.sets() == ["deep"]
    assert project.dictionaries() == ["plain"]
    assert project.set_members("deep") == ["deep.L00", "deep.L01", "deep.L02"]
    assert project.all_dictionaries() == ["plain", "deep.L00", "deep.L01", "deep.L02"]
    assert project.dictionary_path("deep.L01") == folder / "L01"
    assert read_summary(folder / "L01").name == "deep.L01"
    # What is no member of a set is a plain dictionary to be.
    assert project.dictionary_path("deep.L09") == project.path / "dictionaries" / "deep.L09"
    save(_transcoder(1), project.path / "dictionaries" / "deep.L01")
    assert project.dictionary_path("deep.L01") == project.path / "dictionaries" / "deep.L01"
    assert project.all_dictionaries().count("deep.L01") == 1


def test_set__is_read_as_it_was_saved(project: Project) -> None:
    folder = _saved(project)
    opened = load_set(folder)
    info = opened.info
    assert (info.name, info.kind, info.skip, info.layers) == (
        "deep",
        "transcoders",
        True,
        (0, 1, 2),
    )
    assert info.dictionaries == ("deep.L00", "deep.L01", "deep.L02")
    assert info.member(2).writes == "blocks.2.hook_mlp_out"
    assert info.member(1).digest == dictionary_hash(folder / "L01")
    assert opened.cross_layer is None
    x = torch.randn(4, WIDTH)
    assert torch.equal(opened.dictionary(1).apply(x), _transcoder(1).apply(x))
    with pytest.raises(UserError, match="no layer 5"):
        opened.dictionary(5)


def test_cross_layer_set__gives_its_blocks_as_layers(project: Project) -> None:
    made = _cross_layer(3)
    info = save_set(made, project.set_path("clt"), SetOrigin())
    assert info.folders == ("all",)
    assert info.layers == (0, 1, 2)
    assert info.features == 3 * FEATURES
    opened = load_set(project.dictionary_path("clt.all").parent)
    assert torch.equal(opened.dictionary(1).W_dec, made.blocks[1].W_dec)
    x = torch.randn(4, 3 * WIDTH)
    assert opened.cross_layer is not None
    assert torch.allclose(opened.cross_layer.apply(x), made.apply(x))


def test_set__half_precision_halves_the_files_and_reads_as_float32(project: Project) -> None:
    save_set({0: _transcoder(0)}, project.set_path("half"), SetOrigin(), dtype=torch.float16)
    found = load(project.dictionary_path("half.L00"))
    assert found.W_enc.dtype == torch.float32
    assert torch.equal(found.b_dec, _transcoder(0).b_dec.half().float())


def test_set__refuses_a_layer_that_is_missing_or_another(project: Project) -> None:
    folder = _saved(project)
    weights = folder / "L01" / "sae_weights.safetensors"
    kept = weights.read_bytes()
    weights.unlink()
    with pytest.raises(UserError, match="“L01” of the set “deep” has no weights"):
        load_set(folder)
    weights.write_bytes((folder / "L02" / "sae_weights.safetensors").read_bytes())
    with pytest.raises(UserError, match="not the ones"):
        load_set(folder).dictionary(1)
    weights.write_bytes(kept[:40])
    with pytest.raises(UserError, match="not the ones"):
        load_set(folder).dictionary(1)
    (folder / "L01" / "cfg.json").unlink()
    with pytest.raises(UserError, match="“L01” of the set “deep” is missing"):
        load_set(folder)


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (_transcoder(1, tokenizer_hash="u"), "another tokenizer"),
        (_transcoder(1, model_name="other"), "another model"),
        (_transcoder(1, width=WIDTH + 1), "numbers per row"),
    ],
)
def test_set__refuses_layers_that_do_not_fit_together(
    project: Project, other: Dictionary, problem: str
) -> None:
    with pytest.raises(UserError, match=f"layer 1 .*{problem}"):
        save_set({0: _transcoder(0), 1: other}, project.set_path("odd"), SetOrigin())
    assert not project.set_path("odd").exists()


def test_set_info__refuses_what_cannot_be(project: Project) -> None:
    folder = _saved(project)
    told = msgspec.json.decode((folder / SET_FILE).read_bytes())
    for change in ({"features": 3}, {"members": []}, {"members": told["members"][::-1]}):
        (folder / SET_FILE).write_bytes(msgspec.json.encode({**told, **change}))
        with pytest.raises(UserError, match="cannot be read"):
            read_set_info(folder)
    (folder / SET_FILE).write_bytes(msgspec.json.encode({**told, "schema_version": 99}))
    with pytest.raises(UserError, match="newer"):
        read_set_info(folder)
    (folder / SET_FILE).unlink()
    assert project.sets() == []
    with pytest.raises(UserError, match="not a set"):
        read_set_info(folder)
