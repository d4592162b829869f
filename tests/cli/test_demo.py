"""The headless demonstration: what it keeps where its pictures cannot be drawn, what it tells."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from picture_demonstration import ship

from sae_desktop import demonstrations as demonstration
from sae_desktop.cli import demo
from sae_desktop.cli.demo_held import hold
from sae_desktop.demonstrations import PICTURES, SENTENCES, Demonstration
from sae_desktop.errors import UserError
from sae_desktop.project import Project


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


def test_pictures_headless__tells_what_is_held_and_how_to_ask_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ship(tmp_path, monkeypatch)
    told: list[Any] = []
    monkeypatch.setattr(demo, "make_reporter", lambda *_args, **_given: None)
    monkeypatch.setattr(
        demo, "tell", lambda _reporter, work, render, _config: told.append((work(), render)) or 0
    )
    assert demo.run_demo(out=tmp_path, headless=True, json=False, of=PICTURES) == 0
    ((held, render),) = told
    assert [(one.feature, one.label, one.fires) for one in held.start] == [
        (2, "dogs", "both"), (1, "the word", "text"),
    ]  # fmt: skip
    assert held.fires == {"pictures": 1, "text": 2, "both": 2}
    lines = render(held).splitlines()
    assert "1 mostly on pictures, 2 mostly on text, 2 on pictures and text" in lines[0]
    assert "Feature 1: the word, mostly on text" in lines
    copy = tmp_path / PICTURES.folder
    assert f"sae-desktop show {copy} --index pictures-L3 --feature 2" in lines
    drawing = copy / "horse.png"
    assert f"sae-desktop probe {copy} --index pictures-L3 --picture {drawing}" in lines


def test_pictures_that_are_not_installed__are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Path:
        raise UserError(f"The installation is missing the file “{name}”.")

    monkeypatch.setattr(demonstration, "resource_path", missing)
    with pytest.raises(UserError, match=r"pictures\.zip"):
        hold(tmp_path, PICTURES)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("of", "index"), [(PICTURES, PICTURES.first_index), (SENTENCES, SENTENCES.first_index)]
)
def test_window__opens_the_demonstration_that_was_asked_for(
    of: Demonstration, index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ship(tmp_path, monkeypatch)
    opened: list[Path] = []
    monkeypatch.setattr(demo, "window_problem", lambda: None)
    monkeypatch.setattr(demo, "open_window", lambda project: opened.append(project) or 0)
    assert demo.run_demo(out=tmp_path, headless=False, json=False, of=of) == 0
    assert index in Project.open(opened[0]).indexes()
