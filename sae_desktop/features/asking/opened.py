"""An index opened together with its dictionary and model."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from sae_desktop.dictionary import Dictionary, load
from sae_desktop.errors import UserError
from sae_desktop.features.reading.beside import read_with_index
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.suitable import written_site
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.same_model import load_recorded, require_same_model
from sae_desktop.language_model.sites.resolve import Site, check_site, parse_site, site_width
from sae_desktop.project import Project, existing
from sae_desktop.storage.stamp import file_stamp
from sae_desktop.training.rows.dictionary_rows import dictionary_mark


@dataclass(frozen=True)
class OpenedIndex:
    """Everything needed to see features in the model."""

    index: FeatureIndex
    dictionary: Dictionary
    lm: LanguageModel
    site: Site

    @property
    def written(self) -> Site:
        """Where features write: `site` itself, or the output of a transcoder.

        Raises UserError as `written_site`.
        """
        return written_site(self.index.info.dictionary, self.dictionary, self.lm, self.site)

    @property
    def bos(self) -> list[int]:
        """What stood before every window of the indexed text: the BOS token, or nothing."""
        return list(self.lm.window_tokens[0]) if self.index.info.bos_prepended else []

    @property
    def eos(self) -> list[int]:
        """What stood after every window of the indexed text: an encoder's [SEP], or nothing."""
        return list(self.lm.window_tokens[1]) if self.index.info.bos_prepended else []


_MOST_HELD = 8
_MOST_HELD_BYTES = 2**32
_indexes: OrderedDict[tuple[Path, tuple[tuple[int, ...], ...]], FeatureIndex] = OrderedDict()
"""Those of the last calls: who drags a slider asks of the same ones many times a second."""
_held: OrderedDict[tuple[Path, int, str], Dictionary] = OrderedDict()
_held_lock = threading.Lock()


def open_index(project_path: str, name: str, device: str = "auto") -> OpenedIndex:
    """Open the index `name` of a project with its dictionary and model, all on one device.

    Index, model and dictionary stay open for the next call. Raises UserError when one of them
    is missing, or is not the one the index was made from.
    """
    project = Project.open(project_path)
    index = _index(project.index_path(existing("index", name, project.indexes())))
    if not index.info.model:
        raise UserError(
            f"The index “{name}” was made from imported activations, so no model belongs to it.",
            next_step="Choose an index made from a harvest.",
        )
    info = index.info
    lm = load_recorded(f"index:{name}", info.mark, project.path, device, info.model_dtype)
    site = check_site(lm.model, parse_site(index.info.site))
    dictionary = _dictionary(project, index.info.dictionary, str(lm.device))
    require_same_model(
        f"dictionary:{index.info.dictionary}", dictionary_mark(dictionary), lm.name, lm.mark,
        project.path,
    )  # fmt: skip
    width = site_width(lm.model, site)
    if (dictionary.features, dictionary.width) != (index.features, width):
        raise UserError(
            f"The index “{name}” no longer fits its dictionary and model: it has {index.features} "
            f"features, the dictionary is {dictionary.features} × {dictionary.width}, and the "
            f"site has width {width}.",
            next_step="Build the index again.",
        )
    return OpenedIndex(index, dictionary, lm, site)


def _index(path: Path) -> FeatureIndex:
    if os.name == "nt":  # a file that is mapped could not be replaced or deleted
        return FeatureIndex(path)
    key = (path, tuple(file_stamp(file) for file in (path, *read_with_index(path))))
    with _held_lock:
        if key not in _indexes:
            _forget(_indexes, path)
            _indexes[key] = FeatureIndex(path)
            while len(_indexes) > _MOST_HELD:
                _indexes.popitem(last=False)
        _indexes.move_to_end(key)
        return _indexes[key]


def _forget(held: OrderedDict[Any, Any], path: Path) -> None:
    """Let go of what was read of a file or folder before it changed."""
    for key in [key for key in held if key[0] == path]:
        del held[key]


def _dictionary(project: Project, name: str, device: str) -> Dictionary:
    folder = project.dictionary_path(existing("dictionary", name, project.all_dictionaries()))
    changed = max((path.stat().st_mtime_ns for path in folder.glob("*.safetensors")), default=0)
    key = (folder, changed, device)
    with _held_lock:
        if key not in _held:
            _forget(_held, folder)
            _held[key] = load(folder, device)
            while len(_held) > 1 and (
                len(_held) > _MOST_HELD or sum(map(_bytes, _held.values())) > _MOST_HELD_BYTES
            ):
                _held.popitem(last=False)
        _held.move_to_end(key)
        return _held[key]


def _bytes(dictionary: Dictionary) -> int:
    held = [value for value in vars(dictionary).values() if isinstance(value, Tensor)]
    return sum(tensor.numel() * tensor.element_size() for tensor in held)
