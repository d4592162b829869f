from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from job_contexts import RecordingContext
from toy_features import ToyData, mean_max_cosine

from sae_desktop.activations.config import HarvestConfig, ImportActivationsConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.import_file import import_activations
from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import load
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training import run_setup
from sae_desktop.training.checkpoint import Checkpoint, load_checkpoint
from sae_desktop.training.config import EvaluateConfig, TrainConfig
from sae_desktop.training.job import train
from sae_desktop.training.measuring.evaluate import evaluate
from sae_desktop.training.rows.batches import Batches
from sae_desktop.training.rows.data import split_rows
from sae_desktop.training.rows.source import StoreSource
from sae_desktop.training.run_folder import read_summary
from sae_desktop.training.run_log import COLUMNS, read_run

DATA = ToyData.make(n=32, d=16)


@pytest.fixture
def filled(project: Project, tmp_path: Path) -> Project:
    """A project with 20,000 imported rows of toy data, four of them massive."""
    torch.set_num_threads(1)
    rows = 3.7 * DATA.batch(20_000, torch.Generator().manual_seed(0)).numpy()
    rows[[5, 900, 10_000, 19_999]] *= 1000
    np.save(tmp_path / "rows.npy", rows)
    import_activations(
        ImportActivationsConfig(
            project=str(project.path), name="acts", file=str(tmp_path / "rows.npy")
        ),
        SilentContext(),
    )
    return project


def _config(project: Project, **changes: object) -> TrainConfig:
    config = TrainConfig(
        project=str(project.path), name="d", activations="acts", features=64, k=2,
        tokens=150_000, batch=512, checkpoint_seconds=1e9,
    )  # fmt: skip
    return msgspec.structs.replace(config, **changes)


def test_import__keeps_every_value(filled: Project, tmp_path: Path) -> None:
    store = ActivationStore.open(filled.store_path("acts"))
    assert np.array_equal(store.read(0, 20_000), np.load(tmp_path / "rows.npy"))
    assert store.info.model == ""


@pytest.mark.parametrize("architecture", ["batchtopk", "standard"])
def test_training__learns_the_features_and_logs_its_run(filled: Project, architecture: str) -> None:
    context = RecordingContext()
    result = train(_config(filled, architecture=architecture, sparsity=1.0, lr=3e-3), context)
    dictionary = load(filled.dictionary_path("d"))
    assert mean_max_cosine(DATA.directions, dictionary.W_dec) > 0.9
    assert result.rows == 150_000
    assert result.steps == 293
    assert result.fvu < 0.2
    assert any("4 rows" in line for line in context.lines)
    curves = read_run(filled.dictionary_path("d") / "run.h5")
    assert set(curves.columns) == set(COLUMNS)
    rows, loss = curves.measured("loss")
    assert rows[-1] == 150_000
    assert loss[-1] < loss[0] / 2
    assert curves.measured("fvu")[1][-1] == pytest.approx(result.fvu)
    assert curves.density_counts.sum(axis=1).tolist() == [64] * len(curves.density_steps)
    assert context.steps[-1][:2] == (150_000, 150_000)
    summary = read_summary(filled.dictionary_path("d"))
    assert (summary.architecture, summary.features, summary.width) == (architecture, 64, 16)
    assert not (filled.dictionary_path("d") / "checkpoint").exists()


@pytest.mark.parametrize("architecture", ["batchtopk", "standard"])
def test_training__resumed_ends_bit_for_bit_as_if_never_interrupted(
    filled: Project, architecture: str
) -> None:
    whole = _config(filled, name="whole", architecture=architecture)
    cut = _config(filled, name="cut", architecture=architecture)
    train(whole, SilentContext())
    for stop in (60, 101):
        with pytest.raises(JobCancelledError):
            train(cut, RecordingContext(cancel_after=stop))
        assert "cut" not in filled.dictionaries()
    train(cut, SilentContext())
    a, b = load(filled.dictionary_path("whole")), load(filled.dictionary_path("cut"))
    assert torch.equal(a.W_enc, b.W_enc)
    assert torch.equal(a.W_dec, b.W_dec)
    assert torch.equal(a.b_enc, b.b_enc)
    assert torch.equal(a.b_dec, b.b_dec)
    if architecture == "batchtopk":
        assert a.threshold is not None
        assert b.threshold is not None
        assert torch.equal(a.threshold, b.threshold)
    curve_a = read_run(filled.dictionary_path("whole") / "run.h5").columns
    curve_b = read_run(filled.dictionary_path("cut") / "run.h5").columns
    for name in ("step", "loss", "l0", "fvu", "dead_fraction"):
        assert np.array_equal(curve_a[name], curve_b[name], equal_nan=True), name


