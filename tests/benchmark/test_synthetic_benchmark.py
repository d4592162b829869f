"""A benchmark on synthetic activations, in a world of a few features."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest
import torch
from job_contexts import RecordingContext

from sae_desktop.benchmark import synthetic_job
from sae_desktop.benchmark.benchmark_file import read_benchmark
from sae_desktop.benchmark.config import SyntheticConfig
from sae_desktop.benchmark.pace import synthetic_seconds
from sae_desktop.benchmark.synthetic_job import _Plan, benchmark_synthetic
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.safety.scan.kept_folder import kept_folder
from sae_desktop.training.benchmark.sizes import SMALL
from sae_desktop.words.benchmark_words import benchmark_rows, headline, notes, synthetic_cost

TINY = msgspec.structs.replace(
    SMALL, features=24, width=16, roots=2, children=2, depth=1, spreading_steps=5
)


class Tried(NamedTuple):
    project: Project
    config: SyntheticConfig


@pytest.fixture
def tried(project: Project, monkeypatch: pytest.MonkeyPatch) -> Tried:
    monkeypatch.setattr(synthetic_job, "SMALL", TINY)
    monkeypatch.setattr(synthetic_job, "_INITIAL_ROWS", 512)
    torch.set_num_threads(1)
    config = SyntheticConfig(
        project=str(project.path), name="s", architectures=("topk", "standard"), world="small",
        samples=4096, seeds=2, features=12, k=3, batch=128, measured=512,
    )  # fmt: skip
    return Tried(project, config)


def test_dictionaries__find_more_than_random_directions(tried: Tried) -> None:
    context = RecordingContext()
    result = benchmark_synthetic(tried.config, context)
    kinds = [(subject.recipe, subject.kind) for subject in result.subjects]
    assert kinds[:2] == [("topk", "dictionary")] * 2
    assert kinds[-2:] == [("standard", "dictionary")] * 2
    assert sorted(kinds[2:-2]) == [("topk", "pca")] * 2 + [("topk", "random")] * 2
    of = {row.title: row.figures for row in benchmark_rows(result, seeds=False)}
    assert of["topk · 2 seeds"]["mcc"].value > of["random directions"]["mcc"].value + 0.05
    assert result.subjects[0].l0 <= 3
    assert result.subjects[0].fvu < 0.9
    assert read_benchmark(tried.project, "s").result == result
    assert not kept_folder(tried.project.benchmark_path("s")).exists()
    assert "24 known features" in headline(result)
    assert any("4,096 samples instead of 200,000,000" in note for note in notes(result))
    last = {(total, unit): done for done, total, unit in context.steps}
    assert all(done == total for (total, _), done in last.items())


def test_seed_that_was_finished__is_kept_and_taken_up(tried: Tried) -> None:
    whole = benchmark_synthetic(tried.config, SilentContext())
    again = msgspec.structs.replace(tried.config, name="again")
    # A check before every step of both seeds' trainings, and before every measurement.
    steps = tried.config.samples // tried.config.batch
    stopped = RecordingContext(cancel_after=steps + 4 + steps // 2)
    with pytest.raises(JobCancelledError):
        benchmark_synthetic(again, stopped)
    folder = kept_folder(tried.project.benchmark_path("again"))
    assert len(list(folder.iterdir())) == 1
    context = RecordingContext()
    resumed = benchmark_synthetic(again, context)
    assert resumed.subjects == whole.subjects
    assert [step for step in context.steps if step[2] == "samples"][-1][0] == 4096
    assert sum(step[:1] == (0.0,) for step in context.steps if step[2] == "samples") == 1


def test_settings_that_cannot_work__are_refused_before_anything_is_trained(tried: Tried) -> None:
    for changes in ({"architectures": ("nothing",)}, {"architectures": ()}, {"samples": 0}):
        with pytest.raises(UserError):
            benchmark_synthetic(msgspec.structs.replace(tried.config, **changes), SilentContext())
    assert tried.project.benchmarks() == []


def test_settings_of_an_architecture__reach_the_training(tried: Tried) -> None:
    asked = msgspec.structs.replace(
        tried.config, architectures=("batchtopk",), seeds=1, k_start=9, lista_step=0.3,
        leave_one_out=0.5,
    )  # fmt: skip
    given = _Plan(asked, TINY).train_config("batchtopk", 4)
    assert (given.k_start, given.lista_step, given.leave_one_out) == (9, 0.3, 0.5)
    for name, alone in (("jumprelu", 0.5), ("topk", 0.0)):
        given = _Plan(asked, TINY).train_config(name, 4)
        assert (given.lista_step, given.leave_one_out) == (0.0, alone)
    plain = msgspec.structs.replace(asked, name="plain", lista_step=0.0, leave_one_out=0.0)
    twice, once = (benchmark_synthetic(one, SilentContext()) for one in (asked, plain))
    assert twice.subjects[0].truth != once.subjects[0].truth
    assert any("twice (LISTA step 0.3)" in note for note in notes(twice))
    assert not any("twice" in note for note in notes(once))


def test_cost__grows_with_what_is_trained() -> None:
    config = SyntheticConfig(project="", name="s", architectures=("batchtopk",), seeds=1)
    assert synthetic_seconds(config) == pytest.approx(100 + 2000 * (0.094 + 0.19))
    more = msgspec.structs.replace(config, seeds=3, architectures=("batchtopk", "topk"))
    assert synthetic_seconds(more) == pytest.approx(100 + 3 * 2000 * (0.094 + 2 * 0.19))
    assert "about 11 min" in synthetic_cost(config)
