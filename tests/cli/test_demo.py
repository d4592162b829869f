"""The headless demonstration: what it keeps where its pictures cannot be drawn."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sae_desktop.cli import demo
from sae_desktop.errors import UserError


def late(*_args: object, **given: Any) -> subprocess.CompletedProcess[str]:
    raise subprocess.TimeoutExpired("snapshots", given["timeout"])


def broken(*_args: object, **_given: object) -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], 1, "", "first\nno platform plugin")


@pytest.mark.parametrize(
    ("run", "why"), [(late, "longer than 10 minutes"), (broken, "no platform plugin")]
)
def test_pictures__that_cannot_be_drawn_are_explained(
    run: Callable[..., Any], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo.subprocess, "run", run)
    with pytest.raises(UserError, match=why) as caught:
        demo._take_pictures(tmp_path / "demo.saeproj", tmp_path, 3)
    assert "is complete" in str(caught.value)
