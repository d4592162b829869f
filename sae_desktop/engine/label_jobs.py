"""Jobs that name features, score names and search them: rows of the table in `registry`."""

from __future__ import annotations

import msgspec

from sae_desktop.engine.job_kind import JobKind, Output
from sae_desktop.features.config import NameFeaturesConfig, NameFeaturesResult
from sae_desktop.labels.explaining.config import (
    ExplainFeaturesConfig,
    ExplainFeaturesResult,
    ExplanationPreview,
    PreviewExplanationConfig,
)
from sae_desktop.labels.judging.config import (
    JudgeLabelsConfig,
    JudgeLabelsResult,
    JudgingPreview,
    PreviewJudgingConfig,
)
from sae_desktop.labels.models.config import (
    CheckServerConfig,
    CheckServerResult,
    FindServersConfig,
    FindServersResult,
)
from sae_desktop.labels.scoring.config import ScoreLabelsConfig, ScoreLabelsResult
from sae_desktop.labels.search.config import (
    EmbedLabelsConfig,
    EmbedLabelsResult,
    SearchMeaningConfig,
    SearchMeaningResult,
)

LABEL_JOBS: dict[type[msgspec.Struct], JobKind] = {
    NameFeaturesConfig: JobKind(
        "sae_desktop.features.building.names:name_features",
        NameFeaturesResult,
        "Name the features",
        "index",
        Output("names of the index", "index"),
        "The index is unchanged, and so are the names it had.",
    ),
    JudgeLabelsConfig: JobKind(
        "sae_desktop.labels.judging.job:judge_labels",
        JudgeLabelsResult,
        "Judge the labels of",
        "index",
        Output("judgements of the labels of the index", "index"),
        "Every answer received so far is kept; start it again to judge the rest.",
        resumes=True,
        stops="Stop now and keep the scores of the labels judged so far",
    ),
    ScoreLabelsConfig: JobKind(
        "sae_desktop.labels.scoring.job:score_labels",
        ScoreLabelsResult,
        "Score the labels of",
        "index",
        Output("scores of the labels of the index", "index"),
        "The labels are unchanged, and so are the scores made before.",
    ),
    ExplainFeaturesConfig: JobKind(
        "sae_desktop.labels.explaining.job:explain_features",
        ExplainFeaturesResult,
        "Ask a model for names in",
        "index",
        Output("labels of the index", "index"),
        "Labels and answers so far are kept; start it again to ask about the rest.",
        resumes=True,
        stops="Stop asking now and keep the labels so far",
    ),
    PreviewExplanationConfig: JobKind(
        "sae_desktop.labels.explaining.preview:preview_explanation",
        ExplanationPreview,
        "Show what would be sent",
        "",
        quiet=True,
    ),
    PreviewJudgingConfig: JobKind(
        "sae_desktop.labels.judging.preview:preview_judging",
        JudgingPreview,
        "Show what a judge would be sent",
        "",
        quiet=True,
    ),
    FindServersConfig: JobKind(
        "sae_desktop.labels.models.nearby:find_servers",
        FindServersResult,
        "Look for servers on this machine",
        "",
        quiet=True,
    ),
    CheckServerConfig: JobKind(
        "sae_desktop.labels.models.nearby:check_server",
        CheckServerResult,
        "Test the connection",
        "",
        quiet=True,
    ),
    EmbedLabelsConfig: JobKind(
        "sae_desktop.labels.search.embed:embed_labels",
        EmbedLabelsResult,
        "Read labels and contexts of",
        "index",
        Output("vectors of the index", "index"),
        "What was read up to the last minute is kept; start it again to continue from there.",
        resumes=True,
    ),
    SearchMeaningConfig: JobKind(
        "sae_desktop.labels.search.ask:search_meaning",
        SearchMeaningResult,
        "Search by meaning",
        "",
        quiet=True,
    ),
}
