"""Kills every job that writes at every call with which it changes a file.

    python tests/fault/kill_sweep.py [--job "index --add"] [--sample 5] [--seed 0] [--minutes 5]

Each trial begins with the same small project. A child runs the job as the command line does,
and is killed by SIGKILL before its n-th change (of a write one half is done). Then the project
is opened as the window does: whatever it lists must be readable. Then the same job is run again
to its end. It may be refused only where nothing is left to be done. The project must then be
what an undisturbed job leaves, and hold nothing else.
"""

from __future__ import annotations

import argparse
import importlib
import math
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import msgspec  # noqa: E402
import torch  # noqa: E402
from fake_hub import FakeHub  # noqa: E402
from kill_jobs import (  # noqa: E402
    HUB_MODEL,
    SCENARIOS,
    Action,
    Place,
    be_at,
    copy_place,
    make_place,
    make_small_groups,
)
from kill_points import KillPoints  # noqa: E402
from kill_state import State, differences, state_of  # noqa: E402

from sae_desktop.engine.protocol import JobConfig  # noqa: E402
from sae_desktop.engine.registry import JOB_KINDS, job_kind  # noqa: E402
from sae_desktop.engine.run import run_job  # noqa: E402
from sae_desktop.errors import UserError  # noqa: E402
from sae_desktop.jobs import SilentContext  # noqa: E402
from sae_desktop.project import Project  # noqa: E402
from sae_desktop.upkeep import writing  # noqa: E402
from sae_desktop.words.inventory import take_inventory  # noqa: E402

_hub: list[FakeHub] = []
"""Runs in this process; the children ask it."""
DONE, REFUSED, FAILED = 0, 3, 4
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """How a child ended, after how many changes, and what it said."""

    status: int
    calls: list[str]
    said: str


@dataclass
class Trial:
    """One kill: where, what the same job did next, what is wrong at the end."""

    job: str
    number: int
    next: str = ""
    wrong: list[str] = field(default_factory=list)


def run_child(place: Place, config: JobConfig | Action, kill_at: int = 0) -> Ended:
    """Run a job in a child process as the command line runs it."""
    said, counted = place.folder / "said.txt", place.folder / "calls.txt"
    for path in (said, counted):
        path.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        status = FAILED
        try:
            be_at(place, _hub[0].url)
            points = KillPoints(place.folder, kill_at)
            points.install()
            status = _run(place, config, said)
            calls = "\n".join(call.replace("\n", " ") for call in points.calls)
            points.kill_at = 0
            counted.write_text(calls)
        except BaseException:
            said.write_text(traceback.format_exc())
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    return Ended(
        os.waitstatus_to_exitcode(ended),
        counted.read_text().splitlines() if counted.exists() else [],
        said.read_text() if said.exists() else "",
    )


def _run(place: Place, config: JobConfig | Action, said: Path) -> int:
    project = Project.open(place.project)
    writes = not isinstance(config, msgspec.Struct) or job_kind(config).writes
    try:
        with writing(project) if writes else nullcontext():
            if isinstance(config, msgspec.Struct):
                run_job(config, SilentContext())
            else:
                config(project)
    except UserError as error:
        said.write_text(str(error))
        return REFUSED
    return DONE


def open_as_the_window_does(place: Place) -> list[str]:
    """Take the lock, put the project in order, and return what cannot be read."""
    project = Project.open(place.project)
    with writing(project):
        pass
    return [f"broken: {item.kind} {item.name}: {item.error}" for item in
            take_inventory(project).broken]  # fmt: skip


def what_is_there(place: Place) -> State:
    return state_of(Path(place.project)) | {
        f"out/{name}": content for name, content in state_of(place.out).items()
    }


