"""The evaluation of a dictionary beside random directions, on stores of known contents."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from toy_features import ToyData, train_toy

from sae_desktop.activations.config import HarvestConfig, ImportActivationsConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.import_file import import_activations
from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import Dictionary, save
from sae_desktop.dictionary.control import random_direction_dictionary
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.errors import UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training import run_folder
from sae_desktop.training.config import DictionaryFigures, EvaluateConfig, EvaluateResult
from sae_desktop.training.measuring.evaluate import evaluate
from sae_desktop.training.measuring.metrics import measure_fit
from sae_desktop.training.rows.dictionary_rows import rows_of
from sae_desktop.training.run_folder import read_summary
from sae_desktop.training.run_log import RunLogWriter

DATA = ToyData.make(n=32, d=16)
MASSIVE = [5, 900, 3999]
READ, WRITTEN = "blocks.1.hook_resid_mid", "blocks.1.hook_mlp_out"
SEVERAL = (WRITTEN, "blocks.2.hook_mlp_out", "blocks.1.mlp.hook_in", "blocks.2.mlp.hook_in")
WIDE = 32


@pytest.fixture
def imported(project: Project, tmp_path: Path) -> Project:
    """A project with 4,000 imported rows of toy data, three of them massive."""
    rows = DATA.batch(4000, torch.Generator().manual_seed(0)).numpy()
    rows[MASSIVE] = 1000
    np.save(tmp_path / "rows.npy", rows)
    import_activations(
        ImportActivationsConfig(
            project=str(project.path), name="acts", file=str(tmp_path / "rows.npy")
        ),
        SilentContext(),
    )
    return project


@pytest.fixture
def harvested(project: Project, toy_model_folder: Path, tmp_path: Path) -> Project:
    """A project with some 3,000 tokens at three sites of the toy model."""
    (tmp_path / "text.txt").write_text(" ".join(f"word{i % 40} 漢字" for i in range(900)))
    harvest(
        HarvestConfig(
            project=str(project.path), name="acts", model=str(toy_model_folder), device="cpu",
            corpus=str(tmp_path / "text.txt"), site=READ,
            sites=(WRITTEN, *SEVERAL[1:]), tokens=3000, context_size=32, batch_tokens=128,
        ),
        SilentContext(),
    )  # fmt: skip
    return project


def _true_dictionary(metadata: dict[str, object], extra: int = 0) -> Dictionary:
    """The toy data's own directions, and `extra` features that never fire."""
    W_dec = torch.cat([DATA.directions, torch.eye(16)[:extra]])
    bias = torch.cat([torch.full((32,), -0.5), torch.full((extra,), -1e9)])
    return Dictionary(W_dec.T.contiguous(), bias, W_dec, torch.zeros(16), metadata=metadata)


def _evaluated(project: Project, dictionary: Dictionary, **rest: object) -> EvaluateResult:
    save(dictionary, project.dictionary_path("d"))
    config = EvaluateConfig(project=str(project.path), dictionary="d", device="cpu")
    return evaluate(msgspec.structs.replace(config, **rest), SilentContext())


def test_evaluation__gives_the_plain_formulas_on_rows_that_are_not_massive(
    imported: Project,
) -> None:
    dictionary = _true_dictionary({"activation_store": "acts"}, extra=8)
    result = _evaluated(imported, dictionary)
    store = ActivationStore.open(imported.store_path("acts"))
    held_out = [row for row in range(3600, 4000) if row not in MASSIVE]
    x = torch.from_numpy(store.gather(np.array(held_out)))
    acts = dictionary.encode(x)
    error = (x - dictionary.decode(acts)).pow(2).sum()
    assert result.fvu == pytest.approx(float(error / (x - x.mean(0)).pow(2).sum()), rel=1e-4)
    assert result.explained_variance == pytest.approx(1 - result.fvu)
    assert result.l0 == pytest.approx(float((acts > 0).sum(1).float().mean()))
    assert (result.rows, result.excluded_rows, result.dead_window) == (len(x), 3, 3997)
    assert result.dead_fraction == pytest.approx(8 / 40)
    assert result.density_counts[0] == 8
    assert sum(result.density_counts) == sum(result.cosine_counts) == 40
    share = (acts > 0).float().mean(0)
    assert result.dense_fraction == pytest.approx(float((share > 0.1).float().mean()))
    assert result.shrinkage is not None
    assert result.shrinkage != pytest.approx(1, abs=0.01)
    assert result.loss_recovered is result.kl is None
    assert read_summary(imported.dictionary_path("d")).evaluation == result


