"""Clearing what the program keeps: never what is in use, and never through a link."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

from sae_desktop.caches.sizes import Size, is_junction, measured
from sae_desktop.caches.table import Kept
from sae_desktop.errors import UserError
from sae_desktop.storage.faults import format_bytes
from sae_desktop.storage.in_use import others_running
from sae_desktop.storage.own_folders import TEMPORARY_PREFIX

_UNCHANGED = "Nothing was cleared."


def question(kept: Kept, size: Size) -> str:
    """Return what is asked before something is cleared: how many bytes, and what that costs."""
    return (
        f"Clear “{kept.title}”? {size.text}. {size.details} {kept.what} {kept.back} Projects are "
        "not touched."
    )


def refuse_in_use(
    kept: Kept, *, model: str = "", jobs: Sequence[str] = (), engine: int | None = None
) -> None:
    """Raise UserError where something must not be cleared, or not now.

    `model`: what this window's engine has loaded; `jobs`: titles of those it runs; `engine`: its
    process. Of other processes it is enough that they run.
    """
    if kept.stays:
        raise UserError(
            f"“{kept.title}” is not cleared by the program.", kept=_UNCHANGED, next_step=kept.stays
        )
    if not kept.held:
        return
    if jobs:
        raise UserError(
            f"“{kept.title}” may be in use by a job that is running: {', '.join(jobs)}.",
            kept=_UNCHANGED,
            next_step="Wait until it has finished, or cancel it, then clear again.",
        )
    if model:
        raise UserError(
            f"“{kept.title}” may be in use: the engine has the model “{model}” loaded.",
            kept=_UNCHANGED,
            next_step="Engine › Restart the engine frees it; then clear again.",
        )
    others = others_running(but=engine)
    if others:
        one = f"process {others[0]}" if len(others) == 1 else f"{len(others)} processes"
        raise UserError(
            f"“{kept.title}” may be in use by another window, notebook or command of this "
            f"program ({one}).",
            kept=_UNCHANGED,
            next_step="Close it, or wait until it has finished, then clear again.",
        )


def clear(kept: Kept) -> Size:
    """Delete all that something is made of, and return what was freed.

    A link is deleted itself, and what it leads to stays. What is being deleted has another name
    meanwhile, so that no half model is taken for a whole one.

    Raises UserError where something may not be deleted; what came before it is gone.
    """
    try:
        parts = kept.parts()
        before = measured(lambda: parts) or Size()
        for part in parts:
            _delete(part)
        left = measured(kept.parts) or Size()
    except OSError as error:
        path = error.filename or kept.place()
        raise UserError(
            f"“{path}” could not be deleted: {error.strerror or error}.",
            kept="What could be deleted before it is gone; everything else is unchanged.",
            next_step="Change its permissions, or close the program that has it open, then clear "
            "again.",
        ) from error
    freed = (before.bytes - before.shared) - (left.bytes - left.shared)
    return Size(max(freed, 0), max(before.files - left.files, 0))


def cleared_text(kept: Kept, freed: Size) -> str:
    """Return in a sentence what was cleared."""
    return f"“{kept.title}” was cleared: {format_bytes(freed.bytes)} were freed."


def _delete(path: Path) -> None:
    if path.is_symlink() or is_junction(path) or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    doomed = path.with_name(f"{TEMPORARY_PREFIX}gone-{uuid.uuid4().hex}")
    path.rename(doomed)
    shutil.rmtree(doomed)
