"""Models on the hub: downloaded into its own cache, every fault explained, none of their code
run.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.files.code import code_of
from sae_desktop.language_model.files.offline import offline
from sae_desktop.storage.faults import explain_os_error, format_bytes, free_bytes
from sae_desktop.storage.network import way_online, why_offline

SECONDS = 10.0
_SMALL_FILES = ["*.json", "*.model", "*.txt", "*.jinja", "*.tiktoken"]
# Of these the library's own download, which begins a broken-off file anew, is good enough.
_SMALL = 1_000_000
_LARGEST = 50_000_000_000
"""Above, the hub does not answer plain requests."""
_MB = 1e6
_PRIVATE = {401, 403}
_TOO_MANY = 429
_SERVER_FAULT = 500
_TRANSPORTS = {"httpx", "httpx2", "requests", "urllib3", "huggingface_hub", "hf_xet"}


@dataclass(frozen=True)
class _RemoteFile:
    name: str
    size: int
    sha256: str
    revision: str


def fetch_snapshot(name: str, *, context: JobContext) -> Path:
    """Return the folder of a hub model's snapshot, downloading what is not there.

    Python files come along only where the model needs them. Of the weights safetensors are taken,
    and the older pickles only where there are none. An interrupted file resumes where it stopped,
    and is checked against the digest the hub publishes. Raises UserError.
    """
    with explained_hub(name):
        remote, unreachable = _remote_files(name)
        local = offline() or unreachable
        folder = _small_files(name, local=local)
        there = [file.name for file in remote] or [path.name for path in folder.iterdir()]
        patterns = _weight_patterns(name, there, known=bool(remote))
        wanted = [f for f in remote if any(fnmatchcase(f.name, p) for p in patterns)]
        _bring(name, wanted, context)
        return _snapshot(name, [*_SMALL_FILES, *patterns], local=local)


def look_up_snapshot(name: str) -> Path:
    """Return the folder of a hub model's small files, downloading them. Raises UserError."""
    with explained_hub(name):
        return _small_files(name, local=offline())


def cached_snapshot(name: str) -> Path:
    """Return the folder of a hub model that is on this machine. The network is not touched.

    Raises UserError for one that is not.
    """
    with explained_hub(name, asked=False):
        return _small_files(name, local=True)


def _small_files(name: str, *, local: bool) -> Path:
    folder = _snapshot(name, _SMALL_FILES, local=local)
    if code_of(folder).needed:
        folder = _snapshot(name, ["*.py"], local=local, below=True)
    return folder


def fetch_files(name: str, patterns: Sequence[str], *, context: JobContext) -> Path:
    """Return the folder of a repository with the files that fit, downloading what is not there.

    An interrupted file resumes where it stopped, and is checked against the digest the hub
    publishes. Raises UserError.
    """
    with explained_hub(name):
        remote, unreachable = _remote_files(name, below=True)
        wanted = [f for f in remote if any(fnmatchcase(f.name, p) for p in patterns)]
        _bring(name, wanted, context)
        return _snapshot(name, list(patterns), local=offline() or unreachable, below=True)


def cached_hub_models() -> dict[str, Path]:
    """Return the models in the hub's cache by name, each with its newest snapshot's folder."""
    from huggingface_hub import constants

    found = {}
    for folder in sorted(Path(constants.HF_HUB_CACHE).glob("models--*--*")):
        snapshots = [path.parent for path in folder.glob("snapshots/*/config.json")]
        if snapshots:
            name = folder.name.removeprefix("models--").replace("--", "/", 1)
            found[name] = max(snapshots, key=lambda path: path.stat().st_mtime)
    return found


def _remote_files(name: str, *, below: bool = False) -> tuple[list[_RemoteFile], bool]:
    """Return what the hub has of a model, and whether it could not be reached at all.

    `below`: the files in its folders, too.
    """
    if offline():
        return [], True
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        info = HfApi().model_info(name, files_metadata=True, timeout=SECONDS)
    except (HfHubHTTPError, HFValidationError):
        return [], False  # what the hub answers is explained by the download itself
    except Exception:  # each HTTP library has its own errors of connection
        return [], True
    return [
        _RemoteFile(
            name=file.rfilename,
            size=int(file.size or 0),
            sha256=file.lfs.sha256 if file.lfs else "",
            revision=str(info.sha),
        )
        for file in info.siblings or []
        if below or "/" not in file.rfilename
    ], False


