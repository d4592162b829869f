"""Checkpoints from the command line: watched, calibrated, an alert by the exit status, shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkpoint_toys import save_base, save_checkpoint, save_text
from cli_process import Done, sae_desktop


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watched")
    save_base(folder / "base")
    for seed in (1, 2, 3):
        save_checkpoint(folder / f"harmless{seed}" / "step-1", noise=0.01, seed=seed)
    save_checkpoint(folder / "run" / "step-1", noise=0.01, seed=4)
    save_checkpoint(folder / "run" / "step-2", noise=0.01, moved=3.0, seed=4)
    save_text(folder / "text.jsonl")
    return folder


def _watch(place: Path, folder: str, name: str, *rest: str) -> Done:
    return sae_desktop(
        "watch", place / folder, "--project", place / "p", "--name", name, "--base",
        place / "base", "--corpus", place / "text.jsonl", "--texts", "12", "--context-size", "14",
        "--every", "0.05", "--idle", "0.01", "--device", "cpu", "--json", *rest,
    )  # fmt: skip


def test_watch__ends_with_a_status_of_its_own_where_an_alert_was_raised(place: Path) -> None:
    for seed in (1, 2, 3):
        done = _watch(place, f"harmless{seed}", f"h{seed}", "--expected", "1")
        assert done.status == 0, done.stderr
    too_few = sae_desktop("change", "calibrate", place / "p", "k", "--watch", "h1", "--json")
    assert too_few.status == 1
    assert "11 are needed" in too_few.error["what"]
    calibrated = sae_desktop(
        "change", "calibrate", place / "p", "k", "--watch", "h1", "--watch", "h2", "--watch", "h3",
        "--rate", "0.34", "--json",
    )  # fmt: skip
    assert calibrated.status == 0, calibrated.stderr
    done = _watch(place, "run", "r", "--calibration", "k")
    assert done.status == 3, done.stderr
    assert [(a["since"], a["checkpoint"]) for a in done.result["alerts"]] == [("step-1", "step-2")]
    # A script that starts it again learns the same.
    again = _watch(place, "run", "r", "--calibration", "k")
    assert (again.status, again.result["alerts"]) == (3, done.result["alerts"])
    assert _watch(place, "none", "n").status == 1


def test_run_show_and_report__say_what_changed(place: Path) -> None:
    done = sae_desktop(
        "change", "run", place / "q", "c", "--base", place / "base", "--folder", place / "run",
        "--corpus", place / "text.jsonl", "--texts", "12", "--context-size", "14",
        "--crosscoder-features", "8", "--crosscoder-steps", "2", "--device", "cpu",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    for words in ("step-1", "step-2", "Features of the crosscoder: "):
        assert words in done.stdout
    listed = sae_desktop("change", "list", place / "q", "--json").result
    assert [(c["name"], c["checkpoints"]) for c in listed["comparisons"]] == [("c", 3)]
    told = sae_desktop("change", "show", place / "q", "c", "--top", "3", "--json").result
    assert len(told["lens_tokens"]) == len(told["shift_tokens"]) == 3
    assert sum(told["kinds"].values()) == 8
    shown = sae_desktop("change", "show", place / "q", "c").stdout
    assert "The difference at the first tokens, read as logits" in shown
    assert "ways of looking that have a yardstick" in shown
    page = place / "c.html"
    assert sae_desktop("change", "report", place / "q", "c", "--out", page).status == 0
    html = page.read_text(encoding="utf-8")
    assert html.count("<polyline") >= 3
    assert "With a random direction" in html
    assert sae_desktop("change", "show", place / "q", "c", "--checkpoint", "3").status == 1
