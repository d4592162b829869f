"""The pass over a store: every activation above 0 of a dictionary, written group by group.

R rows, D width, F features. Memory is that of one block of rows and one group.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.activations.store import ActivationStore
from sae_desktop.devices.abilities import is_host
from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.errors import UserError
from sae_desktop.features.building.loops import above
from sae_desktop.features.building.site_rows import ReadSite, SiteRows
from sae_desktop.features.reading.firing_files import (
    ENTRIES,
    Entries,
    FiringGroup,
    GroupInfo,
    group_path,
    group_paths,
    write_group,
)
from sae_desktop.features.reading.index_text import StoreText
from sae_desktop.features.reading.layout import TextSource
from sae_desktop.jobs import JobContext
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

Array = npt.NDArray[Any]

_CELLS = 2**26
"""Most activations computed at once, R × F: 256 MB."""
_ROWS = 1024
"""Most rows encoded at once: a few megabytes of activations, of which the cache holds most."""
_GROUP_ROWS = 2**20
_EXPECTED = 256
"""Firings of a row for which there is room at first."""
_RECORD = "job.json"


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be read; written beside the groups, to tell whether they can be gone on with."""

    dictionary_hash: str
    sites: tuple[ReadSite, ...]
    text: TextSource


@dataclass(frozen=True)
class _Block:
    first: int
    last: int


