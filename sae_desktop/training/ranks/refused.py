"""What cannot be trained on several processes, and what to do instead."""

from __future__ import annotations

import torch

from sae_desktop.devices.abilities import cards, collectives, is_shared
from sae_desktop.errors import UserError
from sae_desktop.language_model.device import resolve_device
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.ranks.launched import Place


def refuse_what_cannot_be_shared(config: TrainConfig, count: int) -> None:
    """Raise UserError for a training whose batches cannot be shared among so many processes."""
    if config.stream is not None:
        raise UserError(
            "A training that harvests as it goes runs on one process: a stream cannot be shared.",
            kept="Nothing was changed.",
            next_step="Harvest a store first and train on that, or start without torchrun.",
        )
    last = config.tokens % config.batch or config.batch
    rows, way = config.batch, f"Choose a batch of at least {count} rows, or fewer processes."
    if config.batch >= count:
        whole = max(config.tokens - last, config.batch)
        rows, way = last, f"Choose {whole:,} rows in all (--tokens), or fewer processes."
    if rows >= count:
        return
    named = "A batch" if rows == config.batch else "The last batch of the run"
    raise UserError(
        f"{named} has {rows} {'row' if rows == 1 else 'rows'}, and there are {count} processes: "
        "each needs one at least.",
        kept="Nothing was changed.",
        next_step=way,
    )


def device_of(config: TrainConfig, place: Place) -> torch.device:
    """Return the device of a rank: of a machine's cards each process takes its own.

    Raises UserError for a device that several processes cannot use together.
    """
    device = resolve_device(config.device)
    if collectives(device) is None:
        raise UserError(
            f"Several processes cannot train together on {device.type}, which has no way to "
            "exchange gradients.",
            kept="Nothing was changed.",
            next_step="Add --device cpu, or start without torchrun.",
        )
    if is_shared(device):
        return device
    if config.device.startswith("cuda:"):
        raise UserError(
            f"With --device {config.device} all processes of a machine would take the same card.",
            kept="Nothing was changed.",
            next_step="Say --device cuda: each process then takes a card of its own.",
        )
    there = cards()
    count = len(there)
    if place.local_count > count:
        raise UserError(
            f"{place.local_count} processes were started on a machine with {count} "
            f"{'card' if count == 1 else 'cards'}.",
            kept="Nothing was changed.",
            next_step=f"Start {count} (torchrun --nproc-per-node {count}), or add --device cpu.",
        )
    return there[place.local_rank]
