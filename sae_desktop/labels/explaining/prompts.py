"""The prompts that explain features: `resources/prompts/explain_<name>.toml`, or the project's own.

A file `prompts/explain_<name>.toml` of a project that has no shipped one is a prompt of its own.
Which fields stand in a prompt decides what is sent.
"""

from __future__ import annotations

from pathlib import Path

from sae_desktop.errors import UserError
from sae_desktop.labels.prompts import Prompt, read_prompt, unusable
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


def explain_prompt(project: Path, name: str) -> Prompt:
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
    return _read(path, name)


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


def _read(path: Path, name: str) -> Prompt:
    prompt = read_prompt(path, name, FIELDS.get(name, frozenset()))
    if not prompt.fields.intersection(_EVIDENCE):
        raise unusable(path, "neither {contexts} nor {promoted} is in it, so it says nothing")
    if "contexts" in prompt.fields and not {"first", "last"} <= prompt.fields:
        raise unusable(path, "it does not say what {first} and {last} mark")
    return prompt
