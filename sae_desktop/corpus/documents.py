"""Sources of text as a stream of documents. Nothing is read whole into memory.

A corpus is named by `builtin`; a file of text, source code, JSON lines, a JSON array, CSV,
Parquet or Arrow, compressed or not; a folder of any of them; a folder that `datasets` saved; or
the name of a dataset on the hub.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from sae_desktop.corpus.arrow_tables import (
    DEFAULT_SPLIT,
    is_saved_dataset,
    saved_shards,
)
from sae_desktop.corpus.columns import Part, TableReader
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.duplicates import DuplicateFilter
from sae_desktop.corpus.folders import files_of_split, folder_files, without_splits
from sae_desktop.corpus.formats import SAVED, Format, format_of
from sae_desktop.corpus.json_text import PART_BYTES
from sae_desktop.corpus.mixing import OPEN_UNITS, Labelled, Unit, mixed, read_ahead
from sae_desktop.corpus.names import is_known, is_table
from sae_desktop.corpus.pieces import parts, piece_characters
from sae_desktop.corpus.records import (
    LeftOutError,
    LostConnectionError,
    Record,
    Report,
    UnreadableError,
)
from sae_desktop.corpus.records import Message as Message
from sae_desktop.corpus.unpacking import COMPRESSIONS, unpacked_bytes
from sae_desktop.errors import UserError
from sae_desktop.resources import resource_path

if TYPE_CHECKING:
    from sae_desktop.corpus.hub import HubTables

OPEN_SHARDS = 4
"""Shards of the hub read at once: each is a connection."""
BUILTIN = "builtin"
HUB_FORMAT = "dataset on the hub"
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
KNOWN_NAMES = {
    "ag_news": "fancyzhx/ag_news",
    "c4": "allenai/c4",
    "fineweb": "HuggingFaceFW/fineweb",
    "fineweb-edu": "HuggingFaceFW/fineweb-edu",
    "imdb": "stanfordnlp/imdb",
    "openwebtext": "Skylion007/openwebtext",
    "pile": "monology/pile-uncopyrighted",
    "tinystories": "roneneldan/TinyStories",
    "ultrachat": "HuggingFaceH4/ultrachat_200k",
    "wikipedia": "wikimedia/wikipedia",
    "wikitext": "Salesforce/wikitext",
}
"""Short names of datasets on the hub."""


@dataclass(frozen=True)
class Document:
    """A text of a corpus."""

    ordinal: int
    """Place in the corpus, from 0, in the order of reading, duplicates counted too."""
    text: str
    source: str
    language: str
    title: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Other columns, as text."""
    messages: tuple[Message, ...] = ()
    """Of a chat; `text` is then its messages one after the other, for search and comparison."""


def hub_name(name: str) -> str | None:
    """Return the full name of the dataset on the hub that `name` means; None for no such name.

    What lies on the disk under that name goes first.
    """
    if name == BUILTIN or Path(name).expanduser().exists():
        return None
    if name.lower() in KNOWN_NAMES:
        return KNOWN_NAMES[name.lower()]
    of_file = is_known(name) or Path(name).suffix.lower() in COMPRESSIONS
    return name if _HUB_NAME.fullmatch(name) and not of_file else None


def corpus_path(name: str) -> Path:
    """Return where the corpus `name` is. Raises UserError when it is not there."""
    if name == BUILTIN:
        return resource_path("corpus/builtin.jsonl.xz")
    path = Path(name).expanduser().resolve()
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UserError(
            f"“{name}” is not an ordinary file but a pipe or a device.",
            kept="Nothing was read.",
            next_step="Save its output to a file, and choose that file.",
        )
    if not path.exists():
        raise UserError(
            f"There is no corpus “{name}”.",
            next_step="Choose a file or folder of texts, a dataset on the hub such as owner/name, "
            "or “builtin”.",
        )
    return path


def canonical_corpus(name: str) -> str:
    """Return the one name under which a corpus is recorded: “builtin”, a full path, a hub name.

    Raises UserError when it is not there.
    """
    return name if name == BUILTIN else hub_name(name) or str(corpus_path(name))


