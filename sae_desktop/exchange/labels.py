"""Labels of features in files: tables of five kinds, Delphi's explanations. No torch."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from sae_desktop.corpus.arrow_tables import ParquetTable
from sae_desktop.corpus.columns import ALTERNATIVES, Table
from sae_desktop.corpus.decoding import encoding_of, head_bytes, whole_text
from sae_desktop.corpus.delimited import DelimitedTable
from sae_desktop.corpus.json_text import JsonArray, JsonLines, json_layout
from sae_desktop.corpus.records import BadRowError, Report
from sae_desktop.corpus.unpacking import inner_name
from sae_desktop.errors import UserError
from sae_desktop.exchange.config import ImportLabelsConfig, ImportLabelsResult
from sae_desktop.exchange.delphi_explanations import read_explanations
from sae_desktop.exchange.label_names import BESIDE_LABELS, LABEL_NAMES
from sae_desktop.exchange.label_rows import COLUMNS, METHOD_NAMES, NUMBER_NAMES, take_rows, told_row
from sae_desktop.features.reading.export import FORMULA
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.file_kinds import FILE_KINDS
from sae_desktop.jobs import JobContext
from sae_desktop.project import Project, existing
from sae_desktop.project_labels import Label, label_text
from sae_desktop.project_lists import FeatureList, FeatureLists, ListMember
from sae_desktop.project_notes import Notes
from sae_desktop.storage.atomic import replacing, write_bytes
from sae_desktop.storage.faults import explained

SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".parquet")
"""Of files that are written."""
READ_SUFFIXES = FILE_KINDS["labels"].endings
"""Of files that are read, compressed or not."""
_AT_ONCE = 5_000
"""Rows between two looks at whether the job is to end."""
_MOST_BYTES = 2**30
_MOST_CHARACTERS = 2**29
# What a row takes in memory beside what it says, in characters.
_ROW = 256
_COLUMNS = {*NUMBER_NAMES, *LABEL_NAMES, *BESIDE_LABELS}


# ---------------------------------------------------------------- writing
def write_labels(path: Path, found: Iterable[Mapping[str, Any]]) -> int:
    """Write the rows of `label_rows` in the form a file's ending says; return how many.

    Raises UserError for another ending, and when the disk is full.
    """
    rows = list(found)
    ending = path.suffix.lower()
    with explained(path):
        match ending:
            case ".csv" | ".tsv":
                with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
                    writer = csv.DictWriter(
                        file, list(COLUMNS), delimiter="\t" if ending == ".tsv" else ","
                    )
                    writer.writeheader()
                    writer.writerows(map(_sheltered, rows))
            case ".json":
                write_bytes(path, msgspec.json.format(msgspec.json.encode(rows)))
            case ".jsonl":
                write_bytes(path, b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
            case ".parquet":
                import pyarrow as pa
                import pyarrow.parquet as pq

                types = {int: pa.int64(), str: pa.string(), float: pa.float64(), bool: pa.bool_()}
                table = pa.table(
                    {
                        name: pa.array([row[name] for row in rows], type=types[kind])
                        for name, kind in COLUMNS.items()
                    }
                )
                with replacing(path) as part:
                    pq.write_table(table, part)
            case _:
                raise _other_ending(path)
    return len(rows)


def _sheltered(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row whose texts no spreadsheet takes for formulas: an apostrophe stands before."""
    return {
        name: f"'{value}" if isinstance(value, str) and _is_formula(value) else value
        for name, value in row.items()
    }


def _bare(value: Any) -> Any:
    """Return what a cell says without the apostrophe of `_sheltered`."""
    sheltered = isinstance(value, str) and value[:1] == "'" and _is_formula(value[1:])
    return value[1:] if sheltered else value


def _is_formula(text: str) -> bool:
    return text[:1] == "'" or text.lstrip().startswith(FORMULA)


def _other_ending(path: Path, suffixes: Sequence[str] = SUFFIXES) -> UserError:
    return UserError(
        f"“{path.name}” is not a file that labels can be read from.",
        next_step=f"Its name must end with {', '.join(suffixes)}.",
    )


# ---------------------------------------------------------------- reading
def import_labels(config: ImportLabelsConfig, context: JobContext) -> ImportLabelsResult:
    """Take what a file says of features; what it does not say stays as it was.

    Raises UserError that names the row for a number that is not a feature of the index, and for
    a file without features; nothing is changed then, nor after a cancel.
    """
    if config.make_list and not config.make_list.strip():
        raise UserError("A list needs a name.", next_step="Give it one.")
    project = Project.open(config.project)
    index = FeatureIndex(project.index_path(existing("index", config.index, project.indexes())))
    rows = read_rows(Path(config.file).expanduser())
    source = _source(config.file)
    found = [told_row(row, number, index, source) for number, row in enumerate(rows, 1)]
    dictionary = index.info.dictionary
    with closing(Notes(project.notes_path)) as notes:
        try:
            with notes.database:
                new = 0
                for first in range(0, len(found), _AT_ONCE):
                    context.check_cancelled()
                    context.progress(first, len(found), "labels")
                    new += take_rows(notes, dictionary, found[first : first + _AT_ONCE])
                if config.make_list:
                    numbers = dict.fromkeys(told.feature for told in found)
                    content = FeatureList(
                        name=config.make_list,
                        annotation=f"From {Path(config.file).name}",
                        members=[ListMember(feature=feature) for feature in numbers],
                    )
                    FeatureLists(notes).put(dictionary, config.make_list, content)
        except sqlite3.OperationalError as error:
            raise notes.refused("The labels", error) from error
    context.progress(len(found), len(found), "labels")
    labels = [told.label for told in found if told.label is not None]
    return ImportLabelsResult(
        labels=len(labels),
        new=new,
        scores=sum(label.score is not None for label in labels)
        + sum("score" in told.fields for told in found),
        stars=sum(bool(told.fields.get("starred")) for told in found),
        notes=sum(bool(told.fields.get("note")) for told in found),
        listed=len({told.feature for told in found}) if config.make_list else 0,
    )


