"""Chats as their datasets write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sae_desktop.corpus.records import Message

_ROLE_KEYS = ("role", "from", "speaker")
_CONTENT_KEYS = ("content", "value", "text")
_ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "function": "tool"}


def is_chat(value: Any) -> bool:
    """Whether a value is a list of messages, none missing."""
    return bool(messages_of(value))


def messages_of(value: Any) -> tuple[Message, ...] | None:
    """Return the messages of a value; None where it is no list of them.

    Read are [{role, content}], ShareGPT's [{from, value}], and either as a table of columns.
    """
    if isinstance(value, Mapping):
        value = _rows(value)
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return None
    found = []
    for entry in value:
        message = _message(entry)
        if message is None:
            return None
        found.append(message)
    return tuple(found)


def pair_messages(asked: Any, answered: Any) -> tuple[Message, ...] | None:
    """Return a chat of one question and its answer; None where they are no texts."""
    if not isinstance(asked, str) or not isinstance(answered, str):
        return None
    return Message("user", asked), Message("assistant", answered)


def chat_text(messages: Sequence[Message]) -> str:
    """Return a chat as plain text: each message after its role."""
    return "\n\n".join(f"{role}: {content}" for role, content in messages)


def is_chat_schema(names: Sequence[str]) -> bool:
    """Whether entries with these fields are messages."""
    return any(key in names for key in _ROLE_KEYS) and any(key in names for key in _CONTENT_KEYS)


def _rows(columns: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    lists = {name: values for name, values in columns.items() if isinstance(values, list)}
    if not is_chat_schema(list(lists)) or len({len(values) for values in lists.values()}) != 1:
        return None
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _message(entry: Any) -> Message | None:
    if not isinstance(entry, Mapping):
        return None
    role = next((entry[key] for key in _ROLE_KEYS if isinstance(entry.get(key), str)), None)
    key = next((key for key in _CONTENT_KEYS if key in entry), None)
    if role is None or key is None:
        return None
    content = _content(entry[key])
    return None if content is None else Message(_ROLES.get(role, role), content)


def _content(value: Any) -> str | None:
    if value is None:  # a turn that only calls a tool
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):  # parts, of which pictures have no text
        texts = [part.get("text") for part in value if isinstance(part, Mapping)]
        return "".join(text for text in texts if isinstance(text, str))
    return None
