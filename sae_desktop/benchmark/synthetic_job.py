"""The job `benchmark_synthetic`: which of the features that are known a training finds.

The architectures learn side by side from the same samples, through the trainer that any training
goes through.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch

from sae_desktop.benchmark.benchmark_file import write_benchmark
from sae_desktop.benchmark.config import (
    BenchmarkResult,
    Kind,
    Recipe,
    Subject,
    Synthetic,
    SyntheticConfig,
)
from sae_desktop.benchmark.controls import pca_dictionary
from sae_desktop.benchmark.kept import Kept, synthetic_settings
from sae_desktop.benchmark.tables import mean_figures
from sae_desktop.devices.abilities import CPU
from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch
from sae_desktop.dictionary.control import random_direction_dictionary
from sae_desktop.dictionary.normalisation import Affine, scalar_of
from sae_desktop.errors import UserError
from sae_desktop.features.reading.seed_returns import BenchmarkInfo
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.device import resolve_device
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.project import Project, config_record, existing
from sae_desktop.training.benchmark.sizes import SMALL, WorldSizes
from sae_desktop.training.benchmark.synthetic import World
from sae_desktop.training.benchmark.truth import TruthFigures, measure
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.rows.targets import FIRST, Part, TargetPlan
from sae_desktop.training.run_setup import PlannedRun, begin_state, check_config, recipe_of
from sae_desktop.training.second_look import with_its_own_looks
from sae_desktop.training.trainer import Run, StepReport, TrainerState, train_loop

_K = {"full": 25, "small": 6}
_SHARE = 4
"""True features for each of a dictionary's."""
_INITIAL_ROWS = 16_384
_CONTROL_SAMPLE = 8192
_HELD_OUT_SEED = 10**6
"""Far from those of trainings: figures are of samples that no dictionary has seen."""
_SITE = "synthetic"


def benchmark_synthetic(config: SyntheticConfig, context: JobContext) -> BenchmarkResult:
    """Train on synthetic activations and write `benchmarks/<name>.h5`.

    Raises UserError for an architecture that is not there and for settings that cannot work.
    """
    began = time.perf_counter()
    refuse_beyond_limits(config)
    project = Project.open(config.project)
    path = project.benchmark_path(config.name)
    if not config.architectures:
        raise UserError(
            "No architecture is named, so there is nothing to train.",
            next_step="Name one or more architectures.",
        )
    sizes = WorldSizes() if config.world == "full" else SMALL
    plan = _Plan(config, sizes)
    for name in plan.architectures:
        existing("architecture", name, list(ARCHITECTURES))
        check_config(plan.train_config(name, config.seed))
    doing = "Making the synthetic world"
    context.progress(0, 1, "worlds", doing)
    world = World(sizes)
    context.progress(1, 1, "worlds", doing)
    kept = Kept(path, synthetic_settings(config))
    seeds = range(config.seed, config.seed + config.seeds)
    subjects = [subject for seed in seeds for subject in _seed(plan, world, kept, seed, context)]
    trained = [subject for subject in subjects if subject.kind == "dictionary"]
    recipes = []
    ordered: list[Subject] = []
    for name in plan.architectures:
        of_name = [subject for subject in trained if subject.recipe == name]
        recipes.append(
            Recipe(
                name=name, members=tuple(one.name for one in of_name),
                figures=mean_figures(of_name),
            )
        )  # fmt: skip
        ordered += of_name
    # Controls learn nothing and are the same for all architectures: they stand beside the first.
    first = len(ordered) // len(plan.architectures)
    controls = [subject for subject in subjects if subject.kind != "dictionary"]
    ordered[first:first] = controls
    result = BenchmarkResult(
        name=config.name, path=str(path), model="", site=_SITE, store="", rows=config.measured,
        recipes=tuple(recipes), subjects=tuple(ordered), synthetic=plan.told(),
        seconds=time.perf_counter() - began,
    )  # fmt: skip
    info = BenchmarkInfo(config=config_record(config), seconds=result.seconds)
    write_benchmark(path, info, result, [])
    kept.let_go()
    return result


