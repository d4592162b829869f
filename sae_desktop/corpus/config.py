"""How a corpus is read and cut into windows. Free of torch: the window uses it too."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from sae_desktop.limits import ContextSize, CountOrNone, Seed, Share

BosPolicy = Literal["auto", "always", "never"]
Packing = Literal["document", "packed"]
SpecialTokens = Literal["tokens", "text"]
Order = Literal["shuffled", "files"]


class CorpusSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which texts are read, in which order, and how they become windows of tokens.

    Configs of jobs that read a corpus inherit these fields.
    """

    corpus: str = "builtin"
    """“builtin”, a file, a folder, or the name of a dataset on the hub."""
    subset: str = ""
    """Configuration of a hub dataset; empty: its default."""
    split: str = "train"
    """Split of a dataset that has several."""
    text_column: str = ""
    """Column of the texts; empty: found by its name, or the only one of strings. Several, such
    as “body | review”: of each table the first that it has."""
    chat_column: str = ""
    """Column of a list of messages, put through the model's chat template; empty: found where
    there is no column of texts."""
    deduplicate: bool = True
    """Whether a document whose text came before, character by character, is left out."""
    skip_limit: Share = 0.05
    """Share of rows, chats and files that may be left out because they cannot be read, a few in
    any case; 0: the first one ends the reading."""
    seed: Seed = 0
    """Order of the documents."""
    order: Order = "shuffled"
    """shuffled: documents are mixed over all files and rows, and windows over all documents, so
    that any beginning is a sample of the whole; files: file after file, each from its first row
    on."""
    context_size: ContextSize = 128
    """Tokens in a window, special ones included."""
    overlap: CountOrNone = 0
    """Tokens that a window repeats from the one before it in the same document. They are context
    only: every token is kept once, where it has at least this many tokens before it, except at the
    beginning of its document."""
    packing: Packing = "document"
    """Windows of one document each, or filled with one document after the other."""
    bos: BosPolicy = "auto"
    """Whether each window begins with the beginning-of-sequence token; auto: if there is one."""
    special_tokens: SpecialTokens = "tokens"
    """Whether the name of a special token in a text stands for the token or for its letters."""


_Config = TypeVar("_Config", bound=msgspec.Struct)


def decode_made(record: str | bytes, kind: type[_Config]) -> _Config:
    """Return the config of something made earlier, from the JSON kept with it.

    What was made before there was an order to choose has file after file. Raises
    msgspec.DecodeError where the record is of another kind.
    """
    return msgspec.convert(_in_order(msgspec.json.decode(record)), kind)


def _in_order(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    found = {name: _in_order(one) for name, one in value.items()}
    return {"order": "files", **found} if {"corpus", "packing"} <= found.keys() else found


class DescribeCorpusConfig(CorpusSettings, frozen=True, kw_only=True, tag="describe_corpus"):
    """Read the beginning of a corpus: how many documents, of which kinds, and how they look."""

    model: str = "builtin"
    """Model whose tokens are shown."""
    preview: CountOrNone = 3
    """Windows shown."""


class WindowPreview(msgspec.Struct, frozen=True, kw_only=True):
    """A window as the model would read it."""

    title: str
    source: str
    language: str
    metadata: dict[str, str]
    """Other columns of its first document."""
    tokens: list[str]
    special: list[bool]
    """Per token: whether it is a special one."""
    roles: list[str] = []
    """Per token: the role that speaks; empty for text that is not a chat."""


class ColumnDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a table of documents."""

    name: str
    kind: Literal["text", "chat", "other"]
    example: str
    """The beginning of its first value."""


class TableDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A table of a corpus, and which of its columns is read."""

    name: str
    column: str
    """Empty where none is: the table is left out."""
    columns: list[ColumnDescription]
    why: str = ""
    """Of a table that is left out."""


class CorpusDescription(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    format: str
    """In words, such as “JSON lines” or “Parquet”."""
    documents: int
    """Documents counted, or -1 where counting would mean reading it all."""
    duplicates: int
    """Exact duplicates among the documents read for this description."""
    bytes: int
    """On the disk; -1 where it is not known."""
    columns: list[ColumnDescription]
    """Empty for plain texts."""
    column: str
    """The column that is read; empty for plain texts, and where none is."""
    sources: list[str]
    languages: list[str]
    notes: list[str]
    """What a person should know: the BOS policy in force, files left out."""
    preview: list[WindowPreview]
    tables: list[TableDescription] = []
    """Of a corpus of tables, at least those found first."""
    problem: str = ""
    """Why no text can be read, where the choice of a column would help."""