def test_jumprelu__comes_down_to_k_where_no_lambda_is_chosen(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(filled, architecture="jumprelu", k=2, tokens=400_000)
    whole = RecordingContext()
    result = train(config, whole)
    assert result.l0 == pytest.approx(2.0, rel=0.1)
    assert not any("collapsing" in line for line in whole.lines)
    used = read_run(filled.dictionary_path("d") / "run.h5").measured("sparsity_coefficient")[1]
    assert used.min() < 0.0 < used.max()  # while fewer are active than aimed at, and more

    # Where it stood when it was broken off is where it goes on …
    again = msgspec.structs.replace(config, name="again")
    with pytest.raises(JobCancelledError):
        train(again, RecordingContext(cancel_after=400))
    train(again, RecordingContext())
    first, second = (load(filled.dictionary_path(name)) for name in ("d", "again"))
    assert torch.equal(first.W_enc, second.W_enc)

    # … and a checkpoint that does not know of it is gone on from as well.
    older = msgspec.structs.replace(config, name="older")
    with pytest.raises(JobCancelledError):
        train(older, RecordingContext(cancel_after=400))

    def without_it(folder: Path) -> Checkpoint | None:
        found = load_checkpoint(folder)
        assert found is None or found.shapes.pop("buffers/recent_l0") == ()
        return found

    monkeypatch.setattr(run_setup, "load_checkpoint", without_it)
    assert train(older, RecordingContext()).l0 == pytest.approx(2.0, rel=0.1)


def test_lambda_chosen_during_a_run__is_used_as_it_is(filled: Project) -> None:
    context = RecordingContext()
    context.adjusted = {"sparsity": 0.25}
    config = _config(filled, architecture="jumprelu", sparsity_warm_up=0.0, tokens=50_000)
    train(config, context)
    used = read_run(filled.dictionary_path("d") / "run.h5").measured("sparsity_coefficient")[1]
    assert used[-1] == pytest.approx(0.25)


def test_collapse__is_told_while_the_run_goes_on(filled: Project) -> None:
    context = RecordingContext()
    config = _config(
        filled, architecture="jumprelu", sparsity=200.0, sparsity_warm_up=0.0, tokens=400_000
    )
    told: list[int] = []
    context.on_check = lambda _: told.append(sum("collapsing" in line for line in context.lines))
    result = train(config, context)
    assert result.l0 < 0.5
    assert told[-1] == 1  # once, and before the end
    (line,) = (line for line in context.lines if "collapsing" in line)
    assert "smaller value" in line


def test_training__stopped_early_keeps_what_it_has(filled: Project) -> None:
    result = train(_config(filled), RecordingContext(stop_after=45))
    assert result.stopped_early
    assert 40 < result.steps < 60
    assert load(filled.dictionary_path("d")).features == 64


def test_training__asked_again_answers_at_once_and_never_overwrites(filled: Project) -> None:
    first = train(_config(filled, tokens=20_000), SilentContext())
    context = RecordingContext()
    assert train(_config(filled, tokens=20_000), context) == first
    assert context.metrics == []
    with pytest.raises(UserError, match="already a dictionary “d”"):
        train(_config(filled, tokens=20_000, k=3), SilentContext())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": 65}, "k = 65"),
        ({"tokens": 10}, "tokens = 10"),
        ({"lr": float("nan")}, "lr = nan"),
        ({"activations": "nothing"}, "no activation store “nothing”"),
        ({"name": "../d"}, "is not a valid name"),
    ],
)
def test_training__names_the_setting_that_cannot_work(
    filled: Project, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        train(_config(filled, **changes), SilentContext())


def test_batches__visit_every_training_row_once_a_pass_from_any_start(filled: Project) -> None:
    store = ActivationStore.open(filled.store_path("acts"))
    split = split_rows(store, store.site, exclude_massive=True)
    assert len(split.excluded) == 4
    size = len(split.training)
    assert size + len(split.held_out) + 4 == 20_000
    scaled = store.gather(split.training) * split.scalar
    assert np.square(scaled).sum(1).mean() == pytest.approx(16, rel=1e-3)

    source = StoreSource(_config(filled, seed=1), None)

    def stream(start: int) -> torch.Tensor:
        batches = Batches(
            source.feed(), source.sides,
            batch=1000, start=start, total=2 * size, device=torch.device("cpu"),
        )  # fmt: skip
        return torch.cat([batch.x_TI.clone() for batch in batches])

    rows = stream(0)
    once, twice = rows[:size], rows[size:]
    assert not torch.equal(once, twice)
    assert torch.equal(once.sort(0).values, twice.sort(0).values)
    assert torch.equal(stream(12_345), rows[12_345:])


def test_evaluation__beats_the_random_control_and_is_kept(filled: Project) -> None:
    train(_config(filled), SilentContext())
    result = evaluate(EvaluateConfig(project=str(filled.path), dictionary="d"), SilentContext())
    assert result.loss_recovered is None
    assert result.excluded_rows == 4
    assert result.dead_window == 19_996
    assert result.explained_variance == pytest.approx(1 - result.fvu)
    assert result.control is not None
    assert result.control.l0 == pytest.approx(result.l0, rel=0.05)
    assert result.fvu < 0.5 * result.control.fvu
    # The same figures by plain formulas, on the rows held out.
    store = ActivationStore.open(filled.store_path("acts"))
    x = torch.from_numpy(store.gather(split_rows(store, store.site, exclude_massive=True).held_out))
    dictionary = load(filled.dictionary_path("d"))
    activations = dictionary.encode(x)
    error = (x - dictionary.decode(activations)).pow(2).sum()
    assert result.fvu == pytest.approx(float(error / (x - x.mean(0)).pow(2).sum()), rel=1e-4)
    assert result.l0 == pytest.approx(float((activations > 0).sum(1).float().mean()))
    assert read_summary(filled.dictionary_path("d")).evaluation == result


def test_evaluation__refuses_a_store_of_another_width(filled: Project, tmp_path: Path) -> None:
    train(_config(filled, tokens=20_000), SilentContext())
    np.save(tmp_path / "other.npy", np.ones((10, 8), dtype=np.float32))
    import_activations(
        ImportActivationsConfig(
            project=str(filled.path), name="other", file=str(tmp_path / "other.npy")
        ),
        SilentContext(),
    )
    with pytest.raises(UserError, match="does not fit the dictionary"):
        evaluate(
            EvaluateConfig(project=str(filled.path), dictionary="d", activations="other"),
            SilentContext(),
        )


def test_training_of_a_model__shows_features_with_text_they_fire_on(
    project: Project, toy_model_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_text(" ".join(f"word{i % 40} 漢字" for i in range(900)))
    harvest(
        HarvestConfig(
            project=str(project.path), name="acts", model=str(toy_model_folder),
            corpus=str(tmp_path / "text.txt"), site="blocks.1.hook_resid_post", tokens=3000,
            context_size=32, batch_tokens=128,
        ),
        SilentContext(),
    )  # fmt: skip
    train(_config(project, tokens=20_000), SilentContext())
    run = read_run(project.dictionary_path("d") / "run.h5")
    assert len(run.samples) == len(run.density_steps)
    dictionary = load(project.dictionary_path("d"))
    assert len(run.samples[-1]) == 3
    for sample in run.samples[-1]:
        assert 0 < sample.density <= 1
        strengths = [max(context.activations) for context in sample.contexts]
        assert strengths == sorted(strengths, reverse=True)
        assert all(0 < len(c.tokens) == len(c.activations) for c in sample.contexts)
        assert 0 <= sample.feature < dictionary.features
    # The same features all along, unless one falls silent or begins to fire.
    last, before = ({s.feature for s in samples} for samples in run.samples[-1:-3:-1])
    assert len(last & before) >= 2
