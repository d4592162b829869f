"""How a bundle starts its own processes: it has no Python to give a file or a module to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sae_desktop
from sae_desktop import launch

PACKAGE = Path(sae_desktop.__file__).parent
ENTRY = Path(__file__).parents[2] / "packaging" / "bundle" / "entry.py"
PROGRAM = "/opt/sae-desktop/sae-desktop"


@pytest.fixture
def bundled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", PROGRAM)


def test_commands__of_a_bundle_name_the_program_itself(bundled: None) -> None:
    engine = launch.command("sae_desktop.engine", "x")
    assert engine == [PROGRAM, "--module", "sae_desktop.engine", "x"]
    assert launch.command("sae_desktop", "serve", "--json") == [PROGRAM, "serve", "--json"]
    assert launch.command("sae_desktop", python="pythonw.exe") == [PROGRAM]
    assert launch.pip_command("download") == [PROGRAM, "--module", "pip", "download"]


def test_commands__of_an_installation_name_its_python() -> None:
    assert launch.command("sae_desktop")[:2] == [sys.executable, "-P"]
    assert launch.pip_command("download") == [sys.executable, "-P", "-m", "pip", "download"]


def test_path__of_a_bundle_is_left_alone(bundled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "relative")
    before = list(sys.path)
    launch.leave_out_working_folder(begun_as_module=True)
    assert sys.path == before


@pytest.mark.parametrize("before", [None, "/home/me/lib"])
def test_environment__of_other_programs_is_without_the_bundles_libraries(
    bundled: None, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/sae-desktop/_internal")
    monkeypatch.delenv("LD_LIBRARY_PATH_ORIG", raising=False)
    if before is not None:
        monkeypatch.setenv("LD_LIBRARY_PATH_ORIG", before)
    assert launch.environment_of_others().get("LD_LIBRARY_PATH") == before
    assert "LD_LIBRARY_PATH_ORIG" not in launch.environment_of_others()


def test_environment__of_other_programs_is_unchanged_without_a_bundle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/home/me/lib")
    assert launch.environment_of_others() == dict(os.environ)


def run_entry(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run what a bundle starts with, as if it were one."""
    code = f"import runpy, sys\nsys.frozen = True\nrunpy.run_path({str(ENTRY)!r}, None, '__main__')"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)}, check=False,
    )  # fmt: skip


def test_entry__runs_the_module_that_is_named() -> None:
    done = run_entry("--module", "sae_desktop.plugins")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = run_entry("--module", "json.tool", "--help")
    assert done.returncode == 0
    assert "--sort-keys" in done.stdout


def test_entry__is_the_program_otherwise() -> None:
    done = run_entry("no-such-command", "twice")
    assert done.returncode == 2
    assert "There is no command “no-such-command”" in done.stderr + done.stdout


def test_programs_own_processes__are_started_by_launch_alone() -> None:
    """`sys.executable` is no Python in a bundle; whoever uses it must ask `launch`."""
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"sys\.executable\b|\bsys\.frozen\b|sys, \"frozen\"", path.read_text("utf-8"))
    }
    # file_types asks launch, with the Python of Windows that opens no console.
    assert users == {"launch.py", "gui/parts/file_types.py"}