def test_evaluation__gives_mean_and_spread_of_several_random_dictionaries(
    imported: Project,
) -> None:
    dictionary = train_toy(DATA, "batchtopk", features=64, k=2, steps=300)
    dictionary.metadata = {"activation_store": "acts"}
    both = _evaluated(imported, dictionary, control_seeds=2)
    one = _evaluated(imported, dictionary, control_seeds=1)
    other = _evaluated(imported, dictionary, control_seeds=1, seed=1)
    assert both.control is not None
    assert one.control is not None
    assert other.control is not None
    assert both.control_spread is not None
    assert one.control_spread is None
    for name in ("l0", "fvu", "cosine", "shrinkage", "feature_gain", "dead_fraction",
                 "dense_fraction", "nearest_cosine"):  # fmt: skip
        first, second = getattr(one.control, name), getattr(other.control, name)
        assert getattr(both.control, name) == pytest.approx((first + second) / 2), name
        spread = abs(first - second) / 2**0.5
        assert getattr(both.control_spread, name) == pytest.approx(spread, abs=1e-9), name
    assert both.control_spread.fvu > 0
    assert both.control.l0 == pytest.approx(both.l0, rel=0.1)
    assert both.fvu < 0.5 * both.control.fvu
    assert sum(both.control.cosine_counts) == 64
    assert _evaluated(imported, dictionary, control=False).control is None


def test_evaluation__takes_the_decoder_norms_from_the_run(imported: Project) -> None:
    dictionary = _true_dictionary({"activation_store": "acts"})
    assert _evaluated(imported, dictionary, control=False).norm_counts == []
    folder = imported.dictionary_path("d")
    log = RunLogWriter.create(folder / run_folder.RUN_LOG, "{}", points=1, snapshots=2)
    log.append_snapshot(1, np.ones(32), norms=np.full(32, 0.1))
    log.append_snapshot(2, np.ones(32), norms=np.full(32, 2.0))
    log.close()
    counts = _evaluated(imported, dictionary, control=False).norm_counts
    assert sum(counts) == max(counts) == 32
    assert counts.index(32) > 30  # log10(2) is right of the middle of −3 … 2


def test_evaluation_in_a_model__has_losses_of_dictionary_and_control(harvested: Project) -> None:
    identity = torch.cat([torch.eye(32), -torch.eye(32)])
    dictionary = Dictionary(
        identity.T.contiguous(), torch.zeros(64), identity, torch.zeros(32),
        metadata={"activation_store": "acts", "hook_name": READ},
    )  # fmt: skip
    result = _evaluated(harvested, dictionary, loss_windows=4, control_seeds=2)
    assert result.loss_recovered == pytest.approx(1, abs=1e-3)
    assert result.loss_recovered_mean == pytest.approx(1, abs=1e-3)
    assert result.kl == pytest.approx(0, abs=1e-4)
    assert result.kl_zero is not None
    assert result.kl_zero > 0.001
    assert result.control is not None
    assert result.control.loss_clean == result.loss_clean
    assert result.control.loss_zero == result.loss_zero
    assert result.control.kl is not None
    assert result.control.kl > result.kl
    assert result.control_spread is not None
    assert result.control_spread.loss_spliced is not None
    without = _evaluated(harvested, dictionary, loss_windows=0, control=False)
    assert without.loss_clean is without.kl is None
    assert without.fvu == result.fvu


def _random(inputs: int, outputs: int, **rest: object) -> Dictionary:
    generator = torch.Generator().manual_seed(0)
    W_dec = torch.nn.functional.normalize(torch.randn(48, outputs, generator=generator))
    W_enc = 0.3 * torch.randn(inputs, 48, generator=generator)
    return Dictionary(W_enc, torch.zeros(48), W_dec, torch.zeros(outputs), **rest)


def _of_several_sites() -> dict[str, Dictionary]:
    skip = 0.1 * torch.eye(WIDE)
    one_to_one = {"hook_name": READ, "hook_name_out": WRITTEN}
    outputs, inputs = list(SEVERAL[:2]), list(SEVERAL[2:])
    blocks = [_random(WIDE, 2 * WIDE), _random(WIDE, WIDE)]
    for block in blocks:
        block.b_dec.zero_()
    return {
        "transcoder": _random(WIDE, WIDE, metadata=one_to_one),
        "skip transcoder": _random(WIDE, WIDE, W_skip=skip, metadata=one_to_one),
        "crosscoder": _random(
            2 * WIDE, 2 * WIDE, parts=(WIDE, WIDE),
            metadata={"hook_name": WRITTEN, "input_sites": outputs, "output_sites": outputs},
        ),
        "cross-layer transcoder": CrossLayerDictionary(
            blocks, torch.zeros(2 * WIDE),
            metadata={"hook_name": inputs[0], "input_sites": inputs, "output_sites": outputs},
        ),
    }  # fmt: skip


