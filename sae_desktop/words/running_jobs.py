"""What the jobs under way write, by the names that cards and lists show. Free of Qt."""

from __future__ import annotations

from collections.abc import Iterable

from sae_desktop.engine.protocol import JobConfig
from sae_desktop.engine.registry import job_kind
from sae_desktop.training.sweeps.sweep_config import SweepConfig, SweepRecord

Written = frozenset[tuple[str, str]]
"""(kind, name), such as ("dictionary", "topk-2048")."""


def being_written(configs: Iterable[JobConfig], sweeps: Iterable[SweepRecord]) -> Written:
    """Return what jobs write; of a sweep also the runs that are not done yet."""
    found: set[tuple[str, str]] = set()
    records = {record.config.name: record for record in sweeps}
    for config in configs:
        output = job_kind(config).output
        if output is None:
            continue
        found.add((output.kind, str(getattr(config, output.field))))
        record = records.get(config.name) if isinstance(config, SweepConfig) else None
        for row in record.rows if record else ():
            if row.state in ("waiting", "running"):
                found.add(("dictionary", row.dictionary))
    return frozenset(found)
