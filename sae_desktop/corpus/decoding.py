"""Files as text: decoded, in blocks and lines of bounded length."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import IO

from sae_desktop.corpus.records import LeftOutError, UnreadableError
from sae_desktop.corpus.unpacking import COMPRESSIONS, faults_of, open_bytes, open_plain
from sae_desktop.errors import UserError

BLOCK = 1 << 20
HEAD = 1 << 16
LINE_LIMIT = 32 << 20
"""Bytes of the longest line of JSON, and characters of the longest of CSV, that are read."""
# A line that is too long is measured this far, so that its error comes soon.
_MEASURED = 1 << 30
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BINARY = {
    b"%PDF": "a PDF",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"PK\x03\x04": "a ZIP archive",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x7fELF": "a program",
    b"SQLite format 3": "an SQLite database",
    b"GGUF": "a model",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
    b"\xd0\xcf\x11\xe0": "an Office document",
}
BINARY_KIND = "binary files"


def head_bytes(file: Path) -> bytes:
    """Return the first bytes of a file, decompressed."""
    with faults_of(file), open_bytes(file) as stream:
        return stream.read(HEAD)


def check_text(file: Path, head: bytes, offset: int = 0) -> None:
    """Raise LeftOutError where `head`, found at `offset` of `file`, is not text."""
    if not offset:
        for magic, words in _BINARY.items():
            if head.startswith(magic):
                raise LeftOutError(
                    BINARY_KIND,
                    f"“{file}” is {words}, not text.",
                    next_step="Choose a text file, or convert it to text first.",
                )
        if encoding_of(head) != "utf-8":
            return
    place = head.find(0)
    if place >= 0:
        raise LeftOutError(
            BINARY_KIND,
            f"“{file}” is not text: the byte at offset {offset + place:,} is zero.",
            next_step="Choose a text file; UTF-16 must begin with a byte-order mark.",
        )


def encoding_of(head: bytes) -> str:
    """Return the encoding a byte-order mark names; UTF-8 without one."""
    return next((name for bom, name in _BOMS if head.startswith(bom)), "utf-8")


def decoded(file: Path) -> Iterator[str]:
    """Yield a text file in blocks, newlines as \\n, without its byte-order mark.

    Raises UserError at the byte that is not valid, LeftOutError at one that is not text.
    """
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    for block in _decoded_blocks(file):
        if text := newlines.decode(block):
            yield text
    if text := newlines.decode("", final=True):
        yield text


def whole_text(file: Path, most: int) -> str:
    """Return a text file's text. Raises UserError as `decoded`, and beyond `most` characters."""
    blocks, count = [], 0
    for block in decoded(file):
        blocks.append(block)
        count += len(block)
        if count > most:
            raise UserError(
                f"“{file.name}” has more than {most:,} characters.",
                next_step="Choose a shorter text, or a part of it.",
            )
    return "".join(blocks)


def _decoded_blocks(file: Path) -> Iterator[str]:
    offset = 0
    with faults_of(file), open_bytes(file) as stream:
        block = stream.read(BLOCK)
        check_text(file, block)
        encoding = encoding_of(block)
        decoder = codecs.getincrementaldecoder(encoding)()
        while block:
            if offset and encoding == "utf-8":
                check_text(file, block, offset)
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(block)
            except UnicodeDecodeError as error:
                raise wrongly_encoded(file, offset - pending + error.start, encoding) from error
            yield text if offset else text.removeprefix("\ufeff")
            offset += len(block)
            block = stream.read(BLOCK)
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise wrongly_encoded(file, offset - pending, encoding) from error


def text_lines(file: Path) -> Iterator[str]:
    """Yield the lines of a text file, each with its \\n.

    Raises UserError for one of more than LINE_LIMIT characters.
    """
    number, parts, size = 1, [""], 0
    for block in decoded(file):
        start = 0
        while start < len(block):
            end = block.find("\n", start) + 1 or len(block)
            parts.append(block[start:end])
            size += end - start
            if size > LINE_LIMIT:
                raise too_long(file, number, size, more=True)
            if block[end - 1] == "\n":
                yield "".join(parts)
                number, parts, size = number + 1, [], 0
            start = end
    if size:
        yield "".join(parts)


