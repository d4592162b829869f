"""Several dictionaries in one pass, and settings changed on the way."""

from __future__ import annotations

import msgspec
import pytest
import torch
from imported_rows import assert_same_weights, import_rows, run_config, toy_rows, weights
from job_contexts import RecordingContext

from sae_desktop.dictionary.architectures.topk import TopK
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.config import TrainResult
from sae_desktop.training.job import train, train_together
from sae_desktop.training.run_log import read_run


@pytest.fixture
def filled(project: Project) -> Project:
    torch.set_num_threads(1)
    import_rows(project, toy_rows(5000))
    return project


class AdjustingContext(RecordingContext):
    """Changes settings once a run has taken so many steps of 256 rows: they count two later."""

    def __init__(self, changes: dict[int, dict[str, float]], **settings: int) -> None:
        super().__init__(**settings)
        self.changes = changes

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        super().progress(done, total, unit, message)
        self.adjusted |= self.changes.get(int(done) // 256, {})


def _results(outcomes: list[TrainResult | UserError]) -> list[TrainResult]:
    assert all(isinstance(outcome, TrainResult) for outcome in outcomes), outcomes
    return [outcome for outcome in outcomes if isinstance(outcome, TrainResult)]


def test_runs_together__come_out_as_each_alone(filled: Project) -> None:
    changes: list[dict[str, object]] = [
        {"name": "a"},
        {"name": "b", "architecture": "standard", "sparsity": 0.5, "features": 32},
        # A shorter run, whose last batch is a part of the others' one.
        {"name": "c", "tokens": 17 * 256 + 100, "k": 3},
        {"name": "e", "seed": 5},
    ]
    outcomes = train_together([run_config(filled, **c) for c in changes], SilentContext())
    assert [result.name for result in _results(outcomes)] == ["a", "b", "c", "e"]
    assert [result.rows for result in _results(outcomes)] == [10_240, 10_240, 4452, 10_240]
    for change in changes:
        alone = train(
            run_config(filled, **change | {"name": f"{change['name']}-alone"}), SilentContext()
        )
        assert alone.steps == _results(outcomes)[changes.index(change)].steps
        assert_same_weights(filled, str(change["name"]), f"{change['name']}-alone")


def test_runs_together__go_on_where_one_cannot(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = TopK.gradients

    def breaks(self: TopK, batch: object, state: object) -> object:
        loss = plain(self, batch, state)  # type: ignore[arg-type]
        if self.setup.features == 40:
            return loss._replace(total=loss.total * float("nan"))
        return loss

    monkeypatch.setattr(TopK, "gradients", breaks)
    configs = [
        run_config(filled, name="a"),
        run_config(filled, name="b", features=40),
        run_config(filled, name="c", k=49),
        run_config(filled, name="a", k=3),
        run_config(filled, name="e", activations="nowhere"),
    ]
    outcomes = train_together(configs, SilentContext())
    assert isinstance(outcomes[0], TrainResult)
    assert outcomes[0].steps == 40
    said = [str(outcome) for outcome in outcomes[1:]]
    for text, expected in zip(
        said, ["diverged", "k = 49", "Two runs are called “a”", "“nowhere”"], strict=True
    ):
        assert expected in text
    assert filled.dictionaries() == ["a"]


def test_runs_together__cancelled_go_on_bit_for_bit(filled: Project) -> None:
    names = ["a", "b"]
    configs = [run_config(filled, name=name, features=32 + n) for n, name in enumerate(names)]
    train_together([msgspec.structs.replace(c, name=c.name * 2) for c in configs], SilentContext())
    with pytest.raises(JobCancelledError):
        train_together(configs, RecordingContext(cancel_after=15))
    # One of them alone is further on than the other when they go on together.
    with pytest.raises(JobCancelledError):
        train(configs[0], RecordingContext(cancel_after=9))
    train_together(configs, SilentContext())
    for name in names:
        assert_same_weights(filled, name, name * 2)


def test_settings_changed_on_the_way__count_from_the_next_step_and_are_recorded(
    filled: Project,
) -> None:
    context = AdjustingContext(
        {10: {"lr": 1e-4, "sparsity": 3.0, "batch": 7.0}, 20: {"sparsity": 4.0, "lr": float("nan")}}
    )
    config = run_config(
        filled, architecture="standard", sparsity=1.0, lr=1e-3, lr_decay=0.0, sparsity_warm_up=0.0
    )
    result = train(config, context)
    run = read_run(filled.dictionary_path("d") / "run.h5")
    assert list(result.changes) == run.changes
    assert [(c.step, c.lr, c.sparsity) for c in run.changes] == [
        (12, 1e-4, None), (12, None, 3.0), (22, None, 4.0),
    ]  # fmt: skip
    assert [c.rows for c in run.changes] == [11 * 256, 11 * 256, 21 * 256]
    lr, sparsity = run.columns["learning_rate"], run.columns["sparsity_coefficient"]
    assert lr.tolist() == [1e-3] * 11 + [1e-4] * 29
    assert sparsity.tolist() == [1.0] * 11 + [3.0] * 10 + [4.0] * 19
    assert any("batch" in line for line in context.lines)
    assert any("lr = nan" in line for line in context.lines)


def test_settings_changed_on_the_way__stay_changed_after_a_resume(filled: Project) -> None:
    config = run_config(filled, lr=2e-3)
    whole = train(
        msgspec.structs.replace(config, name="whole"), AdjustingContext({10: {"lr": 5e-4}})
    )
    with pytest.raises(JobCancelledError):
        train(config, AdjustingContext({10: {"lr": 5e-4}}, cancel_after=25))
    resumed = train(config, SilentContext())
    assert resumed.changes == whole.changes
    assert len(resumed.changes) == 1
    assert_same_weights(filled, "d", "whole")
    train(msgspec.structs.replace(config, name="unchanged"), SilentContext())
    assert not torch.equal(weights(filled, "d")["W_enc"], weights(filled, "unchanged")["W_enc"])
