"""The program checks itself: its files, its jobs, and with --window the way of a newcomer."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_process import sae_desktop

from sae_desktop import resources
from sae_desktop.engine.registry import JOB_KINDS


def test_check__finds_all_files_and_jobs() -> None:
    done = sae_desktop("self-check", "--json")
    assert (done.status, done.stderr) == (0, "")
    assert done.result["resources"] == len(resources.NEEDED)
    assert done.result["jobs"] == len(JOB_KINDS)
    assert done.result["window"] == []


@pytest.mark.gui
def test_check__of_the_window_reads_a_feature_and_steers(tmp_path: Path) -> None:
    done = sae_desktop(
        "self-check", "--window", "--json",
        environment={"QT_QPA_PLATFORM": "offscreen", "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert (done.status, done.stderr) == (0, "")
    assert [step["step"] for step in done.result["window"]] == [
        "Open the window", "Open the demonstration", "Read a feature", "Steer a prompt",
        "Close the window",
    ]  # fmt: skip
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("sae-desktop")] == []


def test_resources__that_must_be_there_are_in_the_checkout() -> None:
    assert all(resources.is_shipped(relative) for relative in resources.NEEDED)
    assert not resources.is_shipped("no-such-file")
