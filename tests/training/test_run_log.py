from pathlib import Path

import h5py
import numpy as np
import pytest

from sae_desktop.training.run_log import (
    COLUMNS,
    COSINE_EDGES,
    DENSITY_EDGES,
    MAX_CHANGES,
    NORM_EDGES,
    FeatureSample,
    RunChange,
    RunLogWriter,
    SampleContext,
    cosine_histogram,
    density_histogram,
    norm_histogram,
    read_run,
)

OLD_COLUMNS = ["step", "rows", "seconds", "loss", "l0", "fvu"]


def _old_log(path: Path) -> Path:
    """A log of the first version: two points of six columns, one snapshot, no samples."""
    with h5py.File(path, "w") as file:
        file.attrs.update(
            {"kind": "run", "schema_version": 1, "columns": OLD_COLUMNS, "config": "{}"}
        )
        curves = np.full((5, len(OLD_COLUMNS)), np.nan)
        curves[0] = [1, 10, 0.1, 9.0, np.nan, 0.5]
        curves[1] = [2, 20, 0.2, 8.0, 3.0, 0.4]
        for name, values in {
            "committed": np.array([2, 1]),
            "curves": curves,
            "density_steps": np.array([2, 0]),
            "density_counts": np.ones((2, len(DENSITY_EDGES) - 1), dtype="<i4"),
        }.items():
            file.create_dataset(name, data=values)
    return path


def _new_log(path: Path) -> RunLogWriter:
    return RunLogWriter.create(path, '{"a": 1}', points=4, snapshots=3)


def test_log_of_the_first_version__opens_and_lacks_what_it_did_not_measure(tmp_path: Path) -> None:
    run = read_run(_old_log(tmp_path / "run.h5"))
    assert set(run.columns) == set(COLUMNS)
    assert run.columns["loss"].tolist() == [9.0, 8.0]
    assert np.isnan(run.columns["kl"]).all()
    assert run.measured("fvu")[1].tolist() == [0.5, 0.4]
    assert run.measured("shrinkage")[1].tolist() == []
    assert run.samples == [[]]
    assert run.norm_counts.shape == (1, len(NORM_EDGES) - 1)
    assert run.cosine_counts.sum() == 0
    assert run.changes == []


def test_log_of_the_first_version__can_be_gone_on_with(tmp_path: Path) -> None:
    writer = RunLogWriter(_old_log(tmp_path / "run.h5"), keep_points=1, keep_snapshots=1)
    writer.append({"step": 2, "rows": 25, "loss": 7.0, "kl": 0.3})
    writer.append_snapshot(5, np.full(9, 0.1), norms=np.ones(9))
    writer.append_change(RunChange(step=5, rows=50, lr=1e-4))
    writer.close()
    run = read_run(tmp_path / "run.h5")
    assert run.columns["loss"].tolist() == [9.0, 7.0]
    assert run.density_steps.tolist() == [2, 5]
    assert run.density_counts[1].sum() == 9
    assert run.changes == []


def test_log__keeps_points_histograms_samples_and_changes(tmp_path: Path) -> None:
    writer = _new_log(tmp_path / "run.h5")
    writer.append({"step": 1, "rows": 8, "loss": 2.0, "kl": 0.25})
    sample = FeatureSample(
        feature=3, density=0.5, contexts=[SampleContext(tokens=["a"], activations=[1.0])]
    )
    writer.append_snapshot(
        1, np.array([0.0, 0.5]), [sample], norms=np.array([0.1, 1.0]), cosines=np.array([0.3])
    )
    writer.append_snapshot(2, np.array([0.5, 0.5]))
    writer.append_change(RunChange(step=7, rows=56, sparsity=2.5))
    writer.close()
    run = read_run(tmp_path / "run.h5")
    assert run.columns["kl"].tolist() == [0.25]
    assert np.isnan(run.columns["fvu"]).all()
    assert run.samples == [[sample], []]
    assert run.norm_counts.sum(axis=1).tolist() == [2, 0]
    assert run.cosine_counts.sum(axis=1).tolist() == [1, 0]
    assert run.changes == [RunChange(step=7, rows=56, sparsity=2.5)]
    assert run.config == '{"a": 1}'


def test_log__goes_on_at_the_counts_of_a_checkpoint(tmp_path: Path) -> None:
    writer = _new_log(tmp_path / "run.h5")
    for step in range(3):
        writer.append({"step": step, "loss": float(step)})
        writer.append_change(RunChange(step=step, rows=0, lr=float(step)))
    writer.close()
    again = RunLogWriter(tmp_path / "run.h5", keep_points=1, keep_snapshots=0, keep_changes=2)
    again.append({"step": 9})
    again.close()
    run = read_run(tmp_path / "run.h5")
    assert run.columns["step"].tolist() == [0, 9]
    assert [change.lr for change in run.changes] == [0.0, 1.0]


def test_full_log__drops_what_comes_after(tmp_path: Path) -> None:
    writer = _new_log(tmp_path / "run.h5")
    for step in range(MAX_CHANGES + 2):
        writer.append({"step": step})
        writer.append_snapshot(step, np.ones(1))
        writer.append_change(RunChange(step=step, rows=0))
    writer.close()
    run = read_run(tmp_path / "run.h5")
    assert (len(run.columns["step"]), len(run.density_steps)) == (4, 3)
    assert len(run.changes) == MAX_CHANGES


@pytest.mark.parametrize(
    ("count", "values", "edges", "outermost"),
    [
        (density_histogram, [0.0, 1e-12, 1.0], DENSITY_EDGES, [2, 1]),
        (norm_histogram, [0.0, 1e-9, 1e9, 0.1], NORM_EDGES, [2, 1]),
        (cosine_histogram, [-1.1, 1.0000001, 0.0], COSINE_EDGES, [1, 1]),
    ],
)
def test_histograms__count_every_feature_also_beyond_their_edges(
    count: object, values: list[float], edges: np.ndarray, outermost: list[int]
) -> None:
    assert callable(count)
    counts = count(np.array(values))
    assert len(counts) == len(edges) - 1
    assert counts.sum() == len(values)
    assert [counts[0], counts[-1]] == outermost


def test_run_of_a_model__has_measured_every_figure(small_project: Path) -> None:
    run = read_run(small_project / "dictionaries" / "dict" / "run.h5")
    assert set(run.columns) == set(COLUMNS)
    # Its architecture has no sparsity term, and features fell silent or did not.
    for name in set(COLUMNS) - {"sparsity", "auxiliary"}:
        values = run.measured(name)[1]
        assert len(values) > 1, name
        if name.endswith(("_fraction", "_share")):
            assert values.min() >= 0, name
            assert values.max() <= 1, name
    terms = [np.nan_to_num(run.columns[name]) for name in ("reconstruction", "auxiliary")]
    assert np.allclose(sum(terms), run.columns["loss"], rtol=1e-4)
    assert (run.measured("kl")[1] > 0).all()
    features = int(run.density_counts[0].sum())
    assert (run.norm_counts.sum(axis=1) == features).all()
    assert (run.cosine_counts.sum(axis=1) == features).all()
    # Decoder rows of norm one: the bin that begins at log10(1).
    assert (run.norm_counts[:, 29:31].sum(axis=1) == features).all()
