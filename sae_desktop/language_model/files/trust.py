"""Whether the program code that a model brings may be run.

That waits for the person's word, which holds for the code's content as it was then.
"""

from __future__ import annotations

import datetime
import shlex
from pathlib import Path

import msgspec
from filelock import FileLock

from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.config import TrustModelConfig, TrustModelResult
from sae_desktop.language_model.files.code import ModelCode, code_of
from sae_desktop.language_model.files.find import find_model
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained
from sae_desktop.storage.own_folders import config_folder

WARNING = (
    "Such code runs with all your permissions: it can read, change and delete your files, and "
    "send them elsewhere."
)


class _Trusted(msgspec.Struct, frozen=True, kw_only=True):
    digest: str
    model: str
    files: list[str]
    when: str


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    trusted: list[_Trusted] = []


def is_trusted(code: ModelCode) -> bool:
    """Whether the person agreed to exactly this code, so that it may be run."""
    return code.needed and any(entry.digest == code.digest for entry in _record().trusted)


def check_code(name: str, code: ModelCode) -> None:
    """Return if the model needs no code, or trusted code. Raises UserError otherwise."""
    if not code.needed:
        return
    check_whole(name, code)
    if not is_trusted(code):
        raise UserError(
            f"“{name}” comes with its own program code, which is not run without "
            f"your consent. {WARNING} The code is {', '.join(code.files)} in {code.folder}.",
            next_step="Read it first. If you trust its authors, allow it in Harvest › "
            f"Model, or with: sae-desktop models trust {shlex.quote(name)}.",
        )


def check_whole(name: str, code: ModelCode) -> None:
    """Return if all of a model's code is among its own files. Raises UserError."""
    if code.foreign:
        raise UserError(
            f"“{name}” wants program code that is not among its own files: "
            f"{', '.join(code.foreign)}. Code from elsewhere can change at any time without any "
            "change to the model, so it is never run.",
            next_step="Choose a model that comes with its code, or one with an architecture that "
            "transformers knows.",
        )


def trust_model(config: TrustModelConfig, context: JobContext) -> TrustModelResult:
    """Record that the model's code, with the digest given, may be run.

    Raises UserError when the code is no longer the one that was agreed to, when the model needs
    none, and when it wants code from elsewhere.
    """
    context.progress(0, 1, "models", "Reading the code")
    files = find_model(config.model)
    code = code_of(files.folder) if files.gguf is None else ModelCode(files.folder)
    if not code.needed:
        raise UserError(
            f"“{config.model}” needs no program code.", next_step="Use it like any other model."
        )
    check_whole(config.model, code)
    if code.digest != config.digest:
        raise UserError(
            f"The program code of “{config.model}” has changed since it was agreed to.",
            kept="Nothing was allowed.",
            next_step=f"Look at the files in {code.folder} again, then decide again.",
        )
    path = record_path()
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            _add(path, files.name, code)
    context.progress(1, 1, "models", "Reading the code")
    return TrustModelResult(model=files.name, code_files=list(code.files))


def record_path() -> Path:
    """Return the file that holds what was trusted."""
    return config_folder() / "trusted-code.json"


def _add(path: Path, name: str, code: ModelCode) -> None:
    kept = [entry for entry in _record().trusted if entry.digest != code.digest]
    entry = _Trusted(
        digest=code.digest,
        model=name,
        files=list(code.files),
        when=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    write_bytes(path, msgspec.json.format(msgspec.json.encode(_Record(trusted=[*kept, entry]))))


def _record() -> _Record:
    """Return what was trusted; a file that cannot be read trusts nothing."""
    try:
        return msgspec.json.decode(record_path().read_bytes(), type=_Record)
    except (OSError, ValueError, RecursionError):
        return _Record()
