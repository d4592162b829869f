"""How a corpus is read and cut into windows. Free of torch: the window uses it too."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec

from sae_desktop.described import said
from sae_desktop.file_kinds import takes
from sae_desktop.limits import ContextSize, CountOrNone, Seed, Share

BosPolicy = Literal["auto", "always", "never"]
Packing = Literal["document", "packed"]
SpecialTokens = Literal["tokens", "text"]
Order = Literal["shuffled", "files"]

TEXT = "Text"
"""Heading of the settings of a corpus."""


class CorpusSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which texts are read, in which order, and how they become windows of tokens.

    Configs of jobs that read a corpus inherit these fields.
    """

    corpus: Annotated[
        str,
        said("Text", "“builtin”, a file, a folder, or a dataset’s name on the hub.", TEXT),
        takes("corpus", unless="text_column"),
    ] = "builtin"
    subset: Annotated[
        str, said("Subset", "Configuration of a dataset on the hub; if empty, its default.", TEXT)
    ] = ""
    split: Annotated[
        str, said("Split", "Which part of a dataset is read, where it has several.", TEXT)
    ] = "train"
    text_column: Annotated[
        str,
        said(
            "Column",
            "Column that holds the texts; of several, such as “body | review”, the first that a "
            "table has. If empty, it is found by its name.",
            TEXT,
        ),
    ] = ""
    chat_column: Annotated[
        str,
        said(
            "Column of chats",
            "Column of messages, or a pair such as “prompt + response”, put through the model’s "
            "chat template. If empty, it is found where there is no column of texts.",
            TEXT,
        ),
    ] = ""
    deduplicate: Annotated[
        bool,
        said(
            "Leave out exact duplicates",
            "Documents with exactly the same text are read only once.",
            TEXT,
        ),
    ] = True
    skip_limit: Annotated[
        Share,
        said(
            "Unreadable at most",
            "Share of rows, chats and files that may be left out because they cannot be read; "
            "with 0, the first one ends the harvest.",
            TEXT,
        ),
    ] = 0.05
    """A few are left out in any case, unless it is 0."""
    seed: Annotated[Seed, said("Seed", "Order of the documents.", TEXT)] = 0
    order: Annotated[
        Order,
        said(
            "Order",
            "Documents mixed across all files and rows, so that any beginning is a sample of the "
            "whole, or file after file.",
            TEXT,
        ),
    ] = "shuffled"
    """shuffled mixes windows over documents, too; files reads each from its first row on."""
    context_size: Annotated[
        ContextSize,
        said("Tokens per window", "Most tokens in a window, special tokens included.", TEXT),
    ] = 128
    overlap: Annotated[
        CountOrNone,
        said(
            "Overlap",
            "Tokens that a window repeats from the one before it. They are context only: each row "
            "kept has at least this many tokens before it in its document. The amount counts rows "
            "kept, so the model reads more than that.",
            TEXT,
        ),
    ] = 0
    """Every token is kept once; at the beginning of a document there are fewer before it."""
    packing: Annotated[
        Packing,
        said(
            "Windows",
            "One document per window, or filled with one document after another.",
            TEXT,
        ),
    ] = "document"
    bos: Annotated[
        BosPolicy,
        said(
            "BOS first",
            "Whether a window begins with the beginning-of-sequence token; auto: if the model has "
            "one.",
            TEXT,
        ),
    ] = "auto"
    special_tokens: Annotated[
        SpecialTokens,
        said(
            "Special tokens",
            "Whether “<s>” in a text means the special token or the three characters.",
            TEXT,
        ),
    ] = "tokens"


_Config = TypeVar("_Config", bound=msgspec.Struct)


def decode_made(record: str | bytes, kind: type[_Config]) -> _Config:
    """Return the config of something made earlier, from the JSON kept with it.

    As `brought_up`. Raises msgspec.DecodeError where the record is of another kind.
    """
    return msgspec.convert(brought_up(msgspec.json.decode(record)), kind)


def brought_up(value: Any) -> Any:
    """Return a record of an earlier release as the present one would have written it.

    What was made before there was an order to choose has file after file; what was made while a
    run had at most one other store names it by itself.
    """
    if not isinstance(value, dict):
        return value
    found = {name: brought_up(one) for name, one in value.items()}
    other = found.get("other_activations")
    if isinstance(other, str):
        found["other_activations"] = [other] if other else []
    return {"order": "files", **found} if {"corpus", "packing"} <= found.keys() else found


class DescribeCorpusConfig(CorpusSettings, frozen=True, kw_only=True, tag="describe_corpus"):
    """Read the beginning of a corpus: how many documents, of which kinds, and how they look."""

    model: Annotated[str, takes("model")] = "builtin"
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
