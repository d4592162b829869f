"""At which strengths a feature turns a text and leaves it whole: tried, searched and kept."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from job_contexts import RecordingContext
from toy_index import make_toy_index

from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.asking.probe import activations_of_ids
from sae_desktop.features.reading.effect_path import effect_path
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project import Project
from sae_desktop.steering.breaking import TURNED, breaking
from sae_desktop.steering.config import PLAIN, Sampling, SteerConfig, VariantResult, clamped
from sae_desktop.steering.effect_config import (
    CONTINUED,
    FeatureStrengthConfig,
    OutputEffectConfig,
    OutputEffectResult,
)
from sae_desktop.steering.feature_strength import feature_strength
from sae_desktop.steering.job import steer
from sae_desktop.steering.output_effect import output_effect
from sae_desktop.steering.strength_search import MOST, known_strengths
from sae_desktop.steering.trials import Trial, Trials


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path) -> Project:
    return make_toy_index(tmp_path_factory.mktemp("strengths"), toy_model_folder)


@pytest.fixture(scope="module")
def opened(toy: Project) -> OpenedIndex:
    return open_index(str(toy.path), "i", "cpu")


@pytest.fixture
def project(toy: Project, tmp_path: Path) -> Project:
    shutil.copytree(toy.path, tmp_path / "p")
    return Project.open(tmp_path / "p")


def firing(opened: OpenedIndex, count: int) -> list[int]:
    return np.flatnonzero(opened.index.columns["max_activation"] > 0)[:count].tolist()


# ---------------------------------------------------------------- tried
def by_hand(opened: OpenedIndex, feature: int, found: VariantResult, plain: VariantResult) -> float:
    """The share of a text's tokens that are the feature's own, beyond the plain text's."""

    def share(text: str) -> float:
        ids = opened.lm.encode(text)
        before = opened.bos + opened.lm.encode(CONTINUED[0])
        (acts,) = [a for _, a in activations_of_ids(opened, before[1:] + ids)]
        values = acts[-len(ids) :]
        fires = opened.dictionary.encode(values)[:, feature] > 0
        listed = set(opened.index.array("logits/top_ids")[feature].tolist())
        own = [bool(f) or i in listed for f, i in zip(fires, ids, strict=True)]
        return sum(own) / len(own)

    return share(found.text) - share(plain.text)


def test_trial__is_what_steering_itself_writes_and_measures(opened: OpenedIndex) -> None:
    features, strengths = firing(opened, 3), [0.5, 2.0, 30.0]
    sampling = Sampling(max_new_tokens=10)
    ids = opened.bos + opened.lm.encode(CONTINUED[0])
    trials = Trials(opened, [ids], sampling).tried(np.array(features), strengths)
    for feature, strength, trial in zip(features, strengths, trials, strict=True):
        result = steer(
            SteerConfig(
                project=str(opened.index.path.parents[1]), index="i", prompt=CONTINUED[0],
                variants=[PLAIN, clamped({feature: strength})], sampling=sampling, device="cpu",
            ),
            RecordingContext(),
        )  # fmt: skip
        plain, found = result.variants
        broken = breaking(found.repetition, found.perplexity, plain.repetition, plain.perplexity)
        assert trial.whole == (broken is None)
        if trial.whole and opened.lm.encode(found.text) and opened.lm.encode(plain.text):
            again = opened.lm.encode(found.text)
            if len(again) == len(found.tokens):  # the text is split into the same tokens again
                assert trial.turn == pytest.approx(by_hand(opened, feature, found, plain), abs=0.11)
            assert found.own is not None
            assert plain.own is None
            assert trial.turn == pytest.approx(found.own - found.plain_own, abs=1e-6)


def test_trials__are_the_same_side_by_side_and_alone(opened: OpenedIndex) -> None:
    features = np.array(firing(opened, 4))
    strengths = [0.5, 1.0, 4.0, -2.0]
    prompts = [opened.bos + opened.lm.encode(text) for text in CONTINUED[:2]]
    trials = Trials(opened, prompts, Sampling(max_new_tokens=8))
    together = trials.tried(features, strengths)
    alone = [trials.tried(features[[n]], [s])[0] for n, s in enumerate(strengths)]
    assert together == alone