def row_range(store: ActivationStore, rows: int, shard: str) -> tuple[int, int]:
    """Return the first row to read and one past the last: whole windows, and of a shard whole
    documents where a window has but one. Raises UserError for a shard that is none, or empty."""
    windows = store.windows
    ends = windows["first_row"] + windows["length"]
    if rows:
        count = max(int(np.searchsorted(ends, rows, side="right")), min(len(windows), 1))
        windows, ends = windows[:count], ends[:count]
    if not len(windows):
        raise UserError(
            f"The store “{store.folder.name}” has no rows.",
            kept="Nothing was changed.",
            next_step="Harvest it completely, or choose another.",
        )
    total = int(ends[-1])
    number, parts = parse_shard(shard)
    cuts = np.concatenate([windows["first_row"], [total]])
    if store.info.packing != "packed":
        changes = np.flatnonzero(np.diff(windows["document"])) + 1
        cuts = np.concatenate([[0], windows["first_row"][changes], [total]])
    first, last = (
        int(cuts[np.searchsorted(cuts, -(-total * part // parts))]) for part in (number - 1, number)
    )
    if first >= last:
        raise UserError(
            f"Part {shard} of the store “{store.folder.name}” has no rows: the store has too few "
            "documents for that many parts.",
            kept="Nothing was changed.",
            next_step="Split it into fewer parts.",
        )
    return first, last


def parse_shard(shard: str) -> tuple[int, int]:
    """Return (which, of how many) of “2/4”; (1, 1) of nothing. Raises UserError otherwise."""
    if not shard:
        return 1, 1
    number, _, parts = shard.partition("/")
    if number.strip().isdecimal() and parts.strip().isdecimal():
        found = int(number), int(parts)
        if 1 <= found[0] <= found[1]:
            return found
    raise UserError(
        f"“{shard}” is not part of a store.",
        next_step="Enter which part of how many: 2/4 is the second of four.",
    )


def collect(
    folder: Path,
    reading: Reading,
    stores: Sequence[Path],
    dictionary: Dictionary,
    context: JobContext,
    *,
    until: int | None = None,
) -> None:
    """Write the groups of `reading` into `folder`; those that are there already stay.

    `stores` are the folders of the text's store and of those of other models. Ends after `until`
    rows, or with the windows or the group in which they end. Raises UserError when the disk is
    full; groups written so far are gone on with next time.
    """
    done = _begin(folder, reading)
    text = reading.text
    until = text.rows if until is None else until
    while done < until:
        # Opened for each group: mapped pages of rows read before would stay in memory.
        opened = [ActivationStore.open(store) for store in stores]
        source = SiteRows(opened, reading.sites)
        group = _Group(source, reading, text.first_row + done, until - done)
        _fill(group, dictionary, text.first_row, text, context)
        path = group_path(folder, len(group_paths(folder)))
        write_group(path, group.info(), group.entries(), StoreText(opened[0]).of_rows(*group.span))
        done += group.rows


def _begin(folder: Path, reading: Reading) -> int:
    """Return how many rows are there already; groups of another reading are removed."""
    record = folder / _RECORD
    data = msgspec.json.encode(reading)
    if not record.exists() or record.read_bytes() != data:
        with explained(folder):
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(parents=True)
        write_bytes(record, data)
    done = 0
    for path in group_paths(folder):
        text = FiringGroup(path).info.text
        if text.first_row != reading.text.first_row + done:
            # Half of a folder that was being removed: nothing can be gone on with.
            with explained(folder):
                shutil.rmtree(folder)
            return _begin(folder, reading)
        done += text.rows
    return done


class _Group:
    """Rows and firings of a group on their way to the disk."""

    def __init__(self, rows: SiteRows, reading: Reading, first_row: int, wanted: int) -> None:
        self.source = rows
        self.wanted = min(wanted, _GROUP_ROWS)
        self.reading = reading
        self.first_row = self.last_row = first_row
        self.massive_rows = 0
        self.count = 0
        self._parts: list[Entries] = []

    @property
    def rows(self) -> int:
        return self.last_row - self.first_row

    @property
    def span(self) -> tuple[int, int]:
        return self.first_row, self.last_row

    @property
    def full(self) -> bool:
        return self.count >= ENTRIES or self.rows >= self.wanted

    def add(self, part: Entries, rows: int, massive: int) -> None:
        self._parts.append(part)
        self.count += len(part.rows)
        self.massive_rows += massive
        self.last_row += rows

    def info(self) -> GroupInfo:
        reading = self.reading
        return GroupInfo(
            dictionary_hash=reading.dictionary_hash,
            features=self.features,
            massive_rows=self.massive_rows,
            text=msgspec.structs.replace(reading.text, first_row=self.first_row, rows=self.rows),
        )

    features = 0

    def entries(self) -> Entries:
        return Entries(*(np.concatenate(arrays) for arrays in zip(*self._parts, strict=True)))


def _fill(
    group: _Group, dictionary: Dictionary, first: int, text: TextSource, context: JobContext
) -> None:
    """Encode block after block until the group is full or the text ends."""
    group.features = dictionary.features
    step = max(1, min(_ROWS, _CELLS // dictionary.features))
    last = first + text.rows
    for block in _blocks(group.source.store, group.first_row, last, step):
        for begin in range(block.first, block.last, step):
            context.check_cancelled()
            end = min(begin + step, block.last)
            part, massive = _encode(group, dictionary, begin, end, step)
            group.add(part, end - begin, massive)
            context.progress(end - first, text.rows, "rows", "Reading the activations")
        if group.full:
            return


def _blocks(store: ActivationStore, first: int, last: int, step: int) -> Iterator[_Block]:
    """Yield whole windows, as many as fit `step` rows, or one."""
    windows = store.windows
    ends = windows["first_row"] + windows["length"]
    ends = ends[(ends > first) & (ends <= last)]
    while first < last:
        number = int(np.searchsorted(ends, first + step, side="right")) - 1
        if number < 0 or ends[number] <= first:
            number = int(np.searchsorted(ends, first, side="right"))
        yield _Block(first, int(ends[number]))
        first = int(ends[number])


def _encode(
    group: _Group, dictionary: Dictionary, begin: int, end: int, step: int
) -> tuple[Entries, int]:
    """Return the firings of some rows, and how many of the rows are massive."""
    # Always as many rows: with others, the last bits of a product may differ.
    values, massive = group.source.read(begin, end, step)
    count = end - begin
    values[massive] = 0
    row, features, found = _active(dictionary, torch.from_numpy(values))
    kept: Any = slice(None)
    if massive.any() or count < step:
        # A row of zeros may activate a feature, by its bias alone.
        kept = (row < count) & ~massive[row]
    part = Entries(
        row[kept] + np.int32(begin - group.first_row),
        features[kept],
        found[kept],
    )
    return part, int(massive.sum())


def _active(dictionary: Dictionary, x: Tensor) -> tuple[Array, Array, Array]:
    """Return what `Dictionary.active` does: rows and features int32, activations float32."""
    with torch.no_grad():
        if not is_host(dictionary.device) or isinstance(dictionary, CrossLayerDictionary):
            rows, features, values = dictionary.active(x)
            return (
                rows.to(torch.int32).cpu().numpy(),
                features.to(torch.int32).cpu().numpy(),
                values.float().cpu().numpy(),
            )
        compared, least = (tensor.float().numpy() for tensor in dictionary.compared(x))
    room = len(x) * _EXPECTED
    while True:
        found = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.float32)
        count = above(compared, least, *found)
        if count <= room:
            # Copies: what is kept of a block is not to keep the room for more.
            return found[0][:count].copy(), found[1][:count].copy(), found[2][:count].copy()
        room = count
