"""What all dictionaries of a benchmark are measured on: rows, texts and words, read once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from sae_desktop.activations.store import ActivationStore
from sae_desktop.benchmark.config import Absorption, BenchmarkConfig, Letters, ProbeTask
from sae_desktop.benchmark.first_letters import (
    LEAST_F1,
    LetterProbe,
    Words,
    absorption,
    letter_probes,
    read_words,
)
from sae_desktop.benchmark.probing import Parted, accuracies, majority, parted, raw_accuracy
from sae_desktop.benchmark.reading import Reader
from sae_desktop.benchmark.seeds import RecipeMembers
from sae_desktop.benchmark.text_tasks import FEWEST, TextTask, builtin_tasks, labelled_tasks
from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.ends import End
from sae_desktop.errors import UserError
from sae_desktop.features.asking.places import places_read
from sae_desktop.jobs import JobContext
from sae_desktop.project import Project
from sae_desktop.training.config import EvaluateConfig
from sae_desktop.training.measuring.evaluate import Measuring, text_for_losses
from sae_desktop.training.measuring.splice import model_of
from sae_desktop.training.rows.data import Rows
from sae_desktop.training.rows.dictionary_rows import (
    dictionary_ends,
    held_out_by,
    open_pair,
    rows_of,
    site_of,
)

Array = npt.NDArray[Any]


class Material:
    """Rows, texts and words. N texts in all, I width of what is read."""

    def __init__(self, store: ActivationStore, site: str, rows: Rows, measuring: Measuring) -> None:
        self.store, self.site, self.rows, self.measuring = store, site, rows, measuring
        self.texts: list[Tensor] = []
        """(T, I) of each text."""
        self.parted: dict[str, Parted] = {}
        self.tasks: list[ProbeTask] = []
        self.words: Words | None = None
        self.letters: Letters | None = None
        self.probes: list[LetterProbe] = []
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        """Keep what is to be told of the benchmark, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def absorption(self, dictionary: Dictionary, context: JobContext) -> Absorption | None:
        """Return how far a dictionary absorbs first letters; None where that is not measured."""
        if self.words is None or not self.probes:
            return None
        return absorption(dictionary, self.words, self.probes, context)


def read_material(
    project: Project,
    config: BenchmarkConfig,
    recipes: Sequence[RecipeMembers],
    context: JobContext,
) -> Material:
    """Read what the dictionaries are measured on.

    Raises UserError where they do not read and write the same sites of one model.
    """
    names = [summary.name for recipe in recipes for summary in recipe.members]
    dictionary, store, _ = open_pair(project, names[0], config.activations, config.device)
    site = site_of(dictionary, store)
    ends = dictionary_ends(dictionary, site)
    for name in names[1:]:
        other, *_ = open_pair(project, name, store.folder.name, config.device)
        _refuse_other_sites((names[0], ends), (name, dictionary_ends(other, site)))
    source = rows_of(project, dictionary, store)
    split = source.split(held_out_by(dictionary))
    rows = (split.held_out if len(split.held_out) else split.training)[: config.rows]
    evaluating = EvaluateConfig(
        project=config.project, dictionary=names[0], activations=store.folder.name,
        rows=config.rows, loss_windows=config.loss_windows, seed=config.seed,
        control_seeds=config.control_seeds, device=config.device,
    )  # fmt: skip
    text = text_for_losses(evaluating, source, rows, context)
    material = Material(store, site, rows, Measuring(evaluating, context, source, rows, text))
    if config.loss_windows and text is None:
        material.note(
            "The loss recovered is not measured: it takes the one causal model that all rows are "
            "of."
        )
    reader = _reader(config, names[0], dictionary, store, site)
    if reader is None or not source.one_model:
        if config.texts or config.words:
            material.note(
                "There are no probes and no absorption: the rows were not read by one model of "
                "this machine."
            )
        return material
    if config.texts:
        _read_texts(material, config, reader, context)
    if config.words:
        _read_words(material, config, reader, context)
    return material


