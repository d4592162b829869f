"""Logs: bounded files, whose lines have a time, a level and who says it, read back as text."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sae_desktop.client.engine_log import EngineLog
from sae_desktop.reports.logs import (
    LONGEST,
    LogFile,
    begin_window_log,
    end_log,
    engine_log,
    older,
    output_file,
    put_aside,
    window_log,
)
from sae_desktop.storage.own_folders import log_folder
from sae_desktop.words.log_lines import LogEntry, files_state, filtered, newest_entries


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def log(home: Path) -> Iterator[logging.Logger]:
    """A logger with a small file of its own."""
    logger, handler = logging.getLogger("of a test"), LogFile(home / "own" / "a.log", most=3000)
    logger.propagate = False
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.removeHandler(handler)
    handler.close()


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


# ---------------------------------------------------------------- size
def test_files__stay_within_their_bound_however_much_is_said(
    home: Path, log: logging.Logger
) -> None:
    for number in range(2000):
        log.info("line %d", number)
    files = sorted(path.name for path in (home / "own").iterdir())
    assert files == ["a.log", "a.log.1", "a.log.2", "a.log.3"]
    assert folder_bytes(home / "own") <= 4 * 3000
    assert "line 1999" in (home / "own" / "a.log").read_text()


def test_one_endless_entry__is_cut(home: Path, log: logging.Logger) -> None:
    log.info("begin %s end", "x" * 1_000_000)
    text = (home / "own" / "a.log").read_text()
    assert len(text) < LONGEST + 100
    assert "begin" in text
    assert text.endswith("end\n")


def test_a_log__cleared_meanwhile_is_written_again(home: Path, log: logging.Logger) -> None:
    log.info("before")
    (home / "own" / "a.log").unlink()
    log.info("after")
    assert "after" in (home / "own" / "a.log").read_text()
    assert "before" not in (home / "own" / "a.log").read_text()


def test_a_log__that_cannot_be_written_disturbs_nobody(
    home: Path, log: logging.Logger, capfd: pytest.CaptureFixture[str]
) -> None:
    (home / "own").write_text("a file where the folder should be")
    log.error("nobody hears")
    assert capfd.readouterr().err == ""


def test_output_of_a_command__is_put_aside_once_it_is_large(home: Path) -> None:
    path = home / "command-1.log"
    descriptor = output_file(path, most=1000)
    try:
        os.write(descriptor, b"a" * 5000 + b"end")
        put_aside(path, 1000)
        os.write(descriptor, b"next")
    finally:
        os.close(descriptor)
    assert path.read_bytes() == b"next"
    assert older(path).read_bytes() == b"a" * 997 + b"end"


def test_output_of_a_command__is_bounded_while_it_runs(home: Path) -> None:
    program = (
        "import os, time\n"
        "from sae_desktop.reports import logs\n"
        "logs.CHECK_SECONDS = 0.01\n"
        "out = logs.output_file(logs.command_log(), most=10_000)\n"
        "for _ in range(40):\n"
        "    os.write(out, b'x' * 2000); time.sleep(0.02)\n"
        "time.sleep(0.5)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(logs_source()).parents[2])}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    assert folder_bytes(log_folder()) <= 20_000


def logs_source() -> str:
    from sae_desktop.reports import logs

    return logs.__file__


# ---------------------------------------------------------------- who writes
def test_the_window__writes_what_its_loggers_say(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A library that another test has loaded may have given the root a handler of its own.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    handler = begin_window_log()
    try:
        logging.getLogger("sae_desktop.gui.state.settings").warning("a setting was dropped")
        logging.getLogger("sae_desktop.gui.frame.app").info("it begins")
        logging.getLogger("some.library").info("chatter")
        try:
            raise ValueError("odd")
        except ValueError:
            logging.getLogger("sae_desktop.gui.state.error_hook").exception("uncaught")
    finally:
        end_log(handler)
    printed = capfd.readouterr().err
    assert "a setting was dropped" in printed
    assert "it begins" not in printed
    text = window_log().read_text()
    assert "WARNING sae_desktop.gui.state.settings: a setting was dropped" in text
    assert "INFO sae_desktop.gui.frame.app: it begins" in text
    assert "chatter" not in text
    assert "ValueError: odd" in text
    assert [entry.level for entry in newest_entries()] == ["WARNING", "INFO", "ERROR"]


def test_the_engine__says_at_which_level() -> None:
    log = EngineLog()
    log.feed(b"WARNING sae_desktop.plugins: it is slow\nprinted by a library\n")
    log.feed(b'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: odd\n')
    log.feed(b"afterwards\n")
    log.close()
    entries = newest_entries()
    assert [entry.level for entry in entries] == [
        "WARNING", "INFO", "ERROR", "ERROR", "ERROR", "INFO",
    ]  # fmt: skip
    assert {entry.source for entry in entries} == {"engine"}
    assert entries[0].text.endswith("sae_desktop.plugins: it is slow")
    assert "WARNING" not in entries[0].text, "its level stands before it, once"


# ---------------------------------------------------------------- reading
def said(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def test_entries__of_all_logs_come_in_their_order() -> None:
    said(window_log(), "2026-11-30 10:00:02,000 INFO a: second", "  more of it")
    said(older(window_log()), "2026-11-30 09:00:00,000 INFO a: oldest")
    said(engine_log(), "2026-11-30 10:00:01,000 ERROR b: first")
    said(log_folder() / "command-3.log", "no time", "2026-11-30 10:00:03,000 WARNING c: third")
    assert [entry.text for entry in newest_entries()] == [
        "a: oldest", "b: first", "a: second\n  more of it", "no time", "c: third",
    ]  # fmt: skip


def test_entries__are_filtered_by_level_source_and_text() -> None:
    entries = [
        LogEntry("1", "INFO", "window", "an apple"),
        LogEntry("2", "WARNING", "engine", "a pear"),
        LogEntry("3", "ERROR", "engine", "an Apple tree"),
        LogEntry("4", "CRITICAL", "command", "a pear tree"),
    ]
    assert [e.time for e in filtered(entries, level="WARNING")] == ["2", "3", "4"]
    assert [e.time for e in filtered(entries, level="ERROR")] == ["3", "4"]
    assert [e.time for e in filtered(entries, source="engine")] == ["2", "3"]
    assert [e.time for e in filtered(entries, text="apple")] == ["1", "3"]
    assert [e.time for e in filtered(entries, text="tree apple", level="ERROR")] == ["3"]


def test_hostile_lines__are_shown_and_not_obeyed() -> None:
    said(window_log(), "2026-11-30 10:00:00,000 INFO a: \x1b[2J<b>bold</b>\u202eevil\x00")
    (entry,) = newest_entries()
    assert "\x1b" not in entry.text
    assert "\u202e" not in entry.text
    assert "␛[2J<b>bold</b>" in entry.text


def test_long_lines_and_long_logs__are_cut() -> None:
    said(window_log(), "2026-11-30 10:00:00,000 INFO a: " + "x" * 100_000)
    said(engine_log(), *(f"2026-11-30 10:00:01,000 INFO a: {n}" for n in range(20_000)))
    entries = newest_entries()
    assert len(entries) <= 4000
    assert entries[-1].text == "a: 19999"
    assert max(len(entry.text) for entry in entries) < 2100


def test_state__changes_with_every_line() -> None:
    assert files_state() == ()
    said(window_log(), "a")
    before = files_state()
    said(window_log(), "b")
    assert files_state() != before
