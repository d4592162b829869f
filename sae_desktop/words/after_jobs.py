"""What one does once a job has finished: one table for the window and the command line. No Qt.

Every kind of job that changes something, or that a list of jobs shows, has a row in `_STEPS` or a
reason in `NO_STEP`; `tests/words/test_after_jobs.py` holds the table of jobs to that.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from sae_desktop.activations.config import (
    HarvestConfig,
    ImportActivationsConfig,
    VerifyStoreConfig,
)
from sae_desktop.benchmark.captions.config import CaptionChangesConfig
from sae_desktop.benchmark.config import BenchmarkConfig, SyntheticConfig
from sae_desktop.benchmark.kinds.config import ConceptKindsConfig
from sae_desktop.circuits.asking_config import FaithfulnessConfig, GroupsConfig
from sae_desktop.circuits.config import ExportGraphConfig, ImportGraphConfig, TraceConfig
from sae_desktop.circuits.lens_config import FitLensConfig
from sae_desktop.comparison.config import CompletenessConfig, MatchConfig
from sae_desktop.engine.protocol import JobConfig
from sae_desktop.exchange.config import (
    ExportDictionaryConfig,
    ExportFeaturesConfig,
    ExportPackageConfig,
    ImportDictionaryConfig,
    ImportFeaturesConfig,
    ImportLabelsConfig,
    ImportPackageConfig,
)
from sae_desktop.exchange.set_config import ExportSetConfig, ImportSetConfig
from sae_desktop.features.config import IndexConfig, MergeIndexesConfig, NameFeaturesConfig
from sae_desktop.features.set_index_config import IndexSetConfig
from sae_desktop.labels.explaining.config import ExplainFeaturesConfig
from sae_desktop.labels.judging.config import JudgeLabelsConfig
from sae_desktop.labels.scoring.config import ScoreLabelsConfig
from sae_desktop.labels.search.config import EmbedLabelsConfig
from sae_desktop.language_model.config import (
    GetModelConfig,
    SameModelConfig,
    TrustModelConfig,
)
from sae_desktop.language_model.names import MINILM
from sae_desktop.safety.change.config import (
    CalibrateWatchConfig,
    CompareCheckpointsConfig,
    WatchConfig,
)
from sae_desktop.safety.mitigation.config import MitigateConfig
from sae_desktop.safety.monitors.config import (
    CalibrateMonitorConfig,
    ExportMonitorConfig,
    RunMonitorsConfig,
)
from sae_desktop.safety.scan.config import ScanConfig
from sae_desktop.sizing.config import MeasureMachineConfig
from sae_desktop.steering.effect_config import OutputEffectConfig
from sae_desktop.steering.export_config import ExportSteeringConfig
from sae_desktop.storage.faults import format_bytes
from sae_desktop.training.config import EvaluateConfig, TrainConfig
from sae_desktop.training.set_config import TrainSetConfig
from sae_desktop.training.sweeps.sweep_config import SweepConfig
from sae_desktop.words.amounts import exact_count, figure_text, share_text, short_count
from sae_desktop.words.source_titles import model_title

Action = Literal[
    "harvest",
    "train",
    "index",
    "index_set",
    "explore",
    "labels",
    "meaning",
    "embed",
    "runs",
    "evaluation",
    "splitting",
    "completeness",
    "reveal",
]
BUTTONS: dict[Action, str] = {
    "harvest": "Harvest from it…",
    "train": "Train a dictionary…",
    "index": "Build an index…",
    "index_set": "Index all layers…",
    "explore": "Explore the features",
    "labels": "See the labels",
    "meaning": "Search by meaning",
    "embed": "Search by meaning",
    "runs": "Compare its runs",
    "evaluation": "Show the evaluation",
    "splitting": "Show how features split",
    "completeness": "Show the table",
    "reveal": "Show in the file manager",
}
_COMMANDS: dict[Action, str] = {
    "harvest": "harvest PROJECT --model {target} --name NAME",
    "train": "train {project} --activations {target} --name NAME",
    "index_set": "sets index {project} {target}",
    "index": "index {project} --dictionary {target} --name NAME",
    "explore": "features {project} --index {target}",
    "labels": "features {project} --index {target}",
    "meaning": "search {project} TEXT --index {target}",
    "embed": "embed PROJECT --index INDEX",
    "runs": "scaling {project} --sweep {target}",
    "splitting": "splitting {project} --dictionary {target} --feature NUMBER",
}
"""After which the next step is a command, too; words in capitals are for the person to fill in."""


@dataclass(frozen=True)
class AfterJob:
    """What was done, and the one thing to do next."""

    done: str
    action: Action
    target: str
    """The store, dictionary, index, sweep, model or file that it concerns."""
    project: str = ""

    @property
    def button(self) -> str:
        return BUTTONS[self.action]

    @property
    def command(self) -> str:
        """The command that does it, without the program's name; empty: there is none."""
        form = _COMMANDS.get(self.action, "")
        return form.format(project=shlex.quote(self.project), target=shlex.quote(self.target))


