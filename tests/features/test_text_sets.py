"""Features found by two sets of texts, against a dense computation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from job_contexts import RecordingContext
from toy_index import make_toy_index

from sae_desktop.errors import UserError
from sae_desktop.features.opened import open_index
from sae_desktop.features.probe import activations_of_ids
from sae_desktop.features.text_set_config import FindFeaturesConfig, FindFeaturesResult
from sae_desktop.features.text_sets import find_features
from sae_desktop.project import Project

ON = ["def add(x)", "def read(self)", "class A: def b(c)"]
OFF = ["In the beginning", "The heaven and the earth"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path) -> Project:
    return make_toy_index(tmp_path_factory.mktemp("sets"), toy_model_folder)


def asked(project: Project, on: list[str], off: list[str], **changes: object) -> FindFeaturesResult:
    config = FindFeaturesConfig(project=str(project.path), index="i", on=on, off=off, **changes)  # type: ignore[arg-type]
    return find_features(config, RecordingContext())


def dense(project: Project, texts: list[str]) -> np.ndarray:
    opened = open_index(str(project.path), "i")
    rows = []
    for text in texts:
        parts = activations_of_ids(opened, opened.lm.encode(text))
        x = torch.cat([x for _, x in parts])
        rows.append(opened.dictionary.encode(x).max(dim=0).values)
    return torch.stack(rows).numpy()


@pytest.mark.parametrize("missed", [0, 1, 2])
@pytest.mark.parametrize("threshold", [0.0, 0.2])
def test_found__are_those_of_a_dense_computation(
    project: Project, missed: int, threshold: float
) -> None:
    result = asked(project, ON, OFF, missed=missed, threshold=threshold)
    maxima = open_index(str(project.path), "i").index.columns["max_activation"]
    on, off = dense(project, ON), dense(project, OFF)
    active = ((on > threshold * maxima).sum(axis=0) >= len(ON) - missed) & (maxima > 0)
    active &= ~(off > threshold * maxima).any(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        margins = (np.sort(on, axis=0)[missed] - off.max(axis=0)) / maxima
    assert {f.feature for f in result.found} == set(np.flatnonzero(active).tolist())
    assert result.total == int(active.sum())
    told = [f.margin for f in result.found]
    assert told == sorted(told, reverse=True)
    for found in result.found:
        assert found.margin == pytest.approx(float(margins[found.feature]), rel=1e-3, abs=1e-5)
        np.testing.assert_allclose(found.on, on[:, found.feature], rtol=1e-3, atol=1e-5)
        for token, activation, text in zip(found.tokens, found.on, ON, strict=True):
            assert (token != "") == (activation > 0)
            assert token.strip() in text


def test_swapped_sets__find_other_features(project: Project) -> None:
    one = {f.feature for f in asked(project, ON, OFF, threshold=0.0).found}
    other = {f.feature for f in asked(project, OFF, ON, threshold=0.0).found}
    assert not one & other


def test_classifier__tells_code_from_prose_and_is_the_same_again(project: Project) -> None:
    on = [f"def read{n}(self): return self.buffer[{n}]" for n in range(24)]
    off = [f"In the beginning of day {n} there was light upon the earth" for n in range(24)]
    result = asked(project, on, off, classify=True)
    features, raw = result.classifiers
    assert (features.inputs, raw.inputs) == ("features", "raw activations")
    assert features.balanced_accuracy > 0.9
    assert raw.balanced_accuracy > 0.9
    assert 0 < features.used < 48
    assert result.weights[0].weight != 0
    assert result.warning == ""
    assert asked(project, on, off, classify=True) == result


def test_classifier__of_shuffled_texts_is_chance_and_few_are_warned_of(project: Project) -> None:
    texts = [f"word{n} and some more of it {n * 7 % 13}" for n in range(40)]
    result = asked(project, texts[::2], texts[1::2], classify=True, threshold=0.5)
    assert abs(result.classifiers[0].balanced_accuracy - 0.5) < 0.3
    few = asked(project, ON, OFF, classify=True)
    assert "little more than chance" in few.warning


@pytest.mark.parametrize(
    ("on", "off", "changes", "said"),
    [
        ([], OFF, {}, "no text in A"),
        (ON, [" ", ""], {}, "no text in B"),
        (ON, [*OFF, f" {ON[0]} "], {}, "both in A and in B"),
        (ON, OFF, {"missed": 3}, "cannot be without"),
        (ON, OFF, {"threshold": 1.5}, "no share of the maximum"),
        (ON[:1], OFF, {"classify": True}, "at least two texts"),
    ],
)
def test_impossible_sets__are_named(
    project: Project, on: list[str], off: list[str], changes: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        asked(project, on, off, **changes)
