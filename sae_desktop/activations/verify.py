"""The job `verify_store`: every committed byte of a store against its checksums."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import h5py

from sae_desktop.activations.config import VerifyResult, VerifyStoreConfig
from sae_desktop.activations.layout import (
    BLOCK_ROWS,
    KIND,
    SCHEMA_VERSION,
    StoreInfo,
    accepted_datasets,
    damaged_store,
    read_committed,
    row_datasets,
    tables_of,
)
from sae_desktop.activations.store import segment_paths
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.project import Project, existing
from sae_desktop.storage.faults import explained
from sae_desktop.storage.hdf5 import open_checked
from sae_desktop.storage.mapped import MappedFile, extents, read_struct

_AT_ONCE = 1 << 24


def verify_store(config: VerifyStoreConfig, context: JobContext) -> VerifyResult:
    """Read a store whole and name the blocks that are not what was written.

    Raises UserError for a store that is missing, cannot be opened, or has no checksums.
    """
    project = Project.open(config.project)
    folder = project.store_path(existing("activation store", config.name, project.stores()))
    paths = segment_paths(folder)
    total = sum(path.stat().st_size for path in paths)
    blocks = read = 0
    damaged: list[str] = []
    for path in paths:
        with explained(path), open_checked(path, KIND, SCHEMA_VERSION) as file:
            if "checksums" not in file:
                raise UserError(
                    f"“{path.name}” of “{config.name}” has no checksums: it was written by an "
                    "earlier SAE Desktop.",
                    next_step="Harvest again to get them.",
                )
            for name, size, right in _blocks(path, file, context):
                blocks += 1
                read += size
                if not right:
                    damaged.append(name)
                context.progress(read, max(total, read), "bytes")
    # Not every byte of a file is of a block: there is room that is kept, and the file's own tables.
    context.progress(read, read, "bytes")
    return VerifyResult(name=config.name, blocks=blocks, bytes=read, damaged=damaged)


def _blocks(path: Path, file: h5py.File, context: JobContext) -> Iterator[tuple[str, int, bool]]:
    """Yield each block's name in words, its bytes, and whether its checksum is right."""
    try:
        info = read_struct(file, "info", StoreInfo)
        found = MappedFile(path, extents(path, file, accepted_datasets(info)))
        arrays = found.arrays
        committed = read_committed(arrays)
        counts = committed.counts
        names = row_datasets(info)
        sums = (int(n) for n in arrays["state/checksums"][committed.slot])
        running = dict(zip([*names, *tables_of(info)], sums, strict=True))
    except (ValueError, KeyError, IndexError) as error:
        raise damaged_store(path, error) from error
    rows = counts["rows"]
    for name in names:
        data, written = arrays[name], arrays[f"checksums/{name}"]
        for number, first in enumerate(range(0, rows, BLOCK_ROWS)):
            context.check_cancelled()
            found.check_whole()
            last = min(first + BLOCK_ROWS, rows)
            block = data[first:last].tobytes()
            # The last block may be unfinished: its checksum so far is kept with the counter.
            expected = int(written[number]) if last - first == BLOCK_ROWS else running[name]
            words = f"{path.name}: {name}, rows {first:,} to {last - 1:,}"
            yield words, len(block), zlib.crc32(block) == expected
    for name in tables_of(info):
        table, crc = arrays[name][: counts[name]], 0
        size = table.nbytes
        step = max(1, _AT_ONCE // max(1, table.itemsize))
        for first in range(0, len(table), step):
            context.check_cancelled()
            found.check_whole()
            crc = zlib.crc32(table[first : first + step].tobytes(), crc)
        if size:
            yield f"{path.name}: {name}", size, crc == running[name]
