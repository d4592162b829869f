"""Jobs on checkpoints of one model: rows of the table in `registry`."""

from __future__ import annotations

import msgspec

from sae_desktop.engine.job_kind import JobKind, Output
from sae_desktop.safety.change.config import (
    CalibrateWatchConfig,
    CalibrateWatchResult,
    CompareCheckpointsConfig,
    CompareCheckpointsResult,
    WatchConfig,
    WatchedCheckpoint,
    WatchResult,
)

CHANGE_JOBS: dict[type[msgspec.Struct], JobKind] = {
    CompareCheckpointsConfig: JobKind(
        "sae_desktop.safety.change.job:compare_checkpoints",
        CompareCheckpointsResult,
        "Make the comparison",
        "name",
        Output("comparison of checkpoints", "name"),
        "A comparison made before is unchanged.",
    ),
    WatchConfig: JobKind(
        "sae_desktop.safety.change.watcher:watch_checkpoints",
        WatchResult,
        "Run the watch",
        "name",
        Output("watch", "name"),
        "What was seen of each checkpoint is kept; start the same watch again to resume.",
        resumes=True,
        stops="Stop watching and keep what was seen",
        streams=WatchedCheckpoint,
        waits=True,
    ),
    CalibrateWatchConfig: JobKind(
        "sae_desktop.safety.change.calibrating:calibrate_watch",
        CalibrateWatchResult,
        "Make the calibration",
        "name",
        Output("calibration of alerts", "name"),
        "A calibration made before is unchanged.",
    ),
}
