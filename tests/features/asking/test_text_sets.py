"""Features found by two sets of texts, against a dense computation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from job_contexts import RecordingContext
from toy_index import make_toy_index

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import open_index
from sae_desktop.features.asking.probe import activations_of_ids
from sae_desktop.features.asking.text_set_config import FindFeaturesConfig, FindFeaturesResult
from sae_desktop.features.asking.text_sets import find_features
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
    rng = np.random.default_rng(0)
    names = ["read", "self", "buffer", "return", "path", "line", "open", "size", "key", "text"]
    words = ["heaven", "earth", "light", "day", "night", "waters", "dry", "land", "seed", "fruit"]
    on = ["def {}({}): {}.{}[{}]".format(*rng.permutation(names)) for _ in range(24)]
    off = [
        "The {} and the {} of {} were {} upon {}".format(*rng.permutation(words)) for _ in range(24)
    ]
    result = asked(project, on, off, classify=True)
    features, raw = result.classifiers
    assert (features.inputs, raw.inputs) == ("features", "raw activations")
    assert features.balanced_accuracy > 0.9
    assert raw.balanced_accuracy > 0.9
    assert 0 < features.used < 48
    assert result.weights[0].weight != 0
    assert "little better than chance" not in result.warning
    assert asked(project, on, off, classify=True) == result


def test_classifier__of_shuffled_texts_is_chance_and_few_are_warned_of(project: Project) -> None:
    texts = [f"word{n} and some more of it {n * 7 % 13}" for n in range(40)]
    result = asked(project, texts[::2], texts[1::2], classify=True, threshold=0.5)
    assert abs(result.classifiers[0].balanced_accuracy - 0.5) < 0.3
    few = asked(project, ON, OFF, classify=True)
    assert "little better than chance" in few.warning


@pytest.mark.parametrize("change", ["", " again", "!"], ids=["equal", "a word more", "a mark"])
def test_classifier__of_texts_that_occur_thrice_is_chance_and_they_are_told(
    project: Project, change: str
) -> None:
    rng = np.random.default_rng(0)
    words = [f"{a}{b}" for a in ("read", "light", "earth", "self", "day", "buf") for b in "aeiou"]
    once = [" ".join(rng.choice(words, 10)) for _ in range(40)]
    thrice = [text + change * n for text in once for n in range(3)]
    result = asked(project, thrice[:60], thrice[60:], classify=True, threshold=0.5)
    # Learnt from its own copies it is 1.000.
    assert all(abs(score.auc - 0.5) < 0.25 for score in result.classifiers)
    # Sixty copies of twenty texts a side tell no more than the twenty.
    for score in result.classifiers:
        assert score.auc_low is not None
        assert score.auc_high is not None
        assert score.auc_low < 0.5 < score.auc_high
        assert score.auc_high - score.auc_low > 0.35
    assert "80 of 120 texts are equal or nearly equal to another" in result.warning
    assert "A has 20 different texts, B 20" in result.warning
    assert "little better than chance" not in result.warning


@pytest.mark.parametrize(
    ("on", "off"),
    [([ON[0]] * 5, OFF), (["one", "two"], ["One!", "One."]), (ON[:1], OFF)],
    ids=["one text five times", "the same again", "one text"],
)
def test_classifier__without_texts_to_hold_out_is_none_and_the_features_stay(
    project: Project, on: list[str], off: list[str]
) -> None:
    result = asked(project, on, off, classify=True)
    assert result.classifiers == result.weights == []
    assert "No classifier was trained: at least two different texts are needed" in result.warning
    assert result.total == asked(project, on, off).total


def test_score__says_what_stands_beside_it(project: Project) -> None:
    score = asked(project, ON, OFF, classify=True).classifiers[0]
    assert score.folds == 2
    assert "means over 2 parts held out in turn; ±: standard deviation" in score.sentence()
    assert score.auc_low is not None
    assert score.auc_high is not None
    assert score.auc_low <= score.auc <= score.auc_high
    assert f"95% interval {score.auc_low:.3f}–{score.auc_high:.3f}" in score.sentence()
    assert "for other texts of these two kinds" in score.sentence()


@pytest.mark.parametrize(
    ("on", "off", "changes", "said"),
    [
        ([], OFF, {}, "neither a text nor a picture in A"),
        (ON, [" ", ""], {}, "neither a text nor a picture in B"),
        (ON, [*OFF, f" {ON[0]} "], {}, "in both A and B"),
        (ON, OFF, {"missed": 3}, "cannot lack"),
        (ON, OFF, {"threshold": 1.5}, "not a share of the maximum"),
    ],
)
def test_impossible_sets__are_named(
    project: Project, on: list[str], off: list[str], changes: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        asked(project, on, off, **changes)