def corpus_bytes(name: str) -> int:
    """Return the size of a corpus's files as they lie on the disk; -1 for one on the hub."""
    if hub_name(name):
        return -1
    path = corpus_path(name)
    files = folder_files(path, 0) if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def read_documents(settings: CorpusSettings) -> Iterator[Document]:
    """Yield the documents of a corpus in an order that `settings.seed` alone decides.

    Documents are mixed over files, shards and rows as `mixing` says; with the order “files” only
    files and shards are shuffled, and within one the order is its own. Empty texts are left out,
    and exact duplicates with `settings.deduplicate`.
    Raises UserError for a corpus that is missing, at the place where it cannot be read, and for
    one on the hub where the connection is lost.
    """
    return iter(Corpus(settings))


class Corpus:
    """The documents of a corpus, and what is learnt of it while they are read once."""

    def __init__(self, settings: CorpusSettings) -> None:
        self.settings = settings
        self.report = Report()

    def __iter__(self) -> Iterator[Document]:
        return (document for document in self.entries() if document is not None)

    def entries(self) -> Iterator[Document | None]:
        """Yield each document, and None for what is read and left out: it takes time, too."""
        given = -1
        try:
            for document in self._entries():
                given = given if document is None else document.ordinal
                yield document
        except LostConnectionError as error:
            raise LostConnectionError(error.name, given + 1) from error

    def _entries(self) -> Iterator[Document | None]:
        seen = DuplicateFilter()
        ordinal = -1
        for part, label in self._records():
            if not part.text or part.text.isspace():
                yield None
                continue
            ordinal += 1
            if self.settings.deduplicate and seen.seen(_content(part)):
                self.report.duplicates += 1
                yield None
                continue
            source = part.source or label
            yield Document(
                ordinal, part.text, source, part.language, part.title, part.metadata,
                part.messages,
            )  # fmt: skip

    def _records(self) -> Iterator[Labelled]:
        """Yield records of bounded length, and what is their source where they do not say so."""
        settings = self.settings
        units, most_open = self._units()
        most = piece_characters(settings)
        units = [replace(unit, read=partial(_cut_texts, unit.read, most)) for unit in units]
        if settings.order == "shuffled":
            ahead = read_ahead(units, most_open)
            self.report.stretch = ahead
            self.report.stretches = sorted(u.whole for u in units if u.whole and u.weight > ahead)
            return mixed(units, settings.seed, most_open)
        return chain.from_iterable(unit.read() for unit in units)

    def _units(self) -> tuple[list[Unit], int]:
        """Return what can be read by itself, in the seed's order, and how many of it at once."""
        settings, report = self.settings, self.report
        remote = hub_name(settings.corpus)
        if remote:
            from sae_desktop.corpus.hub import HubTables

            report.formats[HUB_FORMAT] += 1
            tables = HubTables(remote, settings)
            return _Shards(tables, remote, report).units(), OPEN_SHARDS
        path = corpus_path(settings.corpus)
        _no_subset(settings)
        if path.is_dir() and is_saved_dataset(path):
            shards = saved_shards(path, settings)
            return _Files(path, shards, lambda file: SAVED, self).units(), OPEN_UNITS
        if path.is_dir():
            files = folder_files(path, settings.seed, report)
            files = files_of_split(path, files, settings, report)
            return _Files(
                path, files, lambda file: format_of(file, settings, in_folder=True), self
            ).units(), OPEN_UNITS
        if settings.split != DEFAULT_SPLIT:
            raise without_splits(settings)
        how = format_of(path, settings, in_folder=False)
        report.formats[how.name] += 1
        if how.table is not None and settings.order == "shuffled":
            table = how.table(path, settings, report)
            return _table_units(table, how, path, path.name, lambda records: records), OPEN_UNITS

        def read() -> Iterator[Labelled]:
            return ((record, path.name) for record in how.read(path, settings, report))

        return [Unit(unpacked_bytes(path), read, path.name)], OPEN_UNITS


def _table_units(
    table: TableReader,
    how: Format,
    file: Path,
    label: str,
    read: Callable[[Iterator[Labelled]], Iterator[Labelled]],
) -> list[Unit]:
    """Return the parts of a table; `read` stands between its records and who takes them."""
    found = table.parts()

    def unit(part: Part) -> Unit:
        return Unit(part.weight, lambda: read((record, label) for record in table.records(part)))

    if len(found) > 1 or how.anywhere:
        return [unit(part) for part in found]
    return [replace(unit(part), weight=unpacked_bytes(file), whole=label) for part in found]


