"""match, splitting, concepts, completeness and lists, each in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_process import Done, sae_desktop
from small_project import FEATURES, LABEL, LABELLED

CPU = ("--device", "cpu", "--json")


def ok(done: Done) -> Any:
    assert done.status == 0, done.stderr
    return done.result


@pytest.fixture
def two(small_project: Path) -> Path:
    """The small project with a dictionary of half the features, indexed as the other."""
    ok(
        sae_desktop(
            "train", small_project, "--activations", "acts", "--name", "half", "--features",
            str(FEATURES // 2), "--tokens", "4000", "--batch", "250", *CPU,
        )
    )  # fmt: skip
    ok(sae_desktop("index", small_project, "--dictionary", "half", "--name", "half", *CPU))
    return small_project


def test_match_and_splitting__follow_a_feature_into_a_larger_dictionary(two: Path) -> None:
    refused = sae_desktop("splitting", two, "--dictionary", "half", "--feature", "0", "--json")
    assert refused.status == 1
    assert "has not been matched" in refused.stderr
    (pair,) = ok(sae_desktop("match", two, *CPU))["pairs"]
    assert (pair["smaller"], pair["larger"], pair["kept"]) == ("half", "dict", False)
    assert ok(sae_desktop("match", two, *CPU))["pairs"][0]["kept"]
    parts = []
    for feature in range(3):
        found = ok(
            sae_desktop(
                "splitting", two, "--dictionary", "half", "--feature", str(feature),
                "--least-cosine", "0", "--json",
            )
        )  # fmt: skip
        assert found["part_of"] == []
        assert found["tree"]["dictionary"] == "half"
        parts += [p for p in found["tree"]["parts"] if not p["shared"]]
        assert all(p["dictionary"] == "dict" for p in found["tree"]["parts"])
        assert all(-1 <= p["cosine"] <= 1 for p in found["tree"]["parts"])
    assert len({p["feature"] for p in parts}) == len(parts)
    above = ok(
        sae_desktop("splitting", two, "--dictionary", "dict", "--feature", str(LABELLED), "--json")
    )
    assert [node["dictionary"] for node in above["part_of"]] == ["half"]
    assert above["tree"]["label"] == LABEL
    out_of_range = sae_desktop("splitting", two, "--dictionary", "dict", "--feature", "9999")
    assert out_of_range.status == 1
    assert "There is no feature 9999" in out_of_range.stderr
    readable = sae_desktop("splitting", two, "--dictionary", "dict", "--feature", str(LABELLED))
    assert f"dict #{LABELLED} {LABEL}" in readable.stdout


def test_concepts_and_completeness__ask_every_dictionary(two: Path, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("the\nand | or\nof\nin\nxyzzy\n")
    added = ok(sae_desktop("concepts", two, "--add", tmp_path / "letters.txt", "--json"))
    assert added == {
        "name": "letters",
        "concepts": [["the"], ["and", "or"], ["of"], ["in"], ["xyzzy"]],
    }
    lists = ok(sae_desktop("concepts", two, "--json"))["lists"]
    assert {"name": "letters", "concepts": 5, "ships": False} in lists
    assert {"animals", "cities", "countries", "elements", "programming"} < {
        x["name"] for x in lists
    }
    result = ok(
        sae_desktop(
            "completeness", two, "--concepts", "letters", "--index", "idx", "--index", "half",
            "--least-occurrences", "2", *CPU,
        )
    )  # fmt: skip
    assert [d["dictionary"] for d in result["dictionaries"]] == ["half", "dict"]
    assert len(result["rows"]) == 5
    assert result["judged"] >= 1
    shown = sae_desktop(
        "completeness", two, "--concepts", "letters", "--index", "idx", "--no-control",
        "--least-occurrences", "2", "--device", "cpu",
    )  # fmt: skip
    assert f"{result['judged']} of 5 concepts occur at least 2 times" in shown.stdout
    refused = sae_desktop("completeness", two, "--concepts", "gone", "--index", "idx", *CPU)
    assert refused.status == 1
    assert "no list of concepts “gone”" in refused.stderr


def test_lists__are_made_shown_and_deleted(small_project: Path) -> None:
    listed = ("lists", small_project, "--index", "idx")
    assert ok(sae_desktop(*listed, "--json")) == {"lists": []}
    made = ok(
        sae_desktop(
            *listed, "--list", "mine", "--add", str(LABELLED), "--add", "3", "--about", "why",
            "--json",
        )
    )  # fmt: skip
    assert made["about"] == "why"
    assert [(f["id"], f["label"]) for f in made["features"]] == [(LABELLED, LABEL), (3, "")]
    again = ok(sae_desktop(*listed, "--list", "mine", "--add", "3", "--add", "4", "--json"))
    assert [f["id"] for f in again["features"]] == [LABELLED, 3, 4]
    assert "mine" in sae_desktop(*listed).stdout
    refused = sae_desktop(*listed, "--list", "mine", "--add", "9999")
    assert (refused.status, "There is no feature 9999" in refused.stderr) == (1, True)
    assert sae_desktop(*listed, "--add", "1").status == 2
    ok(sae_desktop(*listed, "--list", "mine", "--delete", "--json"))
    gone = sae_desktop(*listed, "--list", "mine")
    assert (gone.status, "There is no list “mine”" in gone.stderr) == (1, True)
