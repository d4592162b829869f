"""The first features of an index, readable while the rest of it is made.

They stand in the index's own place: a whole file, of the rows read so far, without what takes long
(names, neighbours, map, neurons, what fires together). It says that it is not finished. The firings
stay where the job goes on from them, so that a job that ends here, however it ends, is finished by
starting it again, and comes out as if nothing had been written in between.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from sae_desktop.features.building.assemble import figures_of
from sae_desktop.features.building.material import (
    Material,
    info_of,
    model_of_index,
    parts_source,
    slots_of,
)
from sae_desktop.features.building.parts import first_arrays, vocabulary_arrays
from sae_desktop.features.config import FirstFeatures
from sae_desktop.features.reading.firing_files import StoredFirings
from sae_desktop.features.reading.index_text import joined_text
from sae_desktop.features.reading.layout import TextSource, write_index
from sae_desktop.jobs import JobContext, SilentContext
from sae_desktop.storage.moves import leave_work, move_together, work_folder

DOING = "Making the first features readable"


def rows_of_first(material: Material, text: TextSource) -> int:
    """Return after how many rows the first features are written; 0: they are not.

    Where an index is there already it stays, until the new one is finished.
    """
    config = material.config
    if config.add or material.path.exists() or text.rows < 2 * config.first_rows:
        return 0
    return config.first_rows


def write_first(
    material: Material, paths: list[Path], whole_rows: int, context: JobContext
) -> None:
    """Write the index of the groups of firings read so far into its place, and say so."""
    context.check_cancelled()
    firings = StoredFirings.open(paths)
    context.progress(firings.rows, whole_rows, "rows", DOING)
    root = material.project.path
    scratch = work_folder(root, "index")
    try:
        written = scratch / "index.h5"
        _write(material, firings, scratch, written, whole_rows, context)
        move_together(root, into=[(written, material.path)])
    finally:
        leave_work(root, scratch)
    name, rows = material.config.name, firings.rows
    context.log(
        f"The first features of “{name}” can be read, from {rows:,} of {whole_rows:,} rows. Names, "
        "neighbours and the map come when the index is finished."
    )
    context.output(
        FirstFeatures(
            name=name, features=material.dictionary.features, rows=rows, whole_rows=whole_rows
        )
    )


def _write(
    material: Material, firings: StoredFirings, scratch: Path, target: Path, whole_rows: int,
    context: JobContext,
) -> None:  # fmt: skip
    quiet = cast(JobContext, _Quiet(context))
    text = joined_text(firings.groups)
    arrays = figures_of(firings, text, slots_of(material.config), scratch, quiet)
    lm = model_of_index(material.store, material.config.device)
    arrays |= first_arrays(parts_source(material, firings, arrays, lm, scratch), quiet)
    arrays |= vocabulary_arrays(lm)
    info = info_of(material, firings, text, neurons=False, whole_rows=whole_rows)
    write_index(target, info, arrays)


class _Quiet(SilentContext):
    """Says nothing of how far it is: the job counts the rows that it reads."""

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def check_cancelled(self) -> None:
        self._context.check_cancelled()