def _source(file: str) -> str:
    """Return what a table is called as the author of labels that name none."""
    return label_text(Path(inner_name(Path(file).name)).stem)


def read_rows(path: Path) -> Sequence[dict[str, Any]]:
    """Return the rows of a table by the names of its columns, or a folder's explanations.

    Raises UserError.
    """
    if path.is_dir():
        found = read_explanations(path)
        if not found:
            raise UserError(
                f"“{path}” holds no explanations.",
                next_step="Choose a table, or the folder with Delphi's …_latent0.txt files.",
            )
        return [_row(label) for label in found]
    if Path(inner_name(path.name)).suffix not in READ_SUFFIXES:
        raise _other_ending(path, READ_SUFFIXES)
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise UserError(f"“{path.name}” has {size:,} bytes, too many for a table of labels.")
        if path.suffix.lower() == ".json":
            layout = json_layout(_beginning(path))
            if layout == "object" or (layout == "line" and not _names_feature(path)):
                return _read_mapping(path)
        return _read_table(path)
    except UserError as error:
        raise UserError(
            error.what, kept=error.kept or "Nothing was changed.", next_step=error.next_step
        ) from error
    except (
        OSError, ValueError, NotImplementedError, msgspec.DecodeError, RecursionError,
    ) as error:  # fmt: skip
        raise UserError(
            f"“{path.name}” cannot be read: {error}.",
            kept="Nothing was changed.",
            next_step="Save it again as a table with the columns feature and label.",
        ) from error


def _row(label: Label) -> dict[str, Any]:
    told = {name: getattr(label, name) for name in COLUMNS if hasattr(label, name)}
    return told | {"label": label.text, "method": METHOD_NAMES[label.method], "shown": None}


def _beginning(path: Path) -> str:
    head = head_bytes(path)
    return head.decode(encoding_of(head), "replace")


def _read_table(path: Path) -> list[dict[str, Any]]:
    """Read a table as a corpus is read: any of its delimiters and encodings, in bounded memory.

    Raises UserError for the first row that cannot be read: labels are taken whole or not at all.
    """
    report = Report()
    delimited = Path(inner_name(path.name)).suffix in (".csv", ".tsv")
    table: Table
    columns: Sequence[str] = ()
    match Path(inner_name(path.name)).suffix:
        case ".parquet":
            table = ParquetTable(path)
            columns = [name for name in table.declared if name.strip().casefold() in _COLUMNS]
        case ".csv" | ".tsv":
            table = DelimitedTable(path, ALTERNATIVES.join(NUMBER_NAMES), report, strict=True)
        case ".jsonl":
            table = JsonLines(path)
        case _:
            lines = json_layout(_beginning(path)) in ("line", "lines")
            table = JsonLines(path) if lines else JsonArray(path)
    found, size = [], 0
    for _, row in table.rows(columns):
        if isinstance(row, BadRowError):
            raise row
        found.append(
            {name: _bare(value) for name, value in row.items()} if delimited else dict(row)
        )
        size += _ROW + sum(len(value) for value in row.values() if isinstance(value, str))
        if size > _MOST_CHARACTERS:
            raise UserError(
                f"“{path.name}” has more rows than labels can be read from: {len(found):,} rows "
                "so far.",
                next_step="Save only the columns of feature numbers and labels.",
            )
    if report.left_out:
        raise UserError(
            f"{report.first_ragged} has more fields than the header names.",
            next_step="Put texts that contain the delimiter in quotation marks.",
        )
    return _named(found)


def _named(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a table without a first row of names: a number, then its label."""
    if rows and set(rows[0]) == {"column 1", "column 2"}:
        return [{"feature": row["column 1"], "label": row["column 2"]} for row in rows]
    return [{name.strip().casefold(): value for name, value in row.items()} for row in rows]


def _names_feature(path: Path) -> bool:
    """Whether the one object of a file is a row, not an object of all labels."""
    found = msgspec.json.decode(whole_text(path, _MOST_CHARACTERS))
    return isinstance(found, dict) and any(name.casefold() in NUMBER_NAMES for name in found)


def _read_mapping(path: Path) -> list[dict[str, Any]]:
    """Read an object of features and their labels."""
    found = msgspec.json.decode(whole_text(path, _MOST_CHARACTERS))
    if not isinstance(found, dict):
        raise ValueError("it is not a list of objects")
    return [{"feature": key, "label": value} for key, value in found.items()]
