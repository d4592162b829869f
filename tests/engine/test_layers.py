"""Modules import each other in one direction, types too; the layers are in pyproject.toml."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import sae_desktop

_PACKAGE = Path(sae_desktop.__file__).parent


def _name(path: Path) -> str:
    parts = (_PACKAGE.name, *path.relative_to(_PACKAGE).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


def test_imports__have_no_circle() -> None:
    sources = {_name(path): path for path in _PACKAGE.rglob("*.py")}
    imported: dict[str, set[str]] = {}
    for name, path in sources.items():
        imported[name] = found = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    found.add(whole if whole in sources else node.module)
    assert len(imported) > 500
    TopologicalSorter(imported).prepare()  # raises CycleError, which names the circle