class _Plan:
    """What is trained, in which sizes."""

    def __init__(self, config: SyntheticConfig, sizes: WorldSizes) -> None:
        self.config, self.sizes = config, sizes
        self.architectures = list(dict.fromkeys(config.architectures))
        self.features = config.features or max(1, sizes.features // _SHARE)
        self.k = min(config.k or _K[config.world], self.features)

    def train_config(self, architecture: str, seed: int) -> TrainConfig:
        config = self.config
        train = TrainConfig(
            project=config.project, name=architecture, activations=_SITE,
            architecture=architecture, features=self.features, k=self.k, tokens=config.samples,
            batch=config.batch, lr=config.lr, init=config.init, seed=seed, device=config.device,
            k_start=config.k_start, lista_step=config.lista_step,
            leave_one_out=config.leave_one_out,
        )  # fmt: skip
        known = ARCHITECTURES.get(architecture)
        return train if known is None else with_its_own_looks(train, known.settings)

    def told(self) -> Synthetic:
        return Synthetic(
            world=self.config.world, true_features=self.sizes.features, width=self.sizes.width,
            features=self.features, k=self.k, samples=self.config.samples,
            seeds=self.config.seeds, lista_step=self.config.lista_step,
            leave_one_out=self.config.leave_one_out,
        )  # fmt: skip


@dataclass
class _Beginning:
    """The first samples, for initial directions."""

    plan: TargetPlan
    first: Batch
    pool_bytes: int = 0

    def sample(self, rows: int) -> Batch:
        return self.first.first(rows)


def _seed(
    plan: _Plan, world: World, kept: Kept, seed: int, context: JobContext
) -> Sequence[Subject]:
    """Return the dictionaries of one seed and their controls, measured; kept from before if so."""
    there = kept.read(str(seed))
    if there is not None:
        return there
    generator = torch.Generator().manual_seed(seed)
    first = world.samples(generator, _INITIAL_ROWS).x_ND
    width = plan.sizes.width
    affine = Affine.scaling(scalar_of(first.norm(dim=1).numpy(), width), width)
    runs = _runs(plan, affine.apply(first), seed)
    which = f"seed {seed - plan.config.seed + 1} of {plan.config.seeds}"
    training, total = f"Training, {which}", plan.config.samples
    train_loop(runs, _batches(plan, world, affine, generator, context, training))
    # The loop ends with the last run, and asks for no batch after that.
    context.progress(total, total, "samples", training)
    found: list[Subject] = []
    measured = len(runs) + 2
    for number, (name, run) in enumerate(zip(plan.architectures, runs, strict=True)):
        context.check_cancelled()
        context.progress(number, measured, "dictionaries", f"Measuring, {which}")
        moved = affine.to(run.state.device)
        # It is measured in the world, which is of the CPU.
        dictionary = run.state.architecture.folded(moved, moved).to(CPU)
        title = f"{name}, seed {seed}"
        found.append(_subject(plan, world, name, title, "dictionary", seed, dictionary))
    for place, (title, kind, control) in enumerate(
        _controls(plan, first[:_CONTROL_SAMPLE], found[0].l0, seed)
    ):
        context.check_cancelled()
        context.progress(len(runs) + place, measured, "dictionaries", f"Measuring, {which}")
        recipe = plan.architectures[0]
        found.append(_subject(plan, world, recipe, title, kind, seed, control))
    context.progress(measured, measured, "dictionaries", f"Measuring, {which}")
    kept.write(found, str(seed))
    return found


def _runs(plan: _Plan, first_ND: torch.Tensor, seed: int) -> list[Run]:
    part = Part(FIRST, _SITE, plan.sizes.width)
    beginning = _Beginning(TargetPlan("input", (part,), (part,)), Batch.of(first_ND))
    device = resolve_device(plan.config.device)
    runs = []
    for name in plan.architectures:
        config = plan.train_config(name, seed)
        recipe = recipe_of(config)
        state = begin_state(PlannedRun(config, Path(), recipe, None), beginning, device)
        runs.append(Run(state, recipe, _Patient(), rows=plan.config.samples))
    return runs


class _Patient:
    """Watches nothing: a synthetic run has no curves."""

    def after_step(self, state: TrainerState, report: StepReport) -> bool:
        del state, report
        return True


def _batches(
    plan: _Plan,
    world: World,
    affine: Affine,
    generator: torch.Generator,
    context: JobContext,
    doing: str,
) -> Iterator[Batch]:
    total, device = plan.config.samples, resolve_device(plan.config.device)
    for done in range(0, total, plan.config.batch):
        context.check_cancelled()
        context.progress(done, total, "samples", doing)
        rows = min(plan.config.batch, total - done)
        yield Batch.of(affine.apply(world.samples(generator, rows).x_ND).to(device))


def _controls(
    plan: _Plan, sample_ND: torch.Tensor, l0: float, seed: int
) -> Iterator[tuple[str, Kind, Dictionary]]:
    random = random_direction_dictionary(sample_ND, plan.features, l0, seed)
    yield f"random directions {seed}", "random", random
    yield f"principal components {seed}", "pca", pca_dictionary(sample_ND, plan.features, l0)


def _subject(
    plan: _Plan,
    world: World,
    recipe: str,
    title: str,
    kind: Kind,
    seed: int,
    dictionary: Dictionary,
) -> Subject:
    held_out = torch.Generator().manual_seed(_HELD_OUT_SEED)
    found = measure(dictionary, world, held_out, plan.config.measured)
    return Subject(
        name=title, kind=kind, recipe=recipe,
        architecture=recipe if kind == "dictionary" else "", seed=seed,
        features=dictionary.features, l0=found.l0, fvu=1 - found.explained_variance,
        dead=found.dead / dictionary.features, truth=_truth(found),
    )  # fmt: skip


def _truth(found: TruthFigures) -> dict[str, float]:
    names = ("f1", "precision", "recall", "mcc", "uniqueness", "true_l0")
    told = msgspec.to_builtins(found)
    return {name: float(told[name]) for name in names}
