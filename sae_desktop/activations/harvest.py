"""The harvest job: a corpus through a model, the activations of its sites into a store."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from sae_desktop.activations.config import HarvestConfig, HarvestResult
from sae_desktop.activations.harvest_plan import (
    HarvestPlan,
    measure_capacity,
    plan_harvest,
    store_bytes,
    store_info,
)
from sae_desktop.activations.harvest_rows import RowReader, window_batches
from sae_desktop.activations.prefetch import prefetch
from sae_desktop.activations.store import (
    ActivationStore,
    StoreBatch,
    StoreWriter,
    describe_store,
)
from sae_desktop.corpus.windows import Place
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.project import Project
from sae_desktop.storage.faults import format_bytes, free_bytes

# Where and how a harvest runs does not change what it makes.
_FREE_SETTINGS = {"project", "device", "batch", "commit_seconds"}


@dataclass(frozen=True)
class _Progress:
    """What a store already holds."""

    rows: int = 0
    documents: int = 0
    last_ordinal: int = -1
    place: Place = field(default_factory=Place)


def harvest(config: HarvestConfig, context: JobContext) -> HarvestResult:
    """Keep `config.tokens` activations of each site in the store `config.name`.

    A store of the same name and settings is resumed after its last committed row, and then
    holds what an uninterrupted harvest would hold, bit for bit. A corpus that ends early gives
    fewer rows, which the log says.
    Raises UserError for settings that cannot be, a name taken by other settings, a full disk.
    """
    folder = Project.open(config.project).store_path(config.name)
    if (folder / "000.h5").exists():
        _check_same_settings(config, folder)
        if ActivationStore.open(folder).rows >= config.tokens:
            context.log(f"The store “{config.name}” is complete already.")
            return describe_store(folder, rows_added=0, seconds=0.0)
    context.progress(0, config.tokens, "tokens", "Loading the model")
    plan = plan_harvest(config)
    before = _resume(plan, folder, context) or _create(plan, folder)
    started = time.monotonic()
    writer = StoreWriter(folder / "000.h5")
    with closing(writer):
        try:
            _fill(plan, before, writer, context)
        except UserError as error:
            raise UserError(
                error.what,
                kept=f"{writer.committed_rows:,} of {config.tokens:,} tokens are kept.",
                next_step=error.next_step,
            ) from error
    return describe_store(
        folder, rows_added=writer.rows - before.rows, seconds=time.monotonic() - started
    )


def _fill(plan: HarvestPlan, before: _Progress, writer: StoreWriter, context: JobContext) -> None:
    """Append batch after batch; commit every few seconds, on pause, and however it ends."""
    total = plan.config.tokens
    reader = RowReader(plan, before.documents, before.last_ordinal)
    committed = time.monotonic()
    batches = prefetch(window_batches(plan, before.place, total - before.rows))
    with closing(batches):
        try:
            for batch in batches:
                if context.pause_requested:
                    writer.commit()
                context.check_cancelled()
                if context.stop_requested:
                    context.log(f"Stopped at {writer.rows:,} of {total:,} tokens, as asked.")
                    return
                if not _append(writer, reader.read(batch), context):
                    return
                context.progress(writer.rows, total, "tokens")
                if time.monotonic() - committed > plan.config.commit_seconds:
                    writer.commit()
                    committed = time.monotonic()
        finally:
            writer.commit()
    if writer.rows < total:
        context.log(
            f"The corpus ended after {writer.rows:,} tokens of the {total:,} asked for; "
            "the store holds them all."
        )


def _append(writer: StoreWriter, batch: StoreBatch, context: JobContext) -> bool:
    """Append a batch; False when the store's tables of windows and documents are full."""
    try:
        writer.append(batch)
    except ValueError:
        context.log(
            f"The corpus has grown, or its documents are shorter than its beginning promised: "
            f"the store has no room for more of them and ends at {writer.rows:,} tokens."
        )
        return False
    return True


def _create(plan: HarvestPlan, folder: Path) -> _Progress:
    capacity = measure_capacity(plan)
    needed, free = store_bytes(plan, capacity), free_bytes(folder)
    if needed > free:
        raise UserError(
            f"{capacity.rows:,} tokens need {format_bytes(needed)}; {format_bytes(free)} are free.",
            kept="Nothing was written.",
            next_step="Free some space, or harvest fewer tokens.",
        )
    try:
        StoreWriter.create(
            folder,
            store_info(plan),
            rows=capacity.rows,
            windows=capacity.windows,
            documents=capacity.documents,
        ).close()
    except UserError:
        with suppress(OSError):
            folder.rmdir()  # an empty folder of a store that never was
        raise
    return _Progress()


def _resume(plan: HarvestPlan, folder: Path, context: JobContext) -> _Progress | None:
    if not (folder / "000.h5").exists():
        return None
    store = ActivationStore.open(folder)
    if store.info.model_revision != plan.lm.revision:
        raise UserError(
            f"The model “{plan.lm.name}” is not the one that “{folder.name}” was begun with.",
            kept=f"Its {store.rows:,} tokens are as they were.",
            next_step="Harvest under another name.",
        )
    if store.rows == 0:
        return _Progress()
    last = store.windows[-1]
    documents = store.documents
    # The rows kept of the last window, the row left out, less the token that is no text.
    taken = int(last["length"]) + plan.dropped - plan.bos_prepended
    ordinal = int(documents[-1]["ordinal"])
    context.log(f"Resuming at {store.rows:,} of {plan.config.tokens:,} tokens.")
    return _Progress(
        store.rows, len(documents), ordinal, Place(ordinal, int(last["offset"]) + taken)
    )


def _check_same_settings(config: HarvestConfig, folder: Path) -> None:
    """Raise UserError that names the settings in which the store of that name differs."""
    store = ActivationStore.open(folder)
    kept = f"Its {store.rows:,} tokens are as they were."
    try:
        found = msgspec.json.decode(store.info.config, type=HarvestConfig)
    except msgspec.DecodeError as error:
        raise UserError(
            f"The name “{config.name}” is taken by activations of another origin.",
            kept=kept,
            next_step="Harvest under another name.",
        ) from error
    differing = [
        f"{name} is {getattr(found, name)!r} there and {getattr(config, name)!r} here"
        for name in HarvestConfig.__struct_fields__
        if name not in _FREE_SETTINGS and getattr(found, name) != getattr(config, name)
    ]
    if differing:
        raise UserError(
            f"There is a store “{config.name}” with other settings: {'; '.join(differing)}.",
            kept=kept,
            next_step="Use the same settings to resume it, or another name.",
        )
