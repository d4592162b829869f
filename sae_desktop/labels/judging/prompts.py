"""The prompts judges are asked with: `resources/prompts/judge_<scorer>.toml`, which one can read.

Each has `system` and `user`; `{field}` in them is replaced once, so braces in a label stay as they
are. Judgements keep the digest of the prompt they were made with.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.features.reading.judgement import Scorer
from sae_desktop.labels.chat import Message
from sae_desktop.resources import resource_path

FIELDS: dict[str, frozenset[str]] = {
    "detection": frozenset({"label", "texts"}),
    "detection_probability": frozenset({"label", "texts"}),
    "fuzzing": frozenset({"label", "texts", "first", "last"}),
    "fuzzing_probability": frozenset({"label", "texts", "first", "last"}),
    "intruder": frozenset({"texts", "first", "last"}),
    "rubric": frozenset({"label", "texts", "first", "last"}),
    "simulation": frozenset({"label", "texts", "whole"}),
}
"""Prompt → the fields it must have; others it may have."""
_KNOWN = frozenset({"label", "texts", "count", "first", "last", "whole", "most"})
_FIELD = re.compile(r"\{([a-z_]+)\}")
_LARGEST = 1 << 20


class JudgePrompt(msgspec.Struct, frozen=True):
    """What a judge is told."""

    name: str
    system: str
    user: str

    @property
    def digest(self) -> str:
        told = msgspec.json.encode((self.system, self.user))
        return hashlib.blake2b(told, digest_size=8).hexdigest()

    def messages(self, **fields: str) -> tuple[Message, ...]:
        """Return the prompt with its fields filled in."""

        def put(text: str) -> str:
            return _FIELD.sub(lambda m: fields.get(m.group(1), m.group(0)), text).strip()

        found = (Message("system", put(self.system)), Message("user", put(self.user)))
        return tuple(message for message in found if message.content)


def judge_prompt(scorer: Scorer, *, probabilities: bool = False) -> JudgePrompt:
    """Return the prompt of a scorer. Raises UserError when it is missing or damaged."""
    one_word = f"{scorer}_probability"
    name = one_word if probabilities and one_word in FIELDS else scorer
    return read_prompt(resource_path(f"prompts/judge_{name}.toml"), name)


def read_prompt(path: Path, name: str) -> JudgePrompt:
    """Read a prompt. Raises UserError where it lacks a field, or has one that there is not."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("it is larger than a prompt can be")
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        prompt = msgspec.convert({**data, "name": name}, JudgePrompt)
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(path, str(error)) from error
    found = set(_FIELD.findall(prompt.system + prompt.user))
    if missing := sorted(FIELDS[name] - found):
        raise _unusable(path, f"it lacks {{{missing[0]}}}")
    if unknown := sorted(found - _KNOWN):
        raise _unusable(path, f"nothing is known of {{{unknown[0]}}}")
    return prompt


def _unusable(path: Path, why: str) -> UserError:
    return UserError(
        f"The prompt “{path.name}” cannot be used: {why}.",
        kept="Nothing was asked.",
        next_step="Put it right, or take the one that came with the program.",
    )
