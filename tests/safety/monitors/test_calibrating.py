"""A monitor fires where its own arithmetic says, and its file holds what made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from job_contexts import RecordingContext

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.language_model.sites.capture import capture
from sae_desktop.project import Project
from sae_desktop.safety.monitors.calibrate import calibrate_monitor
from sae_desktop.safety.monitors.config import (
    CalibrateMonitorConfig,
    CalibrateMonitorResult,
    RunMonitorsConfig,
)
from sae_desktop.safety.monitors.file import calibration_scores, read_monitor
from sae_desktop.safety.monitors.fitting import POOLS, Texts, learn
from sae_desktop.safety.monitors.run import run_monitors
from sae_desktop.steering.gate_config import Readout

ON = [
    "def add(first, second):", "return first + second", "import os, sys", "print(total / count)",
    "for x in range(10): pass", "class Tree(object):", "while not done: step()", "x = y[3:] + [z]",
    "lambda key: key.lower()", "raise ValueError(text)",
]  # fmt: skip
OFF = [
    "Κάθε άτομο", "έχει δικαίωμα", "στη ζωή μου", "人人生而自由", "🌉🌉 μου", "το φως ήταν",
    "自由人生", "η θάλασσα", "άνθρωποι και", "生而人人自",
]  # fmt: skip


def calibrated(project: Project, corpus: Path, **settings: Any) -> CalibrateMonitorResult:
    config = CalibrateMonitorConfig(
        project=str(project.path), corpus=str(corpus),
        **{"name": "m", "index": "i", "rate": 0.1, "confidence": 0.9, "replace": True} | settings,
    )  # fmt: skip
    return calibrate_monitor(config, RecordingContext())


def by_hand(opened: OpenedIndex, text: str, feature: int) -> np.ndarray[Any, Any]:
    """Return the activations of a feature on a text, read in windows as a monitor does."""
    ids, found = opened.lm.encode(text), []
    room = 64 - len(opened.bos)
    for start in range(0, len(ids), room):
        whole = torch.tensor([opened.bos + ids[start : start + room]])
        x_SD = capture(opened.lm, whole, None, opened.site)[0, len(opened.bos) :]
        found.append(opened.dictionary.encode(x_SD)[:, feature])
    return torch.cat(found).double().numpy()


@pytest.mark.parametrize(
    ("unit", "pool"), [("token", "max"), ("message", "max"), ("message", "mean")]
)
def test_monitor__fires_on_the_share_that_its_threshold_leaves(
    watched: Project, opened: OpenedIndex, feature: int, ordinary: Path, unit: Any, pool: Any
) -> None:
    result = calibrated(watched, ordinary, features=[feature], unit=unit, pool=pool)
    texts = [json.loads(line)["text"] for line in ordinary.read_text().splitlines()]
    acts = [by_hand(opened, text, feature) for text in texts]
    pooled = {
        "token": lambda a: a,
        "max": lambda a: a.max()[None],
        "mean": lambda a: a.mean()[None],
    }
    scores = [pooled["token" if unit == "token" else pool](a) for a in acts]
    firing = sum(float((s > result.threshold + 1e-5).mean()) for s in scores)
    assert result.promise.blocks == 50
    assert result.promise.units == sum(map(len, scores))
    assert result.promise.firing == pytest.approx(firing, abs=1e-6)
    assert result.promise.bound <= 0.1
    highest = np.sort([float(s.max()) for s in scores])
    kept = np.sort(calibration_scores(watched, read_monitor(watched, "m")))
    np.testing.assert_allclose(kept, highest, rtol=1e-4, atol=1e-5)


def test_monitor__of_weighted_features_pools_each_before_they_are_added(
    watched: Project, opened: OpenedIndex, feature: int, ordinary: Path
) -> None:
    other = (feature + 7) % opened.dictionary.features
    calibrated(watched, ordinary, features=[feature, other], weights=[2.0, -0.5])
    texts = [json.loads(line)["text"] for line in ordinary.read_text().splitlines()]
    pooled = [
        2 * by_hand(opened, text, feature).max() - 0.5 * by_hand(opened, text, other).max()
        for text in texts
    ]
    np.testing.assert_allclose(
        np.sort(calibration_scores(watched, read_monitor(watched, "m"))),
        np.sort(pooled),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("made", ["difference", "probe"])
def test_monitor__learnt_from_texts_stands_beside_the_cheap_ways_on_the_same_texts(
    watched: Project, ordinary: Path, made: Any
) -> None:
    result = calibrated(watched, ordinary, made=made, on=ON, off=OFF)
    told = [power.what for power in result.power]
    assert told[0] == {"difference": "Difference of means", "probe": "Raw probe"}[made]
    assert {"Difference of means", "Raw probe", "Random direction"} <= set(told)
    assert len({power.of for power in result.power}) == 1
    assert result.best in told
    monitor = read_monitor(watched, "m")
    assert monitor.power == result.power
    assert not monitor.readout.features


def test_classifier__reads_the_feature_that_tells_the_texts_apart(opened: OpenedIndex) -> None:
    """Its weights are of activations; those it is learnt with are of shares of the maximum."""
    dictionary, chosen = opened.dictionary, 5
    chance = torch.Generator().manual_seed(0)
    noise = [0.1 * torch.randn(6, dictionary.width, generator=chance) for _ in range(24)]
    texts = Texts(
        [x + 20 * dictionary.W_dec[chosen] for x in noise[:12]], noise[12:],
        [f"{number} {number * 37 % 101} {'ab'[number < 12] * number}" for number in range(24)],
    )  # fmt: skip
    base = Readout(index="i", pool="max")
    learnt, note = learn("classifier", texts, opened, opened.reads, base, 0, RecordingContext())
    assert chosen in learnt.readout.features
    assert "1.000 on features" in note
    assert "on raw activations" in note
    scores = [float(learnt.reader.score(learnt.reader.components(x).amax(0)))
              for x in (*texts.on, *texts.off)]  # fmt: skip
    assert min(scores[:12]) > max(scores[12:])


@pytest.mark.parametrize("chosen", ["max", "mean"])
def test_classifier__pools_as_tells_left_out_texts_better(opened: OpenedIndex, chosen: str) -> None:
    """One loud token against quiet ones is a matter of maxima; many beside the loudest, of means.

    All tokens of a text have the same noise, so that their number alone raises no maximum.
    """
    direction_D, chance = opened.dictionary.W_dec[5], torch.Generator().manual_seed(0)

    def text(loud: list[float]) -> torch.Tensor:
        noise = 0.1 * torch.randn(1, opened.dictionary.width, generator=chance)
        return noise + torch.tensor([*loud, *[0.0] * (12 - len(loud))])[:, None] * direction_D

    on, off = ([40.0], [4.0] * 10) if chosen == "max" else ([40.0, *[20.0] * 8], [40.0])
    texts = Texts(
        [text(on) for _ in range(12)], [text(off) for _ in range(12)],
        [f"{number} {number * 37 % 101} {'ab'[number < 12] * number}" for number in range(24)],
    )  # fmt: skip
    base = Readout(index="i", pool="max")
    learnt, note = learn(
        "classifier", texts, opened, opened.reads, base, 0, RecordingContext(), POOLS
    )
    assert learnt.reader.pool == learnt.readout.pool == chosen
    assert f"by the {'maximum' if chosen == 'max' else 'mean'} over its tokens" in note
    pooled = {"max": lambda c: c.amax(0), "mean": lambda c: c.mean(0)}[chosen]
    scores = [float(learnt.reader.score(pooled(learnt.reader.components(x))))
              for x in (*texts.on, *texts.off)]  # fmt: skip
    assert min(scores[:12]) > max(scores[12:])


def test_held_out_texts__are_none_that_it_was_learnt_from(watched: Project, ordinary: Path) -> None:
    result = calibrated(watched, ordinary, made="difference", on=ON, off=OFF)
    assert 0 < result.power[0].of < len(ON)
    told = calibrated(
        watched, ordinary, made="difference", on=ON[:6], off=OFF[:6],
        positives=ON[6:], negatives=OFF[6:],
    )  # fmt: skip
    assert (told.power[0].of, told.power[0].near_of) == (4, 4)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rate": 0.01}, "takes 230 documents or chats, and there are 50"),
        ({"rate": 0.01, "method": "conformal"}, "takes 99 documents or chats, and there are 50"),
        ({"on": ON[:1], "off": OFF}, "each side needs at least 2"),
        ({"on": [*ON, OFF[0]], "off": OFF}, "among the texts of the concept and among those"),
        ({"features": []}, "needs at least one"),
        ({"features": [999]}, "999"),
        ({"features": [1, 2], "weights": [1.0]}, "1 weights for 2 features"),
        ({"index": "", "features": []}, "needs an index, or a model and a site"),
        ({"replace": False}, "already a monitor"),
    ],
)
def test_what_cannot_be_promised__is_refused_with_a_way_out(
    watched: Project, feature: int, ordinary: Path, settings: dict[str, Any], said: str
) -> None:
    if settings.get("replace") is False:
        calibrated(watched, ordinary, features=[feature])
    before = {path.name: path.read_bytes() for path in (watched.path / "monitors").glob("*")}
    with pytest.raises(UserError, match=said) as error:
        calibrated(watched, ordinary, **{"features": [feature]} | settings)
    assert error.value.next_step
    assert before == {
        path.name: path.read_bytes() for path in (watched.path / "monitors").glob("*")
    }


def test_monitor__of_another_dictionary_or_model_is_refused(
    watched: Project, feature: int, ordinary: Path
) -> None:
    calibrated(watched, ordinary, features=[feature])
    path = watched.monitor_path("m")
    whole = path.read_text()
    monitor = read_monitor(watched, "m")
    asked = RunMonitorsConfig(project=str(watched.path), monitors=["m"], corpus=str(ordinary))
    for change, said in (
        ({"dictionary_hash": "0" * 16}, "trained again"),
        ({"revision": "model-0-1"}, "calibrated on the model"),
    ):
        path.write_bytes(msgspec.json.encode(msgspec.structs.replace(monitor, **change)))
        with pytest.raises(UserError, match=said):
            run_monitors(asked, RecordingContext())
    path.write_text(whole)
    run_monitors(asked, RecordingContext())


def test_run__keeps_each_hit_in_its_context_and_warns_of_other_text(
    watched: Project, opened: OpenedIndex, feature: int, ordinary: Path, tmp_path: Path
) -> None:
    result = calibrated(watched, ordinary, features=[feature], unit="token", name="t")
    asked = RunMonitorsConfig(project=str(watched.path), monitors=["t"], corpus=str(ordinary))
    run = run_monitors(asked, RecordingContext())
    assert run.runs[0].rate == pytest.approx(result.promise.firing / 50, abs=1e-6)
    assert run.runs[0].drift == ""
    lines = watched.hits_path("t").read_text().splitlines()
    assert len(lines) == run.kept == run.runs[0].fired > 0
    texts = [json.loads(line)["text"] for line in ordinary.read_text().splitlines()]
    best = run.hits[0]
    assert f"{best.before}{best.text}{best.after}" in "".join(texts) or "�" in best.before
    assert best.score > best.threshold
    other = tmp_path / "other.txt"
    other.mkdir()
    for number in range(40):
        (other / f"{number}.txt").write_text(
            f"{number} 人人生而自由 🌉 Κάθε άτομο έχει δικαίωμα " * 3
        )
    moved = run_monitors(msgspec.structs.replace(asked, corpus=str(other)), RecordingContext())
    assert "differ from those of calibration" in moved.runs[0].drift


def test_chats__are_watched_message_by_message(
    watched: Project, opened: OpenedIndex, feature: int, tmp_path: Path
) -> None:
    chats = tmp_path / "chats.jsonl"
    chat = [{"role": "user", "content": "In the"}, {"role": "assistant", "content": "def add"}]
    chats.write_text("".join(
        json.dumps({"messages": [*chat, {"role": "user", "content": f"{n}"}]}) + "\n"
        for n in range(60)
    ))  # fmt: skip
    tokenizer = opened.lm.tokenizer
    tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}"
    try:
        whole = calibrated(watched, chats, features=[feature], unit="message")
        one = calibrated(watched, chats, features=[feature], unit="message", role="assistant")
        all_of_it = calibrated(watched, chats, features=[feature], unit="conversation")
    finally:
        tokenizer.chat_template = None
    assert (whole.promise.units, whole.promise.blocks) == (180, 60)
    assert (one.promise.units, one.promise.blocks) == (60, 60)
    assert all_of_it.promise.units == 60