def _refuse_other_sites(
    first: tuple[str, tuple[tuple[End, ...], tuple[End, ...]]],
    other: tuple[str, tuple[tuple[End, ...], tuple[End, ...]]],
) -> None:
    if _sites(first[1]) != _sites(other[1]):
        raise UserError(
            f"“{first[0]}” and “{other[0]}” do not read and write the same sites, so their figures "
            "cannot be compared.",
            kept="Nothing was measured.",
            next_step="Make a benchmark for the dictionaries of each site.",
        )


def _sites(ends: tuple[tuple[End, ...], tuple[End, ...]]) -> list[list[tuple[str, int]]]:
    return [[(end.site, end.width) for end in side] for side in ends]


def _reader(
    config: BenchmarkConfig,
    name: str,
    dictionary: Dictionary,
    store: ActivationStore,
    site: str,
) -> Reader | None:
    lm = model_of(store, config.device) if config.texts or config.words else None
    if lm is None:
        return None
    before, after = lm.window_tokens if store.info.bos_prepended else ((), ())
    places = places_read(name, dictionary, (lm,), site)
    return Reader(lm, places, list(before), list(after))


def _read_texts(
    material: Material, config: BenchmarkConfig, reader: Reader, context: JobContext
) -> None:
    tasks = builtin_tasks(config.texts) if config.builtin_tasks else []
    for file in config.labelled:
        tasks += labelled_tasks(file, config.label_column, config.texts)
    place_of: dict[str, int] = {}
    ids: list[list[int]] = []
    for task in tasks:
        for text in (*task.positive, *task.negative):
            if text not in place_of and (tokens := reader.ids(text, config.text_tokens)):
                place_of[text] = len(ids)
                ids.append(tokens)
    if not ids:
        return
    material.texts = reader.rows(ids, context, "Reading the texts")
    means_NI = np.stack([x_TI.mean(dim=0).numpy() for x_TI in material.texts])
    for number, task in enumerate(tasks):
        context.check_cancelled()
        context.progress(number, len(tasks), "datasets", "Training probes on raw activations")
        _add_task(material, task, place_of, means_NI, config.seed)
    context.progress(len(tasks), len(tasks), "datasets", "Training probes on raw activations")


def _add_task(
    material: Material, task: TextTask, place_of: dict[str, int], means_NI: Array, seed: int
) -> None:
    texts = [text for text in (*task.positive, *task.negative) if text in place_of]
    on = set(task.positive)
    label = [int(text in on) for text in texts]
    found = parted([place_of[text] for text in texts], label, texts, seed)
    if min(sum(label), len(label) - sum(label)) < FEWEST // 2 or not len(found.score):
        material.note(f"The dataset “{task.title}” has too few different texts for a probe.")
        return
    material.parted[task.name] = found
    material.tasks.append(
        ProbeTask(
            name=task.name, title=task.title, source=task.source, learnt=len(found.learn),
            scored=len(found.score), majority=majority(found),
            raw=raw_accuracy(means_NI, found, seed), raw_by_k=accuracies(means_NI, found),
        )
    )  # fmt: skip


def _read_words(
    material: Material, config: BenchmarkConfig, reader: Reader, context: JobContext
) -> None:
    words = read_words(reader, config.words, config.seed, context)
    if words is None:
        material.note(
            "Absorption is not measured: the model’s vocabulary has too few words of Latin "
            "letters, or the model reads too few tokens at once."
        )
        return
    material.words = words
    material.letters, material.probes = letter_probes(words, config.seed)
    if not material.probes:
        told = material.letters
        material.note(
            "Absorption is not measured: on raw activations a probe tells first letters with a "
            f"mean F1 of {told.probe_f1:.2f} ({told.chance_f1:.2f} with shuffled letters), and "
            f"no letter reaches {LEAST_F1:g}. The model does not hold first letters clearly enough "
            "at this site."
        )
