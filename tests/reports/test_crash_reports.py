"""Reports of crashes: nobody is named in them, and they are kept when that is wanted."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

import sae_desktop
from sae_desktop.errors import UserError
from sae_desktop.reports import anonymous as module
from sae_desktop.reports.anonymous import anonymous
from sae_desktop.reports.crash_reports import MOST, CrashReports
from sae_desktop.reports.fatal import FatalTrace
from sae_desktop.reports.machine import facts

PACKAGE = Path(sae_desktop.__file__).parent


@pytest.fixture(autouse=True)
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "system_user", lambda: "ada")
    monkeypatch.setattr(module, "_machine", lambda: "engine-room")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f'File "{PACKAGE}/project.py", line 3', 'File "sae_desktop/project.py", line 3'),
        (
            'File "/opt/my venv/lib/python3.11/site-packages/torch/nn.py", line 3',
            'File "site-packages/torch/nn.py", line 3',
        ),
        ("no “/home/ada/Secret plan/run one.h5” here", "no “<path 1>.h5” here"),
        ("open /home/ada/a.h5, /data/b.txt and /home/ada/a.h5",
         "open <path 1>.h5, <path 2>.txt and <path 1>.h5"),
        ("/srv/lib/kernel.cpp:120:7: error", "<path 1>.cpp:120:7: error"),
        (r"C:\Users\Ada\secret.saeproj is gone", "<path 1>.saeproj is gone"),
        ("Ada on engine-room asked; adapters stay", "<user> on <machine> asked; adapters stay"),
        ("https://example.org/a/b has 3/4 of it", "https://example.org/a/b has 3/4 of it"),
    ],
)  # fmt: skip
def test_anonymous__names_no_folder_user_or_machine(text: str, told: str) -> None:
    assert anonymous(text) == told


def test_report__says_what_when_with_what_and_where_in_the_program(tmp_path: Path) -> None:
    reports = CrashReports(tmp_path / "crashes")
    when = datetime(2026, 5, 4, 3, 2, 1).astimezone()
    reports.add("KeyError: '/home/ada/x'", f'File "{PACKAGE}/project.py", line 3\n', when)
    (report,) = reports.fresh
    assert report.what == "KeyError: '<path 1>'"
    assert "2026-05-04 03:02:01" in report.text
    for name, value in list(facts().items())[:3]:
        assert f"{name}:" in report.text
        assert value in report.text
    assert report.text.endswith('File "sae_desktop/project.py", line 3\n')
    assert "ada" not in report.text.casefold()


def test_reports__are_kept_only_when_that_is_wanted(tmp_path: Path) -> None:
    reports = CrashReports(tmp_path / "crashes")
    reports.add("first", "trace")
    assert not (tmp_path / "crashes").exists()
    reports.keeping = True
    reports.add("second", "trace")
    reports.add("second", "trace")  # the same is told once
    reports.add("third", "")
    reports.add("fourth", "")
    assert [one.what for one in reports.fresh] == ["first"]
    assert sorted(one.what for one in CrashReports(tmp_path / "crashes").kept()) == [
        "fourth", "second", "third",
    ]  # fmt: skip
    reports.keep(reports.fresh[0])
    assert reports.fresh == []
    assert len(reports.every()) == 4
    for report in reports.every():
        reports.remove(report)
    assert list((tmp_path / "crashes").iterdir()) == []


def test_reports__the_oldest_goes_and_what_is_no_report_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    reports = CrashReports(tmp_path, keeping=True)
    for minute in range(MOST + 2):
        reports.add(f"crash {minute}", "", datetime(2026, 1, 1, 0, minute).astimezone())
    assert len(reports.kept()) == MOST
    assert reports.kept()[0].what == f"crash {MOST + 1}"
    assert reports.kept()[-1].what == "crash 2"
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_reports__a_folder_that_cannot_be_made_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "crashes").write_text("in the way")
    reports = CrashReports(tmp_path / "crashes", keeping=True)
    reports.add("first", "trace")
    assert [one.what for one in reports.every()] == ["first"]
    with pytest.raises(UserError, match="crashes"):
        reports.keep(reports.fresh[0])
    assert [one.what for one in reports.every()] == ["first"]


_ENDS = """
import os, sys
from pathlib import Path
from sae_desktop.reports.fatal import FatalTrace
trace = FatalTrace(Path(sys.argv[1]))
trace.begin()
def deep():
    os.abort()
if sys.argv[2] == "abort":
    deep()
trace.end()
"""


def test_fatal__a_start_reads_what_the_one_before_wrote_as_it_was_aborted(tmp_path: Path) -> None:
    for how, status in (("well", 0), ("abort", -6)):
        ended = subprocess.run(
            [sys.executable, "-c", _ENDS, str(tmp_path), how], check=False, capture_output=True
        )
        assert ended.returncode == status, ended.stderr
    ((_, text),) = FatalTrace(tmp_path).left()
    assert "Aborted" in text
    assert "in deep" in text
    assert list(FatalTrace(tmp_path).left()) == []
    assert list(tmp_path.iterdir()) == []
