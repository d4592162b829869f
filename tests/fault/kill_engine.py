"""Kills the engine with SIGKILL at random moments of harvest, training and indexing.

    python tests/fault/kill_engine.py [--rounds 20] [--seed 0] [--model PATH] [--job train]

After each kill every file must open, and every committed row must be there and equal to that
of a harvest (a training, an index) that nobody disturbed. Then the job is started again and
must end with the same store, weights or index, bit for bit (CPU, one thread).
The engine is driven over its pipe, as the window does.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import h5py  # noqa: E402
import msgspec  # noqa: E402
import numpy as np  # noqa: E402
from engine_driver import EngineDriver  # noqa: E402
from safetensors import safe_open  # noqa: E402
from stored import same_stores  # noqa: E402

from sae_desktop.activations.config import HarvestConfig, VerifyStoreConfig  # noqa: E402
from sae_desktop.activations.store import ActivationStore  # noqa: E402
from sae_desktop.activations.verify import verify_store  # noqa: E402
from sae_desktop.engine.protocol import (  # noqa: E402
    JobConfig,
    JobFinished,
    JobStarted,
)
from sae_desktop.features.config import IndexConfig  # noqa: E402
from sae_desktop.features.reading.firing_files import (  # noqa: E402
    StoredFirings,
    firings_folder,
    group_paths,
    unfinished_folder,
)
from sae_desktop.jobs import SilentContext  # noqa: E402
from sae_desktop.project import Project  # noqa: E402
from sae_desktop.project_notes import FeatureNote, Notes  # noqa: E402
from sae_desktop.training.config import TrainConfig  # noqa: E402
from sae_desktop.training.run_folder import CFG, RUN_LOG, WEIGHTS, read_summary  # noqa: E402
from sae_desktop.training.run_log import read_run  # noqa: E402

JOBS = ("harvest", "train", "index")
REFERENCE = "reference"
VICTIM = "victim"
_TIMED = {
    "seconds", "rows_per_second", "waited_share",
    # Measured when, and on as much text as, a tenth of the time allows.
    "loss_recovered", "loss_recovered_mean", "kl",
}  # fmt: skip
"""Curves that depend on how fast it went; all others repeat exactly."""


@dataclass(frozen=True)
class Kill:
    """What one round found."""

    job: str
    moment: float
    """Seconds after the job began."""
    committed: int
    total: int
    files: int


@dataclass(frozen=True)
class Trial:
    """A job to be disturbed, and how to judge what is left of it."""

    job: str
    unit: str
    paths: tuple[Path, ...]
    """What the job writes, folders and files."""
    config: JobConfig
    check_after_kill: Callable[[], tuple[int, int]]
    """Returns (committed, total); raises AssertionError when something committed is wrong."""
    check_at_end: Callable[[], None]

    def remove(self) -> None:
        """Delete what the job wrote."""
        for path in self.paths:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


# ---------------------------------------------------------------- what must hold
def check_files_open(project: Project) -> int:
    """Open every file of the project, whatever was being written; return how many there are."""
    files = [path for path in project.path.rglob("*") if path.is_file()]
    for path in files:
        if path.name.endswith(".part") or path.name.startswith(".lock"):
            continue
        if path.suffix == ".h5":
            with h5py.File(path, "r") as file:
                file.visititems(lambda _, item: item[...] if hasattr(item, "shape") else None)
        elif path.suffix == ".safetensors":
            with safe_open(path, "numpy") as file:
                for name in file.keys():  # noqa: SIM118
                    file.get_tensor(name)
        elif path.suffix == ".json":
            msgspec.json.decode(path.read_bytes())
        elif path.suffix == ".sqlite":
            with sqlite3.connect(path) as database:
                assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    notes = Notes(project.notes_path)
    assert notes.all("d")[7].label == "kept"
    notes.close()
    return len(files)


def check_store_rows(project: Project, total: int) -> tuple[int, int]:
    """Compare every committed row, token and window with the undisturbed store's, site by site."""
    folder = project.store_path(VICTIM)
    if not (folder / "000.h5").exists():
        return 0, total
    found = ActivationStore.open(folder)
    right = ActivationStore.open(project.store_path(REFERENCE))
    rows = found.rows
    for site in right.info.sites:
        assert np.array_equal(found.read(0, rows, site), right.read(0, rows, site))
        assert np.array_equal(found.norms(site), right.norms(site)[:rows])
        statistics = found.statistics(site)
        assert statistics is not None
        assert statistics.rows == rows
    checked = verify_store(
        VerifyStoreConfig(project=str(project.path), name=VICTIM), SilentContext()
    )
    assert checked.damaged == [], checked.damaged
    assert np.array_equal(found.tokens, right.tokens[:rows])
    assert np.array_equal(found.positions, right.positions[:rows])
    windows = found.windows
    assert int(windows["length"].sum()) == rows
    assert np.array_equal(windows, right.windows[: len(windows)])
    assert np.array_equal(found.documents, right.documents[: len(found.documents)])
    return rows, total


