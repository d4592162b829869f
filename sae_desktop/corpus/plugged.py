"""Files of texts that plug-ins read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.records import Record, Report, UnreadableError
from sae_desktop.corpus.unpacking import open_bytes
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.plugins.installed import Plugin
from sae_desktop.plugins.loading import fault, load


class CorpusReader(Protocol):
    """What an entry point of `sae_desktop.corpus_readers` refers to: an object, or a class.

    Its entry point is called what its files end in, without the dot; several endings are several
    entry points of one reader.
    """

    plugin_api: int
    """`sae_desktop.plugins.kinds.PLUGIN_API` as it was when the reader was written: 1."""
    title: str
    """What a file of that kind is called, such as “log of a chat”."""

    def read(self, file: IO[bytes], name: str) -> Iterable[Record]:
        """Yield the texts of a file, in order.

        `file` is open for reading, unpacked where it was compressed; a job that is cancelled ends
        at its next `read`. `name` is the file's name. A text may be of any length. Raise
        `UserError` for a file that cannot be read, in words; any other exception is told as a
        fault of the plug-in. Either way the file is left out where it is one of a folder's.
        """


def problem_of(found: Any) -> str:
    """Return what is wrong with the object of an entry point; "": nothing."""
    if not callable(getattr(found, "read", None)):
        return "has no method “read”"
    if not isinstance(getattr(found, "title", None), str) or not found.title:
        return "has no “title”, a text"
    return ""


def load_reader(plugin: Plugin) -> CorpusReader:
    """Return the reader of a plug-in. Raises UnreadableError where it cannot be used."""
    try:
        found = load(plugin)
    except UserError as error:
        raise UnreadableError(
            f"Files that end in .{plugin.name} are read by the plug-in {plugin.called}, which "
            f"cannot be used. {error.what}",
            next_step=error.next_step,
        ) from error
    reader: CorpusReader = found() if isinstance(found, type) else found
    return reader


def plugged_records(
    plugin: Plugin, reader: CorpusReader, file: Path, settings: CorpusSettings, report: Report
) -> Iterator[Record]:
    """Yield the texts of a file as a plug-in reads them.

    Raises UnreadableError, which names the plug-in, where it fails.
    """
    del settings
    with open_bytes(file) as stream:
        try:
            for record in reader.read(stream, file.name):
                if not isinstance(record, Record) or not isinstance(record.text, str):
                    raise TypeError(f"it gave a {type(record).__name__} instead of a Record")
                report.rows += 1
                yield record
        except (UserError, JobCancelledError):
            raise
        except Exception as error:
            told = fault(plugin, error)
            raise UnreadableError(
                f"“{file}” cannot be read. {told.what}", next_step=told.next_step
            ) from error
