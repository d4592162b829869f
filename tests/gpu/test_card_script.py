"""The script for a real card, in small and on the CPU: that all of it runs and holds."""

import json
from pathlib import Path

import card
import pytest
from bench import TINY, Bench, Figure


def test_every_check__runs_and_holds_on_the_cpu(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "figures.json"
    code = card.main(["--device", "cpu", "--tiny", "--json", str(kept)])
    told = capsys.readouterr().out
    assert code == 0, told
    assert "FAILED" not in told
    assert "LEFT OUT" not in told
    figures = json.loads(kept.read_text())["figures"]
    assert set(figures) == set(card.CHECKS)
    assert all(figures.values())


def test_wrong_figure_and_check_that_raises__make_it_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(bench: Bench) -> list[Figure]:
        raise RuntimeError(f"no {bench.sizes is TINY}")

    monkeypatch.setattr(
        card, "CHECKS", {"off": lambda bench: [Figure("x", 2.0, most=1.0)], "broken": broken}
    )
    assert card.main(["--device", "cpu", "--tiny"]) == 1
    told = capsys.readouterr().out
    assert "FAILED x: 2" in told
    assert "no True" in told
    assert "2 wrong" in told
    assert card.main(["--device", "cpu", "--tiny", "--minutes", "-1"]) == 1
    assert "LEFT OUT" in capsys.readouterr().out
