"""Texts and chats as a monitor takes them: tokens, and which of them are a message."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import Corpus, Document
from sae_desktop.corpus.records import BadRowError
from sae_desktop.corpus.windows import RoleSpan
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.text.text_reader import TextReader
from sae_desktop.language_model.text.text_windows import document_encoder
from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.safety.monitors.config import Unit

GROUP = 32
"""Documents that are read together."""


@dataclass(frozen=True)
class ReadText:
    """A document as tokens, no special ones added."""

    ids: list[int]
    roles: tuple[RoleSpan, ...] = ()
    ordinal: int = 0
    title: str = ""
    source: str = ""


class Part(NamedTuple):
    """Tokens that have one score: a unit."""

    first: int
    last: int
    """One past it."""
    role: str
    message: int


class Watched(NamedTuple):
    """What of a text is watched."""

    unit: Unit
    role: str = ""

    def messages(self, text: ReadText) -> list[Part]:
        """Return the messages that are watched; a text that is not a chat is one."""
        spans = text.roles or (RoleSpan("", 0, len(text.ids)),)
        return [
            Part(span.first, span.first + span.length, span.role, number)
            for number, span in enumerate(spans)
            if span.length and (not self.role or not text.roles or span.role == self.role)
        ]


class Documents:
    """The documents of a corpus, read in groups, and their digest."""

    def __init__(self, settings: CorpusSettings, lm: TextReader, most: int) -> None:
        """`most`: documents read at most; 0: all."""
        self._settings, self._most = settings, most
        self._encode = document_encoder(lm, settings)
        self._digest = hashlib.sha256()
        self.unparted = 0
        """Chats so far whose messages could not be parted: each was read as one text."""

    @property
    def digest(self) -> str:
        """SHA-256 of the texts so far, in their order."""
        return self._digest.hexdigest()

    def groups(self, context: JobContext) -> Iterator[list[ReadText]]:
        """Yield documents that have a token, GROUP at a time. Raises UserError as `Corpus`."""
        group: list[ReadText] = []
        corpus, given = Corpus(self._settings), 0
        for document in corpus:
            context.check_cancelled()
            try:
                encoded = self._encode(document)
            except BadRowError as bad:
                corpus.report.leave_out(bad, self._settings.skip_limit)
                continue
            if not encoded.ids:
                continue
            self.unparted += bool(document.messages) and not encoded.roles
            self._digest.update(document.text.encode() + b"\0")
            group.append(_read(document, encoded.ids, encoded.roles))
            given += 1
            if len(group) == GROUP:
                yield group
                group = []
            if given == self._most:
                break
        if group:
            yield group


def _read(document: Document, ids: list[int], roles: tuple[RoleSpan, ...]) -> ReadText:
    return ReadText(ids, roles, document.ordinal, document.title, document.source)


def read_strings(
    texts: Sequence[str], settings: CorpusSettings, lm: TextReader, what: str
) -> list[ReadText]:
    """Return texts as tokens, as documents of a corpus would be. Raises UserError for one without.

    `what` they are, such as “positive”.
    """
    encode = document_encoder(lm, settings)
    found = []
    for number, text in enumerate(texts):
        ids = encode(Document(number, text, "", "", "")).ids
        if not ids:
            raise UserError(
                f"Text {number + 1} of the {what} texts is empty.", next_step="Leave it out."
            )
        found.append(ReadText(ids, ordinal=number))
    return found


class HitContext(NamedTuple):
    """What stands around a token, as text and token by token."""

    before: str
    text: str
    after: str
    tokens: list[str]
    scores: list[float]
    """Of each of `tokens` by itself."""


def context_of(
    names: Sequence[bytes], text: ReadText, token: int, by_token_S: Any, around: int = 24
) -> HitContext:
    """Return the tokens around one, with their scores; `by_token_S`: of all of the text."""
    first, last = max(token - around, 0), min(token + 1 + around, len(text.ids))
    parts = (text.ids[first:token], [text.ids[token]], text.ids[token + 1 : last])
    said = [b"".join(names[i] for i in part).decode("utf-8", "replace") for part in parts]
    return HitContext(
        said[0], said[1], said[2], [token_text(names[i]) for i in text.ids[first:last]],
        [float(score) for score in by_token_S[first:last]],
    )  # fmt: skip