def test_another_direction__is_added_at_the_same_amount(opened: OpenedIndex) -> None:
    (feature,) = firing(opened, 1)
    ids = [opened.bos + opened.lm.encode(CONTINUED[0])]
    trials = Trials(opened, ids, Sampling(max_new_tokens=8))
    own = opened.dictionary.W_dec[[feature]]
    assert trials.tried(np.array([feature]), [3.0], own) == trials.tried(np.array([feature]), [3.0])
    written = {
        tuple(trials._written(ids[0], clamp, positions, 1)[0])
        for direction in (own, -own)
        for clamp, positions in [_clamp(opened, trials, ids[0], feature, direction)]
    }
    assert len(written) == 2


def _clamp(opened, trials, ids, feature, direction):  # type: ignore[no-untyped-def]
    from sae_desktop.steering.row_clamp import RowClamp

    positions = trials._positions(ids, 1)
    value = 6 * float(opened.index.columns["max_activation"][feature])
    clamp = RowClamp(
        opened, torch.tensor([feature]), torch.tensor([value]), positions,
        first=len(opened.bos), directions_BO=direction,
    )  # fmt: skip
    return clamp.transforms(), positions


# ---------------------------------------------------------------- searched
def world(
    breaks: float, turns: Callable[[float], float], below: float = math.inf
) -> Callable[[npt.NDArray[np.int64], Sequence[float]], list[Trial]]:
    """A feature that breaks the text from a strength on, and turns it as told."""

    def tries(numbers: npt.NDArray[np.int64], strengths: Sequence[float]) -> list[Trial]:
        del numbers
        whole = [-below < s < breaks for s in strengths]
        return [
            Trial(whole=w, turns=(turns(s),) * 3 if w else ())
            for w, s in zip(whole, strengths, strict=True)
        ]

    return tries


@pytest.mark.parametrize("breaks", [0.3, 0.9, 1.3, 2.0, 3.7, 6.0])
def test_search__brings_the_edge_near_and_stays_within(breaks: float) -> None:
    ((_, known),) = known_strengths([0], world(breaks, lambda s: s / 10 + TURNED), 8)
    assert breaks / 1.3 <= known.high < breaks
    assert known.verdict == "works"
    assert known.suggested is not None
    assert 0.7 * known.high <= known.suggested <= 0.9 * known.high  # with a margin
    assert known.turn == pytest.approx(known.suggested / 10 + TURNED)


def test_search__takes_the_edge_itself_where_nothing_less_turns() -> None:
    ((_, known),) = known_strengths([0], world(3.0, lambda s: TURNED * (s > 2.6)), 8)
    assert (known.verdict, known.suggested) == ("works", known.high)


def test_feature_that_never_turns__has_no_strength_and_says_why() -> None:
    ((_, breaks),) = known_strengths([0], world(3.0, lambda s: 0.01 * s), 8)
    assert (breaks.verdict, breaks.suggested) == ("breaks_first", None)
    assert 0 < breaks.turn < TURNED
    ((_, never),) = known_strengths([0], world(math.inf, lambda s: 0.0), 8)
    assert (never.verdict, never.suggested, never.high) == ("too_little", None, MOST)
    ((_, at_once),) = known_strengths([0], world(0.1, lambda s: 1.0), 8)
    assert (at_once.verdict, at_once.high) == ("breaks_first", 0.0)


def test_text_that_turns_on_one_prompt_of_three_only__does_not_count() -> None:
    def tries(numbers: npt.NDArray[np.int64], strengths: Sequence[float]) -> list[Trial]:
        return [Trial(whole=abs(s) < 3, turns=(0.5, 0.0, 0.0)) for s in strengths]

    ((_, known),) = known_strengths([0], tries, 8)
    assert (known.verdict, known.suggested) == ("breaks_first", None)


@pytest.mark.parametrize(("below", "low"), [(math.inf, -2.8), (1.5, -1.4), (0.1, 0.0)])
def test_search__tells_how_far_a_feature_may_be_turned_down(below: float, low: float) -> None:
    ((_, known),) = known_strengths([0], world(3.0, lambda s: 0.2, below), 8)
    assert known.high == 2.8
    assert known.low == pytest.approx(low)


