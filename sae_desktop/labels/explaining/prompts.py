"""The prompts that explain features: `resources/prompts/explain_<name>.toml`, or the project's own.

A prompt has `system` and `user`. A file `prompts/explain_<name>.toml` of a project is taken in
place of the shipped one of that name, or is a prompt of its own. `{field}` is replaced once, so
braces in a text stay as they are; which fields stand in it decides what is sent.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.labels.chat import Message
from sae_desktop.project import checked_name
from sae_desktop.resources import resource_path

CONTEXTS, OUTPUTS, BOTH, CONTRAST = "contexts", "outputs", "both", "contrast"
FIELDS: dict[str, frozenset[str]] = {
    CONTEXTS: frozenset({"contexts", "first", "last"}),
    OUTPUTS: frozenset({"promoted"}),
    BOTH: frozenset({"contexts", "first", "last", "promoted"}),
    CONTRAST: frozenset({"contexts", "first", "last", "contrast"}),
}
"""Shipped prompt → the fields it must have; one of a person's own needs one of _EVIDENCE."""
KNOWN = frozenset({"contexts", "contrast", "promoted", "lowered", "first", "last", "most", "count"})
_EVIDENCE = ("contexts", "promoted")
_FIELD = re.compile(r"\{([a-z_]+)\}")
_LARGEST = 1 << 20


class ExplainPrompt(msgspec.Struct, frozen=True):
    """What the model that explains is told."""

    name: str
    system: str
    user: str

    @property
    def digest(self) -> str:
        """Tells this text from every other; kept with each label that it led to."""
        told = msgspec.json.encode((self.system, self.user))
        return hashlib.blake2b(told, digest_size=8).hexdigest()

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(_FIELD.findall(self.system + self.user))

    def messages(self, fields: dict[str, str]) -> tuple[Message, ...]:
        """Return the prompt with its fields filled in."""

        def put(text: str) -> str:
            return _FIELD.sub(lambda m: fields.get(m.group(1), m.group(0)), text).strip()

        found = (Message("system", put(self.system)), Message("user", put(self.user)))
        return tuple(message for message in found if message.content)


def explain_prompt(project: Path, name: str) -> ExplainPrompt:
    """Return the prompt of a name. Raises UserError when there is none, or it is damaged."""
    file = f"prompts/explain_{checked_name(name)}.toml"
    path = project / file
    if not path.is_file():
        if name not in FIELDS:
            raise UserError(
                f"There is no prompt “{name}”.",
                next_step=f"Choose one of {', '.join(prompt_names(project))}, or write {file} in "
                "the project.",
            )
        path = resource_path(file)
    return read_prompt(path, name)


def prompt_names(project: Path) -> list[str]:
    """Return the names of the shipped prompts and of the project's own."""
    own = {p.stem.removeprefix("explain_") for p in project.glob("prompts/explain_*.toml")}
    return [*FIELDS, *sorted(own - set(FIELDS))]


def copy_prompt(project: Path, name: str) -> Path:
    """Lay a copy of a shipped prompt into the project, to be changed; return where it is."""
    from sae_desktop.storage.atomic import write_bytes

    path = project / f"prompts/explain_{checked_name(name)}.toml"
    if not path.exists():
        data = resource_path(f"prompts/explain_{name}.toml").read_bytes()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data)
    return path


def read_prompt(path: Path, name: str) -> ExplainPrompt:
    """Read a prompt. Raises UserError that names the field it lacks, or that there is not."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("it is larger than a prompt can be")
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        prompt = msgspec.convert({**data, "name": name}, ExplainPrompt)
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(path, str(error)) from error
    found = prompt.fields
    if missing := sorted(FIELDS.get(name, frozenset()) - found):
        raise _unusable(path, f"the field {{{missing[0]}}} is missing from it")
    if not found.intersection(_EVIDENCE):
        raise _unusable(path, "neither {contexts} nor {promoted} is in it, so it says nothing")
    if "contexts" in found and not {"first", "last"} <= found:
        raise _unusable(path, "it does not say what {first} and {last} mark")
    return prompt


def _unusable(path: Path, why: str) -> UserError:
    return UserError(
        f"The prompt “{path.name}” cannot be used: {why}.",
        kept="Nothing was asked.",
        next_step="Put it right, or delete it to take the one that came with the program.",
    )
