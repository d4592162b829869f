"""Which dictionaries a file or folder holds: the format is recognised from the files' content."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.formats import (
    circuit_tracer,
    dictionary_learning,
    gemma_scope,
    openmoss,
    qwen_scope,
    saelens,
    sparsify,
)
from sae_desktop.dictionary.formats.fields import FieldTable
from sae_desktop.dictionary.formats.folder_view import FolderView, Found
from sae_desktop.dictionary.formats.plugged import plugged_titles, that_of_a_plugin
from sae_desktop.errors import UserError
from sae_desktop.file_kinds import WEIGHTS_ENDINGS

_FINDERS: tuple[Callable[[FolderView], list[Found]], ...] = (
    sparsify.find,
    openmoss.find,
    circuit_tracer.find,
    qwen_scope.find,
    gemma_scope.find,
    dictionary_learning.find,
    saelens.find,
)
"""Those told by the names of their tensors first; SAELens's by its config."""
FORMATS = (
    "SAELens", "sparsify", "dictionary_learning", "Gemma Scope 1 and 2", "circuit-tracer",
    "Llama Scope", "Llamascopium", "Qwen-Scope",
)  # fmt: skip
TABLES: tuple[FieldTable, ...] = (
    *saelens.TABLES, *sparsify.TABLES, *dictionary_learning.TABLES, *gemma_scope.TABLES,
    *circuit_tracer.TABLES, *openmoss.TABLES, *qwen_scope.TABLES,
)  # fmt: skip
"""Every field of every format, and what is done with it."""
_MOST_FOLDERS = 10_000
_DEEPEST = 8
_SHOWN = 6


def find_dictionaries(source: Path) -> list[Found]:
    """Return the dictionaries in a folder and those below it, or that of a file.

    Raises UserError where there is none, naming what was looked at, and for damaged files.
    """
    if not source.exists():
        raise UserError(
            f"“{source}” does not exist.", next_step="Check the name, or choose another file."
        )
    if source.is_file():
        if source.suffix not in WEIGHTS_ENDINGS:
            raise UserError(
                f"“{source}” is not a weights file.",
                next_step=f"Choose one that ends with {', '.join(WEIGHTS_ENDINGS[:-1])} or "
                f"{WEIGHTS_ENDINGS[-1]}, or its folder.",
            )
        found = _in_folder(FolderView(source.parent, source))
    else:
        found = [one for folder in _folders(source) for one in _in_folder(FolderView(folder))]
    if not found:
        known = ", ".join((*FORMATS, *plugged_titles()))
        raise UserError(
            f"“{source}” holds no dictionary in a known format.",
            next_step=f"Known formats: {known}. Weights from another library can be opened once "
            "they are saved in one of these.",
        )
    return found


def only_one(found: Sequence[Found], source: Path) -> Found:
    """Return the dictionary found. Raises UserError where there are several, and names some."""
    if len(found) == 1:
        return found[0]
    names = [str(one.path) for one in found[:_SHOWN]]
    rest = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    raise UserError(
        f"“{source}” holds {len(found)} dictionaries.",
        next_step=f"Choose one of them: {', '.join(names)}{rest}.",
    )


def read_found(read: Callable[[], Dictionary], source: Path) -> Dictionary:
    """Read a dictionary. Raises UserError for tensors that lack or do not fit together."""
    try:
        return read()
    except KeyError as error:
        raise UserError(
            f"The dictionary in “{source}” is missing {error}.",
            next_step="Save it again with the program that made it.",
        ) from error
    except (ValueError, TypeError, RuntimeError, IndexError, OverflowError) as error:
        raise UserError(
            f"The tensors of the dictionary in “{source}” do not fit together: {error}."
        ) from error


def _folders(source: Path) -> list[Path]:
    """Return a folder and those below it that hold files of weights or a config, in order."""
    found = []
    for count, (root, folders, names) in enumerate(os.walk(source)):
        folder = Path(root)
        if count > _MOST_FOLDERS:
            raise UserError(
                f"“{source}” has over {_MOST_FOLDERS:,} folders.",
                next_step="Choose the folder of one dictionary.",
            )
        deep = len(folder.relative_to(source).parts)
        folders[:] = sorted(f for f in folders if not f.startswith(".")) if deep < _DEEPEST else []
        if any(name.endswith(WEIGHTS_ENDINGS) for name in names):
            found.append(folder)
    return found


def _in_folder(view: FolderView) -> list[Found]:
    """Return what the first format that knows a folder finds in it; plug-ins are asked last."""
    for find in _FINDERS:
        try:
            found = find(view)
        except (
            ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError,
        ) as error:  # fmt: skip
            raise UserError(
                f"The files in “{view.path}” do not fit together: {error}.",
                next_step="Download them again, or restore them from a copy.",
            ) from error
        if found:
            return [_held(one) for one in found]
    return that_of_a_plugin(view)


def _held(found: Found) -> Found:
    """Return a dictionary held to its format's tables of fields.

    What is not declared there is among its notes; it is not read while a value is to be refused.
    """

    def read() -> Dictionary:
        for told in found.told:
            told.table.check(told.values, found.path)
        return found.read()

    notes = [note for told in found.told for note in told.table.notes(told.values)]
    return replace(found, read=read, notes=(*found.notes, *dict.fromkeys(notes)))
