"""A set opened together with its model, and a prompt frozen in them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import NamedTuple

from sae_desktop.circuits.members import Members, members_of
from sae_desktop.circuits.prompt import Prompt, read_prompt
from sae_desktop.dictionary.set_info import SET_FILE, SetInfo, read_set_info
from sae_desktop.dictionary.sets import load_set
from sae_desktop.errors import UserError
from sae_desktop.language_model.load import LanguageModel, require_causal
from sae_desktop.language_model.names import ModelMark
from sae_desktop.language_model.same_model import load_recorded
from sae_desktop.project import Project, existing
from sae_desktop.storage.stamp import file_stamp


class OpenedSet(NamedTuple):
    """A set with its model, on one device."""

    info: SetInfo
    members: Members
    lm: LanguageModel


def open_set(project: Project, name: str, device: str) -> OpenedSet:
    """Open a set of a project and the model it was made for.

    Raises UserError where one of them is missing or damaged, and for another model or tokenizer.
    """
    folder = project.set_path(existing("set", name, project.sets()))
    info = read_set_info(folder)
    if not info.model:
        raise UserError(
            f"The set “{name}” does not say which model it was made for.",
            next_step="Import it again, and name its model.",
        )
    mark = ModelMark(info.model, info.model_revision, info.tokenizer_hash)
    lm = load_recorded(f"dictionary:{info.dictionaries[0]}", mark, project.path, device, "auto")
    require_causal(lm, "An attribution graph")
    if info.tokenizer_hash and info.tokenizer_hash != lm.tokenizer_hash:
        raise UserError(
            f"The set “{name}” was made with another tokenizer than that of “{lm.name}”.",
            next_step="Use the tokenizer that the set was made with, or train another set.",
        )
    return OpenedSet(info, _members(folder, info, lm), lm)


_held: dict[tuple[object, ...], Members] = {}
"""That of the last call: who types a prompt asks what it takes at every pause."""
_held_lock = threading.Lock()


def _members(folder: Path, info: SetInfo, lm: LanguageModel) -> Members:
    dtype = lm.model.get_input_embeddings().weight.dtype
    weights = sorted(folder.glob("*/*.safetensors"))
    stamps = tuple(file_stamp(path) for path in (folder / SET_FILE, *weights))
    key = (folder, info.digest, stamps, str(lm.device), dtype)
    with _held_lock:
        if key not in _held:
            _held.clear()
            _held[key] = members_of(load_set(folder, lm.device), dtype)
        return _held[key]


def prompt_of(opened: OpenedSet, text: str, *, chat: bool) -> Prompt:
    """Return a prompt as the set's model reads it. Raises UserError as `read_prompt`."""
    return read_prompt(opened.lm, text, chat=chat)
