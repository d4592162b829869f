"""The job `merge_indexes`: merges indexes of several texts into one, as if all had been read at
once.
"""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.features.building.index import (
    OPENING,
    index_result,
    require_firings,
    write_from_firings,
)
from sae_desktop.features.building.material import Material
from sae_desktop.features.config import IndexConfig, IndexResult, MergeIndexesConfig
from sae_desktop.features.reading.dictionary_hash import require_same_dictionary
from sae_desktop.features.reading.firing_files import FiringGroup, group_path
from sae_desktop.features.reading.firing_paths import unfinished_folder
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.features.reading.layout import IndexInfo
from sae_desktop.features.stages import StageClock
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.same_model import require_same_model
from sae_desktop.project import Project, existing
from sae_desktop.storage.faults import explained
from sae_desktop.training.rows.dictionary_rows import open_pair, stores_of


def merge_indexes(config: MergeIndexesConfig, context: JobContext) -> IndexResult:
    """Write the index of the texts of several, from their firings.

    Texts of one store are put in its order. Raises UserError when indexes are of different
    dictionaries, have read the same rows, or have no firings.
    """
    clock = StageClock(context, OPENING)
    project = Project.open(config.project)
    names = config.indexes
    if len(names) < 2 or len(set(names)) < len(names):
        raise UserError(
            "Merging needs at least two different indexes.", kept="Nothing was changed."
        )
    infos = [_info(project, name) for name in names]
    first = infos[0]
    for name, info in zip(names, infos, strict=True):
        require_same_model(
            f"index:{names[0]}", first.mark, f"index:{name}", info.mark, project.path
        )
        _refuse_other(names[0], first, name, info)
    folder = project.dictionary_path(
        existing("dictionary", first.dictionary, project.all_dictionaries())
    )
    require_same_dictionary(first.dictionary, folder, names[0], first.dictionary_hash)
    groups = [
        path
        for name, info in zip(names, infos, strict=True)
        for path in require_firings(project.index_path(name), info)
    ]
    groups = _in_order(groups)
    path = project.index_path(config.name)
    copies = _copy(groups, unfinished_folder(path))
    dictionary, store, _ = open_pair(project, first.dictionary, first.activations, config.device)
    stores = stores_of(project, dictionary, store, first.other_activations)
    settings = msgspec.structs.replace(
        msgspec.json.decode(first.config, type=IndexConfig),
        project=config.project,
        name=config.name,
        shard="",
        add=False,
        keep_firings=config.keep_firings,
        device=config.device,
    )
    material = Material(project, settings, dictionary, first.dictionary_hash, stores)
    write_from_firings(material, copies, clock)
    return index_result(path, clock)


def _info(project: Project, name: str) -> IndexInfo:
    return read_info(project.index_path(existing("index", name, project.indexes())))


def _refuse_other(first_name: str, first: IndexInfo, name: str, info: IndexInfo) -> None:
    pairs = [
        ("dictionaries", first.dictionary_hash, info.dictionary_hash),
        ("sites", first.site, info.site),
    ]
    for what, wanted, found in pairs:
        if wanted != found:
            raise UserError(
                f"The indexes “{first_name}” and “{name}” have different {what}.",
                kept="Nothing was changed.",
                next_step="Merge indexes of one dictionary, at the same site of the same model.",
            )


def _in_order(paths: list[Path]) -> list[Path]:
    """Put groups of one store in its order. Raises UserError when two hold the same rows."""
    texts = {path: FiringGroup(path).info.text for path in paths}
    stores = list(dict.fromkeys(text.activations for text in texts.values()))
    ordered = sorted(
        paths, key=lambda path: (stores.index(texts[path].activations), texts[path].first_row)
    )
    for one, other in itertools.pairwise(ordered):
        before, after = texts[one], texts[other]
        same = before.activations == after.activations
        if same and before.first_row + before.rows > after.first_row:
            raise UserError(
                f"Two of the indexes have read the same rows of the store “{after.activations}”.",
                kept="Nothing was changed.",
                next_step="Merge indexes of different texts.",
            )
    return ordered


def _copy(paths: list[Path], folder: Path) -> list[Path]:
    """Put groups into a folder of their own; where the system can, they share their bytes."""
    with explained(folder):
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        copies = [group_path(folder, number) for number in range(len(paths))]
        for path, copy in zip(paths, copies, strict=True):
            try:
                os.link(path, copy)
            except OSError:
                shutil.copyfile(path, copy)
    return copies
