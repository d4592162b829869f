"""What the Harvest panel says of a corpus. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from sae_desktop.corpus.columns import ALTERNATIVES, asked_names
from sae_desktop.corpus.config import CorpusDescription, CorpusSettings, WindowPreview
from sae_desktop.language_names import language_name
from sae_desktop.storage.faults import format_bytes
from sae_desktop.words.amounts import elide_middle, exact_count

PACKINGS = (
    ("document", "Separate"),
    ("packed", "Packed"),
)
ORDERS = (
    ("shuffled", "Mixed"),
    ("files", "File by file"),
)
BOS_POLICIES = (
    ("auto", "If there is one"),
    ("always", "Always"),
    ("never", "Never"),
)
SPECIAL_POLICIES = (
    ("tokens", "As tokens"),
    ("text", "As text"),
)
_MOST_LANGUAGES = 6
_TITLE_LENGTH = 48
_SOURCE_LENGTH = 40
_METADATA_LENGTH = 32
_METADATA_SHOWN = 3


def corpus_text(corpus: CorpusDescription) -> str:
    """Return a corpus in a sentence: “3 documents, 2 kB: en, de.”"""
    parts = []
    if corpus.format:
        parts.append(corpus.format)
    if corpus.documents >= 0:
        plural = "document" if corpus.documents == 1 else "documents"
        parts.append(f"{exact_count(corpus.documents)} {plural}")
    if corpus.bytes >= 0:
        parts.append(format_bytes(corpus.bytes))
    text = ", ".join(parts)
    languages = [language for language in corpus.languages if language]
    if len(languages) > _MOST_LANGUAGES:
        text += f", {len(languages)} languages"
    elif languages:
        text += ": " + ", ".join(map(language_name, languages))
    return text + "." if text else ""


def policy_text(settings: CorpusSettings) -> str:
    """Return how the documents become windows, in words."""
    size = exact_count(settings.context_size)
    if settings.packing == "packed":
        parts = [f"Windows of {size} tokens, filled with one document after another"]
    else:
        parts = [f"Windows of up to {size} tokens, each from a single document"]
    parts.append(
        {
            "auto": "the BOS token first if the model has one",
            "always": "the BOS token first",
            "never": "no BOS token",
        }[settings.bos]
    )
    if settings.special_tokens == "text":
        parts.append("special tokens’ names read as plain text")
    if settings.overlap:
        parts.append(
            f"{exact_count(settings.overlap)} tokens of each repeated from the one before, as "
            "context only"
        )
    if settings.order == "files":
        parts.append("file by file")
    parts.append("exact duplicates left out" if settings.deduplicate else "duplicates kept")
    return "; ".join(parts) + "."


def notes_text(settings: CorpusSettings, corpus: CorpusDescription | None) -> str:
    """Return what a person should know of a corpus, a line each; before it is read, the policy."""
    if corpus is None:
        return policy_text(settings)
    lines = list(corpus.notes) or [policy_text(settings)]
    if corpus.duplicates > 0:
        copies = exact_count(corpus.duplicates)
        are = "is an exact duplicate" if corpus.duplicates == 1 else "are exact duplicates"
        what = "left out" if settings.deduplicate else "kept"
        lines.append(f"{copies} of the documents read so far {are}: {what}.")
    return "\n".join(lines)


@dataclass(frozen=True)
class ColumnChoice:
    """What is read of a table: a column of texts, a column of messages, or what is found."""

    text: str
    text_column: str = ""
    chat_column: str = ""
    tip: str = ""


def column_choices(corpus: CorpusDescription, asked: str = "") -> list[ColumnChoice]:
    """Return what can be chosen; empty for plain texts.

    `asked` is the column of texts chosen before. Where tables differ, a column of one that is
    left out is offered beside it: each table is read by the first of them that it has.
    """
    if not corpus.columns:
        return []
    found = f"Auto: {corpus.column}" if corpus.column else "Choose a column"
    choices = [ColumnChoice(found)]
    named = {column.name: column for column in corpus.columns}
    for table in corpus.tables:
        named = {**{column.name: column for column in table.columns}, **named}
    for column in named.values():
        if column.kind == "text":
            choices.append(ColumnChoice(column.name, text_column=column.name, tip=column.example))
        elif column.kind == "chat":
            name = f"{column.name} (chat)"
            choices.append(ColumnChoice(name, chat_column=column.name, tip=column.example))
    return choices + _beside(corpus, asked or corpus.column)


def _beside(corpus: CorpusDescription, first: str) -> list[ColumnChoice]:
    """Return columns of tables that are left out, each beside those that are read."""
    found: dict[str, ColumnChoice] = {}
    for table in corpus.tables:
        for column in table.columns if first and not table.column else ():
            name = f"{first}{ALTERNATIVES}{column.name}"
            if column.kind == "text" and column.name not in asked_names(first):
                tip = f"In “{table.name}”: {column.example}"
                found.setdefault(name, ColumnChoice(name, text_column=name, tip=tip))
    return list(found.values())


def window_heading(number: int, preview: WindowPreview) -> str:
    """Return what stands above a window: its number, length and where it is from."""
    count = len(preview.tokens)
    parts = [f"Window {number}", f"{exact_count(count)} {'token' if count == 1 else 'tokens'}"]
    if preview.title:
        parts.append(elide_middle(preview.title, _TITLE_LENGTH))
    if preview.source and preview.source != preview.title:
        parts.append(elide_middle(preview.source, _SOURCE_LENGTH))
    if preview.language:
        parts.append(language_name(preview.language))
    shown = islice(preview.metadata.items(), _METADATA_SHOWN)
    parts += [f"{name}: {elide_middle(value, _METADATA_LENGTH)}" for name, value in shown]
    return " · ".join(parts)


@dataclass(frozen=True)
class TokenRun:
    """Tokens in a row that one role speaks; no role for text that is not a chat."""

    role: str
    first: int
    end: int


def role_runs(preview: WindowPreview) -> list[TokenRun]:
    """Return a window's tokens cut where the role changes."""
    count = len(preview.tokens)
    roles = preview.roles if len(preview.roles) == count else [""] * count
    runs: list[TokenRun] = []
    for place, role in enumerate(roles):
        if runs and runs[-1].role == role:
            runs[-1] = TokenRun(role, runs[-1].first, place + 1)
        else:
            runs.append(TokenRun(role, place, place + 1))
    return runs
