"""`sae-desktop concept-sets`: what there is, checked and grown, each in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_process import sae_desktop

from sae_desktop.project import Project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Project.open_or_create(tmp_path / "p").path


def test_concept_sets__are_listed_grown_and_shown(folder: Path) -> None:
    text = "He hid the truth from the crew."
    added = sae_desktop(
        "concept-sets", "add", folder, "deception", "--text", text, "--positive", "--json"
    )
    assert added.status == 0, added.stderr
    assert added.result["positives"]["learnt_from"] == 49
    shown = sae_desktop("concept-sets", "show", folder, "deception", "--json").result
    assert [t["positive"] for t in shown["texts"] if t["text"] == text] == [True]
    (folder / "concepts" / "broken.toml").write_text("title = 1")
    listed = sae_desktop("concept-sets", "list", folder, "--json").result["sets"]
    assert [s["name"] for s in listed if not s.get("ships", True)] == ["deception"]
    assert [s["name"] for s in listed if "problem" in s] == ["broken"]


def test_import__takes_a_table_and_refuses_one_example(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    words = ("Apples", "Bridges", "Candles", "Dragons", "Engines", "Forests")
    sides = ("positive", "negative")
    rows = [f"{word} on the {side} side,{side}" for side in sides for word in words]
    table.write_text("\n".join(["text,side", *rows]))
    taken = sae_desktop("concept-sets", "import", folder, table, "--name", "own", "--json")
    assert "fewer than 6" in " ".join(taken.result["warnings"])
    table.write_text("\n".join(["text,side", *rows[:1], *rows[6:]]))
    refused = sae_desktop("concept-sets", "import", folder, table, "--name", "one", "--json")
    assert refused.status == 1
    assert "1 different positive text" in refused.error["what"]
    assert not (folder / "concepts" / "one.csv").exists()