NO_STEP: dict[type[msgspec.Struct], str] = {
    MeasureMachineConfig: "What a machine takes is worked out from it from then on.",
    VerifyStoreConfig: "Its answer is all there is: the store is whole, or which part is not.",
    SameModelConfig: "What was refused before can now be started again from where it was.",
    TrustModelConfig: "The form that asked for it continues by itself.",
    TraceConfig: "The workspace Circuits opens the graph by itself.",
    ImportGraphConfig: "The workspace Circuits opens the graph by itself.",
    ExportSteeringConfig: "The panel that asked for it shows the file.",
    GroupsConfig: "The graph that asked for them shows its groups.",
    FaithfulnessConfig: "The graph that asked for it shows the figure.",
    ScanConfig: "The command that asked for it prints the table; scan report makes a page of it.",
    BenchmarkConfig: "Its table is the answer; Train shows it under Benchmarks.",
    SyntheticConfig: "Its table is the answer; Train shows it under Benchmarks.",
    ConceptKindsConfig: "Explore shows its table, and in the list what it says of features.",
    CaptionChangesConfig: "Its table is the answer; Explore shows it under Captions.",
    FitLensConfig: "The lens that asked for it can be read now.",
    CompareCheckpointsConfig: "Its answer says what changed, and it is kept to be shown again.",
    WatchConfig: "Its alerts say between which checkpoints to look.",
    CalibrateWatchConfig: "A watch that names it raises alerts.",
    CalibrateMonitorConfig: "Its answer says what was promised and what is caught.",
    RunMonitorsConfig: "Its answer holds the hits.",
    ExportMonitorConfig: "Its answer names the folder.",
    MitigateConfig: "Its answer is all there is: what it stops, what it costs, what wins it back.",
}
"""Kind of job → why nothing is offered after it."""


def after(config: JobConfig, result: Any) -> AfterJob | None:
    """Return what one does after a job that has finished; None where nothing is offered."""
    make = _STEPS.get(type(config))
    if make is None:
        return None
    done, action, target = make(config, result)
    return AfterJob(done, action, target, str(getattr(config, "project", "")))


def has_step(config: type[msgspec.Struct]) -> bool:
    """Tell whether something is offered after jobs of a kind."""
    return config in _STEPS


Made = tuple[str, Action, str]


def _harvested(config: Any, result: Any) -> Made:
    verb = "harvested" if isinstance(config, HarvestConfig) else "imported"
    done = f"“{result.name}” is {verb}: {short_count(result.rows)} rows."
    return done, "train", result.name


def _trained(_config: Any, result: Any) -> Made:
    how = "stopped early and kept" if result.stopped_early else "trained"
    figures = f"FVU {figure_text(result.fvu)} on held-out rows, L0 {figure_text(result.l0, 1)}"
    return f"“{result.name}” was {how}: {figures}.", "index", result.name


def _trained_set(_config: Any, result: Any) -> Made:
    how = "stopped early and kept" if result.stopped_early else "trained"
    fvu = [one.fvu for one in result.figures]
    ends = {figure_text(min(fvu)): None, figure_text(max(fvu)): None} if fvu else {"–": None}
    layers = f"{len(result.layers)} layers, FVU {' to '.join(ends)}"
    done = f"The set “{result.name}” was {how}: {layers}"
    if result.loss_recovered is not None:
        done += f", loss recovered {share_text(result.loss_recovered)} with all MLPs replaced"
    return f"{done}.", "index_set", result.name


def _indexed_set(config: Any, result: Any) -> Made:
    features = exact_count(sum(one.features for one in result.indexes))
    done = f"“{config.set}” is indexed: {features} features."
    return done, "explore", result.indexes[0].name


def _imported_set(_config: Any, result: Any) -> Made:
    features = exact_count(result.features)
    done = f"The set “{result.name}” is in the project: {len(result.layers)} layers, {features} "
    return f"{done}features.", "index_set", result.name


def _swept(_config: Any, result: Any) -> Made:
    runs = "1 run" if result.done == 1 else f"{result.done} runs"
    done = f"The sweep “{result.name}” is done: {runs} trained"
    done += f", {result.failed} failed" if result.failed else ""
    done += f", {result.waiting} not started" if result.waiting else ""
    return f"{done}.", "runs", result.name


def _evaluated(config: Any, result: Any) -> Made:
    figures = f"FVU {figure_text(result.fvu)}, L0 {figure_text(result.l0, 1)}"
    if result.loss_recovered is not None:
        figures += f", loss recovered {share_text(result.loss_recovered)}"
    return f"“{config.dictionary}” is evaluated: {figures}.", "evaluation", config.dictionary


def _indexed(_config: Any, result: Any) -> Made:
    done = f"“{result.name}” is indexed: {exact_count(result.features)} features."
    return done, "explore", result.name


def _merged(config: Any, result: Any) -> Made:
    done = f"{len(config.indexes)} indexes are merged into “{result.name}”."
    return done, "explore", result.name


def _effects(config: Any, result: Any) -> Made:
    done = f"The output effects of {exact_count(result.features)} features are measured."
    return done, "explore", config.index


