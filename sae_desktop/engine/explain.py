"""Every fault that a job can end with, in plain words."""

from __future__ import annotations

import traceback
from pathlib import Path

from sae_desktop.devices.out_of_memory import is_out_of_memory
from sae_desktop.engine.protocol import ErrorInfo, JobConfig
from sae_desktop.engine.registry import job_kind, job_title
from sae_desktop.errors import UserError
from sae_desktop.plugins.loading import fault, plugin_of
from sae_desktop.storage.faults import explain_os_error


def explain(error: BaseException, config: JobConfig | None = None) -> ErrorInfo:
    """Return what happened, what was kept and the way out; the traceback as details."""
    details = "".join(traceback.format_exception(error))
    found = _as_user_error(error, config)
    return ErrorInfo(
        what=found.what, kept=found.kept, next_step=found.next_step, details=details.rstrip()
    )


def _as_user_error(error: BaseException, config: JobConfig | None) -> UserError:
    if isinstance(error, UserError):
        return error
    kept = job_kind(config).kept if config is not None else ""
    if is_out_of_memory(error):
        return UserError("The machine ran out of memory.", kept=kept, next_step=_smaller(config))
    if isinstance(error, OSError):
        path = error.filename if isinstance(error.filename, str) else _project_of(config)
        return explain_os_error(error, Path(path), kept=kept)
    plugin = plugin_of(error)
    if plugin is not None:
        return fault(plugin, error, kept_text=kept)
    what = "Something went wrong in the program"
    if config is not None:
        what = f"{job_title(config)} failed because of a bug in the program"
    return UserError(
        f"{what}: {type(error).__name__}: {error}",
        kept=kept,
        next_step="Report it with the details shown here.",
    )


def _smaller(config: JobConfig | None) -> str:
    fields = config.__struct_fields__ if config is not None else ()
    ways = [
        words
        for field, words in (
            ("batch", "a smaller batch"),
            ("context_size", "shorter windows"),
            ("features", "fewer features"),
            ("rows", "fewer rows"),
            ("sampling", "fewer new tokens"),
            ("variants", "fewer texts side by side"),
        )
        if field in fields
    ]
    close = "Close other programs or jobs"
    return f"{close}, or use {' or '.join(ways)}." if ways else f"{close} and try again."


def _project_of(config: JobConfig | None) -> str:
    return str(getattr(config, "project", "") or ".")