def test_features__are_each_searched_however_many_at_once() -> None:
    edges = {f: 0.5 + f / 3 for f in range(11)}

    def tries(numbers: npt.NDArray[np.int64], strengths: Sequence[float]) -> list[Trial]:
        assert len(numbers) <= 4
        return [
            Trial(whole=abs(s) < edges[int(f)], turns=(0.2,) * 3)
            for f, s in zip(numbers, strengths, strict=True)
        ]

    found = dict(known_strengths(list(edges), tries, 4))
    assert sorted(found) == list(edges)
    for feature, edge in edges.items():
        ((_, alone),) = known_strengths([feature], tries, 1)
        assert found[feature] == alone
        assert found[feature].high < edge


# ---------------------------------------------------------------- measured and kept
def measure(project: Project, **settings: object) -> OutputEffectResult:
    config = OutputEffectConfig(project=str(project.path), index="i", count=2, **settings)  # type: ignore[arg-type]
    return output_effect(config, RecordingContext())


def test_strengths__are_kept_for_every_feature_that_fires(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_index(str(project.path), "i", "cpu")
    alive = np.array(firing(opened, 5))
    fires = np.array(opened.index.columns["max_activation"])
    fires[alive[-1] + 1 :] = 0
    monkeypatch.setitem(opened.index.columns, "max_activation", fires)
    result = measure(project, batch=3)
    monkeypatch.undo()
    index = FeatureIndex(project.index_path("i"))
    known = [index.strength(int(f)) for f in range(index.features)]
    assert [f for f, k in enumerate(known) if k is not None] == alive.tolist()
    verdicts = [k.verdict for k in known if k is not None]
    assert result.works == verdicts.count("works")
    assert result.breaks_first == verdicts.count("breaks_first")
    assert result.too_little == verdicts.count("too_little")
    suggested = index.columns["suggested_strength"]
    assert np.isfinite(suggested).sum() == result.works
    asked = int(alive[0])
    alone = feature_strength(
        FeatureStrengthConfig(project=str(project.path), index="i", feature=asked),
        RecordingContext(),
    )
    assert (alone.feature, alone.known.verdict) == (asked, known[asked].verdict)
    assert alone.known.high == pytest.approx(known[asked].high)


def test_some_features__are_measured_beside_those_measured_before(project: Project) -> None:
    first, second = firing(open_index(str(project.path), "i", "cpu"), 2)
    assert measure(project, features=[first, first]).features == 1
    index = FeatureIndex(project.index_path("i"))
    before = index.strength(first)
    assert before is not None
    assert index.strength(second) is None
    measure(project, features=[second])
    index = FeatureIndex(project.index_path("i"))
    assert index.strength(first) == before
    assert index.strength(second) is not None
    assert np.isfinite(index.columns["output_effect"]).sum() == 2
    measure(project, features=[second], strength=2.0)  # another measure: no column of two
    index = FeatureIndex(project.index_path("i"))
    assert index.strength(first) is None
    assert np.isfinite(index.columns["output_effect"]).sum() == 1


def test_strengths_not_asked_for__are_left_out(project: Project) -> None:
    result = measure(project, strengths=False)
    assert result.works + result.breaks_first + result.too_little == 0
    index = FeatureIndex(project.index_path("i"))
    assert "output_effect" in index.columns
    assert "suggested_strength" not in index.columns


def test_cancel_while_strengths_are_found__leaves_the_index_unchanged(project: Project) -> None:
    class Cancelled(RecordingContext):
        def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
            super().progress(done, total, unit, message)
            if unit == "features" and done:
                self.cancelled = True

        cancelled = False

        def check_cancelled(self) -> None:
            if self.cancelled:
                raise JobCancelledError

    features = firing(open_index(str(project.path), "i", "cpu"), 3)
    config = OutputEffectConfig(
        project=str(project.path), index="i", count=1, batch=2, features=features
    )
    with pytest.raises(JobCancelledError):
        output_effect(config, Cancelled())
    assert not effect_path(project.index_path("i")).exists()


def test_feature_that_never_fired__is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_index(str(project.path), "i", "cpu")
    (feature,) = firing(opened, 1)
    silent = np.array(opened.index.columns["max_activation"])
    silent[feature] = 0
    monkeypatch.setitem(opened.index.columns, "max_activation", silent)
    with pytest.raises(UserError, match="never fired"):
        measure(project, features=[feature])
    with pytest.raises(UserError, match="never fired"):
        feature_strength(
            FeatureStrengthConfig(project=str(project.path), index="i", feature=feature),
            RecordingContext(),
        )
    with pytest.raises(UserError, match="no feature"):
        measure(project, features=[10**6])
