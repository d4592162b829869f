"""Messages between the window and the engine: one JSON object per line, typed and tagged.

The engine answers a line it does not understand with `ProtocolError` and reads on.
"""

from __future__ import annotations

import msgspec

from sae_desktop.activations.config import (
    DescribeStoreConfig,
    EstimateHarvestConfig,
    HarvestConfig,
    ImportActivationsConfig,
    VerifyStoreConfig,
)
from sae_desktop.activations.original_config import OriginalPictureConfig
from sae_desktop.benchmark.captions.config import CaptionChangesConfig
from sae_desktop.benchmark.config import BenchmarkConfig, SyntheticConfig
from sae_desktop.benchmark.kinds.config import ConceptKindsConfig
from sae_desktop.circuits.asking_config import (
    EdgeHeadsConfig,
    FaithfulnessConfig,
    GroupsConfig,
    HeadConfig,
    InterveneConfig,
)
from sae_desktop.circuits.config import (
    EstimateTraceConfig,
    ExportGraphConfig,
    ImportGraphConfig,
    TraceConfig,
)
from sae_desktop.circuits.lens_config import AttributeConfig, FitLensConfig, LensConfig, PatchConfig
from sae_desktop.comparison.config import CompletenessConfig, MatchConfig
from sae_desktop.corpus.config import DescribeCorpusConfig
from sae_desktop.exchange.config import (
    ExportDictionaryConfig,
    ExportFeaturesConfig,
    ExportPackageConfig,
    FindDictionariesConfig,
    ImportDictionaryConfig,
    ImportFeaturesConfig,
    ImportLabelsConfig,
    ImportPackageConfig,
)
from sae_desktop.exchange.set_config import ExportSetConfig, ImportSetConfig
from sae_desktop.features.asking.text_set_config import FindFeaturesConfig
from sae_desktop.features.config import (
    FirstFeatures,
    IndexConfig,
    MergeIndexesConfig,
    NameFeaturesConfig,
    ProbeConfig,
)
from sae_desktop.features.set_index_config import IndexSetConfig
from sae_desktop.labels.explaining.config import ExplainFeaturesConfig, PreviewExplanationConfig
from sae_desktop.labels.judging.config import JudgeLabelsConfig, PreviewJudgingConfig
from sae_desktop.labels.models.config import CheckServerConfig, FindServersConfig
from sae_desktop.labels.scoring.config import ScoreLabelsConfig
from sae_desktop.labels.search.config import EmbedLabelsConfig, SearchMeaningConfig
from sae_desktop.language_model.config import (
    DescribeModelConfig,
    GetModelConfig,
    SameModelConfig,
    TrustModelConfig,
)
from sae_desktop.language_model.picture_config import PreviewPicturesConfig
from sae_desktop.safety.change.config import (
    CalibrateWatchConfig,
    CompareCheckpointsConfig,
    WatchConfig,
    WatchedCheckpoint,
)
from sae_desktop.safety.mitigation.config import MitigateConfig
from sae_desktop.safety.monitors.config import (
    CalibrateMonitorConfig,
    ExportMonitorConfig,
    RunMonitorsConfig,
)
from sae_desktop.safety.scan.config import ScanConfig
from sae_desktop.sizing.config import MeasureMachineConfig, SizeConfig
from sae_desktop.steering.config import SteerConfig, SteeredToken, SweepStrengthsConfig
from sae_desktop.steering.effect_config import FeatureStrengthConfig, OutputEffectConfig
from sae_desktop.steering.export_config import ExportSteeringConfig
from sae_desktop.training.architecture_info import DescribeArchitecturesConfig
from sae_desktop.training.config import (
    EvaluateConfig,
    TrainConfig,
)
from sae_desktop.training.planning.preflight_config import PreflightConfig
from sae_desktop.training.set_config import EstimateSetConfig, TrainSetConfig
from sae_desktop.training.sweeps.sweep_config import SweepConfig

