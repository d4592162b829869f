"""The command `demo`: the window on the demonstration project, or the whole path headless."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from sae_desktop import launch
from sae_desktop.activations.config import HarvestConfig, HarvestResult
from sae_desktop.cli import EXIT_FAILED
from sae_desktop.cli.console import say
from sae_desktop.cli.demo_held import held_text, hold
from sae_desktop.cli.demo_report import write_report
from sae_desktop.cli.reporter import Reporter, make_reporter
from sae_desktop.cli.runner import cancelled_by_signals, tell
from sae_desktop.cli.window import open_window, window_problem
from sae_desktop.demonstrations import SENTENCES, Demonstration, demonstration_copy
from sae_desktop.engine.context import WorkerContext, flushing
from sae_desktop.engine.environment import prepare_environment
from sae_desktop.engine.protocol import JobConfig
from sae_desktop.engine.registry import job_kind, job_title
from sae_desktop.engine.run import run_job
from sae_desktop.errors import UserError
from sae_desktop.features.config import IndexConfig, IndexResult
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project import Project
from sae_desktop.steering.config import PLAIN, Sampling, SteerConfig, SteerResult, clamped
from sae_desktop.training.config import EvaluateConfig, EvaluateResult, TrainConfig, TrainResult
from sae_desktop.upkeep import writing

NAME = "demo"
"""Of the store, the dictionary and the index alike."""
SITE = "blocks.3.hook_resid_post"
# Density of features to steer with: often enough to mean something, seldom enough to be one thing.
_DENSITY = (5e-4, 2e-2)
_DRAWING_SECONDS = 600
_DEFAULT_OUT = Path("sae-desktop-demo")


class DemoResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a headless demonstration made."""

    project: str
    report: str
    pictures: list[str]
    seconds: float
    harvest: HarvestResult
    train: TrainResult
    evaluate: EvaluateResult
    index: IndexResult
    steer: SteerResult


@dataclass(frozen=True)
class Amounts:
    """How much a demonstration does."""

    tokens: int = 120_000
    features: int = 2048
    k: int = 30
    rows: int = 1_000_000
    steer_tokens: int = 40


def job_configs(project: Path, amounts: Amounts) -> tuple[JobConfig, ...]:
    """Return the jobs of the main path on the built-in model, except steering."""
    path = str(project)
    return (
        HarvestConfig(project=path, name=NAME, site=SITE, tokens=amounts.tokens),
        TrainConfig(
            project=path, name=NAME, activations=NAME, features=amounts.features, k=amounts.k,
            tokens=amounts.rows,
        ),
        EvaluateConfig(project=path, dictionary=NAME),
        IndexConfig(project=path, dictionary=NAME, name=NAME),
    )  # fmt: skip


def run_demo(
    *,
    out: Path | None,
    headless: bool,
    json: bool,
    of: Demonstration = SENTENCES,
    amounts: Amounts = Amounts(),
) -> int:
    """Show a demonstration, headless if asked for or if there is no display.

    Only the first is made again without a window; of another, what it holds is told.

    Returns the exit status: 0, 1 when something failed, 130 when it was interrupted.
    """
    prepare_environment()
    problem = None if headless else window_problem()
    if headless or problem is not None:
        reporter = make_reporter("Demonstration", as_json=json)
        if problem is not None:
            reporter.note(problem)
            said = "What it holds is listed" if of is not SENTENCES else "Running"
            reporter.note(f"{said} without a window instead.")
        if of is not SENTENCES:
            return tell(reporter, lambda: hold(out, of), held_text, None)
        folder = out or _DEFAULT_OUT
        return tell(reporter, lambda: _run_headless(folder, reporter, amounts), _render, None)
    try:
        project = demonstration_copy(out, of)
    except UserError as error:
        say(error)
        return EXIT_FAILED
    return open_window(project)


def _run_headless(out: Path, reporter: Reporter, amounts: Amounts) -> DemoResult:
    began = time.perf_counter()
    project = Project.open_or_create(out / "demo.saeproj")
    with writing(project):
        results = [_run(config, reporter) for config in job_configs(project.path, amounts)]
        index = FeatureIndex(project.index_path(NAME))
        feature = _steerable(index)
        steer = SteerConfig(
            project=str(project.path), index=NAME, prompt=SENTENCES.prompt,
            variants=[PLAIN, clamped({feature: SENTENCES.clamp})],
            sampling=Sampling(max_new_tokens=amounts.steer_tokens),
        )  # fmt: skip
        results.append(_run(steer, reporter))
    reporter.stage("Take a picture of every panel")
    try:
        pictures = _take_pictures(project.path, out, feature)
    except UserError as error:  # the report is worth having without them
        pictures = []
        reporter.note(str(error))
    report = write_report(out, index, feature, SENTENCES.clamp, results, pictures)
    harvest, train, evaluate, indexed, steered = results
    return DemoResult(
        project=str(project.path),
        report=str(report),
        pictures=[str(picture) for picture in pictures],
        seconds=time.perf_counter() - began,
        harvest=harvest,
        train=train,
        evaluate=evaluate,
        index=indexed,
        steer=steered,
    )


def _run(config: JobConfig, reporter: Reporter) -> Any:
    reporter.stage(job_title(config))
    context = WorkerContext("demo", reporter.events, job_kind(config).streams)
    with cancelled_by_signals(context, reporter), flushing(context):
        return run_job(config, context)


def _steerable(index: FeatureIndex) -> int:
    """Return the feature that raises one token most, among those neither rare nor common."""
    density = index.columns["density"]
    usual = [i for i in range(index.features) if _DENSITY[0] <= density[i] <= _DENSITY[1]]
    return max(usual or range(index.features), key=lambda i: index.top_logits(i)[0][1])


def _take_pictures(project: Path, out: Path, feature: int) -> list[Path]:
    """Grab the panels in a process of its own: this one has torch, the window never does.

    Raises UserError where they cannot be drawn.
    """
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    command = launch.command(
        "sae_desktop.gui.frame.snapshots", str(project), str(out), "--feature", str(feature)
    )
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False,
            timeout=_DRAWING_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        why = f"it took longer than {_DRAWING_SECONDS // 60} minutes"
    else:
        if done.returncode == 0:
            return sorted(out.glob("*.png"))
        why = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    raise UserError(
        f"The panels could not be drawn: {why}.",
        kept=f"The project “{project}” is complete.",
        next_step="Open it with “sae-desktop” where there is a display.",
    )


def _render(result: DemoResult) -> str:
    figures = result.evaluate
    return (
        f"Done in {result.seconds:.0f} s: {result.train.features} features that explain "
        f"{figures.explained_variance:.1%} of the variance with {figures.l0:.1f} active per "
        f"token.\nReport: {result.report}\nOpen it: sae-desktop {result.project}"
    )
