"""Jobs that measure dictionaries against one another: rows of the table in `registry`."""

from __future__ import annotations

import msgspec

from sae_desktop.benchmark.captions.config import CaptionChangesConfig, CaptionChangesResult
from sae_desktop.benchmark.config import BenchmarkConfig, BenchmarkResult, SyntheticConfig
from sae_desktop.benchmark.kinds.config import ConceptKindsConfig, ConceptKindsResult
from sae_desktop.engine.job_kind import JobKind, Output

BENCHMARK_JOBS: dict[type[msgspec.Struct], JobKind] = {
    BenchmarkConfig: JobKind(
        "sae_desktop.benchmark.job:benchmark",
        BenchmarkResult,
        "Benchmark",
        "name",
        Output("benchmark", "name"),
        "Every dictionary that was measured is kept; start the same benchmark again to resume "
        "from there.",
        resumes=True,
    ),
    SyntheticConfig: JobKind(
        "sae_desktop.benchmark.synthetic_job:benchmark_synthetic",
        BenchmarkResult,
        "Benchmark on synthetic data",
        "name",
        Output("benchmark", "name"),
        "Every seed that was finished is kept; start the same benchmark again to resume from "
        "there.",
        resumes=True,
    ),
    ConceptKindsConfig: JobKind(
        "sae_desktop.benchmark.kinds.job:concept_kinds",
        ConceptKindsResult,
        "Measure concepts in words, pictures and symbols",
        "index",
        Output("concept scores of the index", "index"),
        "The index is unchanged, and so are the scores that its features had.",
    ),
    CaptionChangesConfig: JobKind(
        "sae_desktop.benchmark.captions.job:caption_changes",
        CaptionChangesResult,
        "Caption pictures with concepts clamped",
        "",
        stops="Stop after this concept and keep those that were tried",
    ),
}
