"""Monitors at the command line: made, shown, run, exported, put to the test, served, deleted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from cli_process import sae_desktop
from engine_driver import engine_environment
from toy_index import make_toy_index
from toy_models import TEXT

from sae_desktop.project import Project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path) -> Project:
    folder = tmp_path_factory.mktemp("monitored")
    return make_toy_index(folder, toy_model_folder, tokens=500, training=2500)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty ordinary documents."""
    path = tmp_path_factory.mktemp("text") / "ordinary.jsonl"
    lines = [json.dumps({"text": f"{n} {TEXT[3 * n : 3 * n + 60]}"}) for n in range(40)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(project: Project, text: Path) -> dict[str, Any]:
    """The monitor “m” on three features, tried on two texts."""
    for name in ("on", "off"):
        other = "In the beginning" if name == "on" else "def add("
        (text.parent / f"{name}.txt").write_text(f"{other}\n{other} again\n", encoding="utf-8")
    done = sae_desktop(
        "monitor", "calibrate", project.path, "--name", "m", "--index", "i", "--feature", "1",
        "--feature", "2", "--feature", "3", "--positives", text.parent / "on.txt", "--negatives",
        text.parent / "off.txt", "--rate", "0.1", "--confidence", "0.9", "--corpus", text,
        "--device", "cpu", "--json",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    found: dict[str, Any] = done.result
    return found


def test_monitor__is_made_shown_run_exported_and_deleted(
    project: Project, text: Path, made: dict[str, Any], tmp_path: Path
) -> None:
    assert made["promise"]["blocks"] == 40
    assert [one["what"] for one in made["power"]] == ["features 1, 2, 3", "Random direction"]
    shown = sae_desktop("monitor", "show", project.path, "m", "--json").result
    assert shown[0]["threshold"] == made["threshold"]
    done = sae_desktop(
        "monitor", "run", project.path, "--monitor", "m", "--corpus", text, "--device", "cpu",
        "--json",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    run = done.result["runs"][0]
    # On the very text of calibration it fires as often as it did there.
    assert run["rate"] * run["blocks"] == pytest.approx(made["promise"]["firing"])
    out = tmp_path / "out"
    done = sae_desktop("monitor", "export", project.path, "m", "--to", out, "--json")
    assert sorted(path.name for path in out.iterdir()) == sorted(done.result["files"])
    done = sae_desktop("delete", project.path, "monitor", "m", "--yes", "--json")
    assert done.status == 0, done.stderr
    assert project.monitors() == []
    assert sae_desktop("trash", "restore", project.path, "monitor", "m", "--json").status == 0
    assert project.monitors() == ["m"]


def test_short_text__is_refused_with_what_it_takes(project: Project, text: Path) -> None:
    done = sae_desktop(
        "monitor", "calibrate", project.path, "--name", "n", "--index", "i", "--feature", "1",
        "--rate", "0.01", "--corpus", text, "--device", "cpu", "--json",
    )  # fmt: skip
    assert done.status == 1
    assert "takes 299 documents or chats, and there are 40" in done.error["what"]


def test_mitigate__tells_each_way_and_searches_both_clamps(
    project: Project, text: Path, made: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "prompts.txt").write_text("In the beginning\n", encoding="utf-8")
    done = sae_desktop(
        "mitigate", project.path, "--index", "i", "--prompts", tmp_path / "prompts.txt", "--when",
        made["name"], "--feature", "1", "--target", "e", "--corpus", text, "--documents", "3",
        "--tries", "0", "--max-new-tokens", "4", "--harmless", tmp_path / "prompts.txt",
        "--device", "cpu", "--json",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    names = [one["name"] for one in done.result["outcomes"]]
    assert names == ["plain", "under the condition", "at every token", "on a random condition"]
    assert any("Refusals are told by English phrases" in note for note in done.result["notes"])


@pytest.fixture
def server(project: Project, made: dict[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
    """Served as the window does it: its input is held open, it tells of itself in JSON."""
    command = [
        sys.executable, "-m", "sae_desktop", "serve", "--project", str(project.path), "--monitor",
        str(made["name"]), "--port", "0", "--device", "cpu", "--until-input-ends", "--json",
    ]  # fmt: skip
    pipes = subprocess.PIPE
    environment = {**os.environ, **engine_environment()}
    with subprocess.Popen(
        command, stdin=pipes, stdout=pipes, stderr=pipes, env=environment
    ) as process:
        yield process
        process.kill()


def test_serve__tells_of_requests_and_ends_with_its_input(
    server: subprocess.Popen[bytes],
) -> None:
    assert server.stdout is not None
    assert server.stderr is not None
    assert server.stdin is not None
    served = json.loads(server.stdout.readline())
    with openai.OpenAI(base_url=served["url"], api_key=served["token"], max_retries=0) as client:
        client.completions.create(model=served["model"], prompt="In the", max_tokens=3)
    told = json.loads(server.stderr.readline())["output"]
    assert (told["kind"], told["written"], told["finish"]) == ("text", 3, "length")
    server.stdin.close()
    assert server.wait(20) == 0
