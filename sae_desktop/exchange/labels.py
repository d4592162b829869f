"""Labels of features in files: .csv, .json, .parquet, Delphi's explanations. No torch."""

from __future__ import annotations

import csv
import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
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
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.file_kinds import FILE_KINDS
from sae_desktop.jobs import JobContext
from sae_desktop.project import Project, existing
from sae_desktop.project_lists import FeatureList, FeatureLists, ListMember
from sae_desktop.project_notes import FeatureNote, Notes
from sae_desktop.storage.atomic import replacing, write_bytes
from sae_desktop.storage.faults import explained

SUFFIXES = (".csv", ".json", ".parquet")
"""Of files that are written."""
READ_SUFFIXES = FILE_KINDS["labels"].endings
"""Of files that are read, compressed or not."""
_MOST_BYTES = 2**30
_MOST_CHARACTERS = 2**29
# What a row takes in memory beside what it says, in characters.
_ROW = 256
_NUMBER_NAMES = ("feature", "index", "feature_index", "id")
_COLUMNS = {*_NUMBER_NAMES, *LABEL_NAMES, *BESIDE_LABELS}


# ---------------------------------------------------------------- writing
def write_labels(path: Path, notes: Iterable[FeatureNote]) -> int:
    """Write notes to a file in the form its ending says; return how many.

    Raises UserError for another ending, and when the disk is full.
    """
    columns = ("feature", "label", "score", "starred", "note")
    rows = [{name: getattr(note, name) for name in columns} for note in notes]
    with explained(path):
        match path.suffix.lower():
            case ".csv":
                with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
                    writer = csv.DictWriter(file, columns)
                    writer.writeheader()
                    writer.writerows(rows)
            case ".json":
                write_bytes(path, msgspec.json.format(msgspec.json.encode(rows)))
            case ".parquet":
                import pyarrow as pa
                import pyarrow.parquet as pq

                types = [pa.int64(), pa.string(), pa.float32(), pa.bool_(), pa.string()]
                table = pa.table(
                    {
                        name: pa.array([row[name] for row in rows], type=kind)
                        for name, kind in zip(columns, types, strict=True)
                    }
                )
                with replacing(path) as part:
                    pq.write_table(table, part)
            case _:
                raise _other_ending(path)
    return len(rows)


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
    found = [_note(row, number, index) for number, row in enumerate(rows, 1)]
    dictionary = index.info.dictionary
    with closing(Notes(project.notes_path)) as notes:
        there = notes.notes(dictionary, [told["feature"] for told in found])
        try:
            with notes.database:
                notes.put_all(dictionary, _counted(_merged(found, there), len(found), context))
                if config.make_list:
                    members = [ListMember(feature=told["feature"]) for told in found]
                    content = FeatureList(
                        name=config.make_list,
                        annotation=f"From {Path(config.file).name}",
                        members=members,
                    )
                    FeatureLists(notes).put(dictionary, config.make_list, content)
        except sqlite3.OperationalError as error:
            raise notes.refused("The labels", error) from error
    context.progress(len(found), len(found), "labels")
    return ImportLabelsResult(
        labels=sum(bool(told.get("label")) for told in found),
        scores=sum(told.get("score") is not None for told in found),
        stars=sum(bool(told.get("starred")) for told in found),
        notes=sum(bool(told.get("note")) for told in found),
        listed=len(found) if config.make_list else 0,
    )


def _merged(
    found: Sequence[dict[str, Any]], there: dict[int, FeatureNote]
) -> Iterator[FeatureNote]:
    """Yield what is to be written: what is told of a feature over what is there."""
    known = dict(there)
    for told in found:
        feature = told["feature"]
        before = known.get(feature) or FeatureNote(feature=feature)
        known[feature] = msgspec.structs.replace(before, **told)
        yield known[feature]


def _counted(
    notes: Iterable[FeatureNote], total: int, context: JobContext
) -> Iterator[FeatureNote]:
    for number, note in enumerate(notes):
        if number % 1000 == 0:
            context.check_cancelled()
            context.progress(number, total, "labels")
        yield note


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
        return [{"feature": feature, "label": label} for feature, label in found.items()]
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


def _beginning(path: Path) -> str:
    head = head_bytes(path)
    return head.decode(encoding_of(head), "replace")


def _read_table(path: Path) -> list[dict[str, Any]]:
    """Read a table as a corpus is read: any of its delimiters and encodings, in bounded memory.

    Raises UserError for the first row that cannot be read: labels are taken whole or not at all.
    """
    report = Report()
    table: Table
    columns: Sequence[str] = ()
    match Path(inner_name(path.name)).suffix:
        case ".parquet":
            table = ParquetTable(path)
            columns = [name for name in table.declared if name.strip().casefold() in _COLUMNS]
        case ".csv" | ".tsv":
            table = DelimitedTable(path, ALTERNATIVES.join(_NUMBER_NAMES), report, strict=True)
        case ".jsonl":
            table = JsonLines(path)
        case _:
            lines = json_layout(_beginning(path)) in ("line", "lines")
            table = JsonLines(path) if lines else JsonArray(path)
    found, size = [], 0
    for _, row in table.rows(columns):
        if isinstance(row, BadRowError):
            raise row
        found.append(dict(row))
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
    return isinstance(found, dict) and any(name.casefold() in _NUMBER_NAMES for name in found)


def _read_mapping(path: Path) -> list[dict[str, Any]]:
    """Read an object of features and their labels."""
    found = msgspec.json.decode(whole_text(path, _MOST_CHARACTERS))
    if not isinstance(found, dict):
        raise ValueError("it is not a list of objects")
    return [{"feature": key, "label": value} for key, value in found.items()]


def _number(value: object) -> int:
    """Return a feature's number, also one that a spreadsheet wrote as 5.0 or 5,0.

    Raises ValueError for what is none.
    """
    text = str(value).strip().removeprefix("#")
    try:
        return int(text)
    except ValueError:
        number = float(text.replace(",", "."))
        if not number.is_integer():
            raise ValueError(text) from None
        return int(number)


def _note(row: dict[str, Any], number: int, index: FeatureIndex) -> dict[str, Any]:
    """Return the fields of a FeatureNote that a row tells."""
    named = next((row[name] for name in _NUMBER_NAMES if row.get(name) not in (None, "")), None)
    try:
        feature = index.check_feature(_number(named))
    except (ValueError, OverflowError, UserError) as error:
        reason = error.what if isinstance(error, UserError) else f"“{named}” is not a feature."
        raise UserError(
            f"Row {number}: {reason}",
            kept="Nothing was changed.",
            next_step="The table needs a column “feature” with the numbers of features in this "
            "index.",
        ) from error
    told: dict[str, Any] = {"feature": feature}
    label = next((row[name] for name in LABEL_NAMES if row.get(name) not in (None, "")), None)
    if label is not None:
        told["label"] = " ".join(str(label).removeprefix("'").split())
    if row.get("score") not in (None, ""):
        told["score"] = _score(row["score"], number)
    if row.get("starred") not in (None, ""):
        told["starred"] = str(row["starred"]).strip().lower() in ("true", "1", "yes")
    if row.get("note") not in (None, ""):
        told["note"] = str(row["note"])
    return told


def _score(value: object, number: int) -> float:
    try:
        score = float(str(value).strip().replace(",", "."))
    except ValueError:
        score = math.nan
    if not 0.0 <= score <= 1.0:
        raise UserError(
            f"Row {number}: “{value}” is not a score.",
            kept="Nothing was changed.",
            next_step="A score is a number from 0 to 1.",
        )
    return score
