"""Every kind of job in one table: its function, its result, its name, what it writes.

The functions are named, not imported: the window reads this table too, and torch comes
only when a job is run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import msgspec

from sae_desktop.activations.config import (
    DescribeStoreConfig,
    EstimateHarvestConfig,
    HarvestConfig,
    HarvestEstimate,
    HarvestResult,
    ImportActivationsConfig,
    StoreDescription,
    VerifyResult,
    VerifyStoreConfig,
)
from sae_desktop.comparison.config import (
    CompletenessConfig,
    CompletenessResult,
    MatchConfig,
    MatchResult,
)
from sae_desktop.corpus.config import CorpusDescription, DescribeCorpusConfig
from sae_desktop.engine.benchmark_jobs import BENCHMARK_JOBS
from sae_desktop.engine.circuit_jobs import CIRCUIT_JOBS
from sae_desktop.engine.job_kind import JobKind, Output
from sae_desktop.engine.label_jobs import LABEL_JOBS
from sae_desktop.engine.model_jobs import MODEL_JOBS
from sae_desktop.engine.protocol import JobConfig
from sae_desktop.engine.safety_jobs import SAFETY_JOBS
from sae_desktop.engine.set_jobs import SET_JOBS
from sae_desktop.engine.sizing_jobs import SIZING_JOBS
from sae_desktop.exchange.config import (
    ExportDictionaryConfig,
    ExportFeaturesConfig,
    ExportPackageConfig,
    ExportResult,
    FindDictionariesConfig,
    FindDictionariesResult,
    ImportDictionaryConfig,
    ImportDictionaryResult,
    ImportFeaturesConfig,
    ImportFeaturesResult,
    ImportLabelsConfig,
    ImportLabelsResult,
    ImportPackageConfig,
    ImportPackageResult,
)
from sae_desktop.features.asking.text_set_config import FindFeaturesConfig, FindFeaturesResult
from sae_desktop.features.config import (
    FirstFeatures,
    IndexConfig,
    IndexResult,
    MergeIndexesConfig,
    ProbeConfig,
    ProbeResult,
)
from sae_desktop.steering.config import (
    SteerConfig,
    SteeredToken,
    SteerResult,
    SweepStrengthsConfig,
    SweepStrengthsResult,
)
from sae_desktop.steering.effect_config import (
    FeatureStrengthConfig,
    FeatureStrengthResult,
    OutputEffectConfig,
    OutputEffectResult,
)
from sae_desktop.steering.export_config import ExportSteeringConfig, ExportSteeringResult
from sae_desktop.training.architecture_info import (
    ArchitecturesDescription,
    DescribeArchitecturesConfig,
)
from sae_desktop.training.config import (
    EvaluateConfig,
    EvaluateResult,
    TrainConfig,
    TrainResult,
)
from sae_desktop.training.planning.preflight_config import PreflightConfig, PreflightResult
from sae_desktop.training.sweeps.sweep_config import SweepConfig, SweepResult

_STORE = Output("store", "name")
_DICTIONARY = Output("dictionary", "name")
_SWEEP = Output("sweep", "name")
_EVALUATION = Output("evaluation of the dictionary", "dictionary")
_INDEX = Output("index", "name")
_MATCH = Output("match of the dictionaries", "dictionaries")
_LABELS = Output("labels of the index", "index")
_COMPLETENESS = Output("completeness table", "name")

JOB_KINDS: dict[type[msgspec.Struct], JobKind] = {
    HarvestConfig: JobKind(
        "sae_desktop.activations.harvest:harvest",
        HarvestResult,
        "Harvest",
        "name",
        _STORE,
        "All rows saved so far are kept; start the same harvest again to resume from there.",
        resumes=True,
        stops="Stop the harvest now and keep the rows read so far",
    ),
    ImportActivationsConfig: JobKind(
        "sae_desktop.activations.import_file:import_activations",
        HarvestResult,
        "Import",
        "name",
        _STORE,
        "The imported file was only read.",
    ),
    DescribeCorpusConfig: JobKind(
        "sae_desktop.activations.describe_corpus:describe_corpus",
        CorpusDescription,
        "Describe corpus",
        "corpus",
        quiet=True,
    ),
    EstimateHarvestConfig: JobKind(
        "sae_desktop.activations.estimate:estimate_harvest",
        HarvestEstimate,
        "Estimate the harvest",
        "",
        quiet=True,
    ),
    DescribeStoreConfig: JobKind(
        "sae_desktop.activations.describe_store:describe_store",
        StoreDescription,
        "Describe store",
        "name",
        quiet=True,
    ),
    VerifyStoreConfig: JobKind(
        "sae_desktop.activations.verify:verify_store", VerifyResult, "Verify store", "name"
    ),
    TrainConfig: JobKind(
        "sae_desktop.training.job:train",
        TrainResult,
        "Train",
        "name",
        _DICTIONARY,
        "The last checkpoint is kept; start the same training again to resume from there.",
        resumes=True,
        stops="Stop the training now and keep the dictionary as it is",
    ),
    SweepConfig: JobKind(
        "sae_desktop.training.sweeps.sweep:sweep",
        SweepResult,
        "Sweep",
        "name",
        _SWEEP,
        "Finished runs are kept; start the same sweep again to train the rest.",
        resumes=True,
        stops="Stop the sweep now and keep its dictionaries as they are",
    ),
    PreflightConfig: JobKind(
        "sae_desktop.training.planning.preflight:preflight",
        PreflightResult,
        "Check the training",
        "",
        quiet=True,
    ),
    DescribeArchitecturesConfig: JobKind(
        "sae_desktop.training.planning.describe:describe_architectures",
        ArchitecturesDescription,
        "List architectures",
        "",
        quiet=True,
    ),
    EvaluateConfig: JobKind(
        "sae_desktop.training.measuring.evaluate:evaluate",
        EvaluateResult,
        "Evaluate",
        "dictionary",
        _EVALUATION,
        "The dictionary is unchanged.",
    ),
    IndexConfig: JobKind(
        "sae_desktop.features.building.index:build_index",
        IndexResult,
        "Index",
        "name",
        _INDEX,
        "Firings written so far are kept; start the same index again to resume from there.",
        resumes=True,
        streams=FirstFeatures,
    ),
    ProbeConfig: JobKind(
        "sae_desktop.features.asking.probe:probe", ProbeResult, "Probe", "", quiet=True
    ),
    FindFeaturesConfig: JobKind(
        "sae_desktop.features.asking.text_sets:find_features",
        FindFeaturesResult,
        "Find features",
        "",
        quiet=True,
    ),
    SteerConfig: JobKind(
        "sae_desktop.steering.job:steer",
        SteerResult,
        "Steer",
        "",
        stops="Stop now and keep the text written so far",
        streams=SteeredToken,
        quiet=True,
    ),
    SweepStrengthsConfig: JobKind(
        "sae_desktop.steering.job:sweep_strengths",
        SweepStrengthsResult,
        "Sweep over strengths",
        "",
        quiet=True,
    ),
    OutputEffectConfig: JobKind(
        "sae_desktop.steering.output_effect:output_effect",
        OutputEffectResult,
        "Measure output effects",
        "index",
        Output("output effects of the index", "index"),
        "The index is unchanged.",
    ),
    FeatureStrengthConfig: JobKind(
        "sae_desktop.steering.feature_strength:feature_strength",
        FeatureStrengthResult,
        "Find the strength that works",
        "",
        quiet=True,
    ),
    ExportSteeringConfig: JobKind(
        "sae_desktop.steering.export:export_steering",
        ExportSteeringResult,
        "Export the steering",
        "",
        quiet=True,
        elsewhere=True,
    ),
    MergeIndexesConfig: JobKind(
        "sae_desktop.features.building.merge:merge_indexes",
        IndexResult,
        "Merge indexes into",
        "name",
        _INDEX,
        "The indexes are unchanged; merge them again.",
    ),
    MatchConfig: JobKind(
        "sae_desktop.comparison.match:match",
        MatchResult,
        "Match dictionaries",
        "",
        _MATCH,
        "Finished pairs are kept.",
        resumes=True,
    ),
    CompletenessConfig: JobKind(
        "sae_desktop.comparison.completeness:completeness",
        CompletenessResult,
        "Completeness",
        "name",
        _COMPLETENESS,
        "The indexes are unchanged.",
    ),
    FindDictionariesConfig: JobKind(
        "sae_desktop.exchange.dictionaries:find_dictionaries",
        FindDictionariesResult,
        "Look for dictionaries",
        "",
        quiet=True,
    ),
    ImportDictionaryConfig: JobKind(
        "sae_desktop.exchange.dictionaries:import_dictionary",
        ImportDictionaryResult,
        "Import the dictionary",
        "name",
        _DICTIONARY,
        "None of it was kept, except what was downloaded.",
    ),
    ExportDictionaryConfig: JobKind(
        "sae_desktop.exchange.dictionaries:export_dictionary",
        ExportResult,
        "Export the dictionary",
        "dictionary",
        elsewhere=True,
    ),
    ImportFeaturesConfig: JobKind(
        "sae_desktop.exchange.features:import_features",
        ImportFeaturesResult,
        "Import the features",
        "name",
        _INDEX,
        "None of them were kept.",
    ),
    ExportFeaturesConfig: JobKind(
        "sae_desktop.exchange.features:export_features",
        ExportResult,
        "Export features of",
        "index",
        elsewhere=True,
    ),
    ImportLabelsConfig: JobKind(
        "sae_desktop.exchange.labels:import_labels",
        ImportLabelsResult,
        "Import labels for",
        "index",
        _LABELS,
        "Labels imported so far are kept.",
    ),
    ExportPackageConfig: JobKind(
        "sae_desktop.exchange.package:export_package",
        ExportResult,
        "Pack the dictionary",
        "dictionary",
        elsewhere=True,
    ),
    ImportPackageConfig: JobKind(
        "sae_desktop.exchange.set_package:open_package",
        ImportPackageResult,
        "Open the package",
        "",
        Output("dictionary of the package", "file"),
        "None of it was kept.",
    ),
    **MODEL_JOBS,
    **SET_JOBS,
    **SIZING_JOBS,
    **LABEL_JOBS,
    **CIRCUIT_JOBS,
    **SAFETY_JOBS,
    **BENCHMARK_JOBS,
}


def job_kind(config: JobConfig) -> JobKind:
    """Return the table's row of a config."""
    return JOB_KINDS[type(config)]


def job_title(config: JobConfig) -> str:
    """Return a job's title, such as “Harvest “acts””."""
    kind = job_kind(config)
    if not kind.subject:
        return kind.verb
    return f"{kind.verb} “{getattr(config, kind.subject)}”"


def output_name(config: JobConfig) -> str:
    """Return what the job writes as a person calls it, such as “store “acts””; empty: nothing."""
    output = job_kind(config).output
    return f"{output.kind} “{getattr(config, output.field)}”" if output else ""


def project_of(config: JobConfig) -> Path | None:
    """Return the project folder a writing job writes to; None for a job that only reads."""
    if job_kind(config).output is None:
        return None
    return Path(str(cast(Any, config).project)).expanduser().resolve()
