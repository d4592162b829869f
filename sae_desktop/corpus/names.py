"""Which files a corpus may be made of, by their names. Reads nothing."""

from __future__ import annotations

from pathlib import Path

from sae_desktop.corpus.source_code import code_language
from sae_desktop.corpus.unpacking import COMPRESSIONS, inner_name

TEXT_NAMES = {
    ".txt": "text", ".text": "text", ".log": "log", ".md": "Markdown", ".markdown": "Markdown",
    ".mdx": "Markdown", ".rst": "reStructuredText", ".org": "Org", ".adoc": "AsciiDoc",
    ".tex": "LaTeX", ".html": "HTML", ".htm": "HTML", ".xhtml": "HTML", ".xml": "XML",
    ".srt": "subtitles", ".vtt": "subtitles",
}  # fmt: skip
TABLE_NAMES = frozenset(
    {".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".pq", ".arrow", ".feather"}
)
ENDINGS = (*TEXT_NAMES, ".json", *sorted(TABLE_NAMES), *COMPRESSIONS)
"""Of the files that a dialog offers; programs are told by `source_code`."""


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
    )
