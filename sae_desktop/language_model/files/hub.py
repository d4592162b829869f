"""Models on the hub: downloaded into its own cache, none of their code run."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext, SilentContext
from sae_desktop.language_model.files.code import code_of
from sae_desktop.language_model.files.hub_faults import explained_hub
from sae_desktop.language_model.files.offline import offline
from sae_desktop.storage.faults import format_bytes, free_bytes

SECONDS = 10.0
_SMALL_FILES = ["*.json", "*.model", "*.txt", "*.jinja", "*.tiktoken"]
# Of these the library's own download is good enough: of a file that ends early it keeps nothing,
# it compares no digest, and where the disk has no room it begins all the same.
_SMALL = 1_000_000
_LARGEST = 50_000_000_000
"""Above, the hub does not answer plain requests."""
_MB = 1e6


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
        folder = _small_files(name, context, local=local)
        there = [file.name for file in remote] or [path.name for path in folder.iterdir()]
        patterns = _weight_patterns(name, there, known=bool(remote))
        _bring([(name, file) for file in _fitting(remote, patterns)], context)
        return _snapshot(name, [*_SMALL_FILES, *patterns], context, local=local)


def look_up_snapshot(name: str, *, context: JobContext) -> Path:
    """Return the folder of a hub model's small files, downloading them. Raises UserError."""
    with explained_hub(name):
        return _small_files(name, context, local=offline())


def cached_snapshot(name: str) -> Path:
    """Return the folder of a hub model that is on this machine. The network is not touched.

    Raises UserError for one that is not.
    """
    with explained_hub(name, asked=False):
        return _small_files(name, SilentContext(), local=True)


def _small_files(name: str, context: JobContext, *, local: bool) -> Path:
    folder = _snapshot(name, _SMALL_FILES, context, local=local)
    if code_of(folder).needed:
        folder = _snapshot(name, ["*.py"], context, local=local, below=True)
    return folder


def fetch_files(name: str, patterns: Sequence[str], *, context: JobContext) -> Path:
    """Return the folder of a repository with the files that fit, downloading what is not there.

    An interrupted file resumes where it stopped, and is checked against the digest the hub
    publishes. Raises UserError.
    """
    with explained_hub(name):
        remote, unreachable = _remote_files(name, below=True)
        _bring([(name, file) for file in _fitting(remote, patterns)], context)
        local = offline() or unreachable
        return _snapshot(name, list(patterns), context, local=local, below=True)


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


def _snapshot(
    name: str, patterns: list[str], context: JobContext, *, local: bool, below: bool = False
) -> Path:
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            name,
            allow_patterns=patterns,
            # Folders hold checkpoints and other formats of the same weights.
            ignore_patterns=None if below else ["*/*"],
            local_files_only=local,
            tqdm_class=_asking(context),
        )
    )


def _asking(context: JobContext) -> type[Any]:
    """Return a progress bar for the library's own download: unseen, ending it after a cancel."""
    from huggingface_hub.utils import tqdm  # type: ignore[attr-defined]

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs | {"disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            del n
            context.check_cancelled()

    return Bar


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


def fetch_together(
    model: str, repository: str, patterns: Sequence[str], *, context: JobContext
) -> None:
    """Download the weights of a model and files of another repository, with one progress.

    Whether the model is given to this person, and whether the disk has room for all, is known
    before anything large is downloaded. What is interrupted resumes. Raises UserError.
    """
    with explained_hub(model):
        remote, unreachable = _remote_files(model)
        folder = _small_files(model, context, local=offline() or unreachable)
        there = [file.name for file in remote] or [path.name for path in folder.iterdir()]
        wanted = _fitting(remote, _weight_patterns(model, there, known=bool(remote)))
    with explained_hub(repository):
        others = _fitting(_remote_files(repository, below=True)[0], patterns)
        _bring([(model, file) for file in wanted] + [(repository, f) for f in others], context)


def _fitting(files: Sequence[_RemoteFile], patterns: Sequence[str]) -> list[_RemoteFile]:
    return [file for file in files if any(fnmatchcase(file.name, p) for p in patterns)]


def _bring(files: Sequence[tuple[str, _RemoteFile]], context: JobContext) -> None:
    """Put large files, each with its repository, into the hub's cache, where its own download
    then finds them."""
    from huggingface_hub import constants

    missing = [
        (name, file)
        for name, file in files
        if file.sha256
        and _SMALL < file.size < _LARGEST
        and not (_blobs(name) / file.sha256).exists()
    ]
    if not missing:
        return
    begun = sum(_size(_part(_blobs(name), file)) for name, file in missing)
    total = sum(file.size for _, file in missing)
    free = free_bytes(Path(constants.HF_HUB_CACHE))
    if total - begun > free:
        names = " and ".join(f"“{name}”" for name in dict.fromkeys(name for name, _ in missing))
        verb = "does" if names.count("“") == 1 else "do"
        raise UserError(
            f"{names} {verb} not fit on the disk: {format_bytes(total - begun)} must be "
            f"downloaded, but only {format_bytes(free)} are free at {constants.HF_HUB_CACHE}.",
            kept="Nothing was downloaded.",
            next_step="Free some space, or set HF_HOME to a folder on another disk.",
        )
    done = 0
    for name, file in missing:
        blobs = _blobs(name)
        blobs.mkdir(parents=True, exist_ok=True)
        _bring_file(name, file, blobs, _Progress(context, file.name, done, total))
        done += file.size


def _blobs(name: str) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = repo_folder_name(repo_id=name, repo_type="model")
    return Path(constants.HF_HUB_CACHE) / folder / "blobs"


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