PROTOCOL_VERSION = 1

JobConfig = (
    HarvestConfig
    | ImportActivationsConfig
    | DescribeModelConfig
    | DescribeCorpusConfig
    | PreviewPicturesConfig
    | OriginalPictureConfig
    | DescribeStoreConfig
    | VerifyStoreConfig
    | TrustModelConfig
    | SameModelConfig
    | EstimateHarvestConfig
    | GetModelConfig
    | TrainConfig
    | SweepConfig
    | PreflightConfig
    | SizeConfig
    | MeasureMachineConfig
    | DescribeArchitecturesConfig
    | EvaluateConfig
    | TrainSetConfig
    | EstimateSetConfig
    | IndexSetConfig
    | ImportSetConfig
    | ExportSetConfig
    | IndexConfig
    | ProbeConfig
    | FindFeaturesConfig
    | SteerConfig
    | SweepStrengthsConfig
    | ExportSteeringConfig
    | OutputEffectConfig
    | NameFeaturesConfig
    | ScoreLabelsConfig
    | FeatureStrengthConfig
    | MergeIndexesConfig
    | JudgeLabelsConfig
    | MatchConfig
    | CompletenessConfig
    | FindDictionariesConfig
    | ImportDictionaryConfig
    | ExportDictionaryConfig
    | ImportFeaturesConfig
    | ExportFeaturesConfig
    | ImportLabelsConfig
    | ExportPackageConfig
    | ImportPackageConfig
    | ExplainFeaturesConfig
    | PreviewExplanationConfig
    | PreviewJudgingConfig
    | EmbedLabelsConfig
    | SearchMeaningConfig
    | FindServersConfig
    | CheckServerConfig
    | GroupsConfig
    | EdgeHeadsConfig
    | HeadConfig
    | AttributeConfig
    | ScanConfig
    | InterveneConfig
    | FaithfulnessConfig
    | LensConfig
    | FitLensConfig
    | PatchConfig
    | TraceConfig
    | EstimateTraceConfig
    | ImportGraphConfig
    | ExportGraphConfig
    | CompareCheckpointsConfig
    | WatchConfig
    | CalibrateWatchConfig
    | CalibrateMonitorConfig
    | RunMonitorsConfig
    | ExportMonitorConfig
    | MitigateConfig
    | BenchmarkConfig
    | SyntheticConfig
    | ConceptKindsConfig
    | CaptionChangesConfig
)


# ---------------------------------------------------------------- window → engine
class OpenProject(msgspec.Struct, frozen=True, kw_only=True, tag="open_project"):
    """Take the project's lock, so that jobs may write to it."""

    path: str


class StartJob(msgspec.Struct, frozen=True, kw_only=True, tag="start_job"):
    job_id: str
    config: JobConfig


class PauseJob(msgspec.Struct, frozen=True, kw_only=True, tag="pause_job"):
    job_id: str


class ResumeJob(msgspec.Struct, frozen=True, kw_only=True, tag="resume_job"):
    job_id: str


class CancelJob(msgspec.Struct, frozen=True, kw_only=True, tag="cancel_job"):
    job_id: str


class StopJob(msgspec.Struct, frozen=True, kw_only=True, tag="stop_job"):
    """End a job early and keep what it has made as its result."""

    job_id: str


class AdjustJob(msgspec.Struct, frozen=True, kw_only=True, tag="adjust_job"):
    """Change settings of a running job: of a training "lr" (its peak) and "sparsity" (λ)."""

    job_id: str
    values: dict[str, float]


class KeepKey(msgspec.Struct, frozen=True, kw_only=True, tag="keep_key"):
    """Keep the key of a server in the keyring, or in memory where there is none; empty: forget it.

    Not a job: the configs of jobs are recorded and repeated in errors, and this must not be.
    """

    server: str
    key: str

    def __repr__(self) -> str:
        return f"KeepKey(server={self.server!r})"


