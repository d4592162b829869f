"""Parquet and Arrow files, and the folders that `datasets` saves, batch by batch."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sae_desktop.corpus.arrow_rows import python_rows
from sae_desktop.corpus.chats import is_chat_schema
from sae_desktop.corpus.columns import PEEK_ROWS, Kind, Part
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.ipc_messages import check_messages
from sae_desktop.corpus.parquet_pages import batch_rows, listed_texts
from sae_desktop.corpus.records import BadRowError
from sae_desktop.corpus.unpacking import damaged, unreadable
from sae_desktop.errors import UserError
from sae_desktop.interruption import check_interrupted

BATCH_ROWS = 128
_PARTS_OF_GROUP = 16
_PART_BYTES = 1 << 20
_EVERY = 2**62
_PEEK_CHARACTERS = 1 << 22
_STATE, _SPLITS = "state.json", "dataset_dict.json"
DATASETS_FILES = (_STATE, _SPLITS, "dataset_info.json")
DEFAULT_SPLIT = str(CorpusSettings().split)


class ArrowTable:
    """Rows of a file that pyarrow reads. Raises UserError for one that is damaged."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.label = str(file)
        with _faults(file):
            schema = self._schema()
        self.declared: Mapping[str, Kind] = schema_kinds(schema)
        self._unread = {field.name for field in schema if _is_unread(field.type)}

    def read_everything(self) -> None:
        """Let rows hold what is neither text nor a chat, too, such as pictures."""
        self._unread = set()

    def peek(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        characters = 0
        for number, row in self.rows(list(self.declared)):
            if not isinstance(row, BadRowError):
                rows.append(dict(row))
                characters += sum(len(value) for value in row.values() if isinstance(value, str))
            if number >= PEEK_ROWS or characters > _PEEK_CHARACTERS:
                break
        return rows

    def parts(self) -> list[Part]:
        with _faults(self.file):
            groups = self._groups()
        total = sum(rows for rows, _ in groups)
        found: list[Part] = []
        first = 0
        for rows, size in groups:
            count = max(1, min(_PARTS_OF_GROUP, int(size // _PART_BYTES), rows))
            for number in range(count):
                begin, end = first + rows * number // count, first + rows * (number + 1) // count
                if end > begin:
                    found.append(Part((end - begin) / total, begin, end))
            first += rows
        size = self.file.stat().st_size
        return [part._replace(weight=part.weight * size) for part in found]

    def rows(
        self, needed: Sequence[str], part: Part | None = None
    ) -> Iterator[tuple[int, Mapping[str, Any] | BadRowError]]:
        number, end = (0, _EVERY) if part is None else (part.first, part.end)
        shown = [name for name in needed if name not in self._unread]
        for batch in self._batches(shown, BATCH_ROWS, number):
            check_interrupted()
            for row in python_rows(batch.slice(0, max(end - number, 0)), self.place, number):
                number += 1
                yield number, row
            if number >= end:
                return

    def place(self, number: int) -> str:
        return f"Row {number:,} of “{self.file}”"

    def _batches(self, columns: Sequence[str], rows: int, first: int = 0) -> Iterator[Any]:
        """Yield batches of at most a given number of rows, from the row `first` on."""
        with _faults(self.file):
            yield from self._read(list(dict.fromkeys(columns)), rows, first)

    def _schema(self) -> Any:
        raise NotImplementedError

    def _read(self, columns: list[str], rows: int, first: int) -> Iterator[Any]:
        raise NotImplementedError

    def _groups(self) -> list[tuple[int, int]]:
        """Return the rows and the bytes of each group, without reading them."""
        raise NotImplementedError


class ParquetTable(ArrowTable):
    """A Parquet file. Pages are read as they come, so a row group may be larger than memory."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self._listed: list[str] = []
        self._batch_rows: dict[tuple[int, tuple[str, ...]], int] = {}

    def _schema(self) -> Any:
        from pyarrow import parquet

        return parquet.read_schema(self.file)

    def _read(self, columns: list[str], rows: int, first: int) -> Iterator[Any]:
        from pyarrow import parquet

        if not self._listed:
            with parquet.ParquetFile(self.file) as file:
                self._listed = listed_texts(file)
        with parquet.ParquetFile(
            self.file, buffer_size=1 << 20, pre_buffer=False, read_dictionary=self._listed
        ) as file:
            for group in range(file.num_row_groups):
                count = file.metadata.row_group(group).num_rows
                if first >= count:
                    first -= count
                    continue
                most = self._rows_at_once(file, group, columns, rows)
                batches = file.iter_batches(most, [group], columns=columns, use_threads=False)
                yield from _from_row(batches, first)
                first = 0

    def _rows_at_once(self, file: Any, group: int, columns: list[str], most: int) -> int:
        asked = (group, tuple(columns))
        if asked not in self._batch_rows:
            self._batch_rows[asked] = batch_rows(self.file, file, group, columns, most)
        return self._batch_rows[asked]

    def _groups(self) -> list[tuple[int, int]]:
        from pyarrow import parquet

        metadata = parquet.read_metadata(self.file)
        groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
        return [(group.num_rows, group.total_byte_size) for group in groups]


class IpcTable(ArrowTable):
    """An Arrow file or stream, mapped, not read."""

    def _schema(self) -> Any:
        check_messages(self.file)
        with self._open() as (reader, _):
            return reader.schema

    def _read(self, columns: list[str], rows: int, first: int) -> Iterator[Any]:
        with self._open() as (_, batches):
            for batch in _from_row(batches, first):
                for start in range(0, batch.num_rows, rows):
                    yield batch.slice(start, rows).select(columns)

    def _groups(self) -> list[tuple[int, int]]:
        with self._open() as (_, batches):
            return [(batch.num_rows, batch.nbytes) for batch in batches]

    @contextmanager
    def _open(self) -> Iterator[tuple[Any, Iterator[Any]]]:
        import pyarrow

        with pyarrow.memory_map(str(self.file)) as source:
            if source.read(6) == b"ARROW1":
                reader = pyarrow.ipc.open_file(source)
                numbers = range(reader.num_record_batches)
                yield reader, (reader.get_batch(number) for number in numbers)
            else:
                source.seek(0)
                stream = pyarrow.ipc.open_stream(source)
                yield stream, iter(stream)


def _from_row(batches: Iterator[Any], first: int) -> Iterator[Any]:
    """Yield batches without their first rows."""
    for batch in batches:
        if first >= batch.num_rows:
            first -= batch.num_rows
            continue
        yield batch.slice(first) if first else batch
        first = 0


def schema_kinds(schema: Any) -> dict[str, Kind]:
    """Return what the columns of an Arrow schema hold."""
    return {field.name: _kind(field.type) for field in schema}


def _is_unread(kind: Any) -> bool:
    """Whether the values of a column are neither texts nor chats, nor shown beside one.

    They are left where they are: lists and bytes may become of any size.
    """
    from pyarrow import types

    bare = kind.value_type if types.is_dictionary(kind) else kind
    apart = types.is_nested(bare) or types.is_run_end_encoded(bare) or types.is_binary(bare)
    apart = apart or types.is_large_binary(bare) or types.is_fixed_size_binary(bare)
    return _kind(kind) == "other" and (apart or types.is_binary_view(bare))


def _kind(kind: Any) -> Kind:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    if (
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or types.is_null(kind)
    ):
        return "text"
    if types.is_list(kind) or types.is_large_list(kind):
        kind = kind.value_type
    if types.is_struct(kind):
        names = [kind.field(number).name for number in range(kind.num_fields)]
        return "chat" if is_chat_schema(names) else "other"
    return "other"


@contextmanager
def _faults(file: Path) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except pyarrow.ArrowException as error:
        raise damaged(file, str(error).splitlines()[0]) from error
    except OSError as error:
        if error.errno is None:  # pyarrow says so of damaged data
            raise damaged(file, str(error).splitlines()[0]) from error
        raise unreadable(file, error) from error


def is_saved_dataset(folder: Path) -> bool:
    """Whether `datasets` saved a dataset, or one of several splits, in this folder."""
    return any((folder / name).is_file() for name in (_STATE, _SPLITS))


def saved_shards(folder: Path, settings: CorpusSettings) -> list[Path]:
    """Return the Arrow files of the split asked for, in the seed's order.

    Raises UserError for a split it does not have, and for one whose files are missing.
    """
    several = (folder / _SPLITS).is_file()
    if several:
        splits = _read_json(folder / _SPLITS).get("splits", [])
        if settings.split not in splits:
            raise no_split(str(folder), settings.split, splits)
        folder = folder / settings.split
    state = _read_json(folder / _STATE)
    split = state.get("_split") or DEFAULT_SPLIT
    if not several and settings.split not in (split, DEFAULT_SPLIT):
        raise no_split(str(folder), settings.split, [split])
    names = sorted(entry["filename"] for entry in state.get("_data_files", []))
    shards = [folder / name for name in names]
    for shard in shards:
        if not shard.is_file():
            raise UserError(
                f"The dataset “{folder}” is missing its file “{shard.name}”.",
                next_step="Copy it again with all of its files.",
            )
    random.Random(settings.seed).shuffle(shards)
    return shards


def no_split(name: str, split: str, splits: Sequence[str]) -> UserError:
    """Return the error for a split that a dataset does not have."""
    return UserError(
        f"“{name}” has no split “{split}”.",
        next_step=f"Its splits are: {', '.join(f'“{known}”' for known in splits) or 'none'}.",
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:
        raise damaged(path, f"it is not valid JSON: {error}") from error
    return found if isinstance(found, dict) else {}
