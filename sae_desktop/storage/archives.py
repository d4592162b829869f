"""Archives of others, unpacked into a folder and never beside it. Free of torch and Qt."""

from __future__ import annotations

import lzma
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.storage.faults import explained, format_bytes, free_bytes

_MOST_EXPANSION = 200
"""How many times its size an archive may unpack to."""
_MOST_MEMBERS = 100_000
_PIECE = 1 << 20
DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, RuntimeError,
    NotImplementedError, ValueError, IndexError, OverflowError, EOFError,
)  # fmt: skip
"""What reading a damaged archive ends with."""


def check_expansion(path: Path, archive: zipfile.ZipFile) -> None:
    """Raise UserError for an archive that would unpack to far more than it is."""
    packed = max(path.stat().st_size, 1)
    unpacked = sum(info.file_size for info in archive.infolist())
    if unpacked > _MOST_EXPANSION * packed:
        raise UserError(
            f"“{path}” has {packed:,} bytes but would unpack to {unpacked:,}, so it was refused.",
            kept="Nothing was written.",
            next_step="Ask its maker for the files unpacked.",
        )


def unpack(path: Path, folder: Path, context: JobContext) -> None:
    """Unpack an archive into a folder, never beside it.

    Raises UserError for names that lead out of the folder, links, too many files, and an archive
    that would unpack to far more than it is or than the disk has; nothing is left then.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_expansion(path, archive)
            members = [info for info in archive.infolist() if not info.is_dir()]
            total = sum(info.file_size for info in members)
            _check_members(path, members, total, folder)
            done = 0
            for info in members:
                target = folder.joinpath(*PurePosixPath(info.filename).parts)
                with explained(target):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(info) as packed, target.open("xb") as out:
                        while piece := packed.read(_PIECE):
                            context.check_cancelled()
                            done += len(piece)
                            if done > total:
                                raise zipfile.BadZipFile("it contains more than it declares")
                            out.write(piece)
                            context.progress(done, total, "bytes", "unpacked")
    except DAMAGED as error:
        _empty(folder)
        raise UserError(
            f"“{path}” cannot be unpacked: {error}.",
            kept="None of it was kept.",
            next_step="Download it again, or unpack it by hand and choose the folder.",
        ) from error
    except BaseException:
        _empty(folder)
        raise


def _check_members(path: Path, members: list[zipfile.ZipInfo], total: int, folder: Path) -> None:
    if len(members) > _MOST_MEMBERS:
        raise UserError(f"“{path}” has {len(members):,} files: it is not a dictionary.")
    seen: set[PurePosixPath] = set()
    for info in members:
        name = PurePosixPath(info.filename.replace("\\", "/"))
        leads_out = name.is_absolute() or ".." in name.parts or ":" in info.filename
        is_link = stat.S_ISLNK(info.external_attr >> 16)
        if leads_out or is_link or not name.parts or "\0" in info.filename or name in seen:
            what = "a link" if is_link else "a name that points outside its folder"
            raise UserError(
                f"“{path}” holds {what}, “{info.filename}”, so it was refused.",
                kept="Nothing was written.",
                next_step="Ask its maker for an archive of ordinary files.",
            )
        seen.add(name)
    free = free_bytes(folder)
    if total > free:
        raise UserError(
            f"“{path}” needs {format_bytes(total)} unpacked, but only {format_bytes(free)} are "
            "free.",
            kept="Nothing was written.",
            next_step="Free some space, or set TMPDIR to a folder on another disk.",
        )


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
