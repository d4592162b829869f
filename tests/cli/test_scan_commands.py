"""`sae-desktop scan show`, `list` and `report` of a scan that was made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from made_scan import save_scan, three_sets
from typer.testing import CliRunner

from sae_desktop.cli.app import app
from sae_desktop.cli.scan_text import feature_text, scan_text
from sae_desktop.project import Project
from sae_desktop.safety.scan.config import SetScan


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.open_or_create(tmp_path / "p")
    save_scan(project, "first", three_sets())
    return project


def run(*arguments: object) -> int:
    """Run a command and return its exit status."""
    return CliRunner().invoke(app, ["scan", *map(str, arguments)]).exit_code


@pytest.mark.parametrize(("chosen", "sets"), [((), 3), (("--set", "deception", "--index", "i"), 1)])
def test_show__tells_all_sets_or_one(
    project: Project, capfd: pytest.CaptureFixture[str], chosen: tuple[str, ...], sets: int
) -> None:
    assert run("show", project.path, "first", *chosen, "--json") == 0
    told = json.loads(capfd.readouterr().out)
    assert msgspec.convert(told["scans"], list[SetScan]) == three_sets()[:sets]
    assert run("show", project.path, "first", "--set", "nothing") == 1
    assert run("show", project.path, "second") == 1


def test_list__names_the_scans(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("list", project.path, "--json") == 0
    assert json.loads(capfd.readouterr().out) == {"scans": ["first"]}


def test_text__tells_who_is_ahead_and_what_a_feature_does() -> None:
    scans = three_sets()
    row = next(line for line in scan_text(scans).splitlines() if line.startswith("deception"))
    assert ".95 (.80–1.00)" in row
    assert "rival: logistic regression on raw means (−0.30, −0.40 to −0.20)" in row
    text = feature_text(scans[0])
    (acting,) = (line for line in text.splitlines() if line.startswith("#3") and "banks" in line)
    assert "+0.050 (others −0.010 to +0.020)" in acting
    assert "only reads" in next(line for line in text.splitlines() if line.startswith("#7"))


def test_report__writes_a_page_with_all_figures_and_refuses_what_it_cannot(
    project: Project, tmp_path: Path
) -> None:
    page = tmp_path / "scan.html"
    assert run("report", project.path, "first", page) == 0
    text = page.read_text(encoding="utf-8")
    assert "6 features were scored on held-out texts" in text
    assert "The cheap rival wins in the mean over 3 sets" in text
    assert "#3 banks" in text
    assert "It reads, but is not seen to act." in text
    assert run("report", project.path, "first", tmp_path / "scan.pdf") == 1
    assert run("report", project.path, "second", page) == 1
