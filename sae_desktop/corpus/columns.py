"""Which column of a table is read, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from sae_desktop.corpus.chats import chat_text, is_chat, messages_of, pair_messages
from sae_desktop.corpus.config import ColumnDescription, CorpusSettings, TableDescription
from sae_desktop.corpus.records import BadRowError, LeftOutError, Message, Record, Report
from sae_desktop.errors import UserError

Kind = Literal["text", "chat", "other"]

PEEK_ROWS = 20
"""Rows from which the kinds of columns are told."""
VALUE_CHARACTERS = 200
"""Longer values of the other columns are cut to this."""
EXAMPLE_CHARACTERS = 80
TEXT_NAMES = (
    "text", "content", "body", "document", "article", "passage", "raw_content", "story", "code",
    "markdown", "contents", "sentence", "review", "abstract", "comment", "post", "speech", "lyrics",
)  # fmt: skip
CHAT_NAMES = ("messages", "conversations", "conversation", "chat", "dialog", "dialogue")
_PAIRS = (
    ("prompt", "response"), ("prompt", "completion"), ("prompt", "chosen"),
    ("instruction", "response"), ("instruction", "output"), ("question", "answer"),
    ("question", "response"), ("input", "output"), ("query", "response"),
)  # fmt: skip
_PAIR_MARK = " + "
ALTERNATIVES = " | "
"""Between the columns of which each table's first is read."""
_TAGS = {"source": ("source",), "language": ("language", "lang"), "title": ("title",)}
_NOT_TEXTS = {"id", "url", "uuid", "date", "timestamp", "source", "language", "lang", "title"}
NO_COLUMN_KIND = "tables without such a text column"
EMPTY_KIND = "tables without a text"


class Part(NamedTuple):
    """A stretch of a table."""

    weight: float
    """Its share of the table's bytes or rows, times what these are."""
    first: int = 0
    """Byte or row, as the table counts."""
    end: int = 2**62
    number: int = 0
    """Of the row before its first, where that is known."""


class Table(Protocol):
    """A table of documents, read again by every call."""

    label: str
    """As a person calls it."""
    declared: Mapping[str, Kind]
    """Columns its schema tells of; empty where only rows tell."""

    def peek(self) -> list[dict[str, Any]]:
        """Return the first rows."""

    def parts(self) -> Sequence[Part]:
        """Return the stretches that can be read by themselves, in order."""

    def rows(
        self, needed: Sequence[str], part: Part | None = None
    ) -> Iterator[tuple[int, Mapping[str, Any] | BadRowError]]:
        """Yield each row and its number, with the columns `needed` at least; of one part or all.

        A row that cannot be read comes as the reason for that.
        """

    def place(self, number: int) -> str:
        """Return where a row stands, such as “Line 7 of “c.jsonl””."""


@dataclass(frozen=True)
class Choice:
    """The column that is read, or a pair of them."""

    kind: Literal["text", "chat", "pair"]
    names: tuple[str, ...]

    def __str__(self) -> str:
        return _PAIR_MARK.join(self.names)


class TableReader:
    """The texts of a table, whose column is chosen once, read whole or part by part."""

    def __init__(self, table: Table, settings: CorpusSettings, report: Report) -> None:
        """Choose the column. Raises LeftOutError for a table without the column, or empty."""
        self._table, self._report, self._limit = table, report, settings.skip_limit
        self._columns = describe_columns(table.peek(), table.declared)
        if not self._columns:
            raise LeftOutError(
                EMPTY_KIND, f"“{table.label}” is empty: it has no rows.", next_step=_OTHER_CORPUS
            )
        try:
            self._choice = choose_column(self._columns, settings, table.label)
        except UserError as reason:
            self._tell("", reason.what)
            raise
        self._tell(str(self._choice))
        if not report.column:
            report.columns, report.column = self._columns, str(self._choice)
        self._others = _others(self._columns, self._choice)
        self._left: int | None = None
        self._rows = self._missing = self._bad = 0

    def _tell(self, column: str, why: str = "") -> None:
        self._report.table(
            TableDescription(name=self._table.label, column=column, columns=self._columns, why=why)
        )

    def parts(self) -> Sequence[Part]:
        """Return the stretches of the table. `records` of all of them are those of the table."""
        found = self._table.parts()
        self._left = len(found)
        return found

    def records(self, part: Part | None = None) -> Iterator[Record]:
        """Yield the texts of a part, by default of the whole table.

        Rows that cannot be read are left out and counted. Raises LeftOutError at the end of a
        table without a text in it, UserError where too many rows cannot be read.
        """
        choice, others = self._choice, self._others
        needed = [*choice.names, *others.tags.values(), *others.rest]
        for number, row in self._table.rows(needed, part):
            self._rows += 1
            self._report.rows += 1
            try:
                if isinstance(row, BadRowError):
                    raise row
                record = _record(row, choice, others, self._table, number)
            except BadRowError as bad:
                self._bad += 1
                self._report.leave_out(bad, self._limit)
                continue
            if record is None:
                self._missing += 1
            else:
                yield record
        if self._left is not None:
            self._left -= 1
        if not self._left and self._missing + self._bad == self._rows:
            raise self._empty()

    def _empty(self) -> LeftOutError:
        first = self._report.first_bad
        if self._bad and first is not None:
            return LeftOutError(EMPTY_KIND, first.what, next_step=first.next_step)
        why = f"all {self._rows:,} of its values are missing" if self._rows else "it has no rows"
        return LeftOutError(
            EMPTY_KIND,
            f"The column “{self._choice}” of “{self._table.label}” is empty: {why}.",
            next_step=f"Choose another column: {_list(self._columns)}.",
        )


