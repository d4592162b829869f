"""What every kind of job says of how far it is: up to its total, never back, in true counts."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import pytest
import torch
from asked_jobs import questions
from job_contexts import RecordingContext
from kill_jobs import FEATURES, ROWS, SCENARIOS, Place, copy_place, make_place

from sae_desktop.engine.protocol import JobConfig
from sae_desktop.engine.registry import JOB_KINDS, job_kind
from sae_desktop.engine.run import run_job
from sae_desktop.features.config import FirstFeatures, IndexConfig

OF_THE_NETWORK = "get model"
"""What needs a hub."""
TOTALS = {
    "harvest": {("tokens", ROWS)},
    "harvest more": {("tokens", 2 * ROWS)},
    "import activations": {("rows", 200)},
    "train": {("rows", 320)},
    "sweep": {("rows", 2 * 192)},
    "train a set": {("rows", 192)},
    "index a set": {("tokens", 64), ("layers", 2)},
    "index": {("rows", ROWS), ("features", FEATURES)},
    "name features": {("features", FEATURES)},
    "output effect": {("prompts", 1), ("features", 1)},
    "match": {("features", FEATURES + 24)},
    "import labels": {("labels", 3)},
    "explain features": {("requests", 3)},
}
"""Units and their true counts, where a job has so many of them."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Place:
    torch.set_num_threads(1)
    return make_place(tmp_path_factory.mktemp("progress") / "base")


def _run(config: JobConfig) -> RecordingContext:
    context = RecordingContext()
    run_job(config, context)
    # What it handed on while it ran is what its kind says, and nothing where that says nothing.
    streams = job_kind(config).streams
    handed = {type(part) for part in context.outputs}
    if isinstance(config, IndexConfig):  # of a short text, or over another, it has none
        streams = FirstFeatures if config.name == "new" and config.first_rows < ROWS else None
    assert handed == ({streams} if streams else set())
    return context


def check(steps: list[tuple[float, float, str]]) -> None:
    """Hold what a job said to what a person may rely on.

    A part of a job is what it says in one unit and of one total. It never goes back but from the
    total to the beginning of another part, and it ends at its total. Where there turned out to be
    less than was asked for, a last word says of how much.
    """
    parts = [
        (unit, total, [done for done, *_ in some])
        for (total, unit), some in itertools.groupby(steps, key=lambda step: step[1:])
    ]
    for number, (unit, total, done) in enumerate(parts):
        where = f"{unit} of {total:g}: {done[:3]} … {done[-3:]}"
        assert unit, where
        assert total >= 0, where
        assert all(0 <= d <= max(total, d * (not total)) for d in done), where
        for before, after in itertools.pairwise(done):
            assert after >= before or not total or before == total, f"it goes back: {where}"
        following = parts[number + 1] if number + 1 < len(parts) else None
        told_less = following is not None and following[:1] == (unit,) and following[1] < total
        if total and not (told_less and number + 2 == len(parts)):
            assert done[-1] == total, f"it does not end at its total: {where}"


_NO_JOB = ("delete a store", "delete an index", "put back", "empty the trash")


@pytest.mark.parametrize("job", [job for job in SCENARIOS if job not in (*_NO_JOB, OF_THE_NETWORK)])
def test_progress__of_a_job_that_writes_ends_at_its_true_total(
    job: str, base: Place, tmp_path: Path
) -> None:
    place = copy_place(base, tmp_path)
    config = SCENARIOS[job](place)
    assert isinstance(config, msgspec.Struct)
    context = _run(config)
    check(context.steps)
    told = {(unit, total) for _, total, unit in context.steps}
    assert TOTALS.get(job, set()) <= told


@pytest.mark.parametrize("question", sorted(questions(Place(Path("p"), Path("m")))))
def test_progress__of_a_question_ends_at_its_total(
    question: str, base: Place, tmp_path: Path
) -> None:
    place = copy_place(base, tmp_path)
    check(_run(questions(place)[question]).steps)


def test_progress__is_asked_of_every_kind_of_job_but_those_of_the_network() -> None:
    place = Place(Path("p"), Path("m"))
    asked = {type(config) for config in questions(place).values()}
    asked |= {type(make(place)) for job, make in SCENARIOS.items() if job != OF_THE_NETWORK}
    missing = {kind.__struct_config__.tag for kind in JOB_KINDS if kind not in asked}
    assert missing == {"get_model"}
