"""Chats in the forms in which datasets store them."""

from __future__ import annotations

import contextlib
import json
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
    """Return the messages of a value; None where it is not a list of them.

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
    """Return a chat of one question and its answer; None where they are not texts."""
    if not isinstance(asked, str) or not isinstance(answered, str):
        return None
    return Message("user", asked), Message("assistant", answered)


def chat_text(messages: Sequence[Message]) -> str:
    """Return a chat as plain text: each message after its role."""
    return "\n\n".join(f"{m.role}: {m.content}{_calls_text(m)}" for m in messages)


def _calls_text(message: Message) -> str:
    calls = json.loads(message.beside).get("tool_calls") if message.beside else None
    if not calls:
        return ""
    return ("\n" if message.content else "") + json.dumps(calls, ensure_ascii=False)


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
    if content is None:
        return None
    rest = {
        str(name): value
        for name, value in entry.items()
        if name not in (*_ROLE_KEYS, *_CONTENT_KEYS) and value is not None
    }
    return Message(_ROLES.get(role, role), content, _beside(rest))


def _beside(rest: Mapping[str, Any]) -> str:
    """Return a message's other fields as templates take them; a table's empty ones left out."""
    kept = _without_empty(rest)
    for call in kept.get("tool_calls") or []:
        function = call.get("function", call) if isinstance(call, dict) else {}
        arguments = function.get("arguments")
        if isinstance(arguments, str):  # as they are sent; templates take them apart
            with contextlib.suppress(ValueError):
                function["arguments"] = json.loads(arguments)
    try:
        return json.dumps(kept, ensure_ascii=False) if kept else ""
    except (TypeError, ValueError, RecursionError):  # a picture, or what else is no text
        return ""


def _without_empty(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _without_empty(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_without_empty(entry) for entry in value]
    return value


def _content(value: Any) -> str | None:
    if value is None:  # a turn that only calls a tool
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):  # parts, of which pictures have no text
        texts = [part.get("text") for part in value if isinstance(part, Mapping)]
        return "".join(text for text in texts if isinstance(text, str))
    return None
