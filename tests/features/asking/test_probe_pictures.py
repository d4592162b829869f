"""A probe of pictures: the rows of the model itself, each at its place; bad pictures by name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from job_contexts import RecordingContext
from toy_index import make_toy_index
from toy_pictures import noise_picture, save_picture_model

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import load
from sae_desktop.errors import UserError
from sae_desktop.features.asking.probe import probe
from sae_desktop.features.asking.text_set_config import FindFeaturesConfig
from sae_desktop.features.asking.text_sets import find_features
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig, ProbeConfig, ProbeResult
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.pictures.reader import open_pictures
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.job import train

CELLS = 16
"""Patches of a picture: 4 rows of 4."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_picture_model(tmp_path_factory.mktemp("seeing"), "llava")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Project:
    return make_toy_index(tmp_path_factory.mktemp("asked"), model, training=3000)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    found = []
    for seed, size in enumerate(((61, 40), (33, 90), (28, 28), (40, 44))):
        found.append(folder / f"{seed}.png")
        noise_picture(*size, seed=seed).save(found[-1])
    return found


def asked(project: Project, pictures: list[Path], text: str = "", **more: object) -> ProbeResult:
    config = ProbeConfig(
        project=str(project.path), index="i", text=text, pictures=[str(p) for p in pictures], **more
    )
    return probe(config, RecordingContext())


def own_features(project: Project, model: Path, pictures: list[Path], text: str) -> torch.Tensor:
    """Features of all rows but the first, the BOS token, by the model's own hidden states."""
    from PIL import Image

    lm = load_model(str(model))
    batch = open_pictures(lm).batch([[*map(Image.open, pictures), text]])
    with torch.no_grad():
        states = lm.model.model(**batch.inputs, output_hidden_states=True).hidden_states
    return load(project.dictionary_path("d")).encode(states[2][0, 1:])  # after the second layer


def test_probe_of_pictures__has_the_models_own_features_patch_by_patch(
    project: Project, model: Path, pictures: list[Path]
) -> None:
    text = " In the beginning"
    result = asked(project, pictures[:2], text, per_token=0, views=True)

    features_TF = own_features(project, model, pictures[:2], text)
    assert len(result.tokens) == len(features_TF)
    assert len(result.features) == int((features_TF > 0).sum()) > 0
    for position, feature, activation in result.entries():
        assert activation == pytest.approx(float(features_TF[position, feature]), rel=1e-4)
    assert result.picture[: 2 * CELLS] == [0] * CELLS + [1] * CELLS
    assert result.picture_token[: 2 * CELLS] == [*range(CELLS), *range(CELLS)]
    assert set(result.picture[2 * CELLS :]) == set(result.picture_token[2 * CELLS :]) == {-1}
    assert "".join(result.tokens[2 * CELLS :]) == text
    assert result.tokens[CELLS + 5] == "picture 2, row 2, column 2"
    for told, path in zip(result.pictures, pictures[:2], strict=True):
        assert told.name == path.name
        assert told.digest == hashlib.sha256(path.read_bytes()).hexdigest()
        assert told.layout.tokens == CELLS
        assert told.view[8:12] == b"WEBP"


def test_probe_of_pictures__attributes_to_what_is_written_after_them(
    project: Project, pictures: list[Path]
) -> None:
    result = asked(project, pictures[:1], "ab", attribute_at=-1, per_token=0)

    assert result.difference is not None
    assert result.difference.position == len(result.tokens) - 1
    of_patches = [a for a, (t, *_) in zip(result.attributions, result.entries(), strict=True)
                  if t < CELLS]  # fmt: skip
    assert any(of_patches)


