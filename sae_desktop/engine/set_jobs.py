"""Jobs on sets of dictionaries: rows of the table in `registry`."""

from __future__ import annotations

import msgspec

from sae_desktop.engine.job_kind import JobKind, Output
from sae_desktop.exchange.config import ExportResult
from sae_desktop.exchange.set_config import ExportSetConfig, ImportSetConfig, ImportSetResult
from sae_desktop.features.set_index_config import IndexSetConfig, IndexSetResult
from sae_desktop.training.set_config import (
    EstimateSetConfig,
    SetEstimate,
    TrainSetConfig,
    TrainSetResult,
)

SET_JOBS: dict[type[msgspec.Struct], JobKind] = {
    TrainSetConfig: JobKind(
        "sae_desktop.training.sets.set_job:train_set",
        TrainSetResult,
        "Train the set",
        "name",
        Output("set", "name"),
        "The last checkpoints are kept; start the same training again to resume from there.",
        resumes=True,
        stops="Stop the training now and keep the set as it is",
    ),
    IndexSetConfig: JobKind(
        "sae_desktop.features.building.set_index:index_set",
        IndexSetResult,
        "Index the set",
        "set",
        Output("indexes of the set", "set"),
        "Finished indexes are kept; start it again to make the others.",
        resumes=True,
    ),
    ImportSetConfig: JobKind(
        "sae_desktop.exchange.sets:import_set",
        ImportSetResult,
        "Import the set",
        "name",
        Output("set", "name"),
        "None of it was kept, except what was downloaded.",
    ),
    ExportSetConfig: JobKind(
        "sae_desktop.exchange.sets:export_set",
        ExportResult,
        "Export the set",
        "set",
        elsewhere=True,
    ),
    EstimateSetConfig: JobKind(
        "sae_desktop.training.sets.set_estimate:estimate_set",
        SetEstimate,
        "Estimate the set",
        "",
        quiet=True,
    ),
}
