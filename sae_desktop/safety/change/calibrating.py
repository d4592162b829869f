"""The job `calibrate_watch`: a threshold from harmless runs. Free of torch, so that it is quick."""

from __future__ import annotations

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.project import Project
from sae_desktop.safety.change.alerts import calibrate, run_of
from sae_desktop.safety.change.config import CalibrateWatchConfig, CalibrateWatchResult
from sae_desktop.safety.change.watch_file import read_record
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained


def calibrate_watch(config: CalibrateWatchConfig, context: JobContext) -> CalibrateWatchResult:
    """Set a threshold from watches of harmless runs and keep it.

    Raises UserError for too few, and for watches with different settings.
    """
    del context
    refuse_beyond_limits(config)
    project = Project.open(config.project)
    records = {name: read_record(project.watch_path(name)) for name in config.watches}
    settings = {record.settings for record in records.values()}
    if len(settings) > 1:
        raise UserError(
            "The watches were made with different settings, so they cannot be put together.",
            kept="Nothing was changed.",
            next_step="Watch every run with the same text, dictionary and traits.",
        )
    runs = {name: run_of(record.watched) for name, record in records.items()}
    found = calibrate(runs, config.rate, next(iter(settings), ""))
    path = project.calibration_path(config.name)
    with explained(path):
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, msgspec.json.format(msgspec.json.encode(found)))
    return CalibrateWatchResult(
        name=config.name,
        rate=found.rate,
        runs=len(found.runs),
        unit_runs=len(found.unit_runs),
        threshold=found.threshold,
        units=found.units,
        checkpoints=found.checkpoints,
    )
