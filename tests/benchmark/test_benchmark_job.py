"""A benchmark of made dictionaries: its figures, its controls, its file."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from job_contexts import RecordingContext, cancelled_at
from made_benchmark import FEATURES, SEEDS, dictionary_of, make_measured_project, small

from sae_desktop.activations.store import ActivationStore
from sae_desktop.benchmark.benchmark_file import read_benchmark
from sae_desktop.benchmark.config import BenchmarkResult
from sae_desktop.benchmark.job import benchmark
from sae_desktop.deletion import delete_item, restore_item, trash_items
from sae_desktop.dictionary import load, save
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.features.reading.beside import beside_index, read_with_index
from sae_desktop.features.reading.dictionary_hash import dictionary_hash
from sae_desktop.features.reading.seed_returns import seed_returns
from sae_desktop.project import Project
from sae_desktop.safety.scan.kept_folder import kept_folder
from sae_desktop.training.measuring.metrics import measure_fit
from sae_desktop.training.rows.data import split_rows


class Done(NamedTuple):
    project: Project
    result: BenchmarkResult
    context: RecordingContext


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    project = make_measured_project(tmp_path_factory.mktemp("benchmark"))
    context = RecordingContext()
    return Done(project, benchmark(small(project), context), context)


def test_fit__is_that_of_the_held_out_rows(done: Done) -> None:
    store = ActivationStore.open(done.project.store_path("acts"))
    held_out = split_rows(store, store.site, exclude_massive=True, by="rows").held_out[:64]
    x = torch.from_numpy(store.gather(held_out).astype(np.float32))
    for subject in done.result.subjects[:2]:
        fit = measure_fit(load(done.project.dictionary_path(subject.name)), [x])
        assert subject.fvu == pytest.approx(fit.fvu, rel=1e-4)
        assert subject.l0 == pytest.approx(fit.l0)


def test_controls__stand_beside_each_recipe_and_fire_as_often(done: Done) -> None:
    first, _, random, pca = done.result.subjects
    assert [s.kind for s in done.result.subjects] == ["dictionary", "dictionary", "random", "pca"]
    assert (random.recipe, pca.recipe) == ("plain", "plain")
    assert random.l0 == pytest.approx(first.l0, rel=0.25)
    assert pca.l0 == pytest.approx(first.l0, rel=0.25)
    assert pca.fvu < random.fvu


def test_seeds__are_one_recipe_whose_features_are_followed(done: Done) -> None:
    (recipe,) = done.result.recipes
    assert recipe.members == SEEDS
    fvu = [subject.fvu for subject in done.result.subjects[:2]]
    assert recipe.figures["fvu"].value == pytest.approx(np.mean(fvu))
    assert recipe.figures["fvu"].over == "seeds"
    assert recipe.stability is not None
    assert recipe.stability.returning == pytest.approx(30 / FEATURES)
    assert recipe.stability.pw_mcc is not None
    assert 0.75 < recipe.stability.pw_mcc.value < 1
    assert recipe.stability.random_pw_mcc is not None
    assert recipe.stability.random_pw_mcc < recipe.stability.pw_mcc.value


def test_probes__tell_code_from_prose_and_stand_beside_the_raw_probe(done: Done) -> None:
    (task,) = done.result.tasks
    assert (task.title, task.majority) == ("code or prose", pytest.approx(0.5, abs=0.1))
    assert task.raw.value > 0.9
    assert done.result.subjects[0].probing["5"].value > 0.8


def test_progress__ends_at_its_totals(done: Done) -> None:
    assert any("Encoding texts" in doing for doing in done.context.doing)
    last = {(total, unit): number for number, total, unit in done.context.steps}
    assert all(number == total for (total, _), number in last.items())


def test_file__holds_what_was_found(done: Done) -> None:
    found = read_benchmark(done.project, "b")
    assert found.result == done.result
    assert [one.dictionary for one in found.info.returned] == list(SEEDS)
    counts = found.returns[0]
    assert counts.tolist() == [1] * 30 + [0] * 10


def test_column_of_an_index__has_what_the_newest_benchmark_has_found(done: Done) -> None:
    digest = dictionary_hash(done.project.dictionary_path(SEEDS[1]))
    index = done.project.index_path("i")
    shares = seed_returns(index, digest, FEATURES)
    assert shares is not None
    assert shares.tolist() == [1.0] * 30 + [0.0] * 10
    assert seed_returns(index, "another", FEATURES) is None
    assert seed_returns(index, digest, FEATURES + 1) is None
    assert done.project.path / "benchmarks" in read_with_index(index)
    assert done.project.path / "benchmarks" not in beside_index(index)


def test_benchmark__goes_to_the_trash_and_comes_back(done: Done) -> None:
    delete_item(done.project, "benchmark", "b")
    assert done.project.benchmarks() == []
    (item,) = trash_items(done.project)
    restore_item(done.project, item)
    assert read_benchmark(done.project, "b").result == done.result


def test_cancelled__leaves_what_was_there(done: Done) -> None:
    before = done.project.benchmark_path("b").read_bytes()
    context = cancelled_at(30, "texts")
    with pytest.raises(JobCancelledError):
        benchmark(small(done.project), context)
    assert done.project.benchmark_path("b").read_bytes() == before


def test_dictionary_that_was_measured__is_kept_and_taken_up(done: Done) -> None:
    again = small(done.project, name="again")
    with pytest.raises(JobCancelledError):
        benchmark(again, _StopsAt("Measuring the fit of “random directions 0”"))
    folder = kept_folder(done.project.benchmark_path("again"))
    assert len(list(folder.iterdir())) == len(SEEDS)
    context = RecordingContext()
    resumed = benchmark(again, context)
    assert resumed.subjects == done.result.subjects
    assert resumed.recipes == done.result.recipes
    fits = {said for said in context.doing if said.startswith("Measuring the fit of")}
    assert fits == {f"Measuring the fit of “{s.name}”" for s in done.result.subjects[2:]}
    assert not folder.exists()


def test_what_was_measured_otherwise__is_measured_anew(done: Done) -> None:
    with pytest.raises(JobCancelledError):
        benchmark(
            small(done.project, name="other"),
            _StopsAt("Measuring the fit of “random directions 0”"),
        )
    context = RecordingContext()
    found = benchmark(small(done.project, name="other", rows=32), context)
    assert any(f"Measuring the fit of “{SEEDS[0]}”" == said for said in context.doing)
    assert found.subjects[0].fvu != done.result.subjects[0].fvu


class _StopsAt(RecordingContext):
    """Cancels the job when it begins with something."""

    def __init__(self, doing: str) -> None:
        super().__init__()
        self._at = doing

    def progress(self, done: float, total: float, unit: str, doing: str = "") -> None:
        if doing == self._at:
            raise JobCancelledError
        super().progress(done, total, unit, doing)


def test_other_site__is_refused(done: Done) -> None:
    other = dictionary_of(torch.randn(8, 32))
    other.metadata["hook_name"] = "blocks.2.hook_resid_post"
    save(other, done.project.dictionary_path("elsewhere"))
    with pytest.raises(UserError):
        benchmark(small(done.project, dictionaries=(SEEDS[0], "elsewhere")), RecordingContext())
    with pytest.raises(UserError, match="no dictionary “none”"):
        benchmark(small(done.project, dictionaries=("none",)), RecordingContext())


def test_file__that_is_damaged_says_so(done: Done, tmp_path: Path) -> None:
    path = done.project.benchmark_path("bad")
    path.write_bytes(done.project.benchmark_path("b").read_bytes()[:-300])
    with pytest.raises(UserError):
        read_benchmark(done.project, "bad")
    path.unlink()
