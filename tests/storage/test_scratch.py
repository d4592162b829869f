"""Files that are needed while the program runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sae_desktop.storage import scratch
from sae_desktop.storage.own_folders import TEMPORARY_PREFIX


def test_folder__is_made_when_asked_for_and_gone_with_whoever_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = scratch.ScratchFolder()
    assert list(tmp_path.iterdir()) == []
    assert not folder.holds(str(tmp_path / "a"))
    file = folder.path() / "a"
    file.write_text("x")
    assert folder.path() == file.parent
    assert file.parent.name.startswith(TEMPORARY_PREFIX)
    assert folder.holds(str(file))
    assert not folder.holds(f"{file.parent}a/b")
    del folder
    assert list(tmp_path.iterdir()) == []


def test_folder__is_gone_with_the_process(tmp_path: Path) -> None:
    program = (
        "from sae_desktop.storage.scratch import ScratchFolder\n"
        "kept = ScratchFolder(); cycle = [kept]; cycle.append(cycle)\n"
        "(kept.path() / 'a').write_text('x'); print(kept.path())"
    )
    environment = {
        **os.environ, "TMPDIR": str(tmp_path),
        "PYTHONPATH": str(Path(scratch.__file__).parents[2]),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, env=environment, capture_output=True, text=True
    )
    assert done.stdout.startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
