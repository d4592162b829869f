"""What a person reads keeps to the spellings that CONTRIBUTING lists under “Words”."""

from __future__ import annotations

import ast
import functools
import json
import lzma
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from sae_desktop.words.source_titles import (
    BUILTIN_SOURCES,
    corpus_title,
    model_title,
    source_title,
)

ROOT = Path(__file__).parents[1]
CODE = sorted((ROOT / "sae_desktop").rglob("*.py"))


@functools.cache
def spellings() -> list[tuple[str, list[re.Pattern[str]]]]:
    """Return the rows of the table: what is written, and the patterns that are not."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = page.partition("| write | not |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]
    return [(right, _patterns(wrong)) for right, wrong in rows]


def _patterns(cell: str) -> list[re.Pattern[str]]:
    """Return what stands in backticks; a bar within a table is escaped."""
    found = re.findall("`([^`]+)`", cell.replace(r"\|", "|"))
    return [re.compile(pattern, re.IGNORECASE) for pattern in found]


def sentences(code: str) -> Iterator[tuple[int, str]]:
    """Yield the line and text of each literal of several words that is not a docstring."""
    tree = ast.parse(code)
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            skipped.update(id(part) for part in ast.walk(node) if part is not node)
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = [p.value if isinstance(p, ast.Constant) else "{}" for p in node.values]
            text = "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if " " in text:
            yield node.lineno, text


def faults(code: str) -> list[str]:
    """Return “line: text: write …” for each sentence that holds what is not written."""
    found = []
    for line, text in sentences(code):
        for right, wrong in spellings():
            found += [
                f"{line}: {text!r}: write {right}" for pattern in wrong if pattern.search(text)
            ]
    return found


def test_table__is_read_from_the_page() -> None:
    assert len(spellings()) > 10
    assert all(wrong for _, wrong in spellings())


def test_faults__are_found_in_what_a_person_reads_alone() -> None:
    code = '''
def said(name: str) -> str:
    """Choose a color: a docstring is for those who work on the code."""
    return f"The color of “{name}”" + "It goes on." + "There is no file." + "color"
'''
    assert [fault.partition(":")[0] for fault in faults(code)] == ["4", "4"]
    assert faults('said = "“x” is no file."')
    assert faults('said = "Wait a moment..."')


def test_what_a_person_reads__keeps_to_the_table() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{fault}"
        for path in CODE
        for fault in faults(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("builtin", "Built-in model"),
        ("owner/gpt-tiny", "gpt-tiny"),
        ("/models/mine/", "mine"),
        ("", ""),
    ],
)
def test_model__is_called_by_what_a_person_knows_it_as(name: str, title: str) -> None:
    assert model_title(name) == title


def test_corpus__is_called_by_what_a_person_knows_it_as() -> None:
    assert corpus_title("builtin") == "Built-in corpus"
    assert corpus_title("/texts/law.txt") == "law.txt"


def test_sources__of_the_built_in_corpus_are_all_called_by_their_titles() -> None:
    with lzma.open(ROOT / "resources/corpus/builtin.jsonl.xz", "rt", encoding="utf-8") as lines:
        named = {json.loads(line)["source"] for line in lines}
    assert named == set(BUILTIN_SOURCES)


def test_source__of_another_corpus_keeps_its_name() -> None:
    info = SimpleNamespace(corpus="builtin", texts=[SimpleNamespace(corpus="builtin")])
    assert source_title("web", info) == "World English Bible"  # type: ignore[arg-type]
    assert source_title("other", info) == "other"  # type: ignore[arg-type]
    info.texts.append(SimpleNamespace(corpus="/texts/pages.jsonl"))
    assert source_title("web", info) == "web"  # type: ignore[arg-type]
    assert source_title("web", SimpleNamespace(corpus="mine", texts=[])) == "web"  # type: ignore[arg-type]
    assert source_title("web", None) == "web"
