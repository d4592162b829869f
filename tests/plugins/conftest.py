"""Fixtures of the tests of plug-ins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from plugin_packages import install_example, plugins_from


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The folder in which packages are installed."""
    folder = tmp_path / "packages"
    folder.mkdir()
    return folder


@pytest.fixture
def found(target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Finds what is installed in `target`."""
    with plugins_from(target, monkeypatch, tmp_path / "config"):
        yield


@pytest.fixture
def example(target: Path, found: None) -> None:
    """The example package is installed."""
    del found
    install_example(target)