@pytest.mark.parametrize("kind", ["llava", "paligemma", "dinov2"])
def test_probe__has_the_rows_of_a_harvest(kind: str, tmp_path: Path) -> None:
    model, folder = save_picture_model(tmp_path / kind, kind), tmp_path / "drawings"
    folder.mkdir()
    for seed in range(12):
        noise_picture(30 + 5 * seed, 40, seed=seed).save(folder / f"{seed}.png")
    place = Project.open_or_create(tmp_path / "p")
    path, context = str(place.path), RecordingContext()
    harvest(
        HarvestConfig(
            project=path, name="acts", model=str(model), pictures=str(folder), dtype="float32",
            site="blocks.1.hook_resid_post", tokens=500, context_size=100, batch_tokens=128,
        ),
        context,
    )  # fmt: skip
    train(
        TrainConfig(project=path, name="d", activations="acts", features=16, k=4, tokens=600,
                    batch=32, rows_of="pictures"),
        context,
    )  # fmt: skip
    build_index(IndexConfig(project=path, dictionary="d", name="i", context_tokens=12), context)
    result = asked(place, [folder / "7.png"], per_token=0)

    store = ActivationStore.open(place.store_path("acts"))
    stored = [store.pictures.get(number) for number in range(len(store.pictures))]
    number = next(one.number for one in stored if one.record.name == "7.png")
    rows = store.pictures.rows(number)
    x_TD = torch.from_numpy(np.stack([store.read(int(r), int(r) + 1)[0] for r in rows]))
    features_TF = load(place.dictionary_path("d")).encode(x_TD.float())
    of_picture = [t for t, picture in enumerate(result.picture) if picture == 0]
    assert len(of_picture) == len(features_TF) > 0
    found_TF = torch.zeros(len(result.tokens), features_TF.shape[1])
    for position, feature, activation in result.entries():
        found_TF[position, feature] = activation
    torch.testing.assert_close(found_TF[of_picture], features_TF, rtol=1e-4, atol=1e-4)


def test_bad_pictures_and_models_that_read_none__are_refused_by_name(
    project: Project, pictures: list[Path], tmp_path: Path, toy_model_folder: Path
) -> None:
    for name, content, why in (
        ("cut.png", pictures[0].read_bytes()[:200], "cut short"),
        ("notes.png", b"only words", "not a picture"),
        ("gone.png", None, "no file"),
    ):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UserError, match=why) as refused:
            asked(project, [path], "what was typed")
        assert name in refused.value.what
    with pytest.raises(UserError, match=r"513 tokens, 512 of them .* reads 512 at once"):
        asked(project, [pictures[0]] * 32)
    blind = make_toy_index(tmp_path, toy_model_folder, tokens=300, training=300)
    with pytest.raises(UserError, match="reads no pictures") as refused:
        asked(blind, pictures[:1])
    assert "SmolVLM" in (refused.value.next_step or "")


def test_set_search__takes_pictures_on_either_side(
    project: Project, model: Path, pictures: list[Path]
) -> None:
    text = "In the beginning"
    config = FindFeaturesConfig(
        project=str(project.path), index="i", on=[], off=[text], threshold=0.0,
        on_pictures=[str(pictures[0]), str(pictures[1])], off_pictures=[str(pictures[2])],
    )  # fmt: skip
    result = find_features(config, RecordingContext())

    one, two, three = (own_features(project, model, [p], "").amax(dim=0) for p in pictures[:3])
    of_text = probe(
        ProbeConfig(project=str(project.path), index="i", text=text, per_token=0),
        RecordingContext(),
    )
    apart_F = (one > 0) & (two > 0) & ~(three > 0)
    apart_F[of_text.features] = False
    assert {f.feature for f in result.found} == set(torch.nonzero(apart_F)[:, 0].tolist()) != set()
    for found in result.found:
        assert found.on == pytest.approx([float(one[found.feature]), float(two[found.feature])])
        assert all(token.startswith("row ") for token in found.tokens)
    same = [str(pictures[0]), str(pictures[3])]
    twice = FindFeaturesConfig(
        project=str(project.path), index="i", on=[], off=[], on_pictures=same, off_pictures=same
    )
    with pytest.raises(UserError, match=r"“0\.png” is in both A and B"):
        find_features(twice, RecordingContext())
