"""Sources of text as a stream of documents. Nothing is read whole into memory.

A corpus is named by `builtin`, a text or Markdown file, a folder of such files, or a JSON-lines
file (.jsonl, .jsonl.gz, .jsonl.xz) with a column `text`.
"""

from __future__ import annotations

import codecs
import gzip
import lzma
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.errors import UserError
from sae_desktop.resources import resource_path

BUILTIN = "builtin"
TEXT_SUFFIXES = (".txt", ".md", ".markdown", ".rst", ".text")
JSONL_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.xz", ".ndjson")
_BLOCK = 1 << 20
# Longer text files become several documents, so that a token's document can be found again
# without tokenising a whole library.
PIECE_CHARACTERS = 200_000
_TAGS = ("source", "language", "title")


class Message(NamedTuple):
    """What one role says in a chat."""

    role: str
    content: str


@dataclass(frozen=True)
class Document:
    """A text of a corpus."""

    ordinal: int
    """Place in the corpus, from 0, in the order of reading."""
    text: str
    source: str
    language: str
    title: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Other columns, as text."""
    messages: tuple[Message, ...] = ()
    """Of a chat; `text` is then its messages one after the other, for search and comparison."""


class _Line(msgspec.Struct):
    text: str | None = None
    source: str | None = None
    language: str | None = None
    title: str | None = None


def corpus_path(name: str) -> Path:
    """Return where the corpus `name` lies. Raises UserError when it is not there."""
    if name == BUILTIN:
        return resource_path("corpus/builtin.jsonl.xz")
    path = Path(name).expanduser().resolve()
    if not path.exists():
        raise UserError(
            f"There is no corpus “{name}”.",
            next_step="Give a text file, a folder of texts, a .jsonl file, or “builtin”.",
        )
    return path


def read_documents(settings: CorpusSettings) -> Iterator[Document]:
    """Yield the documents of a corpus in an order that `settings.seed` alone decides.

    A folder's files are shuffled; within a file the order is its own. Empty texts are left out.
    Raises UserError for a corpus that is missing or not UTF-8, at the place where it is not.
    """
    path = corpus_path(settings.corpus)
    ordinal = 0
    for file in _files(path, settings.seed):
        label = "" if file == path else file.relative_to(path).as_posix()
        for text, tags in _read_file(file):
            if not text.strip():
                continue
            yield Document(
                ordinal,
                text,
                tags.get("source") or label or file.name,
                tags.get("language") or "",
                tags.get("title") or "",
            )
            ordinal += 1


def corpus_bytes(name: str) -> int:
    """Return the size of the corpus's files as they lie on the disk."""
    path = corpus_path(name)
    return sum(file.stat().st_size for file in _files(path, 0))


def _files(path: Path, seed: int) -> list[Path]:
    if path.is_file():
        if not _readable(path) and path.suffix not in ("", ".log", ".csv", ".py", ".html"):
            raise UserError(
                f"“{path.name}” is no text that can be read here.",
                next_step="Use a text or Markdown file, a folder of them, or a .jsonl file "
                "(.gz and .xz too).",
            )
        return [path]
    files = sorted(file for file in path.rglob("*") if file.is_file() and _readable(file))
    if not files:
        raise UserError(
            f"The folder “{path}” holds no texts.",
            next_step=f"Put files into it that end in {', '.join(TEXT_SUFFIXES[:3])} or .jsonl.",
        )
    random.Random(seed).shuffle(files)
    return files


def _readable(file: Path) -> bool:
    return file.name.lower().endswith(TEXT_SUFFIXES + JSONL_SUFFIXES)


def _read_file(file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    if file.name.lower().endswith(JSONL_SUFFIXES):
        yield from _read_jsonl(file)
        return
    pieces = _text_pieces(file)
    first = next(pieces, "")
    second = next(pieces, None)
    if second is None:
        yield first, {"title": file.stem}
        return
    yield first, {"title": f"{file.stem} (part 1)"}
    yield second, {"title": f"{file.stem} (part 2)"}
    for number, piece in enumerate(pieces, start=3):
        yield piece, {"title": f"{file.stem} (part {number})"}


def _text_pieces(file: Path) -> Iterator[str]:
    """Yield a text file in pieces, cut at the last blank line (or line, or anywhere) before
    PIECE_CHARACTERS."""
    rest = ""
    for block in _decoded(file):
        rest += block.replace("\r\n", "\n")
        while len(rest) > PIECE_CHARACTERS:
            cut = PIECE_CHARACTERS
            for mark in ("\n\n", "\n"):
                found = rest.rfind(mark, PIECE_CHARACTERS // 2, PIECE_CHARACTERS)
                if found >= 0:
                    cut = found + len(mark)
                    break
            yield rest[:cut]
            rest = rest[cut:]
    if rest:
        yield rest


def _decoded(file: Path) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = 0
    with open_bytes(file) as stream:
        while block := stream.read(_BLOCK):
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(block)
            except UnicodeDecodeError as error:
                raise not_utf8(file, offset - pending + error.start) from error
            offset += len(block)
            yield text.removeprefix("\ufeff") if offset == len(block) else text
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise not_utf8(file, offset - pending) from error


def _read_jsonl(file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    decode = msgspec.json.Decoder(_Line).decode
    offset = 0
    with open_bytes(file) as stream:
        for number, line in enumerate(_lines(stream, file), start=1):
            start, offset = offset, offset + len(line)
            if not line.strip():
                continue
            try:
                row = decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise _bad_line(file, number, start, line, error) from error
            if row.text is None:
                raise UserError(
                    f"Line {number} of “{file}” has no column “text”.",
                    next_step="Each line must be a JSON object with a column “text”.",
                )
            yield row.text, {tag: getattr(row, tag) or "" for tag in _TAGS}


def _lines(stream: IO[bytes], file: Path) -> Iterator[bytes]:
    try:
        yield from stream
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise UserError(
            f"“{file}” is damaged: it cannot be decompressed ({error}).",
            next_step="Copy or download it again.",
        ) from error


def open_bytes(file: Path) -> Any:
    """Open a file for reading bytes, decompressed where its name ends in .gz or .xz."""
    try:
        if file.suffix == ".gz":
            return gzip.open(file, "rb")
        if file.suffix == ".xz":
            return lzma.open(file, "rb")
        return file.open("rb")
    except OSError as error:
        raise UserError(f"“{file}” cannot be read: {error.strerror or error}.") from error


def not_utf8(file: Path, offset: int) -> UserError:
    """Return the error for a byte that is no UTF-8."""
    return UserError(
        f"“{file}” is not UTF-8: the byte at offset {offset:,} is not valid.",
        next_step=f"Save it as UTF-8, for example with: "
        f"iconv -f WINDOWS-1252 -t UTF-8 “{file.name}”.",
    )


def _bad_line(file: Path, number: int, start: int, line: bytes, error: Exception) -> UserError:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as bad:
        return not_utf8(file, start + bad.start)
    return UserError(
        f"Line {number} of “{file}” is no JSON object with a text: {error}.",
        next_step="Each line must be a JSON object with a column “text”.",
    )
