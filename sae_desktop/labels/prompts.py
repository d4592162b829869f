"""Prompts: files in `resources/prompts` that a person can read, or the project's own.

A prompt has `system` and `user`. A file of the same name in the project's `prompts/` is taken in
place of the shipped one. `{field}` is replaced once, so braces in a text stay as they are.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.labels.chat import Message

_FIELD = re.compile(r"\{([a-z_]+)\}")
_LARGEST = 1 << 20


class Prompt(msgspec.Struct, frozen=True):
    """What a model is told."""

    name: str
    system: str
    user: str

    @property
    def digest(self) -> str:
        """Tells this text from every other; kept with what it led to."""
        told = msgspec.json.encode((self.system, self.user))
        return hashlib.blake2b(told, digest_size=8).hexdigest()

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(_FIELD.findall(self.system + self.user))

    def messages(self, **fields: str) -> tuple[Message, ...]:
        """Return the prompt with its fields filled in."""

        def put(text: str) -> str:
            return _FIELD.sub(lambda m: fields.get(m.group(1), m.group(0)), text).strip()

        found = (Message("system", put(self.system)), Message("user", put(self.user)))
        return tuple(message for message in found if message.content)


def read_prompt(path: Path, name: str, needed: frozenset[str]) -> Prompt:
    """Read a prompt. Raises UserError where it is damaged, or lacks one of the fields `needed`."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("it is larger than a prompt can be")
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        prompt = msgspec.convert({**data, "name": name}, Prompt)
    except (OSError, ValueError, RecursionError) as error:
        raise unusable(path, str(error)) from error
    if missing := sorted(needed - prompt.fields):
        raise unusable(path, f"the field {{{missing[0]}}} is missing from it")
    return prompt


def unusable(path: Path, why: str) -> UserError:
    """Return the error of a prompt that cannot be used."""
    return UserError(
        f"The prompt “{path.name}” cannot be used: {why}.",
        kept="Nothing was asked.",
        next_step="Put it right, or delete it to take the one that came with the program.",
    )
