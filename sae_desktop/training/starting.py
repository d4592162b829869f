"""How a run begins as a dictionary of the project that is trained further."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch

from sae_desktop.dictionary import Dictionary, load
from sae_desktop.dictionary.architectures import Architecture, Batch
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.errors import UserError
from sae_desktop.project import Project, existing
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.origin_text import origin_text
from sae_desktop.training.rows.data import Sides
from sae_desktop.training.rows.targets import TargetPlan
from sae_desktop.training.run_folder import DictionarySummary, read_summary
from sae_desktop.training.start_from import require_start, width_problem
from sae_desktop.training.started import StartedFrom

CHECKED_ROWS = 256
"""On which what has been taken over is held against the dictionary it was taken from."""
_DIFFERS = 1e-3
"""Of the length of what is written: more than rounding."""


class Start(NamedTuple):
    """The dictionary a run starts from, and how the run's rows are normalised."""

    dictionary: Dictionary
    source: Affine
    target: Affine
    told: StartedFrom


def find_parent(config: TrainConfig) -> DictionarySummary | None:
    """Return what is known of the dictionary that a run is to start from; None for none.

    Raises UserError where it is not there, or a run with these settings cannot start from it.
    """
    if not config.start_from:
        return None
    project = Project.open(config.project)
    name = existing("dictionary", config.start_from, project.all_dictionaries())
    parent = read_summary(project.dictionary_path(name))
    require_start(config, parent)
    return parent


def require_width(parent: DictionarySummary | None, plan: TargetPlan) -> None:
    """Raise UserError where the rows of a run do not fit the dictionary it is to start from."""
    problem = "" if parent is None else width_problem(parent, plan.width, plan.out_width)
    if problem:
        raise UserError(
            problem,
            kept="Nothing was changed.",
            next_step="Choose a site or a model of that width, or train from scratch.",
        )


def opened_start(config: TrainConfig, plan: TargetPlan, sides: Sides) -> Start | None:
    """Read the dictionary that a run is to start from; None for none.

    Raises UserError where it is damaged, or the run cannot start from it.
    """
    parent = find_parent(config)
    if parent is None:
        return None
    require_width(parent, plan)
    dictionary = load(Project.open(config.project).dictionary_path(config.start_from))
    told = StartedFrom(
        name=config.start_from, model=parent.model, site=parent.site, origin=origin_text(parent)
    )
    return Start(dictionary, sides.source, sides.target, told)


def begin_as(architecture: Architecture, start: Start, rows: Batch) -> None:
    """Give a new dictionary the weights that are taken over, all on the CPU.

    `rows` are normalised; on them both must write the same. Raises UserError where the
    architecture cannot hold the dictionary.
    """
    try:
        architecture.take_over(start.dictionary, start.source, start.target)
        if start.dictionary.rank is not None:
            raise ValueError("it ranks its features by other weights than those they write with")
        begun = architecture.folded(start.source, start.target)
        _require_same(_asked_alike(begun, start.dictionary), start, rows)
    except ValueError as error:
        raise UserError(
            f"The training cannot start from “{start.told.name}” with this architecture: {error}.",
            kept="Nothing was changed.",
            next_step="Choose another architecture or another dictionary, or train from scratch.",
        ) from error


def _asked_alike(begun: Dictionary, parent: Dictionary) -> Dictionary:
    """Return what a run begins as, with the other's k and leave-one-out: a run may aim at more."""
    begun.k, own, other = parent.k, begun.refinement, parent.refinement
    if own is None or not own.step:
        begun.refinement = other
    elif other is not None:
        begun.refinement = replace(own, leave_one_out=other.leave_one_out)
    return begun


@torch.no_grad()
def _require_same(begun: Dictionary, start: Start, rows: Batch) -> None:
    x_TI = rows.x_TI[:CHECKED_ROWS] / start.source.scale + start.source.shift
    written = start.dictionary.apply(x_TI)
    largest = (written - start.dictionary.b_dec).norm().clamp_min(written.norm() * _DIFFERS)
    if not float((begun.apply(x_TI) - written).norm()) <= _DIFFERS * float(largest):
        raise ValueError("what it writes would not be the same at the start")