@pytest.mark.parametrize(
    "kind", ["transcoder", "skip transcoder", "crosscoder", "cross-layer transcoder"]
)
def test_evaluation__measures_what_reads_and_writes_several_sites(
    harvested: Project, kind: str
) -> None:
    dictionary = _of_several_sites()[kind]
    dictionary.metadata["activation_store"] = "acts"
    result = _evaluated(harvested, dictionary, loss_windows=3, control_seeds=2)
    assert result.control is not None
    assert result.control_spread is not None
    parts = 0 if "cross" not in kind else 2
    for figures in (result, result.control):
        assert len(figures.part_fvu) == parts
        for name in ("fvu", "cosine", "nearest_cosine", "loss_recovered",
                     "loss_recovered_mean", "kl", "kl_zero", "kl_mean"):  # fmt: skip
            value = getattr(figures, name)
            assert value is not None, name
            assert math.isfinite(value), name
    assert result.control.shrinkage == pytest.approx(1, abs=0.25)
    assert result.kl is not None
    assert result.kl > 0
    if kind == "transcoder":
        # By plain formulas on the rows held out.
        store = ActivationStore.open(harvested.store_path("acts"))
        first = store.rows - max(1, int(store.rows * 0.1))
        x = torch.from_numpy(store.read(first, store.rows, READ).astype(np.float32))
        y = torch.from_numpy(store.read(first, store.rows, WRITTEN).astype(np.float32))
        error = (y - dictionary.apply(x)).pow(2).sum() / (y - y.mean(0)).pow(2).sum()
        assert result.fvu == pytest.approx(float(error), rel=1e-3)


def test_rows_of_a_transcoder__are_pairs_of_what_it_reads_and_writes(harvested: Project) -> None:
    store = ActivationStore.open(harvested.store_path("acts"))
    transcoder = random_direction_dictionary(torch.randn(64, 32), 8, 2.0, seed=0)
    transcoder.metadata = {"hook_name": READ, "hook_name_out": WRITTEN}
    rows = rows_of(harvested, transcoder, store)
    block = rows.gather(np.arange(3))
    assert isinstance(block, tuple)
    assert torch.equal(block[0], torch.from_numpy(store.read(0, 3, READ).astype(np.float32)))
    assert torch.equal(block[1], torch.from_numpy(store.read(0, 3, WRITTEN).astype(np.float32)))
    crosscoder = random_direction_dictionary(torch.randn(64, 64), 8, 2.0, seed=0)
    crosscoder.metadata = {"input_sites": [READ, WRITTEN], "output_sites": [READ, WRITTEN]}
    joined = rows_of(harvested, crosscoder, store).gather(np.arange(3))
    assert torch.equal(joined, torch.cat(block, dim=1))
    plain = random_direction_dictionary(torch.randn(64, 32), 8, 2.0, seed=0)
    plain.metadata = {"hook_name": WRITTEN}
    assert torch.equal(rows_of(harvested, plain, store).gather(np.arange(3)), block[1])


def test_rows__of_sites_the_store_lacks_are_refused(harvested: Project) -> None:
    store = ActivationStore.open(harvested.store_path("acts"))
    dictionary = random_direction_dictionary(torch.randn(64, 32), 8, 2.0, seed=0)
    dictionary.metadata = {"hook_name": READ, "hook_name_out": "blocks.0.hook_mlp_out"}
    with pytest.raises(UserError, match=r"no site “blocks\.0\.hook_mlp_out”"):
        rows_of(harvested, dictionary, store)
    dictionary.metadata = {"input_sites": [READ, WRITTEN]}
    with pytest.raises(UserError, match=r"width 32.*width 64"):
        rows_of(harvested, dictionary, store)


def test_random_transcoder__reads_and_writes_at_random_and_fits_as_well_as_such_one_can() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3000, 12, generator=generator) + 1
    skip = torch.randn(12, 6, generator=generator)
    y = torch.relu(x @ torch.randn(12, 6, generator=generator)) + x @ skip
    control = random_direction_dictionary(x, 40, 5.0, seed=3, target_TO=y, W_skip=skip)
    fit = measure_fit(control, [(x, y)])
    assert (control.width, control.out_width) == (12, 6)
    assert fit.l0 == pytest.approx(5.0, rel=0.01)
    assert fit.shrinkage == pytest.approx(1, abs=0.02)
    alone = Dictionary(
        torch.zeros(12, 1), torch.zeros(1), torch.eye(6)[:1], (y - x @ skip).mean(0), W_skip=skip
    )
    assert fit.fvu <= measure_fit(alone, [(x, y)]).fvu


def test_evaluation_of_an_older_version__is_still_read(tmp_path: Path) -> None:
    old = {
        "l0": 8.0, "fvu": 0.2, "explained_variance": 0.8, "cosine": 0.9, "dead_fraction": 0.1,
        "dead_window": 1000, "loss_recovered": 0.95, "loss_clean": 3.0, "loss_spliced": 3.1,
        "loss_zero": 5.0, "loss_mean": 4.0, "rows": 500, "excluded_rows": 2,
        "control": {
            "l0": 8.0, "fvu": 0.9, "explained_variance": 0.1, "cosine": 0.3,
            "loss_recovered": None,
        },
    }  # fmt: skip
    result = msgspec.json.decode(msgspec.json.encode(old), type=EvaluateResult)
    assert result.fvu == 0.2
    assert isinstance(result.control, DictionaryFigures)
    assert result.kl is result.control.kl is result.control_spread is None
    assert result.norm_counts == []
