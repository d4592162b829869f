"""A training on several ranks: the dictionary of one process, and what is refused or told.

Processes are slow to start: two of them train all that the tests of this module look at.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from imported_rows import import_rows, run_config, toy_rows, weights
from job_contexts import RecordingContext
from rank_processes import order, run_ranks

from sae_desktop.dictionary.architectures import ARCHITECTURES
from sae_desktop.errors import JobCancelledError
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.job import train

TOLERANCE = 2e-4
"""Of the largest weight, after 30 steps: what sums in another order leave between two runs."""
STEPS = 30
_CASES: Mapping[str, Mapping[str, Any]] = {
    **{name: {"architecture": name} for name in ARCHITECTURES},
    "read twice": {"architecture": "batchtopk", "lista_step": 0.3},
    "resampled with AuxK": {
        "architecture": "topk", "k": 1, "features": 96, "resample": True, "dead_window": 512,
    },
    "an odd last batch": {"architecture": "batchtopk", "tokens": 28 * 101 + 37, "batch": 101},
    "a chosen weight": {"architecture": "jumprelu", "sparsity": 1.0},
}  # fmt: skip
_REFUSED = {
    "Rank 1 differs from rank 0: the setting lr is 0.5 there": {"lr": 0.5},
    "Rank 1 differs from rank 0: what the rows hold": {"project": "other"},
    "Rank 1 of 2 ended: ": {"project": "nowhere"},
}
"""What is told of a rank 1 that is given other settings."""


class Trained(NamedTuple):
    project: Project
    outcomes: Mapping[str, list[dict[str, Any]]]
    """What became of a run on each rank, by its name."""


def _filled(folder: Path, seed: int = 0) -> Project:
    project = Project.open_or_create(folder)
    import_rows(project, toy_rows(5000, seed))
    return project


def _config(project: Project, name: str, **changes: Any) -> TrainConfig:
    fields = {"tokens": STEPS * 128, "batch": 128, "precision": "float32"} | changes
    return run_config(project, name=name, **fields)


def _begin(project: Project, name: str, steps: int) -> None:
    """Train a run of that name alone, until it is interrupted."""
    with pytest.raises(JobCancelledError):
        train(_config(project, name), RecordingContext(cancel_after=steps))


def _apart(project: Project, one: str, other: str) -> float:
    """The largest difference of two dictionaries' weights, in units of the largest weight."""
    first, second = weights(project, one), weights(project, other)
    assert first.keys() == second.keys()
    return max(
        float((first[name] - second[name]).abs().max() / first[name].abs().max().clamp_min(1e-6))
        for name in first
    )


def _cases(project: Project) -> dict[str, Any]:
    return {f"{n} ranks": order(_config(project, f"{n} ranks", **c)) for n, c in _CASES.items()}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("ranks")
    project, other = _filled(folder / "a.saeproj"), _filled(folder / "other.saeproj", seed=1)
    projects = {"other": str(other.path), "nowhere": str(folder / "nowhere")}
    _begin(project, "1 then 2", STEPS // 2)
    orders = _cases(project) | {
        "nothing summed": order(_config(project, "nothing summed"), sums_nothing=True),
        "1 then 2": order(_config(project, "1 then 2")),
        # Rank 1 alone is asked to end; all do, after a checkpoint.
        "2 then 1": order(_config(project, "2 then 1"), fault="cancels", at=20, rank=1),
    }
    for number, (told, given) in enumerate(_REFUSED.items()):
        named = projects.get(given.get("project", ""))
        own = given | {"project": named} if named else given
        orders[told] = order(_config(project, f"refused {number}"), {1: own})
    orders["uneven"] = order(_config(project, "uneven", tokens=257))
    outcomes = run_ranks(folder, list(orders.values()))
    return Trained(project, dict(zip(orders, outcomes, strict=True)))


@pytest.mark.parametrize("case", _CASES)
def test_ranks__train_the_dictionary_of_one_process(trained: Trained, case: str) -> None:
    first, second = trained.outcomes[f"{case} ranks"]
    assert first.get("result"), first
    assert second["result"] is None  # rank 0 alone writes
    assert "handed the others" in first["lines"][-1]
    train(_config(trained.project, case, **_CASES[case]), SilentContext())
    assert _apart(trained.project, case, f"{case} ranks") < TOLERANCE


def test_ranks__that_sum_nothing_are_found_out(trained: Trained) -> None:
    train(_config(trained.project, "summed"), SilentContext())
    assert _apart(trained.project, "summed", "nothing summed") > 100 * TOLERANCE


def test_ranks__resume_what_one_process_began_and_the_other_way_round(trained: Trained) -> None:
    project = trained.project
    assert any("Resuming at" in line for line in trained.outcomes["1 then 2"][0]["lines"])
    assert trained.outcomes["2 then 1"] == [{"cancelled": True}, {"cancelled": True}]
    context = RecordingContext()
    train(_config(project, "2 then 1"), context)
    assert any("Resuming at 2,688 of" in line for line in context.lines), context.lines
    train(_config(project, "at once"), SilentContext())
    for name in ("1 then 2", "2 then 1"):
        assert _apart(project, "at once", name) < TOLERANCE


@pytest.mark.parametrize("told", _REFUSED)
def test_ranks__that_differ_are_refused_by_name(trained: Trained, told: str) -> None:
    first, second = trained.outcomes[told]
    assert told in first["error"]
    assert second == {"silent": True} or told in second["error"]


def test_ranks__are_refused_where_one_would_have_no_row(trained: Trained) -> None:
    assert "The last batch of the run has 1 row, and" in trained.outcomes["uneven"][0]["error"]
    assert not any("refused" in name for name in trained.project.dictionaries())


@pytest.mark.parametrize("fault", ["ends", pytest.param("hangs", marks=pytest.mark.nightly)])
def test_lost_rank__is_named_and_the_run_resumes(tmp_path: Path, fault: str) -> None:
    project = _filled(tmp_path / "a.saeproj")
    config = _config(project, "a", checkpoint_seconds=1e-3)
    (told, *_), *_ = run_ranks(
        tmp_path, [order(config, fault=fault, at=20, rank=1)], timeout=60 if fault == "ends" else 20
    )
    words = "Rank 1 of 2 was lost at step 21" if fault == "ends" else "Rank 1 of 2 has not answered"
    assert words in told["error"]
    assert "it resumes from the last checkpoint" in told["error"]
    context = RecordingContext()
    train(config, context)
    assert any("Resuming at 2,560 of" in line for line in context.lines), context.lines
    train(_config(project, "at once"), SilentContext())
    assert _apart(project, "at once", "a") < TOLERANCE


@pytest.mark.nightly
def test_four_ranks__train_the_dictionary_of_one_process(tmp_path: Path) -> None:
    project = _filled(tmp_path / "a.saeproj")
    orders = _cases(project)
    outcomes = run_ranks(tmp_path, list(orders.values()), count=4)
    assert all(outcome[0].get("result") for outcome in outcomes), outcomes
    for case, changes in _CASES.items():
        train(_config(project, case, **changes), SilentContext())
        assert _apart(project, case, f"{case} ranks") < TOLERANCE, case
