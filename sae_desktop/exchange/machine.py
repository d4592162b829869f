"""What this machine has: memory, disk, a GPU. Free of torch and Qt."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import psutil

from sae_desktop import launch
from sae_desktop.storage.faults import free_bytes

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Of a container."""
_ASK_GPU = ("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits")
_MIB = 2**20
_SECONDS = 5.0


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of each."""

    memory: int
    """In all, not what is free now: other programs may be closed."""
    disk: int
    """Free where downloads are kept."""
    gpu: int = 0
    """Of the largest GPU of its own memory; 0: there is none that is known."""


def this_machine() -> Machine:
    """Look what there is. Takes a moment: a program of the GPU's driver is asked."""
    from huggingface_hub import constants

    try:
        disk = free_bytes(Path(constants.HF_HUB_CACHE))
    except OSError:
        disk = 0
    return Machine(memory=_memory(), disk=disk, gpu=_gpu())


def _memory() -> int:
    found = int(psutil.virtual_memory().total)
    for limit in _LIMITS:
        try:
            found = min(found, int(Path(limit).read_text()))
        except (OSError, ValueError):  # no such limit: "max", or another system
            continue
    return found


def _gpu() -> int:
    try:
        told = subprocess.run(
            _ASK_GPU, capture_output=True, text=True, check=True, timeout=_SECONDS,
            stdin=subprocess.DEVNULL, env=launch.environment_of_others(),
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return 0
    amounts = [int(line) for line in told.split() if line.strip().isdigit()]
    return max(amounts, default=0) * _MIB
