"""Freeing disk space that a segment reserved but does not need. Free of torch."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy.typing as npt

from sae_desktop.activations.layout import (
    KIND,
    SCHEMA_VERSION,
    Capacity,
    StoreInfo,
    accepted_datasets,
    counters,
    damaged_store,
    read_committed,
    schema_of,
    segment_specs,
)
from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.hdf5 import (
    RowWriter,
    create_contiguous,
    open_checked,
    spec_bytes,
)
from sae_desktop.storage.mapped import MappedFile, extents, read_struct

Array = npt.NDArray[Any]

_HEADER = ("kind", "schema_version", "writer")
_WORTH_BYTES = 1 << 16
_AT_ONCE = 1 << 24


def compact(path: Path) -> int:
    """Write a segment again with room for just its committed rows, and return the bytes saved.

    The new file takes the place of the old one in one step; anyone who has the old one mapped
    continues to read it. Nothing is done, and 0 returned, where little would be saved, where the
    disk has no room for both, or where the system refuses.
    """
    before = path.stat().st_size
    with suppress(UserError), open_checked(path, KIND, SCHEMA_VERSION) as file:
        try:
            info = read_struct(file, "info", StoreInfo)
            arrays = MappedFile(path, extents(path, file, accepted_datasets(info))).arrays
            committed = read_committed(arrays)
        except ValueError as error:
            raise damaged_store(path, error) from error
        room = Capacity(**committed.counts)
        specs = segment_specs(info, room)
        saved = before - sum(spec_bytes(spec) for spec in specs)
        if saved < max(_WORTH_BYTES, before // 10):
            return 0
        attributes = {name: value for name, value in file.attrs.items() if name not in _HEADER}
        with replacing(path) as part:
            create_contiguous(part, KIND, schema_of(info), specs, attributes)
            with RowWriter(part) as out:
                for spec in specs:
                    if spec.name in arrays:
                        _copy_rows(arrays[spec.name], out, spec.name, spec.shape[0])
                # A store of an earlier schema has none, and numbered no commit.
                record = counters(max(1, committed.number), committed.counts)
                out.write("state/counters", committed.slot, record)
    return before - path.stat().st_size


def _copy_rows(values: Array, out: RowWriter, name: str, count: int) -> None:
    step = max(1, _AT_ONCE // max(1, values[:1].nbytes))
    for first in range(0, count, step):
        out.write(name, first, values[first : min(first + step, count)])