class _Several:
    """Files or shards of which some may give no text: these are counted, and if none gives any,
    the first one's reason is raised."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._reasons: list[UserError] = []
        self._texts = 0
        self._left = 0

    def _counted(self, records: Iterator[Labelled], limit: float) -> Iterator[Labelled]:
        try:
            for found in records:
                self._texts += 1
                yield found
        except LeftOutError as reason:
            self._report.left_out[reason.kind] += 1
            self._reasons.append(reason)
        except UnreadableError as reason:
            self._reasons.append(reason)
            self._report.rows += 1
            self._report.leave_out(reason, limit)
        self._left -= 1
        if self._left == 0 and not self._texts:
            raise self._reasons[0] if self._reasons else self._no_texts()

    def _no_texts(self) -> UserError:
        raise NotImplementedError


class _Shards(_Several):
    """The shards of a dataset on the hub."""

    def __init__(self, tables: HubTables, name: str, report: Report) -> None:
        super().__init__(report)
        self._tables, self._name = tables, name

    def _no_texts(self) -> UserError:
        return UserError(
            f"The dataset “{self._name}” has no texts.", next_step="Choose another one."
        )

    def units(self) -> list[Unit]:
        shards = self._tables.shards
        self._left = len(shards)
        return [self._unit(shard) for shard in shards]

    def _unit(self, shard: int) -> Unit:
        def read() -> Iterator[Labelled]:
            records = self._tables.shard_records(shard, self._report)
            return self._counted(((record, self._name) for record in records), 0.0)

        return Unit(1.0, read)


class _Files(_Several):
    """The files of a folder."""

    def __init__(
        self, folder: Path, files: list[Path], format_for: Callable[[Path], Format], corpus: Corpus
    ) -> None:
        super().__init__(corpus.report)
        self._folder, self._files, self._format_for = folder, files, format_for
        self._settings = corpus.settings

    def _no_texts(self) -> UserError:
        return UserError(
            f"The folder “{self._folder}” contains no texts.",
            next_step="Put .txt, .md, .jsonl, .csv, .parquet or source-code files into it.",
        )

    def units(self) -> list[Unit]:
        if not self._files:
            raise self._no_texts()
        found = [unit for file in self._files for unit in self._of_file(file)]
        self._left = len(found)
        return found

    def _of_file(self, file: Path) -> list[Unit]:
        """Return a file's units. A large table is cut, any other file is opened when it is read."""
        label = file.relative_to(self._folder).as_posix()
        size = file.stat().st_size
        large = self._settings.order == "shuffled" and is_table(file.name) and size >= PART_BYTES
        if large:
            try:
                how = self._format_for(file)
                assert how.table is not None
                table = how.table(file, self._settings, self._report)
                units = _table_units(
                    table, how, file, label, lambda records: self._counted(records, self._limit)
                )
            except (LeftOutError, UnreadableError):
                pass  # it is met, and counted, where the file is read
            else:
                self._report.formats[how.name] += 1
                return units
        weight = unpacked_bytes(file) if self._settings.order == "shuffled" else float(size)
        return [Unit(weight, lambda: self._counted(self._read(file, label), self._limit), label)]

    @property
    def _limit(self) -> float:
        return self._settings.skip_limit

    def _read(self, file: Path, label: str) -> Iterator[Labelled]:
        how = self._format_for(file)
        for number, record in enumerate(how.read(file, self._settings, self._report)):
            if number == 0:
                self._report.formats[how.name] += 1
            yield record, label


def _cut_texts(read: Callable[[], Iterator[Labelled]], most: int) -> Iterator[Labelled]:
    for record, label in read():
        if len(record.text) <= most or record.messages:
            yield record, label
        else:
            yield from ((part, label) for part in parts(record, [record.text], most))


def _content(record: Record) -> Iterator[str]:
    """Yield what makes two documents the same."""
    if not record.messages:
        yield record.text
    for message in record.messages:
        yield from message


def _no_subset(settings: CorpusSettings) -> None:
    if settings.subset:
        raise UserError(
            f"“{settings.corpus}” has no subsets, so there is none called “{settings.subset}”.",
            next_step="Leave the subset empty.",
        )
