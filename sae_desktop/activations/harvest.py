"""The harvest job: runs a corpus through a model and stores the activations of its sites.

Documents are read and tokenised in one thread, the model runs in the job's own, and a third
one writes: a harvest takes hardly longer than the forward passes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sae_desktop.activations.batch_size import find_batch
from sae_desktop.activations.compaction import compact
from sae_desktop.activations.config import HarvestConfig, HarvestResult
from sae_desktop.activations.harvest_groups import window_groups
from sae_desktop.activations.harvest_pace import Pace
from sae_desktop.activations.harvest_plan import (
    HarvestPlan,
    store_bytes,
)
from sae_desktop.activations.harvest_rows import BatchMaker, RowReader
from sae_desktop.activations.harvest_settings import as_begun, check_same_settings
from sae_desktop.activations.picture_plan import plan_any
from sae_desktop.activations.prefetch import prefetch
from sae_desktop.activations.store import (
    ActivationStore,
    repeated_tokens,
    segment_paths,
    store_result,
)
from sae_desktop.activations.store_filler import StoreFiller
from sae_desktop.activations.store_writer import SegmentFullError, SegmentWriter, segment_path
from sae_desktop.corpus.picture_documents import PictureReport
from sae_desktop.corpus.records import LostConnectionError, Report
from sae_desktop.corpus.windows import BLOCK_CHARACTERS, ReadingPoint
from sae_desktop.errors import UserError
from sae_desktop.interruption import check_interrupted
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.same_model import require_same_model
from sae_desktop.project import Project
from sae_desktop.storage.faults import format_bytes, free_bytes

_MORE_ROOM = 8
"""Where a segment's tables were too small, those of the next one are this many times larger."""

_COMPARED = 16
"""Tokens by which it is told that the corpus is the one the store was started with."""
_GROUPS_AHEAD = 2
"""Groups tokenised before the model asks for them."""

_Outcome = Literal["filled", "full", "ended", "stopped"]


@dataclass(frozen=True)
class _OpenSegment:
    """A segment to append to, and where the corpus is read on."""

    writer: SegmentWriter
    place: ReadingPoint
    documents: Sequence[int] = ()
    """Places in the corpus of those the segment has."""


def harvest(config: HarvestConfig, context: JobContext) -> HarvestResult:
    """Keep `config.tokens` activations of each site in the store `config.name`.

    A store of the same name and settings is resumed after its last committed row, and then
    holds what an uninterrupted harvest would hold, bit for bit. One that holds all it was asked
    for is extended by another segment. A corpus that ends early gives fewer rows, which the log
    says.
    Raises UserError for settings that cannot be, a name taken by other settings, a full disk.
    """
    folder = Project.open(config.project).store_path(config.name)
    there = ActivationStore.open(folder) if segment_paths(folder) else None
    if there is not None:
        config = as_begun(config, there)
        check_same_settings(config, there)
        if there.rows >= config.tokens:
            context.log(f"The store “{config.name}” is complete already.")
            return store_result(there, rows_added=0, seconds=0.0)
    held = _held(there)
    found = held["rows"]
    context.progress(found, config.tokens, "tokens", "Loading the model")
    plan = _with_batch(plan_any(config, context), there, context)
    started = time.monotonic()
    try:
        held += _fill_segments(plan, folder, there, context)
    except UserError as error:
        kept = ActivationStore.open(folder).rows if segment_paths(folder) else 0
        told = f"{kept:,} of {config.tokens:,} tokens are kept." if kept else error.kept
        if not kept and isinstance(error, LostConnectionError):
            told = _NOTHING_YET if config.order == "shuffled" else "Nothing was kept."
        raise UserError(error.what, kept=told, next_step=error.next_step) from error
    seconds = time.monotonic() - started
    return HarvestResult(
        name=config.name,
        site=str(plan.sites[0]),
        rows=held["rows"],
        width=plan.widths[0],
        windows=held["windows"],
        documents=held["documents"],
        bytes=sum(path.stat().st_size for path in segment_paths(folder)),
        seconds=seconds,
        tokens_per_second=(held["rows"] - found) / seconds if seconds else 0.0,
    )


def _held(store: ActivationStore | None) -> Counter[str]:
    """Return how many rows, windows and documents a store has; of none, nothing."""
    if store is None:
        return Counter()
    return Counter(rows=store.rows, windows=len(store.windows), documents=len(store.documents))


