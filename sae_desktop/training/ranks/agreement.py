"""Whether all ranks are about to do the same: settings, program, checkpoint, rows.

Found out before the first step, since ranks that differ would train a dictionary of nobody's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import torch

from sae_desktop import __version__
from sae_desktop.dictionary.precision import resolve_precision
from sae_desktop.errors import UserError
from sae_desktop.training.ranks.group import Ranks
from sae_desktop.training.rows.source import StoreSource
from sae_desktop.training.run_setup import PlannedRun, identity

_COMPARED_ROWS = 256
"""Rows of which the very numbers are compared."""
Facts = Mapping[str, Any]


def agree_on(ranks: Ranks, topic: str, facts: Facts, way_out: str) -> None:
    """Raise UserError that names the first fact in which a rank differs from rank 0.

    `facts` are plain data by what a person calls them.
    """
    everybody: list[Facts] = ranks.told(topic, facts)
    difference = _difference(everybody)
    if difference:
        raise UserError(
            difference, kept="Not a step was taken, and nothing was changed.", next_step=way_out
        )


def _difference(everybody: Sequence[Facts]) -> str:
    first = everybody[0]
    for rank, facts in enumerate(everybody):
        for name in dict.fromkeys([*first, *facts]):
            here, there = first.get(name), facts.get(name)
            if here != there:
                return f"Rank {rank} differs from rank 0: {name} is {there} there, and {here} on 0."
    return ""


def facts_of_run(run: PlannedRun, device: torch.device) -> Facts:
    """Return what ranks must have in common before their rows are opened."""
    progress = run.checkpoint.progress if run.checkpoint else None
    settings = msgspec.json.decode(identity(run.config))
    return {
        "the version of the program": __version__,
        "the kind of device": device.type,
        "the precision": str(resolve_precision(run.config.precision, device)).split(".")[-1],
        **{f"the setting {name}": value for name, value in sorted(settings.items())},
        "the last checkpoint": f"that of step {progress.step:,}" if progress else "none",
        "what the checkpoint says": _digest(msgspec.json.encode(progress)) if progress else "",
        "the run’s end": "reached" if run.finished is not None else "not reached",
    }


def facts_of_rows(source: StoreSource) -> Facts:
    """Return what ranks must have in common of the rows they read."""
    info, training = source.info, source.split.training
    compared = source.sample_parts(_COMPARED_ROWS, None)
    return {
        "the store’s model": info.model,
        "the number of rows to learn from": len(training),
        "which rows are learnt from (digest)": _digest(np.ascontiguousarray(training)),
        "what the rows hold (digest)": _digest(*map(np.ascontiguousarray, compared)),
    }


def _digest(*parts: Any) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(memoryview(part).cast("B"))
    return found.hexdigest()[:16]
