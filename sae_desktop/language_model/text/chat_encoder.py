"""Chats through a model's own template, and which tokens each role speaks."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from sae_desktop.corpus.documents import Document, Message
from sae_desktop.corpus.records import BadRowError
from sae_desktop.corpus.windows import Encoded, RoleSpan
from sae_desktop.language_model.text.chat_template import TemplateRefusedError, render_chat
from sae_desktop.language_model.text.text_reader import TextReader
from sae_desktop.language_model.text.vocabulary import letter_backend, special_tokens

# Stand for what is said, to see what a template puts around it.
_SYSTEM_SAYS, _USER_SAYS, _SAYS = "⁂system⁂", "⁂user⁂", "⁂says⁂"

_Turn = tuple[str, int]
"""A role, and the character at which its part of the rendered chat begins."""


class ChatEncoder:
    """Renders chats with the template and tells the roles apart. Safe in any thread.

    With `letters` the names of special tokens that someone says are read as letters; those that
    the template puts between messages are tokens all the same.
    """

    def __init__(self, lm: TextReader, prefix: tuple[int, ...], *, letters: bool) -> None:
        self._name, self._prefix = lm.name, list(prefix)
        self._tokenizer: Any = lm.tokenizer
        self._encode_text = lm.encode
        self._backend: Any = getattr(lm.tokenizer, "backend_tokenizer", None)
        self.template = bool(getattr(lm.tokenizer, "chat_template", None))
        self._letters: Any = letter_backend(lm.tokenizer) if letters and self.template else None
        names = sorted(special_tokens(lm.tokenizer).values(), key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, names)) or r"(?!)")
        self._system = self._default_system() if self.template else ""

    def encode(self, document: Document) -> Encoded:
        """Return the tokens of a chat, without a prefix of windows that the template repeats.

        Role spans follow each other and hold every token; there are none where the template
        changes messages so much that they cannot be found in it.
        Raises BadRowError for a chat the template refuses, UserError for a template without end.
        """
        try:
            text = self._render(document.messages)
        except TemplateRefusedError as error:
            raise BadRowError(
                f"The chat template of “{self._name}” refuses document {document.ordinal:,} of "
                f"“{document.source}”: {error}.",
                next_step="Choose chats whose roles this model's template accepts, or a column of "
                "texts.",
            ) from error
        ids, starts = self._tokens(text, document.messages)
        repeated = len(self._prefix)
        if repeated and ids[:repeated] == self._prefix:
            ids, starts = ids[repeated:], starts[repeated:]
        return Encoded(ids, _role_spans(self._turns(text, document.messages), starts))

    def _render(self, messages: Sequence[Message]) -> str:
        said = [
            {**(json.loads(m.beside) if m.beside else {}), "role": m.role, "content": m.content}
            for m in messages
        ]
        return render_chat(self._tokenizer, said, add_generation_prompt=False, name=self._name)

    def _turns(self, text: str, messages: Sequence[Message]) -> list[_Turn]:
        """Return where each role begins in the rendered `text`; empty where that is not clear."""
        turns = self._by_beginnings(text, messages) or self._by_contents(text, messages)
        if turns and self._system and turns[0][0] != "system" and text.startswith(self._system):
            turns = [("system", 0), (turns[0][0], len(self._system)), *turns[1:]]
        return turns

    def _by_beginnings(self, text: str, messages: Sequence[Message]) -> list[_Turn]:
        """Return turns that end where a rendering of the messages so far ends, if all are alike."""
        turns, end = [], 0
        for number, message in enumerate(messages, start=1):
            turns.append((message.role, end))
            if number == len(messages):
                break
            try:
                beginning = self._render(messages[:number])
            except TemplateRefusedError:  # a template may ask for an answer to every question
                return []
            # What closes only the last message of a chat is no part of the whole.
            shared = _shared(beginning, text)
            if message.content.strip() not in text[end:shared]:
                return []
            end = shared
        return turns

    def _by_contents(self, text: str, messages: Sequence[Message]) -> list[_Turn]:
        """Return turns that end where what is said ends; empty where the template changes it."""
        spans = self._contents(text, messages)
        if len(spans) < len(messages):
            return []
        ends = [0, *(end for _, end in spans[:-1])]
        return [(message.role, end) for message, end in zip(messages, ends, strict=True)]

    def _contents(self, text: str, messages: Sequence[Message]) -> list[tuple[int, int]]:
        """Return where in `text` each message is said."""
        try:
            bare = self._render([message._replace(content=_SAYS) for message in messages])
        except TemplateRefusedError:  # it looks into what is said
            return _searched(text, messages)
        return _aligned(text, bare.split(_SAYS), messages) or _searched(text, messages)

    def _default_system(self) -> str:
        """Return what the template says as the system where no one does; mostly nothing."""
        system, user = Message("system", _SYSTEM_SAYS), Message("user", _USER_SAYS)
        try:
            alone, both, plain = (self._render(m) for m in ([system], [system, user], [user]))
        except TemplateRefusedError:  # it knows no such role
            return ""
        before = both.partition(_SYSTEM_SAYS)[0]
        header = both[_shared(alone, both) :].partition(_USER_SAYS)[0]
        head = plain.partition(_USER_SAYS)[0]
        if not before or not header or not head.startswith(before) or not head.endswith(header):
            return ""
        return head[: len(head) - len(header)]

    def _tokens(self, text: str, messages: Sequence[Message]) -> tuple[list[int], list[int]]:
        """Return token ids, and the character at which each begins."""
        if self._backend is None:
            turns = [start for _, start in self._turns(text, messages)] or [0]
            pieces = [
                (start, self._encode_text(text[start:end]))
                for start, end in pairwise([*turns, len(text)])
            ]
            ids = [token for _, piece in pieces for token in piece]
            return ids, [start for start, piece in pieces for _ in piece]
        if self._letters is not None and any(self._special.search(m.content) for m in messages):
            contents = self._contents(text, messages)
            markers = (match.span() for match in self._special.finditer(text))
            own = [m for m in markers if not any(s <= m[0] and m[1] <= e for s, e in contents)]
            return self._spelt(text, own)
        encoding = self._backend.encode(text, add_special_tokens=False)
        return list(encoding.ids), [start for start, _ in encoding.offsets]

    def _spelt(self, text: str, markers: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
        """Encode with only `markers` as special tokens: a tokenizer, too, cuts a text at these."""
        ids: list[int] = []
        starts: list[int] = []
        for (_, start), (end, after) in pairwise([(0, 0), *markers, (len(text), len(text))]):
            encoding = self._letters.encode(text[start:end], add_special_tokens=False)
            ids += encoding.ids
            starts += [start + first for first, _ in encoding.offsets]
            if after > end:
                ids.append(self._tokenizer.convert_tokens_to_ids(text[end:after]))
                starts.append(end)
        return ids, starts


def _aligned(
    text: str, around: Sequence[str], messages: Sequence[Message]
) -> list[tuple[int, int]] | None:
    """Return where each message stands in `text`, if it is what the template puts `around` them
    and the messages in turn, bare or stripped of spaces at their ends."""
    at = len(around[0])
    if len(around) != len(messages) + 1 or not text.startswith(around[0]):
        return None
    found = []
    for message, after in zip(messages, around[1:], strict=True):
        said = message.content
        for form in (said, said.strip(), said.lstrip(), said.rstrip()):
            if text.startswith(form + after, at):
                found.append((at, at + len(form)))
                at += len(form) + len(after)
                break
        else:
            return None
    return found if at == len(text) else None


def _searched(text: str, messages: Sequence[Message]) -> list[tuple[int, int]]:
    """Return where in `text` each message is said, in their order, up to one that is not."""
    found: list[tuple[int, int]] = []
    end = 0
    for message in messages:
        content = message.content.strip()
        start = text.find(content, end)
        if start < 0:
            break
        end = start + len(content)
        found.append((start, end))
    return found


def _shared(first: str, second: str) -> int:
    """Return how many characters two texts begin with alike."""
    if second.startswith(first):
        return len(first)
    return next(
        (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), len(second)
    )


def _role_spans(turns: Sequence[_Turn], starts: Sequence[int]) -> tuple[RoleSpan, ...]:
    """Return which tokens fall to which turn; each to that in which its first character lies."""
    if not turns:
        return ()
    firsts = [start for _, start in turns]
    owners = [max(bisect_right(firsts, start) - 1, 0) for start in starts]
    spans: list[RoleSpan] = []
    latest = -1
    for token, owner in enumerate(owners):
        if owner > latest:
            spans.append(RoleSpan(turns[owner][0], token, 1))
            latest = owner
        else:
            spans[-1] = spans[-1]._replace(length=spans[-1].length + 1)
    return tuple(spans)
