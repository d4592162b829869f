"""Which column of a table is read, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sae_desktop.corpus.chats import chat_text, is_chat, messages_of, pair_messages
from sae_desktop.corpus.config import ColumnDescription, CorpusSettings
from sae_desktop.corpus.records import LeftOutError, Message, Record, Report
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
_TAGS = {"source": ("source",), "language": ("language", "lang"), "title": ("title",)}
_NOT_TEXTS = {"id", "url", "uuid", "date", "timestamp", "source", "language", "lang", "title"}
NO_COLUMN_KIND = "tables without such a column of texts"
EMPTY_KIND = "tables without a text"


class Table(Protocol):
    """A table of documents, read anew by every call."""

    label: str
    """As a person calls it."""
    declared: Mapping[str, Kind]
    """Columns its schema tells of; empty where only rows tell."""

    def peek(self) -> list[dict[str, Any]]:
        """Return the first rows."""

    def rows(self, needed: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Yield each row and its number, with the columns `needed` at least."""

    def place(self, number: int) -> str:
        """Return where a row stands, such as “Line 7 of “c.jsonl””."""


@dataclass(frozen=True)
class Choice:
    """The column that is read, or a pair of them."""

    kind: Literal["text", "chat", "pair"]
    names: tuple[str, ...]

    def __str__(self) -> str:
        return _PAIR_MARK.join(self.names)


def table_records(table: Table, settings: CorpusSettings, report: Report) -> Iterator[Record]:
    """Yield the texts of a table.

    Raises LeftOutError for a table without the column or without a text in it, UserError at the
    row where the column is missing or holds something else.
    """
    head = table.peek()
    columns = describe_columns(head, table.declared)
    if not columns:
        raise LeftOutError(
            EMPTY_KIND, f"“{table.label}” is empty: it has no rows.", next_step=_OTHER_CORPUS
        )
    choice = choose_column(columns, settings, table.label)
    if not report.columns:
        report.columns, report.column = columns, str(choice)
    others = _others(columns, choice)
    needed = [*choice.names, *others.tags.values(), *others.rest]
    rows = missing = 0
    for number, row in table.rows(needed):
        rows += 1
        record = _record(row, choice, others, table, number)
        if record is None:
            missing += 1
        else:
            yield record
    if missing == rows:
        why = f"all {rows:,} of its values are missing" if rows else "it has no rows"
        raise LeftOutError(
            EMPTY_KIND,
            f"The column “{choice}” of “{table.label}” is empty: {why}.",
            next_step=f"Choose another column: {_list(columns)}.",
        )


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
            "A column of texts and a column of chats are both asked for.",
            next_step="Choose one of them.",
        )
    if settings.text_column:
        return Choice("text", (_asked(settings.text_column, columns, label, not_of="chat"),))
    if settings.chat_column:
        return _asked_chat(settings.chat_column, columns, label)
    return _found(columns) or _no_column(columns, label)


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
            next_step=f"Choose it as the column of {holds}.",
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
    first = next((value for value in values if value != []), None)
    if first is None or isinstance(first, str):
        return "text" if first is not None or not values else "other"
    return "chat" if is_chat(first) else "other"


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
            raise UserError(
                f"{table.place(number)} has no column “{name}”.",
                next_step=f"Each row must have a column “{name}”, or choose another column.",
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
    messages = tuple(Message(_valid(role), _valid(content)) for role, content in messages)
    tags = {tag: _scalar(row.get(name)) or "" for tag, name in others.tags.items()}
    rest = ((name, _scalar(row.get(name))) for name in others.rest)
    metadata = {name: value[:VALUE_CHARACTERS] for name, value in rest if value}
    return Record(text, metadata=metadata, messages=messages, **tags)


def _wrong_kind(table: Table, number: int, choice: Choice, value: Any, wanted: str) -> UserError:
    return UserError(
        f"{table.place(number)} has {_words(value)} in the column “{choice}”, not {wanted}.",
        next_step="Correct that row, or choose another column.",
    )


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "a yes or no"
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
