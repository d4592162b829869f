"""What features do to the output, against a whole forward pass for each."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from job_contexts import RecordingContext
from toy_index import make_toy_index

from sae_desktop.deletion import delete_item
from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.reading.effect_file import (
    EffectInfo,
    no_strengths,
    put_strength,
    write_effects,
)
from sae_desktop.features.reading.effect_path import effect_path
from sae_desktop.features.reading.known_strength import KnownStrength
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.project import Project
from sae_desktop.steering.effect_config import OutputEffectConfig, OutputEffectResult
from sae_desktop.steering.output_effect import output_effect, taken_evenly

PROMPTS = ["In the beginning God", "def add(first", "a"]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path) -> Project:
    return make_toy_index(tmp_path_factory.mktemp("effect"), toy_model_folder)


@pytest.fixture
def project(toy: Project, tmp_path: Path) -> Project:
    shutil.copytree(toy.path, tmp_path / "p")
    return Project.open(tmp_path / "p")


def measure(project: Project, **settings: object) -> OutputEffectResult:
    config = OutputEffectConfig(project=str(project.path), index="i", strengths=False, **settings)  # type: ignore[arg-type]
    return output_effect(config, RecordingContext())


def by_hand(opened: OpenedIndex, feature: int, strength: float, ids: list[int]) -> float:
    value = strength * float(opened.index.columns["max_activation"][feature])
    dictionary = opened.dictionary

    def clamp(x: torch.Tensor) -> torch.Tensor:
        out = x.clone()
        act = dictionary.encode(x[:, -1])[:, feature]
        out[:, -1] += (value - act)[:, None] * dictionary.W_dec[feature]
        return out

    rows = torch.tensor([ids])
    with torch.no_grad():
        plain = opened.lm.model(rows).logits[0, -1].log_softmax(-1)
        with intervention(opened.lm, opened.site, clamp):
            steered = opened.lm.model(rows).logits[0, -1].log_softmax(-1)
    return float((steered.exp() * (steered - plain)).sum())


@pytest.mark.parametrize("batch", [5, 64])
def test_effect__is_the_mean_kl_over_the_prompts(project: Project, batch: int) -> None:
    result = measure(project, prompts=PROMPTS, strength=2.0, batch=batch)
    opened = open_index(str(project.path), "i", "cpu")
    effects = FeatureIndex(project.index_path("i")).columns["output_effect"]
    alive = np.flatnonzero(opened.index.columns["max_activation"] > 0)
    assert result.features == len(alive)
    assert (np.isnan(effects) == (opened.index.columns["max_activation"] <= 0)).all()
    prompts = [opened.bos + opened.lm.encode(text) for text in PROMPTS]
    for feature in alive[::7]:
        expected = np.mean([by_hand(opened, int(feature), 2.0, ids) for ids in prompts])
        assert effects[feature] == pytest.approx(expected, rel=1e-2, abs=1e-5)
    assert result.largest == pytest.approx(float(np.nanmax(effects)))


def test_prompts__are_taken_from_the_text_where_none_are_given(project: Project) -> None:
    result = measure(project, count=3)
    assert result.prompts == 3
    index = FeatureIndex(project.index_path("i"))
    starts = {tuple(index.tokens[f : f + 4].tolist()) for f in index.passages["first_row"]}
    assert all(tuple(ids[:4]) in starts for ids in taken_evenly(index, 3))


def test_effects_of_another_dictionary_or_damaged__are_left_out(project: Project) -> None:
    measure(project, prompts=["a"])
    path = project.index_path("i")
    assert "output_effect" in FeatureIndex(path).columns
    index = FeatureIndex(path)
    changed = msgspec.structs.replace(index.info, dictionary_hash="another")
    from sae_desktop.features.reading.effect_file import read_effects

    assert read_effects(path, index.features, changed.dictionary_hash) is None
    assert read_effects(path, index.features + 1, index.info.dictionary_hash) is None
    effect_path(path).write_bytes(b"no file of ours")
    assert "output_effect" not in FeatureIndex(path).columns
    assert project.indexes() == ["i"]
    delete_item(project, "index", "i")
    assert not effect_path(path).exists()


def test_strengths__are_read_beside_the_effects_and_not_missed_in_older_files(
    project: Project,
) -> None:
    path = project.index_path("i")
    index = FeatureIndex(path)
    info = EffectInfo(dictionary_hash=index.info.dictionary_hash, strength=1.0, prompts=["a"])
    effects = np.ones(index.features)
    write_effects(path, info, effects)
    assert FeatureIndex(path).strength(3) is None
    assert "suggested_strength" not in FeatureIndex(path).columns
    strengths = no_strengths(index.features)
    works = KnownStrength(verdict="works", suggested=2.5, turn=0.25, low=-1.0, high=3.0)
    never = KnownStrength(verdict="too_little", suggested=None, turn=0.0, low=-8.0, high=8.0)
    put_strength(strengths, 3, works)
    put_strength(strengths, 5, never)
    write_effects(path, info, effects, strengths)
    found = FeatureIndex(path)
    assert (found.strength(3), found.strength(4), found.strength(5)) == (works, None, never)
    assert found.columns["suggested_strength"][3] == 2.5
    assert np.isnan(found.columns["suggested_strength"][[4, 5]]).all()


def test_strengths_that_are_damaged__leave_the_effects(project: Project) -> None:
    path = project.index_path("i")
    index = FeatureIndex(path)
    info = EffectInfo(dictionary_hash=index.info.dictionary_hash, strength=1.0, prompts=["a"])
    strengths = no_strengths(index.features)
    strengths["strength_verdict"][:] = 77
    write_effects(path, info, np.ones(index.features), strengths)
    assert FeatureIndex(path).strength(0) is None
    del strengths["turn"]
    write_effects(path, info, np.ones(index.features), strengths)
    assert FeatureIndex(path).columns["output_effect"][0] == 1.0
    assert "suggested_strength" not in FeatureIndex(path).columns


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"prompts": ["a", ""]}, "no token"), ({"count": 0}, "one prompt"), ({"batch": 0}, "one")],
)
def test_effect_of_bad_input__is_refused(
    project: Project, settings: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        measure(project, **settings)
    assert not effect_path(project.index_path("i")).exists()
