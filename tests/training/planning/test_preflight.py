"""What a training needs, what is refused and what would fit; estimates against measured peaks."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from sae_desktop.activations.config import HarvestConfig, ImportActivationsConfig
from sae_desktop.activations.import_file import import_activations
from sae_desktop.dictionary.architectures import ARCHITECTURES, Setup
from sae_desktop.errors import UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.job import train
from sae_desktop.training.planning import capacity, needs
from sae_desktop.training.planning.capacity import load_of
from sae_desktop.training.planning.needs import (
    Free,
    Load,
    fits,
    how_many_fit,
    largest_features,
    rooms,
    total,
    would_fit,
)
from sae_desktop.training.planning.preflight import plan_of, preflight
from sae_desktop.training.planning.preflight_config import PreflightConfig

CPU = torch.device("cpu")
GB = 10**9
WIDTH = 128

LOAD = Load(
    weights_fixed=256, weights_per_feature=2 * 256 + 1, features=65_536, width=256, out_width=256,
    reconstructs_input=True, batch=4096, pairs_per_row=32, groups=1, low_precision=True,
    low_share=0.5,
    step_bytes=lambda features, rows, element: 128 * features * element,
    metric_rows=8192, keep_checkpoints=3, points=2002,
    snapshots=42,
)  # fmt: skip


# ---------------------------------------------------------------- arithmetic
def test_largest_features__fit_and_one_more_does_not() -> None:
    free = Free(memory=1 * GB, disk=100 * GB)
    most = largest_features(LOAD, free)
    assert 10_000 < most < LOAD.features
    assert fits(replace(LOAD, features=most), free)
    assert not fits(replace(LOAD, features=most + 1), free)


def test_largest_features__of_a_cross_layer_transcoder_divide_among_its_layers() -> None:
    most = largest_features(replace(LOAD, layers=30), Free(memory=1 * GB, disk=100 * GB))
    assert most % 30 == 0
    assert most > 0


def test_ways_out__each_fit() -> None:
    free = Free(memory=100 * GB, disk=int(1.5 * GB))
    assert not fits(LOAD, free)
    kept = next(way for way in would_fit(LOAD, free) if "checkpoints" in way)
    assert fits(replace(LOAD, keep_checkpoints=int(kept.split()[0])), free)
    features = int(would_fit(LOAD, free)[0].split()[0].replace(",", ""))
    assert fits(replace(LOAD, features=features), free)


def test_rooms__part_gpu_memory_from_ordinary_memory() -> None:
    on_cpu = {r.place: r for r in rooms(LOAD, Free(memory=GB, disk=GB))}
    on_gpu = {r.place: r for r in rooms(LOAD, Free(memory=GB, disk=GB, gpu=80 * GB))}
    assert set(on_cpu) == {"memory", "disk"}
    assert set(on_gpu) == {"GPU memory", "memory", "disk"}
    weights = 4 * LOAD.weights
    assert on_gpu["GPU memory"].needed_bytes > 4 * weights
    assert on_gpu["memory"].needed_bytes < on_cpu["memory"].needed_bytes
    for room in on_gpu.values():
        assert room.needed_bytes == total(room.needs)


def test_runs_side_by_side__share_their_batches_and_keep_states_of_their_own() -> None:
    def count(memory: int) -> int:
        return how_many_fit([LOAD] * 9, Free(memory=memory, disk=GB))

    one = rooms(LOAD, Free(memory=GB, disk=GB))[0].needed_bytes
    assert count(one) == 1
    assert count(one // 2) == 1, "a run that does not fit alone is refused by itself"
    assert 1 < count(3 * one) <= 9
    state = 3.25 * 4 * LOAD.weights  # weights, two moments, half of them in bfloat16
    assert count(round(one + 2 * state) + 1000) == 3


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_weights__are_counted_as_the_architecture_has_them(filled: Project, name: str) -> None:
    config = _config(filled, architecture=name, features=320)
    load = load_of(config, plan_of(config), CPU)
    setup = Setup(width=WIDTH, features=320, steps=10, k=4)
    made = ARCHITECTURES[name](setup, torch.Generator().manual_seed(0))
    assert load.weights == sum(p.numel() for p in made.parameters.values())


# ---------------------------------------------------------------- on a project
@pytest.fixture
def filled(project: Project, tmp_path: Path) -> Project:
    """A project with 6,000 rows of width 128."""
    torch.set_num_threads(1)
    rows = np.random.default_rng(0).normal(size=(6000, WIDTH)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    path = str(project.path)
    import_activations(
        ImportActivationsConfig(project=path, name="acts", file=str(tmp_path / "rows.npy")),
        SilentContext(),
    )
    return project


def _config(project: Project, **changed: object) -> TrainConfig:
    config = TrainConfig(
        project=str(project.path), name="d", activations="acts", architecture="topk",
        features=256, k=4, tokens=4096, batch=256, metric_rows=512, device="cpu",
        precision="float32",
    )  # fmt: skip
    return msgspec.structs.replace(config, **changed)


def test_preflight__measures_steps_of_the_run_itself(filled: Project) -> None:
    result = preflight(PreflightConfig(train=_config(filled)), SilentContext())
    assert result.fits
    assert result.steps_measured > 0
    assert result.step_seconds is not None
    assert result.seconds_per_million_tokens == pytest.approx(result.step_seconds * 1e6 / 256)
    assert result.seconds == pytest.approx(result.step_seconds * 16)
    assert result.largest_features > 256
    assert filled.runs() == filled.dictionaries() == []


def test_preflight__of_a_stream_needs_no_store_and_counts_its_pools(
    project: Project, toy_model_folder: Path
) -> None:
    stream = HarvestConfig(
        project="", name="s", model=str(toy_model_folder), site="blocks.1.hook_resid_post",
        context_size=64, batch_tokens=512,
    )  # fmt: skip
    config = _config(project, activations="", stream=stream)
    result = preflight(PreflightConfig(train=config), SilentContext())
    assert result.fits
    assert result.steps_measured > 0
    assert "pool of rows" in [need.what for need in result.rooms[0].needs]
    assert project.stores() == []


def test_preflight__takes_no_step_of_what_does_not_fit(filled: Project) -> None:
    result = preflight(PreflightConfig(train=_config(filled, features=2**30)), SilentContext())
    assert not result.fits
    assert result.step_seconds is None
    assert "of memory, but" in result.problem
    assert result.would_fit[0] == f"{result.largest_features:,} features"


def test_training__is_refused_before_it_begins_where_memory_is_short(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "free_memory", lambda: 200_000_000)
    with pytest.raises(UserError, match=r"needs .* of memory, but 200 MB are free") as caught:
        train(_config(filled, features=65_536), SilentContext())
    assert "This would fit: " in caught.value.next_step
    most = int(caught.value.next_step.split("fit: ")[1].split(" features")[0].replace(",", ""))
    assert 256 < most < 65_536
    assert filled.runs() == []
    train(_config(filled, features=most, tokens=256), SilentContext())
    assert filled.dictionaries() == ["d"]


def test_refusal__names_the_limit_of_the_settings_where_memory_is_what_lacks(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "limit_text", lambda: " The settings allow 1 GB.")
    config = _config(filled, features=2**30)
    result = preflight(PreflightConfig(train=config), SilentContext())
    assert result.problem.endswith(" The settings allow 1 GB.")
    disk = [room for room in result.rooms if room.place == "disk"]
    assert "settings" not in needs.problem(disk)


def test_training__is_refused_where_the_disk_is_short(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "free_bytes", lambda path: 3_000_000)
    with pytest.raises(UserError, match=r"of disk, but 3 MB are free \(checkpoints"):
        train(_config(filled, features=1024), SilentContext())


# ---------------------------------------------------------------- estimates against reality
TOLERANCE = 0.3
"""Of the estimate: by how much a measured peak may differ from it."""

_CHILD = """
import json, sys
import torch
torch.set_num_threads(1)
import msgspec
from sae_desktop.jobs import SilentContext
from sae_desktop.training.planning.capacity import free_for, load_of
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.job import train
from sae_desktop.training.planning.needs import rooms
from sae_desktop.training.planning.preflight import plan_of
config = msgspec.json.decode(sys.argv[1], type=TrainConfig)
cpu = torch.device("cpu")
said = rooms(load_of(config, plan_of(config), cpu), free_for(config, cpu))[0].needed_bytes
def peak_resident():  # getrusage would count what the parent had when it began this process
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
before = peak_resident()
train(config, SilentContext())
peak = peak_resident()
print(json.dumps({"said": said, "grew": peak - before}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak where Linux tells it")
@pytest.mark.parametrize(
    ("architecture", "features", "batch"),
    [("topk", 32_768, 512), ("standard", 16_384, 1024), ("matryoshka", 4096, 4096)],
)
def test_estimate__agrees_with_the_measured_peak(
    filled: Project, architecture: str, features: int, batch: int
) -> None:
    config = _config(
        filled, architecture=architecture, features=features, batch=batch, tokens=4 * batch
    )
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, msgspec.json.encode(config).decode()],
        capture_output=True,
        check=True,
        text=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["grew"] == pytest.approx(found["said"], rel=TOLERANCE)


def test_result__is_read_without_torch() -> None:
    code = (
        "import sys; import sae_desktop.training.planning.preflight_config,"
        " sae_desktop.training.planning.needs,"
        " sae_desktop.training.sweeps.sweep_config, sae_desktop.training.sweeps.scaling,"
        " sae_desktop.training.sweeps.pareto; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
