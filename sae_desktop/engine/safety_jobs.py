"""Jobs on safety: rows of the table in `registry`."""

from __future__ import annotations

import msgspec

from sae_desktop.engine.change_jobs import CHANGE_JOBS
from sae_desktop.engine.job_kind import JobKind, Output
from sae_desktop.engine.monitor_jobs import MONITOR_JOBS
from sae_desktop.safety.scan.config import ScanConfig, ScanResult

SAFETY_JOBS: dict[type[msgspec.Struct], JobKind] = {
    ScanConfig: JobKind(
        "sae_desktop.safety.scan.job:scan",
        ScanResult,
        "Scan",
        "name",
        Output("scan", "name"),
        "Every set that was finished is kept; start the same scan again to resume from there.",
        resumes=True,
        stops="Stop now and keep a scan of the sets finished so far",
    ),
    **CHANGE_JOBS,
    **MONITOR_JOBS,
}
