"""Files as bytes, decompressed in bounded steps and bounded memory, however small they are packed.

Every step asks whether the job that reads was cancelled.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from sae_desktop.corpus.records import UnreadableError
from sae_desktop.errors import UserError
from sae_desktop.interruption import check_interrupted

COMPRESSIONS: dict[str, bytes] = {
    ".gz": b"\x1f\x8b",
    ".xz": b"\xfd7zXZ\x00",
    ".zst": b"\x28\xb5\x2f\xfd",
    ".bz2": b"BZh",
}
MEMORY = 128 << 20
"""Bytes of what came before that a compressed file may ask to be kept; `xz -9` asks for half."""
_STEP = 1 << 17
_SAMPLED = 1 << 18
"""Bytes unpacked from which it is told how far a file is packed."""
# What a text that repeats itself becomes may be thousands of times as long.
_ZSTD_INPUT = 1 << 10
# liblzma counts what it needs beside the dictionary.
_XZ_OWN = 1 << 20
_TOO_LARGE = ("memory usage limit", "too much memory")


def inner_name(name: str) -> str:
    """Return a file's name in lower case, without what only says how it is compressed."""
    name = name.lower()
    for suffix in COMPRESSIONS:
        name = name.removesuffix(suffix)
    return name


def open_bytes(file: Path) -> IO[bytes]:
    """Open a file for reading, decompressed where its first bytes say that it is compressed.

    Raises UserError where it cannot be opened, or is not what its name says.
    """
    # To open a pipe waits for its other end, for ever if there is none.
    if file.exists() and not file.is_file():
        raise damaged(file, "it is a pipe or a device, not an ordinary file")
    try:
        raw = _watched(file.open("rb", buffering=0))
        head = raw.peek(8)[:8]
    except OSError as error:
        raise unreadable(file, error) from error
    magic = COMPRESSIONS.get(file.suffix.lower())
    if magic is not None and head and not head.startswith(magic):
        raw.close()
        raise damaged(file, f"it does not start like a {file.suffix} file")
    if head.startswith(COMPRESSIONS[".gz"]):
        return _watched(gzip.GzipFile(fileobj=raw, mode="rb"), raw)
    if head.startswith(COMPRESSIONS[".xz"]):
        return _watched(_XzReader(raw), raw)
    if head.startswith(COMPRESSIONS[".zst"]):
        return _watched(_ZstdReader(raw), raw)
    if head.startswith(b"BZh") and head[4:] == b"1AY&":
        return _watched(bz2.BZ2File(raw), raw)
    return raw


def unpacked_bytes(file: Path) -> float:
    """Return how many bytes a file has unpacked, of a large compressed one about how many.

    Of what cannot be read it is the size on the disk: the fault is met where it is read.
    """
    size = file.stat().st_size
    try:
        with faults_of(file), open_bytes(file) as stream:
            watched = getattr(stream, "raw", None)
            if not isinstance(watched, _Watched) or watched.seekable():
                return size
            read = 0
            while read < _SAMPLED and (block := stream.read(_STEP)):
                read += len(block)
            return read * size / max(1, watched.packed_bytes)
    except UserError:
        return size


def open_plain(file: Path) -> IO[bytes]:
    """Open a file that is known not to be compressed."""
    return _watched(file.open("rb", buffering=0))


def _watched(stream: Any, beneath: IO[bytes] | None = None) -> io.BufferedReader:
    return io.BufferedReader(_Watched(stream, beneath), _STEP)


class _Watched(io.RawIOBase):
    """What is read of a stream, and before each step whether to continue."""

    def __init__(self, stream: Any, beneath: IO[bytes] | None) -> None:
        self._stream, self._beneath = stream, beneath

    @property
    def packed_bytes(self) -> int:
        """How much of the compressed file was read so far."""
        return 0 if self._beneath is None else self._beneath.tell()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        check_interrupted()
        return cast(int, self._stream.readinto(buffer))

    def seekable(self) -> bool:
        return self._beneath is None

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if not self.seekable():
            raise io.UnsupportedOperation
        return cast(int, self._stream.seek(offset, whence))

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
            if self._beneath is not None:
                self._beneath.close()
        super().close()


class _XzReader(io.RawIOBase):
    """An .xz file of one stream or several, of a dictionary that fits into MEMORY."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._stream = self._new()

    @staticmethod
    def _new() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY + _XZ_OWN)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            data = b""
            if self._stream.eof:
                data = self._next_stream()
                if not data:
                    return 0
                self._stream = self._new()
            elif self._stream.needs_input:
                data = self._raw.read(io.DEFAULT_BUFFER_SIZE)
                if not data:
                    raise EOFError("it ends before its end-of-stream marker")
            found = self._stream.decompress(data, len(buffer))
            if found:
                buffer[: len(found)] = found
                return len(found)

    def _next_stream(self) -> bytes:
        """Return the beginning of the stream after this one; nothing where no other follows."""
        magic, data = COMPRESSIONS[".xz"], self._stream.unused_data
        while True:
            data = data.lstrip(b"\0")  # streams may be padded
            if len(data) >= len(magic):
                return data if data.startswith(magic) else b""
            more = self._raw.read(io.DEFAULT_BUFFER_SIZE)
            if not more:
                return b""
            data += more


class _ZstdReader(io.RawIOBase):
    """A .zst file of one frame or several, that says so where it is cut short."""

    def __init__(self, raw: IO[bytes]) -> None:
        import zstandard

        self._raw = raw
        self._new: Callable[[], Any] = lambda: zstandard.ZstdDecompressor(
            max_window_size=MEMORY
        ).decompressobj()
        self._frame = self._new()
        self._ready = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            data = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame = self._new()
            data = data or self._raw.read(_ZSTD_INPUT)
            if not data:
                break
            self._ready = memoryview(self._frame.decompress(data))
            self._ended = self._frame.eof
        if not self._ready and not self._ended:
            raise EOFError("it ends before its end-of-frame marker")
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size


@contextmanager
def faults_of(file: Path) -> Iterator[None]:
    """Turn faults of reading or decompressing `file` into a UserError."""
    try:
        yield
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error) as error:
        raise _fault(file, error) from error
    except OSError as error:
        if error.errno is None:  # bz2 says so of damaged data
            raise damaged(file, str(error)) from error
        raise unreadable(file, error) from error
    except Exception as error:
        if type(error).__module__.startswith("zstandard"):
            raise _fault(file, error) from error
        raise


def _fault(file: Path, error: Exception) -> UnreadableError:
    if not any(words in str(error).lower() for words in _TOO_LARGE):
        return damaged(file, str(error))
    how = "zstd -d --memory=2048MB" if file.suffix.lower() == ".zst" else "xz -dk"
    return UnreadableError(
        f"“{file}” is compressed in a way that takes more than {MEMORY / 2**20:,.0f} MiB "
        "of memory to unpack.",
        next_step=f"Unpack it first, for example with “{how} {file.name}”, and choose the file "
        "that this gives.",
    )


def damaged(file: Path, why: str) -> UnreadableError:
    """Return the error for a file that is not whole."""
    return UnreadableError(
        f"“{file}” is damaged or cut short: it cannot be read ({why.rstrip('.')}).",
        next_step="Copy or download it again.",
    )


def unreadable(file: Path, error: OSError) -> UnreadableError:
    return UnreadableError(
        f"“{file}” cannot be read: {error.strerror or error}.",
        next_step="Check that it exists and that you are allowed to read it.",
    )