def _with_batch(
    plan: HarvestPlan, there: ActivationStore | None, context: JobContext
) -> HarvestPlan:
    """Settle the size of the batches: as given, as the store was begun with, or the fastest."""
    if plan.config.batch_tokens:
        return plan
    if there is not None:
        return plan.with_batch(there.last_info.batch_tokens)
    found = find_batch(plan, context)
    context.log(
        f"Batches of {found.tokens:,} tokens: {found.tokens_per_second:,.0f} tokens/s for the "
        "model alone."
    )
    return plan.with_batch(found.tokens)


def _fill_segments(
    plan: HarvestPlan, folder: Path, there: ActivationStore | None, context: JobContext
) -> Counter[str]:
    """Fill the last segment, then new ones, until all rows are there or the corpus has ended.

    there: the store as it was found, if there is one.
    Returns how many rows, windows and documents were added.
    """
    total, room = plan.config.tokens, 1
    rows = there.rows if there is not None else 0
    added: Counter[str] = Counter()
    outcome: _Outcome = "filled"
    report: Report = Report()
    while outcome in ("filled", "full") and rows < total:
        if outcome == "full":
            room *= _MORE_ROOM
            # There is none where the first file had no room for its first group.
            there = ActivationStore.open(folder) if segment_paths(folder) else None
        segment = _open_segment(plan, folder, there, room, begin_new=outcome == "full")
        if segment is None:
            outcome = "ended"
            break
        if rows:
            context.log(f"Resuming at {rows:,} of {total:,} tokens.")
        found = Counter(segment.writer.counts)
        with closing(segment.writer):
            outcome, report = _fill(plan, segment, rows, context)
        now = Counter(segment.writer.counts)
        rows += now["rows"] - found["rows"]
        added += now - found
        if not segment.writer.committed_rows:
            segment.writer.path.unlink()
        elif outcome in ("full", "ended"):
            compact(segment.writer.path)
        if outcome == "full":
            context.log(
                "Documents are shorter than the beginning of the corpus suggested: the harvest "
                f"continues in another file at {rows:,} tokens."
            )
    waiting = isinstance(report, PictureReport) and report.waiting
    if outcome == "ended" and not rows:
        with suppress(OSError):
            folder.rmdir()
        if waiting:
            raise UserError(
                f"The first document has {waiting:,} tokens, more than the {total:,} asked for: a "
                "picture is never cut.",
                kept="Nothing was written.",
                next_step=f"Ask for at least {waiting:,} tokens.",
            )
        raise UserError(
            f"The corpus “{plan.windows.settings.corpus}” gives no rows: its documents have no "
            "tokens besides those that are left out.",
            kept="Nothing was written.",
            next_step="Keep each window's first token, or choose longer texts.",
        )
    if outcome == "ended" and waiting:
        context.progress(rows, rows, "tokens")
    elif outcome == "ended":
        context.log(
            f"The corpus ended after {rows:,} of the {total:,} tokens asked for; the "
            "store holds all of them."
        )
        context.progress(rows, rows, "tokens")
    elif outcome == "stopped":
        context.log(f"Stopped at {rows:,} of {total:,} tokens, as asked.")
    return added


def _open_segment(
    plan: HarvestPlan, folder: Path, store: ActivationStore | None, room: int, *, begin_new: bool
) -> _OpenSegment | None:
    """Return the last segment if it has room, else a new one; None where no text is left."""
    paths = segment_paths(folder)
    if store is None:
        return _OpenSegment(_create(plan, folder, 0, plan.config.tokens, room), ReadingPoint())
    _check_same_model(plan, store)
    _check_same_windows(plan, store)
    _check_same_pictures(plan, store)
    place = next_place(plan, store)
    writer = SegmentWriter(paths[-1])
    if writer.rows_left and not begin_new:
        last = ActivationStore.open_segments([paths[-1]])
        return _OpenSegment(writer, place, last.documents["ordinal"].tolist())
    writer.close()
    left = plan.config.tokens - store.rows
    if next(window_groups(plan, place, left), None) is None:
        return None
    return _OpenSegment(_create(plan, folder, len(paths), left, room), place)


def _create(plan: HarvestPlan, folder: Path, number: int, rows: int, room: int) -> SegmentWriter:
    capacity = plan.capacity(rows, room)
    needed, free = store_bytes(plan, capacity), free_bytes(folder)
    if needed > free:
        raise UserError(
            f"{capacity.rows:,} tokens need {format_bytes(needed)}; {format_bytes(free)} are free.",
            kept="Nothing was written.",
            next_step="Free some space, or harvest fewer tokens.",
        )
    try:
        return SegmentWriter.create(segment_path(folder, number), plan.info(), capacity)
    except UserError:
        with suppress(OSError):
            folder.rmdir()  # an empty folder of a store that never was
        raise


