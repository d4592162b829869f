"""Operating-system faults in plain words."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sae_desktop.errors import UserError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
_TOO_MANY_OPEN = {errno.EMFILE, errno.ENFILE}
_NO_LOCKS = {
    getattr(errno, name)
    for name in ("ENOLCK", "EOPNOTSUPP", "ENOTSUP", "ENOSYS")
    if hasattr(errno, name)
}
# HDF5 and safetensors tell a failed write in words: "errno = 28", "(os error 28)".
_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_TOLD_NUMBER = re.compile(r"errno = (\d+)|\(os error (\d+)\)")


def format_bytes(count: float) -> str:
    """Return a size in decimal units, with three digits: "1.5 MB", "256 MB"."""
    value, unit = float(count), 0
    while abs(value) >= 999.5 and unit < len(_BYTE_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{three_digits(value) if unit else f'{value:.0f}'} {_BYTE_UNITS[unit]}"


def three_digits(value: float) -> str:
    """Return a number below 1,000 with three digits, and no zeros at its end."""
    if value == int(value) and abs(value) < 1000:
        return f"{value:.0f}"
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def folder_bytes(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


def free_bytes(path: Path) -> int:
    """Return the space left on the volume of `path`, which need not exist yet.

    Raises OSError when the volume itself is not there.
    """
    for place in (path, *path.parents):
        if place.exists():
            return shutil.disk_usage(place).free
    raise FileNotFoundError(errno.ENOENT, "The drive is not connected", str(path))


def explain_os_error(
    error: OSError, path: Path, *, kept: str = "", reading: bool = False
) -> UserError:
    """Turn a failed read or write of `path` into an error with a way out."""
    if error.errno in _FULL:
        what = (
            "The disk is full"
            if error.errno != errno.EFBIG
            else "A file-size limit of the system was reached"
        )
        try:
            left = f" ({format_bytes(free_bytes(path))} free)"
        except OSError:
            left = ""
        return UserError(
            f"{what}: “{path.name}” could not be written{left}.",
            kept=kept,
            next_step="Free some space and start the same job again.",
        )
    if error.errno in _READ_ONLY and reading:
        return UserError(
            f"“{path}” cannot be read: you do not have permission.",
            kept=kept or "It was not changed.",
            next_step="Change its permissions, or ask its owner to do so.",
        )
    if error.errno in _TOO_MANY_OPEN:
        return UserError(
            f"“{path}” could not be opened: too many files are open at once.",
            kept=kept or "Nothing is damaged.",
            next_step="Close other programs or allow more open files (ulimit -n), then try again.",
        )
    if error.errno in _NO_LOCKS:
        return UserError(
            f"The file system of “{path}” does not support locks ({error.strerror or error}).",
            kept=kept or "Nothing was changed, and nothing is damaged.",
            next_step="Copy the project to a local drive, or mount this one with lock support.",
        )
    if error.errno in _READ_ONLY:
        return UserError(
            f"“{path}” cannot be written: you do not have permission.",
            kept=kept,
            next_step="Copy the project to a folder you can write to, or change its permissions.",
        )
    return UserError(
        f"“{path}” could not be {'read' if reading else 'used'}: {error.strerror or error}.",
        kept=kept,
        next_step="Check that its drive is connected and working, then try again.",
    )


@contextmanager
def explained(path: Path, *, reading: bool = False) -> Iterator[None]:
    """Raise UserError in place of a system error that the block meets at `path`."""
    try:
        yield
    except Exception as error:
        system = _system_error(error)
        if system is None:
            raise
        raise explain_os_error(system, path, reading=reading) from error


def _system_error(error: Exception) -> OSError | None:
    """Return the system's error behind one of Python's or of a library that writes files."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    # UserError and the like may quote such words; they explain themselves already.
    library = isinstance(error, OSError | RuntimeError) or type(error).__name__ == "SafetensorError"
    told = _TOLD_NUMBER.search(str(error)) if library else None
    if told:
        number = int(told[1] or told[2])
        return OSError(number, os.strerror(number))
    return error if isinstance(error, OSError) else None
