"""Sources of text as a stream of documents. Nothing is read whole into memory.

A corpus is named by `builtin`; a file of text, source code, JSON lines, a JSON array, CSV,
Parquet or Arrow, compressed or not; a folder of any of them; a folder that `datasets` saved; or
the name of a dataset on the hub.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sae_desktop.corpus.arrow_tables import (
    DEFAULT_SPLIT,
    is_saved_dataset,
    saved_shards,
)
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.decoding import COMPRESSIONS
from sae_desktop.corpus.duplicates import DuplicateFilter
from sae_desktop.corpus.folders import files_of_split, folder_files, without_splits
from sae_desktop.corpus.formats import SAVED, Format, format_of
from sae_desktop.corpus.names import is_known
from sae_desktop.corpus.pieces import PIECE_CHARACTERS, parts
from sae_desktop.corpus.records import LeftOutError, Record, Report
from sae_desktop.corpus.records import Message as Message
from sae_desktop.errors import UserError
from sae_desktop.resources import resource_path

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
    """Return where the corpus `name` lies. Raises UserError when it is not there."""
    if name == BUILTIN:
        return resource_path("corpus/builtin.jsonl.xz")
    path = Path(name).expanduser().resolve()
    if not path.exists():
        raise UserError(
            f"There is no corpus “{name}”.",
            next_step="Give a file or a folder of texts, the name of a dataset on the hub such "
            "as owner/name, or “builtin”.",
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

    The files of a folder and the shards of a dataset are shuffled; within a file the order is
    its own. Empty texts are left out, and exact duplicates with `settings.deduplicate`.
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
        seen = DuplicateFilter()
        ordinal = -1
        for record, label in self._records():
            for part in _bounded(record):
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

    def _records(self) -> Iterator[tuple[Record, str]]:
        """Yield records, and what is their source where they do not say so."""
        settings, report = self.settings, self.report
        remote = hub_name(settings.corpus)
        if remote:
            from sae_desktop.corpus.hub import HubTables

            report.formats[HUB_FORMAT] += 1
            for record in HubTables(remote, settings).records(report):
                yield record, remote
            return
        path = corpus_path(settings.corpus)
        _no_subset(settings)
        if path.is_dir() and is_saved_dataset(path):
            shards = saved_shards(path, settings)
            yield from self._several(path, shards, lambda file: SAVED)
            return
        if path.is_dir():
            files = folder_files(path, settings.seed, report)
            files = files_of_split(path, files, settings, report)
            yield from self._several(path, files, lambda f: format_of(f, settings, in_folder=True))
            return
        if settings.split != DEFAULT_SPLIT:
            raise without_splits(settings)
        how = format_of(path, settings, in_folder=False)
        report.formats[how.name] += 1
        for record in how.read(path, settings, report):
            yield record, path.name

    def _several(
        self, folder: Path, files: list[Path], format_for: Callable[[Path], Format]
    ) -> Iterator[tuple[Record, str]]:
        """Yield the records of a folder's files. Those that give none are counted; if none does,
        the first one's reason is raised."""
        report = self.report
        reasons: list[LeftOutError] = []
        read = 0
        for file in files:
            label = file.relative_to(folder).as_posix()
            try:
                how = format_for(file)
                for number, record in enumerate(how.read(file, self.settings, report)):
                    if number == 0:
                        read += 1
                        report.formats[how.name] += 1
                    yield record, label
            except LeftOutError as reason:
                report.left_out[reason.kind] += 1
                reasons.append(reason)
        if read == 0 and reasons:
            raise reasons[0]
        if read == 0:
            raise UserError(
                f"The folder “{folder}” holds no texts.",
                next_step="Put files into it that end in .txt, .md, .jsonl, .csv or .parquet, or "
                "programs.",
            )


def _bounded(record: Record) -> Iterator[Record]:
    if len(record.text) <= PIECE_CHARACTERS or record.messages:
        return iter((record,))
    return parts(record, [record.text])


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
