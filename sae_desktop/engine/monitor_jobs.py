"""Jobs that make monitors and put them to use: rows of the table in `registry`."""

from __future__ import annotations

import msgspec

from sae_desktop.engine.job_kind import JobKind, Output
from sae_desktop.safety.mitigation.config import MitigateConfig, MitigateResult
from sae_desktop.safety.monitors.config import (
    CalibrateMonitorConfig,
    CalibrateMonitorResult,
    ExportMonitorConfig,
    ExportMonitorResult,
    RunMonitorsConfig,
    RunMonitorsResult,
)

MONITOR_JOBS: dict[type[msgspec.Struct], JobKind] = {
    CalibrateMonitorConfig: JobKind(
        "sae_desktop.safety.monitors.calibrate:calibrate_monitor",
        CalibrateMonitorResult,
        "Calibrate the monitor",
        "name",
        Output("monitor", "name"),
        "A monitor of that name is unchanged.",
    ),
    RunMonitorsConfig: JobKind(
        "sae_desktop.safety.monitors.run:run_monitors",
        RunMonitorsResult,
        "Run the monitors",
        "",
        Output("hits of the monitors", "monitors"),
        "Hits kept before are unchanged.",
    ),
    ExportMonitorConfig: JobKind(
        "sae_desktop.safety.monitors.export:export_monitor",
        ExportMonitorResult,
        "Export the monitor",
        "monitor",
        elsewhere=True,
    ),
    MitigateConfig: JobKind(
        "sae_desktop.safety.mitigation.job:mitigate",
        MitigateResult,
        "Test steering under a condition",
        "",
    ),
}
