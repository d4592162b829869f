"""A monitor as it lies in a project: `monitors/<name>.json` and its tensors.

Free of torch and Qt.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.project import Project, existing
from sae_desktop.safety.monitors.config import Power, Promise
from sae_desktop.steering.gate_config import GateSource
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

Array = npt.NDArray[Any]

SCHEMA_VERSION = 1
_DIGITS = 12
SCORES = "calibration_scores"
"""(n,) float32: the highest score of each block of calibration; of drift, what is compared."""
POSITIVES, NEGATIVES = "positive_scores", "near_miss_scores"
"""(n,) float32: the highest score of each text that power was measured on."""


class Monitor(GateSource, frozen=True, kw_only=True):
    """What is watched, above which score it fires, what was promised, and all that made it."""

    schema_version: int = SCHEMA_VERSION
    name: str
    made: str
    """How, in words, such as “a sparse classifier on 12 features”."""
    dictionary: str = ""
    places: list[str]
    """The sites that are read."""
    promise: Promise
    power: list[Power] = []
    notes: list[str] = []
    """What is to be said of how it was made, in sentences."""
    corpus: str
    corpus_digest: str
    """SHA-256 of the texts of calibration, in their order."""
    context_size: int
    bos: bool
    """Whether windows begin with the special tokens before a text."""
    settings: str
    """The config that made it, JSON."""
    created: str
    """ISO 8601."""


def save_monitor(project: Project, monitor: Monitor, tensors: dict[str, Array]) -> Path:
    """Write a monitor and its tensors.

    The tensors lie under a name of their own, which the JSON tells and which comes last: whenever
    a process is killed, the monitor is the one before or this one. Raises UserError for a full
    disk.
    """
    from safetensors.numpy import save

    path = project.monitor_path(monitor.name)
    data = save({name: np.ascontiguousarray(value) for name, value in tensors.items()})
    own = f"{path.stem}.{hashlib.sha256(data).hexdigest()[:_DIGITS]}.safetensors"
    with explained(path):
        path.parent.mkdir(exist_ok=True)
        write_bytes(path.with_name(own), data)
        told = msgspec.structs.replace(monitor, tensors=own)
        write_bytes(path, msgspec.json.format(msgspec.json.encode(told)))
        for other in tensors_of(path):
            if other.name != own:
                other.unlink()
    return path


def tensors_of(path: Path) -> list[Path]:
    """Return the files of tensors of a monitor: one, but after a process was killed."""
    form = re.compile(re.escape(path.stem) + rf"\.[0-9a-f]{{{_DIGITS}}}\.safetensors")
    return [file for file in path.parent.iterdir() if form.fullmatch(file.name)]


def read_monitor(project: Project, name: str) -> Monitor:
    """Return a monitor. Raises UserError where it is missing, damaged or too new."""
    path = project.monitor_path(existing("monitor", name, project.monitors()))
    try:
        data = path.read_bytes()
        version = msgspec.json.decode(data, type=_Version).schema_version
        if version > SCHEMA_VERSION:
            raise UserError(
                f"The monitor “{name}” was written by a newer SAE Desktop.",
                next_step="Update SAE Desktop to use it.",
            )
        return msgspec.json.decode(data, type=Monitor)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"The monitor “{name}” cannot be read: {error}.",
            kept="It was left unchanged.",
            next_step="Calibrate it again, or choose another monitor.",
        ) from error


def calibration_scores(project: Project, monitor: Monitor) -> Array:
    """Return the highest score of each block of a monitor's calibration; none where it has none."""
    return kept_scores(project, monitor)[SCORES]


def kept_scores(project: Project, monitor: Monitor) -> dict[str, Array]:
    """Return the highest score of each text of SCORES, POSITIVES and NEGATIVES; none: empty."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found = load_file(project.monitor_path(monitor.name).with_name(monitor.tensors))
    except (OSError, ValueError, SafetensorError):
        found = {}
    none = np.zeros(0, np.float32)
    return {name: found.get(name, none) for name in (SCORES, POSITIVES, NEGATIVES)}


class _Version(msgspec.Struct):
    schema_version: int = 1
