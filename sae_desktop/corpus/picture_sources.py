"""Pictures and the words beside them, out of folders, archives and tables, one after another.

Nothing is decoded here, and nothing is read that lies outside of what was named: no links, no
absolute paths, none that lead upwards.
"""

from __future__ import annotations

import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from sae_desktop.corpus.arrow_tables import is_saved_dataset, saved_shards
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import hub_name
from sae_desktop.corpus.mixed import MOST_TEXT, FoundPicture, Item, MixedDocument, Refused
from sae_desktop.corpus.picture_tables import NoPicturesError, read_table
from sae_desktop.errors import UserError
from sae_desktop.file_kinds import PICTURES
from sae_desktop.pictures.reading import MOST_BYTES

TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".pq", ".arrow", ".feather")
DESCRIBING = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
"""Tables that describe the pictures of their folder, as those for `datasets` do."""
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_BROKEN = (OSError, EOFError, ValueError, OverflowError, struct.error, zlib.error, lzma.LZMAError)
"""What the readers of archives raise at damage, beside their own errors."""
_REFUSED = (".svg", ".pdf", ".eps", ".heic", ".avif", ".jxl", ".psd")
"""Pictures, too, but none that can be read: they are named, not passed over."""


def canonical_pictures(name: str) -> str:
    """Return the one name under which pictures are recorded: a full path, or a name on the hub.

    Raises UserError when there is no such file or folder, and it is no name on the hub.
    """
    path = Path(name).expanduser().resolve()
    if path.exists():
        return str(path)
    of_file = name.lower().endswith((*TABLES, *ARCHIVES, *PICTURES, *_REFUSED))
    if not of_file and (remote := hub_name(name)) is not None:
        return remote
    raise _nothing(name)


def read_pictures(name: str, settings: CorpusSettings) -> Iterator[Item]:
    """Yield what is in pictures of a canonical name, as `read_source` and `hub_pictures` do."""
    if (remote := hub_name(name)) is not None:
        from sae_desktop.corpus.picture_hub import hub_pictures

        return hub_pictures(remote, settings)
    return read_source(Path(name))


def _nothing(name: object) -> UserError:
    return UserError(
        f"There is no file or folder “{name}”.",
        next_step="Choose a picture, a folder, an archive or a table of pictures, or a dataset on "
        "the hub such as owner/name.",
    )


def read_source(path: Path) -> Iterator[Item]:
    """Yield what is in a picture's file, a folder, an archive or a table, in a fixed order.

    Words beside a picture are those of the text file of its name, or of its row. Raises UserError
    for what is none of these, or is damaged.
    """
    name = path.name.lower()
    if path.is_dir():
        return _saved(path) if is_saved_dataset(path) else _folder(path)
    if not path.is_file():
        raise _nothing(path)
    if name.endswith(TABLES):
        return read_table(path)
    if name.endswith(".zip"):
        return _zip(path)
    if name.endswith(ARCHIVES):
        return _tar(path)
    return iter([MixedDocument(path.name, (FoundPicture(path.name, path),))])


# ---------------------------------------------------------------- folders
def _saved(folder: Path) -> Iterator[Item]:
    for shard in saved_shards(folder, CorpusSettings()):
        yield from read_table(shard)


def _folder(folder: Path) -> Iterator[Item]:
    """Yield pictures, those that a table beside them describes in its order and once.

    Where there are no files of pictures, the rows of the tables.
    """
    tables: list[Path] = []
    pictures = False
    for place, folders, files in os.walk(folder):
        folders.sort()
        described: set[Path] = set()  # resolved
        for name in sorted(name for name in files if name.lower() in DESCRIBING):
            for item in _rows(Path(place, name), folder):
                described.update(_files(item))
                yield item
        tables += [Path(place, name) for name in sorted(files) if name.lower().endswith(TABLES)]
        for name in sorted(files):
            path = Path(place, name)
            inside = path.relative_to(folder).as_posix()
            pictures = pictures or name.lower().endswith((*PICTURES, *_REFUSED))
            if described and path.resolve() in described:
                continue
            if path.is_symlink():
                if name.lower().endswith(PICTURES):
                    yield Refused(inside, "it is a link, which may lead out of the folder")
            elif name.lower().endswith(PICTURES):
                yield _beside(inside, path, _caption(path))
            elif name.lower().endswith(_REFUSED):
                yield _unreadable(inside)
    if not pictures:
        for table in tables:
            yield from _rows(table, folder)


