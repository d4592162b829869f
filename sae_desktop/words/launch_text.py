"""How a training is started on several processes, for a terminal or for Slurm. Free of torch."""

from __future__ import annotations

import math
import shlex
from typing import NamedTuple

from sae_desktop.training.config import TrainConfig
from sae_desktop.words.as_code import command_words

_GIGABYTE = 1e9
_LEAST_MINUTES = 10
_NOTICE_SECONDS = 120
"""Before a job's time is over: for the last checkpoint."""
_RESTARTS = 3


class Launch(NamedTuple):
    """A training, and what it is to run on."""

    config: TrainConfig
    processes: int
    """On each machine."""
    machines: int
    threads: int
    """Of each process."""


class Taken(NamedTuple):
    """What one process of a training takes, with room for how far off the estimate may be."""

    memory: float
    """Bytes."""
    seconds: float
    basis: str
    """What the time rests on."""


def torchrun_line(launch: Launch) -> str:
    """Return what starts it: one line, or, for several machines, the one for each."""
    if launch.machines == 1:
        meet = "--standalone"
    else:
        meet = (
            f"--nnodes {launch.machines} --rdzv-backend c10d --rdzv-id {_id(launch)} "
            "--rdzv-endpoint FIRST_MACHINE:29500"
        )
    return f"OMP_NUM_THREADS={launch.threads} torchrun {meet} {_what(launch)}"


def slurm_script(launch: Launch, taken: Taken) -> str:
    """Return a script for sbatch."""
    minutes = max(_LEAST_MINUTES, math.ceil((taken.seconds + _NOTICE_SECONDS) / 60))
    memory = max(1, math.ceil(launch.processes * taken.memory / _GIGABYTE))
    asked = {
        "job-name": _id(launch),
        "nodes": str(launch.machines),
        "ntasks-per-node": "1",
        "cpus-per-task": str(launch.processes * launch.threads),
        "mem": f"{memory}G",
        "time": f"{minutes // 60:02}:{minutes % 60:02}:00",
        "signal": f"TERM@{_NOTICE_SECONDS}",
    }
    if launch.config.device.startswith("cuda"):
        asked["gpus-per-node"] = str(launch.processes)
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH --{name}={value}" for name, value in asked.items()),
        "# Memory is that of all processes of a machine; memory and time are estimates with room.",
        f"# The time rests on {taken.basis}; it is that of one process, the most it can take.",
        "# When it is over, a checkpoint is written: submit the script again to continue.",
        f"export OMP_NUM_THREADS={launch.threads}",
        'first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
        "port=$((20000 + SLURM_JOB_ID % 20000))",
        f"srun torchrun --nnodes {launch.machines} --rdzv-backend c10d "
        f'--rdzv-id "$SLURM_JOB_ID" --rdzv-endpoint "$first:$port" {_what(launch)}',
    ]
    return "\n".join(lines)


def _what(launch: Launch) -> str:
    train = shlex.join(command_words(launch.config))
    return f"--nproc-per-node {launch.processes} --max-restarts {_RESTARTS} -m sae_desktop {train}"


def _id(launch: Launch) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in launch.config.name)
