"""`sae-desktop benchmark` on a toy project."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sae_desktop.benchmark.benchmark_file import read_benchmark
from sae_desktop.cli.app import app
from sae_desktop.cli.benchmark_commands import benchmark_text
from sae_desktop.project import Project

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmark"))
from made_benchmark import SEEDS, make_measured_project


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_measured_project(tmp_path_factory.mktemp("commands")).path


def run(*arguments: object) -> int:
    return CliRunner().invoke(app, ["benchmark", *map(str, arguments)]).exit_code


def test_commands__measure_show_and_export(
    folder: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    labelled = folder.parent / "labelled.jsonl"
    few = ("--rows", 64, "--loss-windows", 0, "--control-seeds", 1, "--texts", 30, "--words", 0)
    asked = (*few, "--no-builtin-tasks", "--labelled", labelled, "--device", "cpu", "--name", "b")
    assert run("run", folder, SEEDS[0], "--seeds", *asked, "--json") == 0
    told = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert [one["kind"] for one in told["subjects"]] == [
        "dictionary",
        "dictionary",
        "random",
        "pca",
    ]
    # A process writes its standard output once: what is read here is what the job has said.
    assert run("show", folder, "b") == run("list", folder) == 0
    text = benchmark_text(read_benchmark(Project.open(folder), "b").result)
    assert "plain · 2 seeds" in text
    assert "code or prose" in text
    table, whole = tmp_path / "b.csv", tmp_path / "b.json"
    assert run("export", folder, "b", table) == run("export", folder, "b", whole) == 0
    rows = list(csv.DictReader(table.open()))
    assert [row["name"] for row in rows[:2]] == list(SEEDS)
    assert float(rows[0]["fvu"]) == told["subjects"][0]["fvu"]
    assert json.loads(whole.read_text())["path"] == ""
    assert run("export", folder, "b", tmp_path / "b.txt") == 1
    assert run("run", folder, "nothing", *asked) == 1
