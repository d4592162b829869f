"""What files and folders that were dropped together fill in for a harvest. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sae_desktop.corpus.names import is_known, is_table
from sae_desktop.errors import UserError
from sae_desktop.exchange.recognise import require_kind, what_is
from sae_desktop.file_kinds import PICTURES


def harvest_fields(paths: Sequence[Path]) -> dict[str, str]:
    """Return what dropped files are to a harvest: "model", and "corpus" or "pictures".

    Several files are one corpus when they are all the texts of their folder. Raises UserError
    for what cannot be harvested from, and for files that are not one model and one corpus.
    """
    found = [what_is(path) for path in paths]
    for path, one in zip(paths, found, strict=True):
        require_kind(path, "model", "corpus", "pictures")
        if one.kind is None:
            raise UserError(f"“{path.name}” cannot be harvested from.", next_step=one.reason)
    models = [one.path for one in found if one.kind == "model"]
    pictures = [one.path for one in found if one.kind == "pictures"]
    texts = [one.path for one in found if one.kind not in ("model", "pictures")]
    if len(models) > 1:
        raise UserError(
            f"{len(models)} models were dropped, but a harvest reads only one.",
            next_step="Drop one of them.",
        )
    fields = {"model": str(models[0])} if models else {}
    if pictures:
        fields["pictures"] = str(_one_source(pictures, texts))
    elif texts:
        fields["corpus"] = str(_one_corpus(texts))
    return fields


def _one_source(pictures: Sequence[Path], texts: Sequence[Path]) -> Path:
    """Return what holds the pictures; of several files, with the words beside them, their folder.

    Raises UserError where they are not all of it.
    """
    if len(pictures) == 1 and not texts:
        return pictures[0]
    folder = pictures[0].parent
    files = {*pictures, *texts}
    there = {p for p in folder.iterdir() if p.suffix.lower() in PICTURES} - files
    if there or any(path.is_dir() or path.parent != folder for path in files):
        raise UserError(
            "These files do not make up one source of pictures.",
            next_step="Put them into a separate folder and drop that.",
        )
    return folder


def _one_corpus(paths: Sequence[Path]) -> Path:
    if len(paths) == 1:
        return paths[0]
    folder = paths[0].parent
    next_step = "Put the files into a separate folder and drop that, or drop one of them."
    if any(path.is_dir() or path.parent != folder for path in paths):
        raise UserError("These files and folders do not make up one corpus.", next_step=next_step)
    if len({is_table(path.name) for path in paths}) > 1:
        raise UserError("Texts and tables cannot be mixed in one corpus.", next_step=next_step)
    there = {path for path in folder.iterdir() if path.is_file() and is_known(path.name)}
    others = len(there - set(paths))
    if others:
        files = "1 other file" if others == 1 else f"{others} other files"
        raise UserError(
            f"The folder “{folder.name}” holds {files}, which would also be read.",
            next_step=next_step,
        )
    return folder
