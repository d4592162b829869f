"""What a command prints: its help, its errors and other people's names."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sae_desktop import launch
from sae_desktop.cli.app import command, run
from sae_desktop.cli.console import encoded, visible, visible_json
from sae_desktop.cli.reporter import TextReporter
from sae_desktop.engine.protocol import ErrorInfo, JobProgress

ENCODINGS = ("cp1251", "cp437", "latin-1", "ascii")


def _commands(one: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield before
    for name, inside in getattr(one, "commands", {}).items():
        yield from _commands(inside, (*before, name))


COMMANDS = list(_commands(command()))


def test_command__made_alone_is_what_it_is_among_all() -> None:
    def told(one: Any) -> Any:
        inside = {name: told(sub) for name, sub in getattr(one, "commands", {}).items()}
        return one.help, [(p.opts, getattr(p, "help", None)) for p in one.params], inside

    whole = told(command())
    for name, one in whole[2].items():
        assert told(command(name)) == (*whole[:2], {name: one})
    assert told(command("trian")) == whole


def _narrow(monkeypatch: pytest.MonkeyPatch, encoding: str) -> io.BytesIO:
    """Make standard output and error a pipe of an encoding."""
    raw = io.BytesIO()
    for name in ("stdout", "stderr"):
        stream = io.TextIOWrapper(raw, encoding=encoding, errors="strict", write_through=True)
        monkeypatch.setattr(sys, name, stream)
    return raw


def _helped(monkeypatch: pytest.MonkeyPatch, encoding: str, words: tuple[str, ...]) -> str:
    """Return what a command tells of itself into a pipe of an encoding."""
    from sae_desktop.__main__ import main

    raw = _narrow(monkeypatch, encoding)
    assert main([*words, "--help"]) == 0, words
    told = raw.getvalue().decode(encoding)
    assert "Usage" in told
    assert "Traceback" not in told
    return told


def test_help__of_every_command_is_told_in_every_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(COMMANDS) > 30
    told = {words: _helped(monkeypatch, "utf-8", words) for words in COMMANDS}
    # What has to be replaced in one encoding or another, most of it first.
    strange = sorted(COMMANDS, key=lambda words: -sum(letter > "~" for letter in told[words]))
    for encoding in ENCODINGS:
        for words in strange[:3]:
            _helped(monkeypatch, encoding, words)


def test_help__is_told_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = _narrow(monkeypatch, "utf-8")
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["import", "--help"]) == 0
    assert "owner/name[/folder]" in raw.getvalue().decode()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_commands__print_into_a_pipe_of_another_encoding(tmp_path: Path, encoding: str) -> None:
    project = tmp_path / "größe ★.saeproj"
    missing = ["features", str(project), "--index", "none"]
    for words, status in ((["architectures"], 0), (missing, 1)):
        done = subprocess.run(
            launch.command("sae_desktop", *words), check=False, capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        assert b"Traceback" not in done.stderr
        assert (done.stdout if status == 0 else done.stderr).decode(encoding)


ESCAPE = "\x1b]0;owned\x07\x1b[2J\x1b[1A\x9b31m\x7f\r\u202egnp.exe"


def test_control_sequences__are_shown_and_not_sent() -> None:
    shown = visible(f"a\n\tb{ESCAPE}")
    assert shown.startswith("a\n\tb␛]0;owned␇␛[2J␛[1A\\u009b31m␡␍\\u202egnp.exe")
    assert not any(character in shown for character in "\x1b\x07\x9b\x7f\r\u202e")
    assert visible("Größe ★ 漢字 é\n") == "Größe ★ 漢字 é\n"
    assert b"\x1b" not in encoded(ESCAPE)


def test_json__keeps_what_it_says_without_control_characters() -> None:
    data = visible_json(json.dumps({"name": ESCAPE}, ensure_ascii=False).encode())
    assert json.loads(data) == {"name": ESCAPE}
    assert not any(byte in data.decode() for byte in "\x1b\x9b\x7f\u202e")


def test_reporter__sends_no_control_sequence_of_a_name(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    reporter = TextReporter(f"[red]title{ESCAPE}")
    progress = JobProgress(
        job_id="1", done=1, total=2, unit="files", message=f"[/x]{ESCAPE}", rate=1.0,
        seconds_left=None,
    )  # fmt: skip
    reporter.events([progress])
    reporter.note(ESCAPE)
    reporter.stage(ESCAPE)
    reporter.error(ErrorInfo(what=ESCAPE, kept=ESCAPE, next_step=ESCAPE))
    reporter.result(None, lambda _: ESCAPE)
    out, err = capfd.readouterr()
    assert "owned" in out + err
    assert not any(character in out + err for character in "\x1b\x07\x9b\x7f\u202e")


def test_code__prints_only_through_the_console() -> None:
    package = Path(launch.__file__).parent
    loose = [
        str(path.relative_to(package))
        for path in [*package.glob("cli/*.py"), package / "__main__.py"]
        for line in path.read_text().splitlines()
        if line.lstrip().startswith(("print(", "typer.echo(")) and path.name != "console.py"
        if "{" in line and "__version__" not in line
    ]
    assert loose == []
