"""An index opened together with its dictionary and model."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary, ends, load
from sae_desktop.errors import UserError
from sae_desktop.features.asking.places import (
    Places,
    places_read,
    places_written,
    values_at,
)
from sae_desktop.features.reading.beside import read_with_index
from sae_desktop.features.reading.layout import IndexInfo
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.same_model import (
    load_recorded,
    load_recorded_any,
    require_same_model,
)
from sae_desktop.language_model.sites.resolve import Site, check_site, parse_site
from sae_desktop.language_model.text.tokenizer import without_repeated
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
    """The first that it reads."""
    others: tuple[LanguageModel, ...] = ()
    """The models beside `lm` of a crosscoder of several, in the order of its sources."""

    @property
    def models(self) -> tuple[LanguageModel, ...]:
        return self.lm, *self.others

    @cached_property
    def reads(self) -> Places:
        """Where features have their activations: the sites whose rows lie side by side."""
        return places_read(self._name, self.dictionary, self.models, str(self.site))

    @cached_property
    def writes(self) -> Places:
        """Where features write: `site` itself, the output of a transcoder, or several sites.

        Raises UserError as `places_written`.
        """
        return places_written(self._name, self.dictionary, self.models, str(self.site))

    @property
    def _name(self) -> str:
        return self.index.info.dictionary

    @property
    def room(self) -> int:
        """The tokens of text that its models read at once, the special ones around it left out."""
        least = min(lm.context_size for lm in self.models)
        return least - len(self.bos) - len(self.eos)

    def encode_text(self, text: str) -> tuple[list[int], Tensor]:
        """Return a text's tokens (S,) and the activations (S, F) of all features on them.

        The special tokens around the text are those of the indexed one; they are left out. Raises
        UserError for a text longer than the models read at once.
        """
        ids = without_repeated(self.lm.encode(text), self.bos)
        if len(ids) > self.room:
            raise UserError(
                f"The text has {len(ids):,} tokens; “{self.lm.name}” reads {self.room:,} at once.",
                next_step="Use a shorter text.",
            )
        if not ids:
            return [], self.dictionary.b_enc.new_zeros(0, self.dictionary.features)
        whole = torch.tensor([self.bos + ids + self.eos])
        first = len(self.bos)
        x_SI = values_at(self.reads, whole, None)[0, first : first + len(ids)]
        return ids, self.dictionary.encode(x_SI)

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


def open_index(
    project_path: str, name: str, device: str = "auto", *, pictures_alone: bool = False
) -> OpenedIndex:
    """Open the index `name` of a project with its dictionary and model, all on one device.

    Index, model and dictionary stay open for the next call. With `pictures_alone` the model may
    be an encoder of pictures, of which nothing is asked that is of text. Raises UserError when one
    of them is missing, or is not the one the index was made from.
    """
    project = Project.open(project_path)
    index = _index(project.index_path(existing("index", name, project.indexes())))
    if not index.info.model:
        raise UserError(
            f"The index “{name}” was made from imported activations, so no model belongs to it.",
            next_step="Choose an index made from a harvest.",
        )
    info = index.info
    recorded = load_recorded_any if pictures_alone else load_recorded
    lm = cast(
        LanguageModel,
        recorded(f"index:{name}", info.mark, project.path, device, info.model_dtype),
    )
    dictionary = _dictionary(project, info.dictionary, str(lm.device))
    require_same_model(
        f"dictionary:{info.dictionary}", dictionary_mark(dictionary), lm.name, lm.mark,
        project.path,
    )  # fmt: skip
    site = check_site(lm.model, parse_site(info.site))
    others = _other_models(project, name, info, dictionary, lm)
    opened = OpenedIndex(index, dictionary, lm, site, others)
    width = sum(place.width for place in opened.reads)
    if (dictionary.features, dictionary.width) != (index.features, width):
        raise UserError(
            f"The index “{name}” no longer fits its dictionary and model: it has {index.features} "
            f"features, the dictionary is {dictionary.features} × {dictionary.width}, and what it "
            f"reads has width {width}.",
            next_step="Build the index again.",
        )
    return opened


def _other_models(
    project: Project, name: str, info: IndexInfo, dictionary: Dictionary, lm: LanguageModel
) -> tuple[LanguageModel, ...]:
    """Return the models of a crosscoder of several, but the first.

    Raises UserError where one is not here, or not known, or reads text in other tokens.
    """
    wanted = ends.sources(ends.inputs(dictionary, info.site)) - 1
    told = info.other_models
    if len(told) < wanted:
        raise UserError(
            f"The dictionary “{info.dictionary}” is of {wanted + 1} models, but the index “{name}” "
            f"does not say which {wanted - len(told)} of them are.",
            next_step="Build the index again.",
        )
    found: list[LanguageModel] = []
    for other in told[:wanted]:
        device, beside = str(lm.device), [lm, *found]
        found.append(
            load_recorded(f"index:{name}", other.mark, project.path, device, other.dtype, beside)
        )
    return tuple(found)


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
