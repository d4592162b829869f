"""One table of file types, recognised by their names and first bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sae_desktop.corpus.arrow_tables import IpcTable, ParquetTable
from sae_desktop.corpus.columns import Table, TableReader
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.decoding import (
    check_text,
    decoded,
    encoding_of,
    head_bytes,
)
from sae_desktop.corpus.delimited import DelimitedTable
from sae_desktop.corpus.json_text import (
    JsonArray,
    JsonLines,
    json_layout,
    names_documents,
)
from sae_desktop.corpus.names import TEXT_NAMES, reader_of
from sae_desktop.corpus.pieces import parts, piece_characters
from sae_desktop.corpus.plugged import load_reader, plugged_records
from sae_desktop.corpus.records import LeftOutError, Record, Report
from sae_desktop.corpus.source_code import code_language, is_generated
from sae_desktop.corpus.unpacking import damaged, inner_name
from sae_desktop.errors import UserError

GENERATED_KIND = "generated or minified files"
LARGEST_SOURCE = 1 << 20
"""Bytes of the largest program file of a folder that is read: larger ones are generated."""


@dataclass(frozen=True)
class Format:
    """How a file is read."""

    name: str
    """In words."""
    read: Callable[[Path, CorpusSettings, Report], Iterator[Record]]
    table: Callable[[Path, CorpusSettings, Report], TableReader] | None = None
    """Of a table: the reader of its parts."""
    anywhere: bool = False
    """Whether its rows can be read from anywhere, even where they are one part."""


def _table_format(
    name: str,
    make: Callable[[Path, CorpusSettings, Report], Table],
    *,
    anywhere: bool = False,
) -> Format:
    def table(file: Path, settings: CorpusSettings, report: Report) -> TableReader:
        return TableReader(make(file, settings, report), settings, report)

    def read(file: Path, settings: CorpusSettings, report: Report) -> Iterator[Record]:
        return table(file, settings, report).records()

    return Format(name, read, table, anywhere)


def text_format(name: str, *, code: bool = False) -> Format:
    """Return the format of a file that is one text, or a program in the language `name`."""

    def read(file: Path, settings: CorpusSettings, report: Report) -> Iterator[Record]:
        report.rows += 1
        full = file.name[: len(inner_name(file.name))]
        most = piece_characters(settings)
        title, language = (full, name.lower()) if code else (Path(full).stem, "")
        return parts(Record("", title=title, language=language), decoded(file), most)

    return Format(name, read)


JSON_LINES = _table_format("JSON lines", lambda file, settings, report: JsonLines(file))
JSON_ARRAY = _table_format("JSON array", lambda file, settings, report: JsonArray(file))
DELIMITED = _table_format(
    "CSV", lambda file, settings, report: DelimitedTable(file, settings.text_column, report)
)
PARQUET = _table_format("Parquet", lambda file, settings, report: ParquetTable(file), anywhere=True)
ARROW = _table_format("Arrow", lambda file, settings, report: IpcTable(file), anywhere=True)
SAVED = _table_format(
    "dataset saved by “datasets”", lambda file, settings, report: IpcTable(file), anywhere=True
)

_BY_SUFFIX = {
    ".jsonl": JSON_LINES, ".ndjson": JSON_LINES, ".csv": DELIMITED, ".tsv": DELIMITED,
    ".parquet": PARQUET, ".pq": PARQUET, ".arrow": ARROW, ".feather": ARROW,
}  # fmt: skip


def format_of(file: Path, settings: CorpusSettings, *, in_folder: bool) -> Format:
    """Return how a file is read: by its first bytes, then by its name.

    Raises LeftOutError for a file that is not text, UserError for one that is damaged.
    """
    name = inner_name(file.name)
    suffix = Path(name).suffix
    plugin = reader_of(name)
    if plugin is not None:
        reader = load_reader(plugin)
        return Format(reader.title, partial(plugged_records, plugin, reader))
    language = code_language(name)
    head = head_bytes(file)
    binary = _binary_format(file, suffix, head)
    if binary is not None:
        return binary
    check_text(file, head)
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    text = head.decode(encoding_of(head), "replace")
    if suffix == ".json":
        return _json_format(file, text, settings, in_folder=in_folder)
    if in_folder and language and is_generated(name, text, file.stat().st_size > LARGEST_SOURCE):
        raise _generated(file)
    if language:
        return text_format(language, code=True)
    if suffix not in TEXT_NAMES and text.startswith("{") and json_layout(text) in ("line", "lines"):
        return JSON_LINES
    return text_format(TEXT_NAMES.get(suffix, "text"))


def _binary_format(file: Path, suffix: str, head: bytes) -> Format | None:
    if head.startswith(b"PAR1"):
        return PARQUET
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return ARROW
    expected = _BY_SUFFIX.get(suffix)
    if expected in (PARQUET, ARROW):
        raise damaged(file, f"it does not start like a {suffix} file")
    return None


def _json_format(file: Path, head: str, settings: CorpusSettings, *, in_folder: bool) -> Format:
    layout = json_layout(head)
    if not in_folder or names_documents(head, settings):
        if layout in ("line", "lines"):
            return JSON_LINES
        if layout == "array":
            return JSON_ARRAY
    if in_folder:  # settings and the like, as source trees have them
        if is_generated(inner_name(file.name), head, file.stat().st_size > LARGEST_SOURCE):
            raise _generated(file)
        return text_format("JSON", code=True)
    raise UserError(
        f"“{file}” is a single JSON object, not a list of documents.",
        next_step="Make it a list of objects, or put one object on each line (.jsonl).",
    )


def _generated(file: Path) -> LeftOutError:
    return LeftOutError(
        GENERATED_KIND,
        f"“{file}” is generated or minified, so it is not read along with its folder.",
        next_step="To read it anyway, choose the file itself.",
    )
