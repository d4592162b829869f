"""Jobs that tell what others will take: rows of the table in `registry`."""

from __future__ import annotations

import msgspec

from sae_desktop.engine.job_kind import JobKind
from sae_desktop.sizing.config import MeasureMachineConfig, Rates, SizeConfig, SizeResult

SIZING_JOBS: dict[type[msgspec.Struct], JobKind] = {
    SizeConfig: JobKind(
        "sae_desktop.sizing.job:size", SizeResult, "Work out what it takes", "", quiet=True
    ),
    MeasureMachineConfig: JobKind(
        "sae_desktop.sizing.measure:measure_machine",
        Rates,
        "Measure this machine",
        "",
        quiet=True,
        elsewhere=True,
    ),
}
