"""The notebook that ships: its cells run one after another, and what they show is HTML."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest

from sae_desktop.resources import resource_path

NOTEBOOK = resource_path("notebooks/features.ipynb")


def _cells() -> list[str]:
    told = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return ["".join(one["source"]) for one in told["cells"] if one["cell_type"] == "code"]


def _run(source: str, names: dict[str, Any]) -> Any:
    """Run a cell and return what a notebook would show: the value of its last expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, NOTEBOOK.name, "exec"), names)
    if last is None:
        return None
    assert isinstance(last, ast.Expr)
    return eval(compile(ast.Expression(last.value), NOTEBOOK.name, "eval"), names)


def test_notebook__runs_on_the_demonstration(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    shown = [_run(cell, names) for cell in _cells()]
    pages = [one._repr_html_() for one in shown if hasattr(one, "_repr_html_")]
    assert len(pages) == 5
    assert "Demonstration" in pages[0]
    feature = names["feature"]
    assert f"Feature {feature.number} · {feature.label}" in pages[3]
    assert feature.label == "Italian text"
    assert feature in names["start"]
    # The nearest by the weights is the nearest that the index says.
    assert names["nearest"] == feature.neighbours[0][0]
    # It fires on what is Italian of the text, and not on what is English.
    tokens, values = names["read"].tokens, names["read"].activations(feature)
    italian = tokens.index(" ma")
    assert max(values[:italian]) < max(values[italian:]) / 4
    plain, steered = names["written"].variants
    assert plain.text != steered.text
    assert names["trained"].features == 512
    assert 0 < names["measured"].l0 <= 64
    assert 0 < names["measured"].fvu < 1
    printed = capsys.readouterr().out
    assert "100%" in printed
    assert "train, " in printed


def test_notebook__is_kept_without_what_was_printed() -> None:
    told = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    code = [one for one in told["cells"] if one["cell_type"] == "code"]
    assert all(not one["outputs"] and one["execution_count"] is None for one in code)