def byte_lines(file: Path) -> Iterator[bytes]:
    """Yield the lines of a file as UTF-8, each with its newline.

    Raises UserError for one of more than LINE_LIMIT bytes.
    """
    with faults_of(file), open_bytes(file) as stream:
        head = stream.readline(len(codecs.BOM_UTF32_LE))
        if encoding_of(head) != "utf-8":
            yield from (line.encode() for line in text_lines(file))
            return
        first = head if head.endswith(b"\n") else head + stream.readline(LINE_LIMIT)
        yield from _lines_of(stream, first.removeprefix(codecs.BOM_UTF8), file)


def byte_parts(file: Path, size: int, most: int) -> list[tuple[int, int]]:
    """Return a file's lines in stretches of at least `size` bytes, `most` of them at most.

    One alone where it cannot be entered in the middle: compressed, or not UTF-8.
    """
    total = file.stat().st_size
    with faults_of(file), open_plain(file) as stream:
        head = stream.read(8)
        if total < 2 * size or not _can_be_entered(head):
            return [(0, total)]
        count = min(most, total // size)
        starts = [0]
        for number in range(1, count):
            stream.seek(total * number // count)
            at = total * number // count + len(stream.readline(LINE_LIMIT))
            if starts[-1] < at < total:
                starts.append(at)
    return list(pairwise([*starts, total]))


def _can_be_entered(head: bytes) -> bool:
    packed = any(head.startswith(magic) for magic in COMPRESSIONS.values())
    return not packed and encoding_of(head) == "utf-8"


def stretch_lines(file: Path, first: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a stretch of a file that is not compressed, each after its offset."""
    with faults_of(file), open_plain(file) as stream:
        stream.seek(first)
        while first < end and (line := stream.readline(LINE_LIMIT)):
            if len(line) >= LINE_LIMIT and not line.endswith(b"\n"):
                raise too_long(file, lines_before(file, first) + 1, len(line), more=True)
            yield first, line.removeprefix(codecs.BOM_UTF8) if first == 0 else line
            first += len(line)


def lines_before(file: Path, offset: int) -> int:
    """Return how many lines end before an offset."""
    found = 0
    with faults_of(file), open_plain(file) as stream:
        while offset > 0 and (block := stream.read(min(BLOCK, offset))):
            found += block.count(b"\n")
            offset -= len(block)
    return found


def _lines_of(stream: IO[bytes], first: bytes, file: Path) -> Iterator[bytes]:
    number, line = 1, first
    while line:
        if len(line) >= LINE_LIMIT and not line.endswith(b"\n"):
            size = len(line)
            rest = b"."
            while size < _MEASURED and rest and not rest.endswith(b"\n"):
                rest = stream.readline(BLOCK)
                size += len(rest)
            raise too_long(file, number, size, more=size >= _MEASURED)
        yield line
        line = stream.readline(LINE_LIMIT)
        number += 1


def too_long(file: Path, number: int, size: int, *, more: bool) -> UnreadableError:
    """Return the error for a line that is longer than any that is read."""
    return UnreadableError(
        f"Line {number:,} of “{file}” has {'more than ' if more else ''}{size / 1e6:,.0f} MB, "
        f"which is more than the {LINE_LIMIT / 1e6:,.0f} MB allowed in a line.",
        next_step="Split it into several documents, or put plain text into a .txt file, where any "
        "length is allowed.",
    )


def wrongly_encoded(file: Path, offset: int, encoding: str = "utf-8") -> UnreadableError:
    """Return the error for a byte that is not valid in its file's encoding."""
    return UnreadableError(
        f"“{file}” is not {encoding.upper()}: the byte at offset {offset:,} is not valid.",
        next_step=f"Save it as UTF-8, for example with: "
        f"iconv -f WINDOWS-1252 -t UTF-8 “{file.name}”.",
    )