def table_records(table: Table, settings: CorpusSettings, report: Report) -> Iterator[Record]:
    """Yield the texts of a table. Raises as `TableReader` does."""
    return TableReader(table, settings, report).records()


_OTHER_CORPUS = "Choose a corpus with texts in it, or “builtin”."


def describe_columns(
    rows: Sequence[Mapping[str, Any]], declared: Mapping[str, Kind]
) -> list[ColumnDescription]:
    """Return the columns of a table, from its schema and its first rows."""
    names = dict.fromkeys([*declared, *(name for row in rows for name in row)])
    found = []
    for name in names:
        values = [row[name] for row in rows if row.get(name) is not None]
        kind = declared.get(name) or _kind(values)
        example = _scalar(values[0]) if values else ""
        if values and example is None:
            messages = messages_of(values[0])
            example = chat_text(messages) if messages else str(values[0])
        short = " ".join((example or "")[: 4 * EXAMPLE_CHARACTERS].split())
        found.append(ColumnDescription(name=name, kind=kind, example=short[:EXAMPLE_CHARACTERS]))
    return found


def choose_column(
    columns: Sequence[ColumnDescription], settings: CorpusSettings, label: str
) -> Choice:
    """Return which column is read: the one asked for, else texts by name, else a chat, else the
    only column of strings.

    Raises LeftOutError that lists the columns where there is none.
    """
    if settings.text_column and settings.chat_column:
        raise UserError(
            "Both a column of texts and a column of chats were chosen.",
            next_step="Choose only one of them.",
        )
    if settings.text_column:
        name = _first_there(settings.text_column, columns)
        return Choice("text", (_asked(name, columns, label, not_of="chat"),))
    if settings.chat_column:
        return _asked_chat(settings.chat_column, columns, label)
    return _found(columns) or _no_column(columns, label)


def _first_there(asked: str, columns: Sequence[ColumnDescription]) -> str:
    """Return the first of several names that is a column; what is asked for where none is."""
    names = [column.name for column in columns]
    if asked in names:
        return asked
    return next((one for one in asked_names(asked) if one in names), asked)


def asked_names(asked: str) -> list[str]:
    """Return the names of columns among which each table has its first."""
    return [one.strip() for one in asked.split(ALTERNATIVES) if one.strip()]


def _asked_chat(asked: str, columns: Sequence[ColumnDescription], label: str) -> Choice:
    pair = tuple(asked.split(_PAIR_MARK))
    if len(pair) == 2 and asked not in (column.name for column in columns):
        return Choice("pair", tuple(_asked(name, columns, label) for name in pair))
    return Choice("chat", (_asked(asked, columns, label, not_of="text"),))


def _found(columns: Sequence[ColumnDescription]) -> Choice | None:
    texts = {column.name.casefold(): column.name for column in columns if column.kind == "text"}
    for name in TEXT_NAMES:
        if name in texts:
            return Choice("text", (texts[name],))
    chats = [column.name for column in columns if column.kind == "chat"]
    if chats:
        by_name = [name for name in chats if name.casefold() in CHAT_NAMES]
        return Choice("chat", ((by_name or chats)[0],))
    for asked, answered in _PAIRS:
        if asked in texts and answered in texts:
            return Choice("pair", (texts[asked], texts[answered]))
    strings = [c for c in columns if c.kind == "text" and c.name.casefold() not in _NOT_TEXTS]
    only = [column.name for column in strings if column.example] or [c.name for c in strings]
    return Choice("text", (only[0],)) if len(only) == 1 else None