def sweep_job(
    base: Place, folder: Path, job: str, numbers: Sequence[int] | None, sample: int,
    chance: random.Random,
) -> tuple[int, Iterator[Trial]]:  # fmt: skip
    """Return how many changes a job makes, and the trials at all, at `numbers` or at a sample.

    All of them come in an order in which any beginning is spread over the whole.
    """
    place = copy_place(base, folder)
    config = SCENARIOS[job](place)
    whole = run_child(place, config)
    assert whole.status == DONE, f"{job}: {whole.said}"
    right = what_is_there(place)
    total = len(whole.calls)
    if numbers is None:
        numbers = spread(total)
        if 0 < sample < total:
            # The last changes are where things take their places.
            late = range(max(1, total - 2 * sample), total + 1)
            some = {*chance.sample(range(1, total + 1), sample), *chance.sample(late, sample)}
            numbers = sorted(some)
    return total, (_trial(base, folder, job, number, right) for number in numbers)


def spread(total: int) -> list[int]:
    """Return 1 to `total` so ordered that any beginning lies evenly among them."""
    bits = total.bit_length()
    backwards = (int(f"{number:0{bits}b}"[::-1], 2) for number in range(1 << bits))
    return [number + 1 for number in backwards if number < total]


def _trial(base: Place, folder: Path, job: str, number: int, right: State) -> Trial:
    place = copy_place(base, folder)
    config = SCENARIOS[job](place)
    killed = run_child(place, config, kill_at=number)
    trial = Trial(job, number)
    if killed.status == DONE:
        trial.next = "it had ended"
        trial.wrong = differences(what_is_there(place), right)
        return trial
    if killed.status != KILLED:
        trial.wrong = [f"the job ended otherwise: {killed.status} {killed.said}"]
        return trial
    trial.wrong += open_as_the_window_does(place)
    settled = what_is_there(place)
    again = run_child(place, config)
    if again.status == DONE:
        trial.next = "ran to its end"
    elif again.status == REFUSED and not differences(settled, right):
        trial.next = "was done already: " + again.said.splitlines()[0]
    else:
        trial.next = f"ended with {again.status}: {again.said}"
        trial.wrong.append(trial.next)
    trial.wrong += differences(what_is_there(place), right)
    return trial


def sweep(
    folder: Path, *, jobs: Sequence[str] = tuple(SCENARIOS), sample: int = 0, seed: int = 0,
    numbers: Sequence[int] | None = None, minutes: float = math.inf,
) -> list[Trial]:  # fmt: skip
    """Sweep jobs in a place made in `folder`; `sample` kills of each, or at every change.

    After `minutes` of a job the next one's turn has come.
    """
    torch.set_num_threads(1)
    for kind in JOB_KINDS.values():  # once, and not in every child
        importlib.import_module(kind.function.partition(":")[0])
    base = make_place(folder / "base")
    make_small_groups()
    _hub.append(FakeHub())
    _hub[0].repos[HUB_MODEL] = base.material / "model"
    work = folder / "work"
    work.mkdir()
    chance = random.Random(seed)
    trials: list[Trial] = []
    for job in jobs:
        began = time.monotonic()
        total, coming = sweep_job(base, work, job, numbers, sample, chance)
        found: list[Trial] = []
        for trial in coming:
            found.append(trial)
            if trial.wrong:
                print(
                    f"    {job} {trial.number}: {trial.next}",
                    *trial.wrong[:6],
                    sep="\n        ",
                    flush=True,
                )
            if time.monotonic() - began > 60 * minutes:
                break
        trials += found
        wrong = [trial for trial in found if trial.wrong]
        print(
            f"{job:22} {len(found):5} kills of {total:5}  {len(wrong):4} wrong  "
            f"{sum(t.next.startswith('was done') for t in found):4} were done already  "
            f"{time.monotonic() - began:6.1f} s",
            flush=True,
        )
    return trials


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--job", choices=list(SCENARIOS), action="append", help="one of them only")
    parser.add_argument("--sample", type=int, default=0, help="kills of each job; 0: at all")
    parser.add_argument("--number", type=int, action="append", help="of one change")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=math.inf, help="of each job, at most")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        trials = sweep(
            Path(folder), jobs=arguments.job or list(SCENARIOS), sample=arguments.sample,
            seed=arguments.seed, numbers=arguments.number, minutes=arguments.minutes,
        )  # fmt: skip
    wrong = sum(bool(trial.wrong) for trial in trials)
    print(f"{len(trials)} kills, after {wrong} of them something was wrong.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