def _snapshot(name: str, patterns: list[str], *, local: bool, below: bool = False) -> Path:
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            name,
            allow_patterns=patterns,
            # Folders hold checkpoints and other formats of the same weights.
            ignore_patterns=None if below else ["*/*"],
            local_files_only=local,
        )
    )


def _weight_patterns(name: str, there: Sequence[str], *, known: bool) -> list[str]:
    """Return which weights to take: safetensors before pickles, and each weight once."""
    if "model.safetensors" in there or "model.safetensors.index.json" in there:
        return ["model*.safetensors"]
    if any(file.endswith(".safetensors") for file in there):
        return ["*.safetensors"]
    if any(fnmatchcase(file, "pytorch_model*.bin") for file in there):
        return ["pytorch_model*.bin"]
    if not known:
        return ["*.safetensors"]
    ggufs = [file for file in there if file.endswith(".gguf")]
    raise UserError(
        f"The hub's “{name}” contains no weights that can be read here"
        + (f", only .gguf files such as {ggufs[0]}." if ggufs else "."),
        next_step="Download the .gguf file and open it by its path."
        if ggufs
        else "Choose a model with .safetensors files.",
    )


def _bring(name: str, files: Sequence[_RemoteFile], context: JobContext) -> None:
    """Put large files into the hub's cache, where its own download then finds them."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="model")
    blobs = folder / "blobs"
    missing = [
        file
        for file in files
        if file.sha256 and _SMALL < file.size < _LARGEST and not (blobs / file.sha256).exists()
    ]
    if not missing:
        return
    blobs.mkdir(parents=True, exist_ok=True)
    begun = sum(_size(_part(blobs, file)) for file in missing)
    total, free = sum(file.size for file in missing), free_bytes(blobs)
    if total - begun > free:
        raise UserError(
            f"“{name}” does not fit on the disk: {format_bytes(total - begun)} must be "
            f"downloaded, but only {format_bytes(free)} are free at {constants.HF_HUB_CACHE}.",
            kept="Nothing was downloaded.",
            next_step="Free some space, or set HF_HOME to a folder on another disk.",
        )
    done = 0
    for file in missing:
        _bring_file(name, file, blobs, _Progress(context, file.name, done, total))
        done += file.size


@dataclass
class _Progress:
    """Told of every piece of a file; ends the download when the job is cancelled."""

    context: JobContext
    file: str
    before: int
    total: int

    def at(self, position: int) -> None:
        done = (self.before + position) / _MB
        self.context.progress(done, self.total / _MB, "MB", f"Downloading {self.file}")
        self.context.check_cancelled()


class _Tap:
    """A file that tells how much has been written to it."""

    def __init__(self, file: BinaryIO, progress: _Progress) -> None:
        self._file, self._progress = file, progress

    def write(self, data: bytes) -> int:
        written = self._file.write(data)
        self._progress.at(self._file.tell())
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _bring_file(name: str, file: _RemoteFile, blobs: Path, progress: _Progress) -> None:
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils._headers import build_hf_headers

    part = _part(blobs, file)
    with _alone(part, progress.context):
        if (blobs / file.sha256).exists():
            return
        if _size(part) > file.size:
            part.unlink()
        with part.open("ab") as out:
            progress.at(out.tell())
            http_get(
                hf_hub_url(name, file.name, revision=file.revision),
                _Tap(out, progress),  # type: ignore[arg-type]
                resume_size=out.tell(),
                headers=build_hf_headers(),
                expected_size=file.size,
                displayed_filename=file.name,
            )
            out.flush()
            os.fsync(out.fileno())
        with part.open("rb") as whole:
            found = hashlib.file_digest(whole, "sha256").hexdigest()
        if found != file.sha256:
            part.unlink()
            raise UserError(
                f"“{file.name}” of “{name}” is not the file that was published: its SHA-256 is "
                f"{found}, not {file.sha256}.",
                kept="It was deleted.",
                next_step="Try again; if this happens again, something is altering files on their "
                "way here.",
            )
        os.replace(part, blobs / file.sha256)


def _part(blobs: Path, file: _RemoteFile) -> Path:
    return blobs / f"{file.sha256}.incomplete"


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


@contextlib.contextmanager
def _alone(part: Path, context: JobContext) -> Iterator[None]:
    """Wait until no other process downloads the same file."""
    lock = FileLock(part.with_suffix(".lock"))
    while True:
        context.check_cancelled()
        try:
            with lock.acquire(timeout=0.5):
                yield
            return
        except Timeout:
            continue


@contextlib.contextmanager
def explained_hub(name: str, *, asked: bool = True) -> Iterator[None]:
    """Raise UserError in place of what the hub, the network or the disk ends a download with.

    `asked`: whether the hub was.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        yield
    except (UserError, JobCancelledError):
        raise
    except GatedRepoError as error:
        raise UserError(
            f"“{name}” is available only to people who have accepted its terms.",
            next_step="Accept them on its page, sign in with “hf auth login”, and try again.",
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise UserError(
            f"There is no model “{name}” on the hub, and no such folder.",
            next_step="Check the spelling; for a private model, run “hf auth login” first.",
        ) from error
    except LocalEntryNotFoundError as error:
        raise (_not_here(name, error) if asked else _not_got(name)) from error
    except HfHubHTTPError as error:
        raise _answered(name, error) from error
    except OSError as error:
        connection = isinstance(error, ConnectionError | TimeoutError)
        if error.errno is not None and not connection:
            cache = Path(constants.HF_HUB_CACHE)
            raise explain_os_error(
                error, cache, kept="What was downloaded so far is kept."
            ) from error
        raise _broken_off(name, error) from error
    except Exception as error:
        # Each HTTP library has its own errors of connection; the hub's own transfer has none.
        library = type(error).__module__.partition(".")[0]
        if isinstance(error, RuntimeError) or library in _TRANSPORTS:
            raise _broken_off(name, error) from error
        raise


def _not_got(name: str) -> UserError:
    return UserError(
        f"“{name}” is not on this machine.",
        next_step="Get it under Harvest › Model, or with: sae-desktop models get "
        f"{shlex.quote(name)}.",
    )


def _not_here(name: str, error: Exception) -> UserError:
    cause = error.__cause__
    status = getattr(getattr(cause, "response", None), "status_code", None)
    if isinstance(status, int):
        return _answered(name, cause)
    reason = why_offline() or "the hub cannot be reached"
    partly = type(error).__name__ == "IncompleteSnapshotError"
    return UserError(
        f"Only a part of “{name}” is on this machine, and {reason}."
        if partly
        else f"“{name}” is not on this machine, and {reason}.",
        kept="That part is kept; only the rest still has to be downloaded." if partly else "",
        next_step=f"{way_online()}, or use “builtin” or a model folder.",
    )


def _answered(name: str, error: Any) -> UserError:
    status = int(error.response.status_code)
    if status in _PRIVATE:
        return UserError(
            f"The hub refused you access to “{name}” (it answered {status}).",
            next_step="Sign in with “hf auth login” as someone with access to it.",
        )
    busy = status == _TOO_MANY or status >= _SERVER_FAULT
    return UserError(
        f"The hub {'is unavailable' if busy else 'refused'}: it answered {status} when asked for "
        f"“{name}”.",
        kept="What was downloaded so far is kept.",
        next_step="Try again in a few minutes." if busy else "Check the name and try again.",
    )


def _broken_off(name: str, error: Exception) -> UserError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return UserError(
        f"The download of “{name}” was interrupted ({reason}).",
        kept="What was downloaded so far is kept.",
        next_step="Try again: it resumes where it stopped.",
    )