def next_place(plan: HarvestPlan, store: ActivationStore) -> ReadingPoint:
    """Return the first token of the corpus that the store does not have."""
    if not store.rows:
        return ReadingPoint()
    last = store.spans[-1]
    ordinal = int(store.documents[last["document"]]["ordinal"])
    if not plan.divisible:
        return ReadingPoint(ordinal + 1)
    after = int(last["offset"]) + int(last["length"])
    if plan.config.packing == "document" and not repeated_tokens(store.windows[-1]):
        # The table counts the rows kept; the row left out may be the document's.
        after += plan.dropped - len(plan.windows.prefix)
        if after <= int(last["offset"]):  # it was cut before the first token of its text
            return ReadingPoint(ordinal, int(last["offset"]))
    if plan.config.order == "files":
        return ReadingPoint(ordinal, after)
    end = int(last["first_row"]) + int(last["length"])
    taken = store.tokens[end - min(int(last["length"]), _COMPARED) : end].tolist()
    return ReadingPoint(ordinal, after, after=True, taken=tuple(taken))


def _check_same_model(plan: HarvestPlan, store: ActivationStore) -> None:
    require_same_model(
        f"store:{store.folder.name}", store.mark, plan.lm.name, plan.lm.mark,
        Path(plan.config.project).expanduser().resolve(),
    )  # fmt: skip


def _check_same_windows(plan: HarvestPlan, store: ActivationStore) -> None:
    begun, here = tuple(store.info.prefix), tuple(plan.windows.prefix)
    if begun != here:
        names = plan.text.tokenizer.convert_ids_to_tokens
        told = [" ".join(names(list(ids))) or "no special token" for ids in (begun, here)]
        raise UserError(
            f"The windows of “{store.folder.name}” begin with {told[0]}, but would now begin with "
            f"{told[1]}.",
            kept="Its tokens are unchanged.",
            next_step="Harvest under another name, or use the store's own BOS setting.",
        )


def _check_same_pictures(plan: HarvestPlan, store: ActivationStore) -> None:
    if plan.info().reader_digest != store.info.reader_digest:
        raise UserError(
            f"“{plan.lm.name}” prepares pictures in another way than when “{store.folder.name}” "
            "was started.",
            kept="Its tokens are unchanged.",
            next_step="Restore its preprocessor_config.json, or harvest under another name.",
        )


_NOTHING_YET = (
    "Nothing was kept: in a mixed order the first texts are used once "
    f"{BLOCK_CHARACTERS / 1e6:.0f} million characters of them are there. With the order “files” "
    "they are used as they come."
)


class _EndedEarlyError(Exception):
    """The person asked to end while the next texts were waited for."""


def _fill(
    plan: HarvestPlan, segment: _OpenSegment, begun: int, context: JobContext
) -> tuple[_Outcome, Report]:
    """Read group after group and hand them to the writing thread; `begun` rows are there."""
    writer, total = segment.writer, plan.config.tokens
    # A segment may have more room than this harvest asks for.
    wanted = min(writer.rows_left, total - begun)
    maker = BatchMaker(plan, segment.documents)
    reader, pace, read = RowReader(plan), Pace(context), 0
    documents, report = plan.corpus()
    try:
        with StoreFiller(writer, maker, plan.config.commit_seconds) as filler:

            def between_batches() -> None:
                if context.pause_requested:
                    filler.commit()
                context.check_cancelled()

            def while_waiting() -> None:
                if context.pause_requested:
                    filler.commit()
                check_interrupted()
                if context.stop_requested and begun + read:
                    raise _EndedEarlyError

            ahead = window_groups(plan, segment.place, wanted, documents, report)
            with (
                suppress(_EndedEarlyError),
                closing(prefetch(ahead, _GROUPS_AHEAD, while_waiting=while_waiting)) as groups,
            ):
                while True:
                    with pace.waiting():
                        group = next(groups, None)
                    if group is None:
                        break
                    pending = reader.read(group, between_batches)
                    with pace.waiting():
                        filler.append(pending)
                    read += sum(group.rows)
                    context.progress(begun + read, total, "tokens")
                    pace.tell(begun + read)
                    if context.stop_requested:
                        return "stopped", report
            if context.stop_requested and read < wanted:
                return "stopped", report
    except SegmentFullError:
        return "full", report
    if isinstance(report, PictureReport) and report.waiting and wanted < total - begun:
        return "full", report
    for note in report.notes():
        context.log(note)
    return "filled" if read == wanted else "ended", report
