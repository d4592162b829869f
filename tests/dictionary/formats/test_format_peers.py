"""Dictionaries saved by the libraries themselves are read as they compute, and ours by them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from near import assert_near
from peers import SIZES, K, assert_same, rows, shake
from torch import Tensor

from sae_desktop.dictionary import load, save
from sae_desktop.dictionary.formats import dictionary_learning as dl_format
from sae_desktop.dictionary.formats import sparsify as sparsify_format
from sae_desktop.dictionary.formats.find import find_dictionaries

sparsify = pytest.importorskip("sparsify", reason="a library that .ci/run installs")
dl = pytest.importorskip("dictionary_learning", reason="a library that .ci/run installs")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


# ---------------------------------------------------------------- sparsify
def sparsify_acts(theirs: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    with torch.no_grad():
        found = theirs.encode(x)
        acts = torch.zeros(len(x), theirs.num_latents)
        acts.scatter_(-1, found.top_indices, found.top_acts)
        return acts, theirs.W_dec.norm(dim=1), theirs(x).sae_out


@pytest.mark.parametrize("expansion", [1, 2])
def test_sparsify__on_rows_of_a_model(tmp_path: Path, residuals: Tensor, expansion: int) -> None:
    width = residuals.shape[1]
    cfg = sparsify.SparseCoderConfig(activation="topk", num_latents=expansion * width, k=32)
    theirs = sparsify.SparseCoder(width, cfg)
    shake(theirs)
    theirs.save_to_disk(tmp_path / "layers.2")
    assert_same(load(tmp_path / "layers.2"), *sparsify_acts(theirs, residuals), residuals)


@pytest.mark.parametrize(("width", "features"), SIZES)
@pytest.mark.parametrize("activation", ["topk", "groupmax"])
@pytest.mark.parametrize("kind", ["plain", "transcoder", "skip"])
def test_sparsify(tmp_path: Path, kind: str, activation: str, width: int, features: int) -> None:
    cfg = sparsify.SparseCoderConfig(
        activation=activation, num_latents=features, k=K, transcode=kind != "plain",
        skip_connection=kind == "skip", normalize_decoder=False,
    )  # fmt: skip
    theirs = sparsify.SparseCoder(width, cfg)
    shake(theirs)
    folder = tmp_path / "layers.3.mlp"
    theirs.save_to_disk(folder)
    (found,) = find_dictionaries(tmp_path)
    assert (found.format, found.features, found.width) == ("sparsify", features, width)
    out = "" if kind == "plain" else "blocks.3.hook_mlp_out"
    assert found.site_out == out
    assert found.site == ("blocks.3.hook_mlp_out" if kind == "plain" else "blocks.3.mlp.hook_in")
    x = rows(width)
    acts, norms, written = sparsify_acts(theirs, x)
    ours = load(folder)
    assert_same(ours, acts, norms, written, x)
    if kind == "transcoder":
        ours.metadata["hook_name_out"] = "blocks.3.hook_mlp_out"
    sparsify_format.write(ours, tmp_path / "ours")
    again = sparsify.SparseCoder.load_from_disk(tmp_path / "ours")
    acts_again, _, written_again = sparsify_acts(again, x)
    assert torch.equal(acts_again > 0, acts > 0)
    assert_near(written_again, written)
    save(ours, tmp_path / "project")  # as a project keeps it
    assert_same(load(tmp_path / "project"), acts, norms, written, x)


# ---------------------------------------------------------------- dictionary_learning
def _dl(name: str, width: int, features: int) -> Any:
    from dictionary_learning.trainers.batch_top_k import BatchTopKSAE
    from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKSAE
    from dictionary_learning.trainers.top_k import AutoEncoderTopK

    makers: dict[str, Callable[[], Any]] = {
        "AutoEncoder": lambda: dl.AutoEncoder(width, features),
        "AutoEncoderNew": lambda: dl.dictionary.AutoEncoderNew(width, features),
        "GatedAutoEncoder": lambda: dl.GatedAutoEncoder(width, features),
        "JumpReluAutoEncoder": lambda: dl.JumpReluAutoEncoder(width, features),
        "AutoEncoderTopK": lambda: AutoEncoderTopK(width, features, K),
        "BatchTopKSAE": lambda: BatchTopKSAE(width, features, K),
        "MatryoshkaBatchTopKSAE": lambda: MatryoshkaBatchTopKSAE(
            width, features, K, [features // 4, features - features // 4]
        ),
    }
    made = makers[name]()
    shake(made)
    if name in ("BatchTopKSAE", "MatryoshkaBatchTopKSAE"):
        made.threshold.fill_(0.8)
    return made


def save_dl(made: Any, name: str, folder: Path) -> None:
    folder.mkdir(parents=True)
    torch.save(made.state_dict(), folder / "ae.pt")
    trainer = {"dict_class": name, "layer": 4, "lm_name": "EleutherAI/pythia-160m-deduped",
               "submodule_name": "resid_post_layer_4", "k": K}  # fmt: skip
    (folder / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {}}))


def dl_norms(made: Any) -> Tensor:
    W_dec = made.W_dec if hasattr(made, "W_dec") else made.decoder.weight.T
    return W_dec.detach().norm(dim=1)


@pytest.mark.parametrize(("width", "features"), SIZES)
@pytest.mark.parametrize(
    "name",
    [
        "AutoEncoder", "AutoEncoderNew", "GatedAutoEncoder", "JumpReluAutoEncoder",
        "AutoEncoderTopK", "BatchTopKSAE", "MatryoshkaBatchTopKSAE",
    ],
)  # fmt: skip
def test_dictionary_learning(tmp_path: Path, name: str, width: int, features: int) -> None:
    theirs = _dl(name, width, features)
    save_dl(theirs, name, tmp_path / "trainer_0")
    (found,) = find_dictionaries(tmp_path)
    assert (found.format, found.architecture) == ("dictionary_learning", name)
    assert (found.features, found.width) == (features, width)
    assert (found.model, found.site) == (
        "EleutherAI/pythia-160m-deduped", "blocks.4.hook_resid_post",
    )  # fmt: skip
    x = rows(width)
    with torch.no_grad():
        acts, written = theirs.encode(x), theirs(x)
    ours = load(tmp_path / "trainer_0")
    assert_same(ours, acts, dl_norms(theirs), written, x)
    dl_format.write(ours, tmp_path / "ours")
    (again,) = find_dictionaries(tmp_path / "ours")
    classes = {
        "AutoEncoderTopK": "AutoEncoderTopK", "AutoEncoder": "AutoEncoder",
        "AutoEncoderNew": "AutoEncoder",
    }  # fmt: skip
    assert again.architecture == classes.get(name, "JumpReluAutoEncoder")
    read_back = _dl(again.architecture, width, features)
    read_back.load_state_dict(torch.load(tmp_path / "ours" / "ae.pt", weights_only=True))
    with torch.no_grad():
        acts_again, written_again = read_back.encode(x), read_back(x)
    assert torch.equal(acts_again > 0, acts > 0)
    assert_near(written_again, written)


@pytest.mark.parametrize("expansion", [1, 2])
@pytest.mark.parametrize("name", ["AutoEncoder", "AutoEncoderTopK", "BatchTopKSAE"])
def test_dictionary_learning__on_rows_of_a_model(
    tmp_path: Path, residuals: Tensor, name: str, expansion: int
) -> None:
    width = residuals.shape[1]
    theirs = _dl(name, width, expansion * width)
    save_dl(theirs, name, tmp_path / "trainer_0")
    with torch.no_grad():
        acts, written = theirs.encode(residuals), theirs(residuals)
    ours = load(tmp_path / "trainer_0")
    assert_same(ours, acts, dl_norms(theirs), written, residuals)
