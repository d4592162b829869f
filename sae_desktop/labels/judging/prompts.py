"""The prompts judges are asked with: `resources/prompts/judge_<scorer>.toml`, or the project's own.

Judgements keep the digest of the prompt they were made with.
"""

from __future__ import annotations

from pathlib import Path

from sae_desktop.features.reading.judgement import Scorer
from sae_desktop.labels.prompts import Prompt, read_prompt, unusable
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


def judge_prompt(project: Path, scorer: Scorer, *, probabilities: bool = False) -> Prompt:
    """Return the prompt of a scorer, the project's own before the shipped one.

    Raises UserError when it is damaged, lacks a field, or has one that there is not.
    """
    one_word = f"{scorer}_probability"
    name = one_word if probabilities and one_word in FIELDS else scorer
    file = f"prompts/judge_{name}.toml"
    own = project / file
    path = own if own.is_file() else resource_path(file)
    prompt = read_prompt(path, name, FIELDS[name])
    if unknown := sorted(prompt.fields - _KNOWN):
        raise unusable(path, f"nothing is known of {{{unknown[0]}}}")
    return prompt