def _asked(
    name: str,
    columns: Sequence[ColumnDescription],
    label: str,
    not_of: Kind | None = None,
) -> str:
    found = next((column for column in columns if column.name == name), None)
    if found is None:
        raise LeftOutError(
            NO_COLUMN_KIND,
            f"“{label}” has no column “{name}”.",
            next_step=f"Its columns are: {_list(columns)}.",
        )
    if found.kind == not_of:
        holds, other = ("chats", "texts") if not_of == "chat" else ("texts", "chats")
        raise UserError(
            f"The column “{name}” of “{label}” holds {holds}, not {other}.",
            next_step=f"Choose it as the column of {holds} instead.",
        )
    return name


def _no_column(columns: Sequence[ColumnDescription], label: str) -> Choice:
    several = sum(column.kind == "text" for column in columns) > 1
    what = "it is not clear which column of" if several else "there is no column of texts in"
    raise LeftOutError(
        NO_COLUMN_KIND,
        f"{what[0].upper()}{what[1:]} “{label}”{' is the text' if several else ''}.",
        next_step=f"Choose the column of the texts. Its columns are: {_list(columns)}.",
    )


def _list(columns: Sequence[ColumnDescription]) -> str:
    return ", ".join(f"“{column.name}”" for column in columns) or "none"


def _kind(values: Sequence[Any]) -> Kind:
    """Return what most of the values are: a few may be wrong."""
    given = [value for value in values if value != []]
    if not given:
        return "other" if values else "text"
    texts = sum(isinstance(value, str) for value in given)
    if 2 * texts >= len(given):
        return "text"
    return "chat" if 2 * sum(map(is_chat, given)) >= len(given) else "other"


@dataclass(frozen=True)
class _Others:
    """Columns beside the one that is read."""

    tags: dict[str, str]
    """“source”, “language” and “title” → the column that holds them."""
    rest: tuple[str, ...]


def _others(columns: Iterable[ColumnDescription], choice: Choice) -> _Others:
    names = {c.name.casefold(): c.name for c in columns if c.name not in choice.names}
    tags = {
        tag: next(names[name] for name in of_tag if name in names)
        for tag, of_tag in _TAGS.items()
        if any(name in names for name in of_tag)
    }
    rest = tuple(n for n in names.values() if n not in tags.values())
    return _Others(tags, rest)


def _record(
    row: Mapping[str, Any], choice: Choice, others: _Others, table: Table, number: int
) -> Record | None:
    """Return the text of a row; None where its value is missing."""
    values = []
    for name in choice.names:
        if name not in row:
            raise BadRowError(
                f"{table.place(number)} has no column “{name}”.",
                next_step=f"Every row must have a column “{name}”; add it, or choose another "
                "column.",
            )
        values.append(row[name])
    if any(value is None for value in values):
        return None
    messages: tuple[Message, ...] = ()
    if choice.kind == "text":
        text = values[0]
        if not isinstance(text, str):
            raise _wrong_kind(table, number, choice, text, "a text")
    else:
        read = messages_of(values[0]) if choice.kind == "chat" else pair_messages(*values)
        if read is None:
            raise _wrong_kind(table, number, choice, values[-1], "a list of messages")
        messages, text = read, chat_text(read)
    text = _valid(text)
    messages = tuple(Message(_valid(m.role), _valid(m.content), m.beside) for m in messages)
    tags = {tag: _scalar(row.get(name)) or "" for tag, name in others.tags.items()}
    rest = ((name, _scalar(row.get(name))) for name in others.rest)
    metadata = {name: value[:VALUE_CHARACTERS] for name, value in rest if value}
    return Record(text, metadata=metadata, messages=messages, **tags)


def _wrong_kind(table: Table, number: int, choice: Choice, value: Any, wanted: str) -> BadRowError:
    return BadRowError(
        f"{table.place(number)} has {_words(value)} in the column “{choice}”, not {wanted}.",
        next_step="Correct that row, or choose another column.",
    )


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "a true or false value"
    if isinstance(value, int | float):
        return "a number"
    return "a text" if isinstance(value, str) else f"something else ({type(value).__name__})"


def _scalar(value: Any) -> str | None:
    """Return a single value as text; None for what is none, has parts or is binary."""
    if value is None or isinstance(value, Mapping | list | tuple | bytes):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return _valid(str(value))


def _valid(text: str) -> str:
    """Return a text without halves of surrogate pairs, which JSON may bring and UTF-8 may not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
