"""A toy project with a small concept set: program text against prose, apart by template."""

from __future__ import annotations

import json
from pathlib import Path

from toy_index import make_toy_index

from sae_desktop.project import Project

SET, OTHER = "code", "shuffled"
_CODE = [
    "def add(first, second):\n    return first + {}", "return first + {} + second",
    "    return second\n\ndef add({}):", "{}(second)\n\n", "add({}) + add({})",
    "def {}:\n    second + 1", "def second(add, {}):\n    return add",
]  # fmt: skip
_PROSE = [
    "In the beginning God created the {}.", "the heaven and the earth and the {}",
    "Toute personne a droit à {}.", "God created the earth in the {}.",
    "the {} of the heaven and the beginning", "l’éducation de toute personne, {}",
    "a beginning, and the {} created God",
]  # fmt: skip
_WORDS = ["first", "earth", "add", "God"]


def make_scanned_toy(folder: Path, model: Path) -> Project:
    """Return a project with the index “i” and two sets: SET, and OTHER without a difference."""
    project = make_toy_index(folder, model)
    save_code_sets(project)
    return project


def save_code_sets(project: Project) -> None:
    """Write the sets into a project."""
    concepts = project.path / "concepts"
    concepts.mkdir(exist_ok=True)
    for name in (SET, OTHER):
        rows = []
        for number, (code, prose) in enumerate(zip(_CODE, _PROSE, strict=True)):
            pair = (code, prose) if name == SET or number % 2 else (prose, code)
            for side, text in zip(("positive", "negative"), pair, strict=True):
                rows += [
                    {"text": text.replace("{}", word), "side": side, "template": f"{side} {number}",
                     "held_out": 2 < number < 6, "language": "en" if number < 6 else "fr"}
                    for word in _WORDS
                ]  # fmt: skip
        lines = "\n".join(json.dumps(row) for row in rows)
        (concepts / f"{name}.jsonl").write_text(lines, encoding="utf-8")
