"""The job `benchmark`: dictionaries measured alike, on the same rows and texts, beside controls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.benchmark.benchmark_file import write_benchmark
from sae_desktop.benchmark.config import (
    BenchmarkConfig,
    BenchmarkResult,
    Figure,
    Kind,
    Recipe,
    Stability,
    Subject,
)
from sae_desktop.benchmark.controls import pca_dictionary
from sae_desktop.benchmark.intervals import mean_of_shares
from sae_desktop.benchmark.kept import Kept, measured_on
from sae_desktop.benchmark.material import Material, read_material
from sae_desktop.benchmark.probing import accuracies
from sae_desktop.benchmark.reading import mean_activations
from sae_desktop.benchmark.seeds import RecipeMembers, recipes_of, seed_of
from sae_desktop.benchmark.stability import directions, stability
from sae_desktop.benchmark.tables import mean_figures
from sae_desktop.dictionary import Dictionary, load
from sae_desktop.dictionary.ends import reconstructs
from sae_desktop.features.reading.dictionary_hash import dictionary_hash
from sae_desktop.features.reading.seed_returns import BenchmarkInfo, Returned
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.device import resolve_device
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.project import Project, config_record
from sae_desktop.storage.faults import explained
from sae_desktop.training.config import DictionaryFigures
from sae_desktop.training.run_folder import CFG, DictionarySummary

Array = npt.NDArray[Any]


def benchmark(config: BenchmarkConfig, context: JobContext) -> BenchmarkResult:
    """Measure dictionaries and write `benchmarks/<name>.h5`.

    Each that is measured is kept until all are, and taken up by a benchmark of that name.
    Raises UserError where the dictionaries are not of one model and its same sites, and as
    `recipes_of`, `open_pair` and `labelled_tasks`.
    """
    began = time.perf_counter()
    refuse_beyond_limits(config)
    project = Project.open(config.project)
    path = project.benchmark_path(config.name)
    recipes = recipes_of(project, config.dictionaries, siblings=config.siblings)
    with torch.no_grad():
        material = read_material(project, config, recipes, context)
        store = material.store
        kept = Kept(path, measured_on(config, store.info, store.rows))
        measuring = _Benchmark(project, config, material, kept, context)
        for recipe in recipes:
            measuring.measure(recipe)
    result = BenchmarkResult(
        name=config.name, path=str(path), model=store.info.model, site=material.site,
        store=store.folder.name, rows=len(material.rows), recipes=tuple(measuring.recipes),
        subjects=tuple(measuring.subjects), tasks=tuple(material.tasks),
        letters=material.letters, notes=tuple(material.notes),
        seconds=time.perf_counter() - began,
    )  # fmt: skip
    info = BenchmarkInfo(
        config=config_record(config), seconds=result.seconds, returned=tuple(measuring.returned)
    )
    write_benchmark(path, info, result, measuring.returns)
    kept.let_go()
    return result


@dataclass(frozen=True)
class _Named:
    """A dictionary under measurement."""

    name: str
    kind: Kind
    architecture: str
    seed: int | None


class _Benchmark:
    """What has been measured so far."""

    def __init__(
        self,
        project: Project,
        config: BenchmarkConfig,
        material: Material,
        kept: Kept,
        context: JobContext,
    ) -> None:
        self._project, self._config, self._kept = project, config, kept
        self._material, self._context = material, context
        self.recipes: list[Recipe] = []
        self.subjects: list[Subject] = []
        self.returned: list[Returned] = []
        self.returns: list[npt.NDArray[np.int16]] = []

    def measure(self, recipe: RecipeMembers) -> None:
        """Measure the dictionaries of a recipe, and controls like the first of them."""
        of_recipe: list[Subject] = []
        sides: list[Tensor] = []
        for summary in recipe.members:
            dictionary = self._loaded(summary)
            named = _Named(summary.name, "dictionary", summary.architecture, seed_of(summary))
            of_recipe += self._kept_or(
                recipe, named, summary, partial(self._subject, recipe.name, named, dictionary)
            )
            if len(recipe.members) > 1:
                sides.append(directions(dictionary))
        self.subjects += of_recipe
        self.subjects += self._controls(recipe, of_recipe[0].l0)
        told = self._stability(recipe, sides) if len(sides) > 1 else None
        self.recipes.append(
            Recipe(
                name=recipe.name, members=tuple(one.name for one in recipe.members),
                figures=mean_figures(of_recipe), stability=told,
            )
        )  # fmt: skip

    def _loaded(self, summary: DictionarySummary) -> Dictionary:
        folder = self._project.dictionary_path(summary.name)
        return load(folder, resolve_device(self._config.device))

    def _kept_or(
        self,
        recipe: RecipeMembers,
        named: _Named,
        like: DictionarySummary,
        measure: Callable[[], Subject],
    ) -> list[Subject]:
        """Return a dictionary's figures, or those of a control like it, kept from before if so."""
        folder = self._project.dictionary_path(like.name)
        with explained(folder):
            cfg = (folder / CFG).read_text()
        which = (dictionary_hash(folder), cfg, named.kind, str(named.seed), like.name)
        if (there := self._kept.read(*which)) is not None:
            return [msgspec.structs.replace(one, recipe=recipe.name) for one in there]
        found = [measure()]
        self._kept.write(found, *which)
        return found

    def _controls(self, recipe: RecipeMembers, l0: float) -> Iterator[Subject]:
        first = recipe.members[0]
        dictionary = self._loaded(first)
        measuring = self._material.measuring

        def random(named: _Named, seed: int) -> Subject:
            return self._subject(recipe.name, named, measuring.random(dictionary, l0, seed))

        def components(named: _Named) -> Subject:
            sample, _ = measuring.sample(dictionary)
            control = pca_dictionary(sample, dictionary.features, l0)
            return self._subject(recipe.name, named, control)

        for number in range(self._config.control_seeds):
            seed = self._config.seed + number
            named = _Named(f"random directions {seed}", "random", "", seed)
            yield from self._kept_or(recipe, named, first, partial(random, named, seed))
        if reconstructs(dictionary):
            named = _Named("principal components", "pca", "", None)
            yield from self._kept_or(recipe, named, first, partial(components, named))
        else:
            self._material.note(
                f"“{recipe.name}” writes another site than it reads, so no dictionary of principal "
                "components stands beside it."
            )

    def _subject(self, recipe: str, named: _Named, dictionary: Dictionary) -> Subject:
        material, context = self._material, self._context
        figures = material.measuring.figures(dictionary, f"Measuring the fit of “{named.name}”")
        tasks: dict[str, dict[str, Figure]] = {}
        if material.parted:
            doing = f"Encoding texts with “{named.name}”"
            acts_NF = mean_activations(dictionary, material.texts, context, doing)
            for number, (name, parted) in enumerate(material.parted.items()):
                context.check_cancelled()
                context.progress(number, len(material.parted), "datasets", "Training probes")
                tasks[name] = accuracies(acts_NF, parted)
            context.progress(len(tasks), len(material.parted), "datasets", "Training probes")
        told = dictionary.metadata.get("activation_store", "")
        return Subject(
            name=named.name, kind=named.kind, recipe=recipe, architecture=named.architecture,
            seed=named.seed, features=dictionary.features, l0=figures.l0, fvu=figures.fvu,
            dead=_dead(figures), loss_recovered=figures.loss_recovered,
            probing=_mean_by_k(tasks), tasks=tasks,
            absorption=material.absorption(dictionary, context),
            trained_here=named.kind != "dictionary" or told == material.store.folder.name,
        )  # fmt: skip

    def _stability(self, recipe: RecipeMembers, sides: Sequence[Tensor]) -> Stability | None:
        if len({tuple(side.shape) for side in sides}) > 1:
            return None
        least = self._config.returns_at
        told, counts = stability(sides, least, self._config.seed, self._context)
        for summary, count in zip(recipe.members, counts, strict=True):
            self.returned.append(self._returned(summary, len(count), len(sides) - 1))
            self.returns.append(count)
        if told.pw_mcc is None:
            self._material.note(
                f"The features of “{recipe.name}” are too many to be paired one to one."
            )
        return told

    def _returned(self, summary: DictionarySummary, features: int, others: int) -> Returned:
        return Returned(
            dictionary=summary.name,
            hash=dictionary_hash(self._project.dictionary_path(summary.name)),
            features=features, others=others, least_cosine=self._config.returns_at,
        )  # fmt: skip


def _dead(figures: DictionaryFigures) -> float:
    return 0.0 if figures.dead_fraction is None else figures.dead_fraction


def _mean_by_k(tasks: dict[str, dict[str, Figure]]) -> dict[str, Figure]:
    if not tasks:
        return {}
    ks = next(iter(tasks.values()))
    return {k: mean_of_shares([by_k[k] for by_k in tasks.values()]) for k in ks}