def _rows(table: Path, folder: Path) -> Iterator[Item]:
    """Yield the rows of a table in a folder; nothing of one without pictures, or of a link."""
    inside = table.relative_to(folder).as_posix()
    if table.is_symlink():
        return
    try:
        for item in read_table(table):
            yield replace(item, name=f"{inside}, {item.name}")
    except NoPicturesError:
        return


def _files(item: Item) -> Iterator[Path]:
    for part in item.parts if isinstance(item, MixedDocument) else ():
        if isinstance(part, FoundPicture) and isinstance(part.held, Path):
            yield part.held


def _caption(path: Path) -> bytes:
    words = path.with_suffix(".txt")
    try:
        if words.is_symlink() or not words.is_file() or words.stat().st_size > MOST_TEXT:
            return b""
        return words.read_bytes()
    except OSError:
        return b""


def _beside(name: str, held: Path | bytes, words: bytes) -> MixedDocument:
    text = words.decode("utf-8", "replace").strip()
    picture = FoundPicture(name, held)
    return MixedDocument(name, (picture, text) if text else (picture,))


def _unreadable(name: str) -> Refused:
    kind = PurePosixPath(name).suffix.lstrip(".").upper()
    return Refused(name, f"{kind} files are not read")


# ---------------------------------------------------------------- archives
def _zip(path: Path) -> Iterator[Item]:
    try:
        with zipfile.ZipFile(path) as archive:
            # A damaged one may hold an empty name, at which its `is_dir` ends.
            names = sorted(name for name in archive.namelist() if not name.endswith("/"))
            known = set(names)
            for name in names:
                if name.lower().endswith(PICTURES):
                    yield from _member(archive, name, known)
                elif name.lower().endswith(_REFUSED):
                    yield _unreadable(name)
    except (zipfile.BadZipFile, NotImplementedError, *_BROKEN) as error:
        raise _damaged(path, error) from error


def _member(archive: zipfile.ZipFile, name: str, known: set[str]) -> Iterator[Item]:
    words = str(PurePosixPath(name).with_suffix(".txt"))
    try:
        with archive.open(name) as file:
            data = file.read(MOST_BYTES + 1)
        text = b""
        if words in known:
            with archive.open(words) as file:
                text = file.read(MOST_TEXT)
    except Exception as error:  # of its packing, its password, its checksum
        yield Refused(name, f"it cannot be unpacked: {str(error)[:100]}")
        return
    if len(data) > MOST_BYTES:
        yield Refused(name, f"it has more than {MOST_BYTES:,} bytes")
    else:
        yield _beside(name, data, text)


def _tar(path: Path) -> Iterator[Item]:
    """Pictures in the order of the archive; words are those just before or after of its name."""
    waiting: tuple[str, bytes] | None = None
    words: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                name = member.name
                picture = name.lower().endswith(PICTURES)
                if not member.isreg():
                    if picture:
                        yield Refused(name, "it is a link, which may lead out of the archive")
                    continue
                stem = str(PurePosixPath(name).with_suffix(""))
                if name.lower().endswith(".txt") and member.size <= MOST_TEXT:
                    words = {stem: _content(archive, member)}
                elif picture and member.size > MOST_BYTES:
                    yield Refused(name, f"it has more than {MOST_BYTES:,} bytes")
                elif picture:
                    if waiting is not None:
                        yield _paired(waiting, words)
                    waiting = name, _content(archive, member)
                elif name.lower().endswith(_REFUSED):
                    yield _unreadable(name)
        if waiting is not None:
            yield _paired(waiting, words)
    except (tarfile.TarError, *_BROKEN) as error:
        raise _damaged(path, error) from error


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file is not None else b""


def _paired(picture: tuple[str, bytes], words: dict[str, bytes]) -> MixedDocument:
    name, data = picture
    return _beside(name, data, words.get(str(PurePosixPath(name).with_suffix("")), b""))


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(
        f"“{path}” is damaged or cut short: {str(error)[:200] or type(error).__name__}.",
        next_step="Copy or download it again.",
    )
