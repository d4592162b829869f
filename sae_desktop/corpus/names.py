"""Which files a corpus may be made of, by their names. Reads nothing.

Kinds of file that plug-ins read are told by the names of their entry points, so that nothing of
theirs is imported for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from sae_desktop.corpus.source_code import code_language, program_endings
from sae_desktop.corpus.unpacking import COMPRESSIONS, inner_name
from sae_desktop.file_kinds import FILE_KINDS
from sae_desktop.plugins.installed import Plugin, usable

TEXT_NAMES = {
    ".txt": "text", ".text": "text", ".log": "log", ".md": "Markdown", ".markdown": "Markdown",
    ".mdx": "Markdown", ".rst": "reStructuredText", ".org": "Org", ".adoc": "AsciiDoc",
    ".tex": "LaTeX", ".html": "HTML", ".htm": "HTML", ".xhtml": "HTML", ".xml": "XML",
    ".srt": "subtitles", ".vtt": "subtitles",
}  # fmt: skip
TABLE_NAMES = frozenset(
    {".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".pq", ".arrow", ".feather"}
)
_ENDINGS = (*TEXT_NAMES, ".json", *sorted(TABLE_NAMES), *COMPRESSIONS)


@cache
def builtin_endings() -> frozenset[str]:
    """Return the endings, without their dots, that no plug-in may read."""
    others = [ending for kind in FILE_KINDS.values() for ending in kind.endings]
    return frozenset(end.lstrip(".") for end in (*_ENDINGS, *program_endings(), *others))


def endings() -> tuple[str, ...]:
    """Return the endings of the files that a dialog offers; programs are told by `source_code`."""
    return (*_ENDINGS, *(f".{ending}" for ending in _plugged()))


def reader_of(name: str) -> Plugin | None:
    """Return the plug-in that reads files of that name; None: it is read as the program does."""
    return _plugged().get(Path(inner_name(name)).suffix.lstrip("."))


def _plugged() -> Mapping[str, Plugin]:
    return usable("corpus_readers", builtin_endings())


def is_table(name: str) -> bool:
    """Whether files of that name hold rows."""
    return Path(inner_name(name)).suffix in TABLE_NAMES


def is_known(name: str) -> bool:
    """Whether files of that name are read in a folder. Any text may be a corpus of its own."""
    inner = inner_name(name)
    suffix = Path(inner).suffix
    return (
        suffix in TABLE_NAMES
        or suffix in TEXT_NAMES
        or suffix == ".json"
        or (bool(code_language(inner)))
        or reader_of(name) is not None
    )
