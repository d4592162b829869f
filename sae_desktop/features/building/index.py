"""The job `index`: what every feature fires on and what it does, in one file.

One pass over the store writes all firings (`collect.py`); one over these, feature by feature,
makes the figures and chooses the contexts (`assemble.py`); the rest comes from the directions
and the relations between features (`parts.py`); last, the features are named (`names.py`). Killed,
the job continues behind the last group of firings written. Exact throughout: no figure is estimated
from a sample, but for the scores of names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.ends import End
from sae_desktop.errors import UserError
from sae_desktop.features.building.assemble import figures_of
from sae_desktop.features.building.collect import Reading, collect, row_range
from sae_desktop.features.building.contexts import Slots
from sae_desktop.features.building.names import name_written
from sae_desktop.features.building.parts import PartsSource, part_arrays, vocabulary_arrays
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
    OtherModel,
    TextSource,
    write_index,
    write_stages,
)
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.stages import StageClock
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.same_model import require_same_model
from sae_desktop.project import Project, config_record, existing
from sae_desktop.storage.faults import folder_bytes
from sae_desktop.storage.moves import leave_work, work_folder
from sae_desktop.training.measuring.splice import model_of
from sae_desktop.training.rows.dictionary_rows import (
    bos_note,
    dictionary_ends,
    input_rows,
    open_pair,
    site_of,
    stores_of,
)

OPENING = "Opening dictionary and activations"


@dataclass(frozen=True)
class Material:
    """What an index is written from."""

    project: Project
    config: IndexConfig
    dictionary: Dictionary
    digest: str
    stores: Sequence[ActivationStore]
    """That of the first model, and those of the same tokens through the others."""

    @property
    def path(self) -> Path:
        return self.project.index_path(self.config.name)

    @property
    def store(self) -> ActivationStore:
        return self.stores[0]

    @cached_property
    def inputs(self) -> tuple[End, ...]:
        return dictionary_ends(self.dictionary, site_of(self.dictionary, self.store))[0]

    @cached_property
    def outputs(self) -> tuple[End, ...]:
        return dictionary_ends(self.dictionary, site_of(self.dictionary, self.store))[1]


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
    collect(unfinished_folder(path), reading, folders, dictionary, clock.context)
    paths = [*kept, *group_paths(unfinished_folder(path))]
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
    """Return the groups of an index's firings. Raises UserError when they were not kept."""
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
    config, store = material.config, material.store
    firings = StoredFirings.open(paths)
    text = joined_text(firings.groups)
    slots = Slots(
        config.top_contexts, config.buckets, config.bucket_contexts, config.bucket_scheme,
        config.seed, config.context_reach,
    )  # fmt: skip
    arrays = figures_of(firings, text, slots, scratch, context)
    context.progress(0, 1, "steps", "Loading the model")
    lm = model_of(store, config.device)
    context.progress(1, 1, "steps", "Loading the model")
    texts = firings.texts
    density = arrays["columns/density"]
    assert isinstance(density, np.ndarray)
    parts = PartsSource(
        project=material.project,
        config=config,
        firings=firings,
        texts=texts,
        density=density,
        dictionary=material.dictionary,
        lm=lm,
        stores=material.stores,
        inputs=material.inputs,
        outputs=material.outputs,
        scratch=scratch,
    )
    arrays |= part_arrays(parts, context)
    arrays |= vocabulary_arrays(lm)
    info = IndexInfo(
        dictionary=config.dictionary,
        dictionary_hash=material.digest,
        model=store.info.model,
        model_revision=store.info.model_revision,
        model_origin=store.info.model_origin,
        tokenizer_hash=store.info.tokenizer_hash,
        model_dtype=store.info.model_dtype,
        site=material.inputs[0].site,
        inputs=material.inputs,
        outputs=material.outputs,
        other_models=tuple(_other_model(other) for other in material.stores[1:]),
        activations=texts[0].activations,
        other_activations=texts[0].other_activations,
        corpus=texts[0].corpus,
        texts=texts,
        rows=text.rows,
        massive_rows=firings.massive_rows,
        features=firings.features,
        buckets=config.buckets,
        bucket_scheme=config.bucket_scheme,
        context_tokens=config.context_tokens,
        context_reach=config.context_reach,
        languages=text.languages.names,
        sources=text.sources.names,
        neuron_rows=config.neuron_rows if "neurons/ids" in arrays else 0,
        bos_prepended=store.info.bos_prepended,
        config=config_record(config),
    )
    context.progress(0, 1, "steps", "Writing the index")
    write_index(target, info, arrays)
    context.progress(1, 1, "steps", "Writing the index")


def _other_model(store: ActivationStore) -> OtherModel:
    info = store.info
    return OtherModel(
        name=info.model,
        revision=info.model_revision,
        origin=info.model_origin,
        tokenizer_hash=info.tokenizer_hash,
        dtype=info.model_dtype,
    )


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
