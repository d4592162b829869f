"""Scores that a judge gave: written beside the index, read back, drawn as points and curves."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from sae_desktop.features.reading.beside import judged_path
from sae_desktop.features.reading.judged_file import merged, read_judged, write_judged
from sae_desktop.features.reading.judgement import (
    Judge,
    JudgedLabel,
    Judgement,
    Part,
    SelfTest,
)

FEATURES = 50


def judgement(value: float | None = 0.8, **more: object) -> Judgement:
    fields: dict[str, object] = {
        "value": value, "low": None if value is None else value - 0.1,
        "high": None if value is None else value + 0.1, "chance": 0.5, "asked": 20,
        "answered": 18, "as_wrong": 0.7, "as_right": 0.9,
    }  # fmt: skip
    return Judgement(**(fields | more))  # type: ignore[arg-type]


def judged(feature: int, value: float | None = 0.8, **more: object) -> JudgedLabel:
    fields: dict[str, object] = {
        "feature": feature, "label": f"label of {feature} — „ä“", "method": "model",
        "scorer": "detection", "judge": Judge(model="m", seed=3), "judgement": judgement(value),
    }  # fmt: skip
    return JudgedLabel(**(fields | more))  # type: ignore[arg-type]


def part(interval: int, value: float) -> Part:
    return Part(interval=interval, value=value, low=value, high=value, items=4)


def test_judgements__are_read_as_they_were_written(tmp_path: Path) -> None:
    index = tmp_path / "i.h5"
    judge = Judge(model="m", tests=(SelfTest(scorer="rubric", judgement=judgement(None)),))
    parts = (part(0, 0.25), part(1, 0.5), Part(interval=0, kind="neighbour", value=1.0, low=0.5,
                                               high=1.0, items=3))  # fmt: skip
    written = [
        judged(7, judgement=judgement(0.75, low=0.5, high=1.0, as_wrong=0.5, as_right=1.0,
                                      parts=parts)),
        judged(2, scorer="rubric", judge=judge, method="", judgement=judgement(
            None, as_wrong=None, as_right=None)),
        judged(7, of="shuffled", judgement=judgement(0.5, low=0.25, high=0.75, as_wrong=0.5,
                                                     as_right=0.5)),
    ]  # fmt: skip
    write_judged(index, "h", FEATURES, written)
    read = read_judged(index, FEATURES, "h")
    assert read is not None
    assert read.of(7) == [written[0], written[2]]
    assert read.of(2) == [written[1]]
    assert read.of(3) == []
    assert read.features.tolist() == [2, 7]
    assert read.scorers == ["detection", "rubric"]


def test_judgements__of_another_dictionary_or_a_damaged_file_count_as_none(tmp_path: Path) -> None:
    index = tmp_path / "i.h5"
    assert read_judged(index, FEATURES, "h") is None
    write_judged(index, "h", FEATURES, [judged(1), judged(4)])
    assert read_judged(index, FEATURES, "other") is None
    assert read_judged(index, FEATURES + 1, "h") is None
    judged_path(index).write_bytes(judged_path(index).read_bytes()[:500])
    assert read_judged(index, FEATURES, "h") is None


@pytest.mark.parametrize(
    ("field", "wrong"), [("feature", FEATURES), ("judge", 1), ("method", -1), ("scorer", 5)]
)
def test_judgements__that_lead_to_nothing_count_as_none(
    tmp_path: Path, field: str, wrong: int
) -> None:
    index = tmp_path / "i.h5"
    write_judged(index, "h", FEATURES, [judged(1), judged(4)])
    with h5py.File(judged_path(index), "r+") as file:
        rows = file["rows"][:]
        rows[field][1] = wrong
        file["rows"][:] = rows
    assert read_judged(index, FEATURES, "h") is None


def test_none_judged__is_a_file_that_reads(tmp_path: Path) -> None:
    write_judged(tmp_path / "i.h5", "h", FEATURES, [])
    read = read_judged(tmp_path / "i.h5", FEATURES, "h")
    assert read is not None
    assert len(read) == 0
    assert read.points("detection").score.tolist() == []
    assert read.curve("rubric").interval.tolist() == []


def test_points__are_the_best_score_of_each_feature_over_chance(tmp_path: Path) -> None:
    write_judged(
        tmp_path / "i.h5", "h", FEATURES,
        [judged(5, 0.6), judged(5, 1.0, label="better"), judged(5, 0.9, of="shuffled"),
         judged(1, 0.5), judged(2, None), judged(3, 0.9, scorer="fuzzing")],
    )  # fmt: skip
    read = read_judged(tmp_path / "i.h5", FEATURES, "h")
    assert read is not None
    points = read.points("detection")
    assert points.features.tolist() == [1, 5]
    assert points.score == pytest.approx([0.0, 1.0], abs=1e-6)
    assert points.low == pytest.approx([-0.2, 0.8], abs=1e-6)
    assert read.passing("detection") == (1, 2)
    mean, low, high = read.mean("detection")
    assert mean == pytest.approx(0.5)
    assert low == pytest.approx(0.0, abs=1e-6)
    assert high == pytest.approx(1.0)


def test_curve__is_the_mean_over_features_in_each_interval(tmp_path: Path) -> None:
    parts = [(part(0, 9.0), part(1, 1.0), part(3, 2.0)), (part(1, 2.0), part(3, 3.0))]
    write_judged(
        tmp_path / "i.h5", "h", FEATURES,
        [judged(n, scorer="rubric", judgement=judgement(parts=p)) for n, p in enumerate(parts)],
    )  # fmt: skip
    read = read_judged(tmp_path / "i.h5", FEATURES, "h")
    assert read is not None
    curve = read.curve("rubric")
    assert curve.interval.tolist() == [1, 3]
    assert curve.value.tolist() == [1.5, 2.5]
    assert curve.features.tolist() == [2, 2]
    assert (curve.low <= curve.value).all()
    assert (curve.value <= curve.high).all()
    assert np.isfinite(curve.low).all()


def test_judged_again__replaces_what_the_same_model_said_before() -> None:
    other = judged(1, 0.9, judge=Judge(model="other"))
    again = judged(1, 0.6, judge=Judge(model="m", seed=4))
    assert merged([judged(1), judged(2), other], [again]) == [again, judged(2), other]
