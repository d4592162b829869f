"""The job `index`: what every feature fires on and what it does, in one file.

One pass over the store writes all firings (`collect.py`); one over these, feature by feature,
makes the figures and chooses the contexts (`assemble.py`); the rest comes from the directions
and the relations between features (`parts.py`); last, the features are named (`names.py`). Killed,
the job continues behind the last group of firings written. Exact throughout: no figure is estimated
from a sample, but for the scores of names. Of a long text the first features are there earlier
(`first_features.py`).
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.features.building.assemble import figures_of
from sae_desktop.features.building.collect import Reading, collect, row_range
from sae_desktop.features.building.first_features import rows_of_first, write_first
from sae_desktop.features.building.material import (
    Material,
    info_of,
    model_of_index,
    parts_source,
    slots_of,
)
from sae_desktop.features.building.names import name_written
from sae_desktop.features.building.parts import part_arrays, vocabulary_arrays
from sae_desktop.features.building.site_rows import read_sites
from sae_desktop.features.config import MOST_REACH, IndexConfig, IndexResult
from sae_desktop.features.reading.beside import names_path
from sae_desktop.features.reading.dictionary_hash import dictionary_hash, require_same_dictionary
from sae_desktop.features.reading.firing_files import (
    StoredFirings,
    group_paths,
    kept_firings,
    publish,
    settle_firings,
)
from sae_desktop.features.reading.firing_paths import firings_folder, unfinished_folder
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.features.reading.index_text import joined_text
from sae_desktop.features.reading.layout import (
    IndexInfo,
    TextSource,
    write_index,
    write_stages,
)
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.unfinished import require_whole
from sae_desktop.features.stages import StageClock
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.same_model import require_same_model
from sae_desktop.project import Project, existing
from sae_desktop.storage.faults import folder_bytes
from sae_desktop.storage.moves import leave_work, work_folder
from sae_desktop.training.rows.dictionary_rows import (
    bos_note,
    input_rows,
    open_pair,
    stores_of,
)

OPENING = "Opening dictionary and activations"


def build_index(config: IndexConfig, context: JobContext) -> IndexResult:
    """Index a dictionary over a store, or add a store's rows to the index that is there.

    Writes `features/<name>.h5` in one step. Rows of more than ten times the median norm count
    as silent. Raises UserError when dictionary and store do not belong together, there is
    nothing to add (to), or the disk is full.
    """
    clock = StageClock(context, OPENING)
    _check(config)
    project = Project.open(config.project)
    path = project.index_path(config.name)
    before = _index_to_add_to(project, config) if config.add else None
    if before is not None:
        config = _settings_of(before, config)
    dictionary, store, _ = open_pair(project, config.dictionary, config.activations, config.device)
    stores = stores_of(project, dictionary, store, config.other_activations)
    input_rows(dictionary, store, stores[1:])
    if note := bos_note(dictionary, store):
        context.log(note)
    folder = project.dictionary_path(config.dictionary)
    kept: list[Path] = []
    if before is not None:
        require_same_dictionary(config.dictionary, folder, config.name, before.dictionary_hash)
        settle_firings(project.path, path, before.texts, before.dictionary_hash)
        kept = require_firings(path, before)
    material = Material(project, config, dictionary, dictionary_hash(folder), stores)
    text = _text_to_read(material, before)
    reading = Reading(
        dictionary_hash=material.digest,
        sites=read_sites(material.inputs, stores),
        text=text,
    )
    folders = [one.folder for one in stores]
    unfinished = unfinished_folder(path)
    if first := rows_of_first(material, text):
        collect(unfinished, reading, folders, dictionary, clock.context, until=first)
        write_first(material, group_paths(unfinished), text.rows, clock.context)
    collect(unfinished, reading, folders, dictionary, clock.context)
    paths = [*kept, *group_paths(unfinished)]
    write_from_firings(material, paths, clock, add=before is not None)
    return index_result(path, clock)


def _check(config: IndexConfig) -> None:
    if not 0 <= config.context_reach <= MOST_REACH:
        raise UserError(
            f"A context cannot reach {config.context_reach:,} tokens on either side.",
            next_step=f"Enter 0 to {MOST_REACH:,}.",
        )


def _index_to_add_to(project: Project, config: IndexConfig) -> IndexInfo:
    existing("index", config.name, project.indexes())
    info = read_info(project.index_path(config.name))
    if info.dictionary != config.dictionary:
        raise UserError(
            f"The index “{config.name}” belongs to the dictionary “{info.dictionary}”, not to "
            f"“{config.dictionary}”.",
            kept="Nothing was changed.",
            next_step="Add to an index of that dictionary, or build a separate one.",
        )
    require_whole(config.name, info)
    return info


def _settings_of(info: IndexInfo, config: IndexConfig) -> IndexConfig:
    """Return the settings with which the index was built, for the text that is added."""
    return msgspec.structs.replace(
        msgspec.json.decode(info.config, type=IndexConfig),
        project=config.project,
        name=config.name,
        dictionary=config.dictionary,
        activations=config.activations or info.activations,
        other_activations=config.other_activations
        or (info.other_activations if config.activations in ("", info.activations) else ()),
        rows=config.rows,
        shard=config.shard,
        add=True,
        keep_firings=config.keep_firings,
        device=config.device,
    )


def require_firings(path: Path, info: IndexInfo) -> list[Path]:
    """Return the groups of an index's firings. Raises UserError when they were not kept, and for
    an index that is not finished."""
    require_whole(path.stem, info)
    paths = kept_firings(path, info.texts, info.dictionary_hash)
    if not paths:
        raise UserError(
            f"The index “{path.stem}” did not keep its firings, from which its figures could be "
            "recomputed.",
            kept="Nothing was changed.",
            next_step="Build it again, keeping all activations.",
        )
    return paths


def _text_to_read(material: Material, before: IndexInfo | None) -> TextSource:
    """Return the rows asked for, those of the index that is there left out."""
    store, config = material.store, material.config
    first, last = row_range(store, config.rows, config.shard)
    name = store.folder.name
    there = [] if before is None else [t for t in before.texts if t.activations == name]
    if there and not config.shard:
        first = max(text.first_row + text.rows for text in there)
    if first >= last or any(
        text.first_row < last and first < text.first_row + text.rows for text in there
    ):
        raise UserError(
            f"The index “{config.name}” has already read these rows of the store “{name}”.",
            kept="Nothing was changed.",
            next_step="Harvest more rows first, or add another store.",
        )
    if before is not None:
        require_same_model(
            f"index:{config.name}", before.mark, f"store:{name}", store.mark, material.project.path
        )
    return TextSource(
        activations=name,
        corpus=store.info.corpus,
        first_row=first,
        rows=last - first,
        other_activations=tuple(other.folder.name for other in material.stores[1:]),
    )


def write_from_firings(
    material: Material, paths: list[Path], clock: StageClock, *, add: bool = False
) -> None:
    """Compute an index from groups of firings and write it; index and firings change in one step.

    Firings that are kept go behind those there (`add`), or into their place.
    """
    root = material.project.path
    scratch = work_folder(root, "index")
    try:
        written = scratch / "index.h5"
        _write(material, paths, scratch, written, clock.context)
        names = scratch / "index.names"
        if material.config.names:
            firings = StoredFirings.open(paths)
            name_written(written, firings, material.store, names, clock.context)
        write_stages(written, clock.stages())
        beside = [(names, names_path(material.path))]
        publish(root, material.path, written, beside, keep=material.config.keep_firings, add=add)
    finally:
        leave_work(root, scratch)


def _write(
    material: Material, paths: list[Path], scratch: Path, target: Path, context: JobContext
) -> None:
    firings = StoredFirings.open(paths)
    text = joined_text(firings.groups)
    arrays = figures_of(firings, text, slots_of(material.config), scratch, context)
    context.progress(0, 1, "steps", "Loading the model")
    lm = model_of_index(material.store, material.config.device)
    context.progress(1, 1, "steps", "Loading the model")
    arrays |= part_arrays(parts_source(material, firings, arrays, lm, scratch), context)
    arrays |= vocabulary_arrays(lm)
    info = info_of(material, firings, text, neurons="neurons/ids" in arrays)
    context.progress(0, 1, "steps", "Writing the index")
    write_index(target, info, arrays)
    context.progress(1, 1, "steps", "Writing the index")


def index_result(path: Path, clock: StageClock) -> IndexResult:
    """Return what a job that wrote an index answers."""
    index = FeatureIndex(path)
    kept = firings_folder(path)
    stages = clock.stages()
    return IndexResult(
        name=path.stem,
        features=index.features,
        rows=index.info.rows,
        alive=int((index.columns["density"] > 0).sum()),
        bytes=path.stat().st_size + (folder_bytes(kept) if kept.exists() else 0),
        seconds=sum(stage.seconds for stage in stages),
        stages=stages,
    )