class Shutdown(msgspec.Struct, frozen=True, kw_only=True, tag="shutdown"):
    pass


class Detach(msgspec.Struct, frozen=True, kw_only=True, tag="detach"):
    """Go on with these jobs without the window, and cancel the others; answered by Detached."""

    jobs: list[str]


Command = (
    OpenProject
    | StartJob
    | PauseJob
    | ResumeJob
    | CancelJob
    | StopJob
    | AdjustJob
    | KeepKey
    | Shutdown
    | Detach
)


# ---------------------------------------------------------------- engine → window
class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    protocol_version: int
    pid: int
    device: str
    """Where jobs run by default, such as "cpu" or "cuda:0"."""


class Detached(msgspec.Struct, frozen=True, kw_only=True, tag="detached"):
    """The engine ends no more with the pipe: the window may close."""


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True, tag="engine_status"):
    device: str
    memory_used: int
    memory_total: int
    model: str
    """The model held in memory; empty when none is."""


class ProjectOpened(msgspec.Struct, frozen=True, kw_only=True, tag="project_opened"):
    path: str


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True):
    what: str
    kept: str = ""
    next_step: str = ""
    details: str = ""
    """The traceback, for the log and one click away."""


class ProjectRefused(msgspec.Struct, frozen=True, kw_only=True, tag="project_refused"):
    path: str
    error: ErrorInfo


class JobStarted(msgspec.Struct, frozen=True, kw_only=True, tag="job_started"):
    job_id: str


class JobProgress(msgspec.Struct, frozen=True, kw_only=True, tag="job_progress"):
    job_id: str
    done: float
    total: float
    unit: str
    message: str
    rate: float
    """Units a second, smoothed."""
    seconds_left: float | None


class JobMetrics(msgspec.Struct, frozen=True, kw_only=True, tag="job_metrics"):
    """Points of the job's curves since the last such message, oldest first."""

    job_id: str
    steps: list[int]
    values: list[dict[str, float]]


Streamed = SteeredToken | WatchedCheckpoint | FirstFeatures
"""What kinds of jobs hand on while they run: every one has a tag, by which it is told apart."""


class JobOutput(msgspec.Struct, frozen=True, kw_only=True, tag="job_output"):
    job_id: str
    data: Streamed
    """As the kind of job says that it streams."""


class JobLog(msgspec.Struct, frozen=True, kw_only=True, tag="job_log"):
    job_id: str
    message: str


class JobPaused(msgspec.Struct, frozen=True, kw_only=True, tag="job_paused"):
    job_id: str


class JobResumed(msgspec.Struct, frozen=True, kw_only=True, tag="job_resumed"):
    job_id: str


class JobFinished(msgspec.Struct, frozen=True, kw_only=True, tag="job_finished"):
    job_id: str
    result: msgspec.Raw
    """The job's result struct as JSON; its type follows from the job's config."""


class JobFailed(msgspec.Struct, frozen=True, kw_only=True, tag="job_failed"):
    job_id: str
    error: ErrorInfo


class JobCancelled(msgspec.Struct, frozen=True, kw_only=True, tag="job_cancelled"):
    job_id: str


class KeyKept(msgspec.Struct, frozen=True, kw_only=True, tag="key_kept"):
    """Where the key of a server is now, or why it was not kept."""

    server: str
    place: str = ""
    """keyring, memory; empty: it was forgotten, or not kept."""
    error: ErrorInfo | None = None


class ProtocolError(msgspec.Struct, frozen=True, kw_only=True, tag="protocol_error"):
    message: str


Event = (
    Ready
    | Detached
    | EngineStatus
    | ProjectOpened
    | ProjectRefused
    | JobStarted
    | JobProgress
    | JobMetrics
    | JobOutput
    | JobLog
    | JobPaused
    | JobResumed
    | JobFinished
    | JobFailed
    | JobCancelled
    | KeyKept
    | ProtocolError
)
