"""The job `size`: what harvest, training and index take, and what to change where it is too much.

What they take is summed by those who need it: stores by `activations.layout`, a forward pass by
`activations.batch_size`, a training by `training.planning.needs`, weights by `language_model`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from sae_desktop.devices.abilities import free_of_its_own
from sae_desktop.dictionary.architectures import ARCHITECTURES
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.device import resolve_device
from sae_desktop.language_model.memory import free_device_memory
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.sizing.cards import USUAL, Card, find_card, rates_of, reached_text
from sae_desktop.sizing.config import Rates, SizeConfig, SizeResult, StageSize, Sure
from sae_desktop.sizing.facts import ModelFacts, facts_of
from sae_desktop.sizing.kept import kept_rates
from sae_desktop.sizing.stages import Place, harvest_stage, index_stage, training_stage
from sae_desktop.storage.faults import format_bytes, free_bytes
from sae_desktop.training.usual import usual_features


@dataclass(frozen=True)
class _Machine:
    """Where it is sized for, and how that is known."""

    words: str
    rates: Rates
    place: Place
    basis: str
    measured: str = ""


def size(config: SizeConfig, context: JobContext) -> SizeResult:
    """Work out what the three jobs take. Nothing is loaded, and nothing but files is read.

    Raises UserError for a model, a site, an architecture or a card that is not known.
    """
    context.progress(0, 1, "sizes", "Working out what it takes")
    refuse_beyond_limits(config)
    if config.architecture not in ARCHITECTURES:
        raise UserError(
            f"There is no architecture “{config.architecture}”.",
            next_step=f"Choose one of {', '.join(sorted(ARCHITECTURES))}.",
        )
    card = find_card(config.card) if config.card else None
    facts = facts_of(config, on_card=card is not None)
    machine = _on_card(card) if card is not None else _here(Path(config.folder or "."))
    features = config.features or usual_features(facts.width)
    rows = min(config.rows or config.tokens, config.tokens)
    stages = [
        harvest_stage(config, facts, machine.place),
        training_stage(config, facts, features, machine.place),
        index_stage(config, facts, features, rows, machine.place),
    ]
    context.progress(1, 1, "sizes", "Working out what it takes")
    return SizeResult(
        machine=machine.words,
        model=facts.name,
        site=facts.site,
        width=facts.width,
        features=features,
        tokens=config.tokens,
        rows=rows,
        stages=stages,
        basis=machine.basis,
        measured=machine.measured,
        notes=_notes(facts, machine, stages),
    )


def _on_card(card: Card) -> _Machine:
    kept = kept_rates()
    rates = rates_of(card, kept)
    place = Place(rates=rates, sure="assumed", memory=None, disk=None, card=card, low=True)
    beside = "as measured on this machine" if kept else "usual ones"
    return _Machine(card.name, rates, place, f"{reached_text(card)}; its disk and processors are "
                    f"taken to be {beside}")  # fmt: skip


def _here(folder: Path) -> _Machine:
    kept = kept_rates()
    device = resolve_device("auto")
    rates = kept if kept is not None and kept.device == device.type else None
    sure: Sure = "assumed" if rates is None else "estimated"
    gpu = free_of_its_own(device)
    place = Place(
        rates=rates or USUAL, sure=sure, memory=free_device_memory(torch.device("cpu")),
        disk=free_bytes(folder.resolve()), gpu=gpu, low=gpu is not None,
    )  # fmt: skip
    if rates is None:
        basis = "rates of a usual processor, since this machine has not been measured"
        return _Machine("this machine", USUAL, place, basis)
    basis = f"what was measured on this machine on {rates.date}"
    return _Machine(f"this machine ({rates.name})", rates, place, basis, rates.date)


_BUSY = 0.2


def _notes(facts: ModelFacts, machine: _Machine, stages: list[StageSize]) -> list[str]:
    disks = [stage.disk.value for stage in stages]
    notes = []
    if facts.guessed:
        notes.append(
            "The model is told by its numbers alone: layers of usual shape are assumed, read after "
            "the middle one, and a vocabulary of 128,000."
        )
    if machine.rates.busy > _BUSY:
        notes.append(
            f"While this machine was measured, other programs took {machine.rates.busy:.0%} of its "
            "processors: measure it again when it is quiet."
        )
    spent = {part.what: part.seconds for part in stages[1].times}
    if spent.get("checkpoints", 0.0) > spent.get("steps", 0.0):
        notes.append(
            "Most of the training’s time is that of its checkpoints, one every two minutes: write "
            "them less often (“Checkpoint every”)."
        )
    together, free = sum(disks), machine.place.disk
    if free is not None and together > free and all(disk <= free for disk in disks):
        notes.append(
            f"Each fits on the disk, but all three take {format_bytes(together)} together, and "
            f"{format_bytes(free)} are free: delete the store before the index keeps its "
            "activations, or free some space."
        )
    return notes