def check_curves(project: Project, total: int) -> tuple[int, int]:
    """Compare every committed point of the curves with the undisturbed run's."""
    path = project.dictionary_path(VICTIM) / RUN_LOG
    if not path.exists():
        return 0, total
    found, right = read_run(path), read_run(project.dictionary_path(REFERENCE) / RUN_LOG)
    points = len(found.columns["step"])
    for name in set(found.columns) - _TIMED:
        expected = right.columns[name][:points]
        assert np.array_equal(found.columns[name], expected, equal_nan=True), name
    snapshots = len(found.density_steps)
    assert np.array_equal(found.density_counts, right.density_counts[:snapshots])
    return int(found.columns["rows"][-1]) if points else 0, total


def check_same_store(project: Project, total: int) -> None:
    """The store that was resumed holds what the undisturbed one holds."""
    rows, _ = check_store_rows(project, total)
    assert rows == ActivationStore.open(project.store_path(REFERENCE)).rows == total
    found, right = (ActivationStore.open(project.store_path(name)) for name in (VICTIM, REFERENCE))
    assert same_stores(found, right)


def check_same_dictionary(project: Project, total: int) -> None:
    """The run that was resumed ends with the weights and curves of the undisturbed one."""
    rows, _ = check_curves(project, total)
    assert rows == total
    tensors = []
    for name in (VICTIM, REFERENCE):
        with safe_open(project.dictionary_path(name) / WEIGHTS, "numpy") as file:
            tensors.append({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
    found, right = tensors
    assert found.keys() == right.keys()
    for key in right:
        assert found[key].tobytes() == right[key].tobytes(), key
    cfgs = [
        msgspec.json.decode((project.dictionary_path(name) / CFG).read_bytes())
        for name in (VICTIM, REFERENCE)
    ]
    assert cfgs[0] == cfgs[1]
    assert read_summary(project.dictionary_path(VICTIM)).result is not None


def stored_arrays(path: Path) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    with h5py.File(path, "r") as file:
        file.visititems(
            lambda name, item: found.update({name: item[...]}) if hasattr(item, "shape") else None
        )
    return found


def check_firings(project: Project, total: int) -> tuple[int, int]:
    """Compare the firings of every group written with those of the undisturbed index."""
    victim, reference = (project.index_path(name) for name in (VICTIM, REFERENCE))
    kept, unfinished = group_paths(firings_folder(victim)), group_paths(unfinished_folder(victim))
    assert not (kept and unfinished and not victim.exists()), "firings without their index"
    right = group_paths(firings_folder(reference))
    found = [*kept, *unfinished]
    for path, expected in zip(found, right, strict=False):
        ours, theirs = stored_arrays(path), stored_arrays(expected)
        assert ours.keys() == theirs.keys()
        for name, values in theirs.items():
            assert ours[name].tobytes() == values.tobytes(), f"{path.name} {name}"
    if victim.exists():
        check_same_arrays(victim, reference)
    return (StoredFirings.open(found).rows if found else 0), total


def check_same_arrays(victim: Path, reference: Path) -> None:
    found, right = stored_arrays(victim), stored_arrays(reference)
    assert found.keys() == right.keys()
    for name, values in right.items():
        assert found[name].tobytes() == values.tobytes(), name


def check_same_index(project: Project, total: int) -> None:
    """The index that was resumed is that of the undisturbed job, its firings in their place."""
    victim, reference = (project.index_path(name) for name in (VICTIM, REFERENCE))
    assert check_firings(project, total) == (total, total)
    assert not unfinished_folder(victim).exists()
    check_same_arrays(victim, reference)


# ---------------------------------------------------------------- the rounds
def run_to_end(engine: EngineDriver, config: JobConfig) -> float:
    """Run a job to its end and return how long it took, in seconds."""
    engine.start("end", config)
    engine.wait(JobStarted)
    began = time.monotonic()
    ended = engine.wait_end("end")
    assert isinstance(ended, JobFinished), ended
    return time.monotonic() - began


def open_engine(project: Project) -> EngineDriver:
    engine = EngineDriver()
    engine.wait_ready()
    engine.open_project(project.path)
    return engine


def disturb(
    trial: Trial, project: Project, rounds: int, chance: random.Random, tell: Callable[[str], None]
) -> list[Kill]:
    """Run the job undisturbed, then kill it so many times, and judge what is left."""
    engine = open_engine(project)
    try:
        run_to_end(engine, msgspec.structs.replace(trial.config, name=REFERENCE))
        if not rounds:
            return []
        # Twice more undisturbed: the second time with everything loaded, as in the rounds.
        run_to_end(engine, trial.config)
        trial.remove()
        duration = run_to_end(engine, trial.config)
        trial.check_at_end()
        tell(f"{trial.job:8}  undisturbed: {duration:.2f} s")
        kills: list[Kill] = []
        while len(kills) < rounds:
            trial.remove()
            engine.start("kill", trial.config)
            engine.wait(JobStarted)
            moment = chance.uniform(0.0, duration)
            time.sleep(moment)
            engine.kill()
            files = check_files_open(project)
            committed, total = trial.check_after_kill()
            engine = open_engine(project)
            run_to_end(engine, trial.config)
            check_files_open(project)
            trial.check_at_end()
            kills.append(Kill(trial.job, moment, committed, total, files))
            tell(
                f"{trial.job:8}  {len(kills):3}  {moment:6.2f} s  "
                f"{committed:10,} of {total:,} {trial.unit} kept  "
                f"{files:3} files open  same end"
            )
        return kills
    finally:
        engine.kill()


def make_trials(project: Project, model: str, *, tokens: int, rows: int) -> list[Trial]:
    """Return what is to be disturbed; training and index read the reference of the job before."""
    path = str(project.path)
    harvest = HarvestConfig(
        project=path, name=VICTIM, model=model, site="blocks.1.hook_resid_post",
        sites=("blocks.0.hook_mlp_out", "blocks.1.hook_attn_out"),
        corpus="builtin", tokens=tokens, context_size=64, batch_tokens=512, device="cpu",
        commit_seconds=0.05,
    )  # fmt: skip
    train = TrainConfig(
        project=path, name=VICTIM, activations=REFERENCE, features=256, k=32,
        tokens=rows, batch=512, checkpoint_seconds=0.3, metric_rows=1024, device="cpu",
    )  # fmt: skip
    index = IndexConfig(
        project=path, dictionary=REFERENCE, name=VICTIM, activations=REFERENCE, map=False,
        neuron_rows=0, device="cpu",
    )  # fmt: skip
    index_path = project.index_path(VICTIM)
    return [
        Trial(
            "harvest", "rows", (project.store_path(VICTIM),), harvest,
            lambda: check_store_rows(project, tokens), lambda: check_same_store(project, tokens),
        ),
        Trial(
            "train", "rows", (project.dictionary_path(VICTIM),), train,
            lambda: check_curves(project, rows), lambda: check_same_dictionary(project, rows),
        ),
        Trial(
            "index", "rows",
            (index_path, firings_folder(index_path), unfinished_folder(index_path)), index,
            lambda: check_firings(project, tokens), lambda: check_same_index(project, tokens),
        ),
    ]  # fmt: skip


def torment(
    folder: Path,
    model: str,
    *,
    rounds: int,
    seed: int,
    tokens: int = 400_000,
    rows: int = 400_000,
    jobs: Sequence[str] = JOBS,
    tell: Callable[[str], None] = print,
) -> list[Kill]:
    """Disturb harvest, training and index in a project made in `folder`; return every kill."""
    project = Project.open_or_create(folder / "kill.saeproj")
    notes = Notes(project.notes_path)
    notes.save("d", FeatureNote(feature=7, label="kept"))
    notes.close()
    chance = random.Random(seed)
    trials = make_trials(project, model, tokens=tokens, rows=rows)
    kills = []
    for trial in trials:
        kills += disturb(trial, project, rounds if trial.job in jobs else 0, chance, tell)
    return kills


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20, help="kills of each job")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--model", default="", help="a model; a small random one if not given")
    parser.add_argument("--job", choices=JOBS, action="append", help="one of them only")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model
        if not model:
            from toy_models import save_toy_model

            model = str(save_toy_model(Path(folder) / "toy-llama"))
        print("job      kill  moment    what was committed")
        kills = torment(
            Path(folder),
            model,
            rounds=arguments.rounds,
            seed=arguments.seed,
            jobs=arguments.job or JOBS,
        )
    inside = sum(0 < kill.committed < kill.total for kill in kills)
    print(f"{len(kills)} kills, {inside} of them between the first and the last committed row.")
    print("Every file opened, every committed row was right, every job came to the same end.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