def _named(config: Any, result: Any) -> Made:
    done = f"{exact_count(result.named)} features of “{config.index}” have a name."
    return done, "labels", config.index


def _scored(config: Any, result: Any) -> Made:
    better = f"{exact_count(result.better_than_chance)} are better than chance"
    done = f"{exact_count(result.scored)} labels of “{config.index}” are scored: {better}."
    return done, "labels", config.index


def _matched(config: Any, result: Any) -> Made:
    count = len(result.pairs)
    names = config.dictionaries or tuple(pair.smaller for pair in result.pairs[:1])
    pairs = "1 pair of dictionaries is" if count == 1 else f"{count} pairs of dictionaries are"
    return f"{pairs} matched.", "splitting", names[0] if names else ""


def _completeness(_config: Any, result: Any) -> Made:
    return f"The concepts of “{result.concepts}” are looked for.", "completeness", result.name


def _imported(_config: Any, result: Any) -> Made:
    done = f"“{result.name}” is in the project: {exact_count(result.features)} features."
    return done, "index", result.name


def _imported_features(_config: Any, result: Any) -> Made:
    labels = f", {exact_count(result.labels)} labels" if result.labels else ""
    done = f"“{result.name}” is an index of {exact_count(result.features)} features{labels}."
    return done, "explore", result.name


def _labelled(config: Any, result: Any) -> Made:
    noun = "label is" if result.labels == 1 else "labels are"
    there = result.labels - result.new
    was = "was" if there == 1 else "were"
    known = f" {exact_count(there)} of them {was} there already." if there else ""
    return f"{exact_count(result.labels)} {noun} imported.{known}", "labels", config.index


def _judged(config: Any, result: Any) -> Made:
    count = max((scorer.labels for scorer in result.scorers), default=0)
    noun = "label has a score" if count == 1 else "labels have scores"
    done = f"{exact_count(count)} {noun} by {result.judge}."
    if all(scorer.verdict == "chance" for scorer in result.scorers):
        done = (
            f"{result.judge} did no better than chance on texts of which the truth is known, so it "
            "gives no label a score."
        )
    return done, "labels", config.index


def _explained(config: Any, result: Any) -> Made:
    noun = "label was" if result.labels == 1 else "labels were"
    done = f"{exact_count(result.labels)} {noun} written by “{result.model}”"
    if result.out_of_form:
        answers = "an answer" if result.out_of_form == 1 else "answers"
        done += f", {exact_count(result.out_of_form)} of them from {answers} out of form"
    told = [
        f"{exact_count(count)} {words}"
        for count, words in (
            (result.refused, "refused"),
            (result.nonsense, "without a usable answer"),
            (result.failed, "failed"),
            (result.left, "not asked about"),
        )
        if count
    ]
    return f"{done}{'; ' if told else ''}{', '.join(told)}.", "labels", config.index


def _unpacked(_config: Any, result: Any) -> Made:
    labels = f", {exact_count(result.labels)} labels" if result.labels else ""
    done = f"“{result.name}” is in the project: {exact_count(result.features)} features{labels}."
    return done, "explore" if result.index else "index", result.index or result.name


def _got(_config: Any, result: Any) -> Made:
    size = format_bytes(result.bytes)
    if result.name == MINILM:
        return f"The sentence encoder is on this machine ({size}).", "embed", ""
    return f"{model_title(result.name)} is on this machine ({size}).", "harvest", result.name


def _read_for_meaning(config: Any, result: Any) -> Made:
    labels = f"{exact_count(result.labels)} labels and names, and the contexts of "
    features = "1 feature" if result.contexts == 1 else f"{exact_count(result.contexts)} features"
    done = f"{labels}{features}, can be searched by meaning."
    return done, "meaning", config.index


def _exported(_config: Any, result: Any) -> Made:
    done = f"Saved to {result.path} ({format_bytes(result.bytes)})."
    return done, "reveal", result.path


_STEPS: dict[type[msgspec.Struct], Callable[[Any, Any], Made]] = {
    HarvestConfig: _harvested,
    ImportActivationsConfig: _harvested,
    TrainConfig: _trained,
    TrainSetConfig: _trained_set,
    IndexSetConfig: _indexed_set,
    ImportSetConfig: _imported_set,
    ExportSetConfig: _exported,
    SweepConfig: _swept,
    EvaluateConfig: _evaluated,
    IndexConfig: _indexed,
    MergeIndexesConfig: _merged,
    OutputEffectConfig: _effects,
    NameFeaturesConfig: _named,
    ScoreLabelsConfig: _scored,
    JudgeLabelsConfig: _judged,
    MatchConfig: _matched,
    CompletenessConfig: _completeness,
    ImportDictionaryConfig: _imported,
    ImportFeaturesConfig: _imported_features,
    ImportLabelsConfig: _labelled,
    ExplainFeaturesConfig: _explained,
    ImportPackageConfig: _unpacked,
    GetModelConfig: _got,
    EmbedLabelsConfig: _read_for_meaning,
    ExportDictionaryConfig: _exported,
    ExportFeaturesConfig: _exported,
    ExportPackageConfig: _exported,
    ExportGraphConfig: _exported,
}
