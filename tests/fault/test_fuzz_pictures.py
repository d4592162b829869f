"""Damaged pictures of stores and indexes are refused by name or shown; all of it is nightly."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import fuzz_pictures
import fuzz_readers
import psutil
import pytest
from lit_index import lit_project

from sae_desktop.project import Project

_MOST_MORE = 500 << 20


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Project]:
    before = signal.signal(signal.SIGALRM, fuzz_readers._alarm)
    yield lit_project(tmp_path / "base.saeproj")
    signal.signal(signal.SIGALRM, before)


def _fuzz(base: Project, folder: Path, inputs: int) -> None:
    before = psutil.Process().memory_info().rss
    counts = fuzz_pictures.fuzz(base, folder, inputs, seed=1)
    assert counts["faults"] == 0
    assert counts["refused"] > 0
    assert counts["opened"] > 0
    assert psutil.Process().memory_info().rss - before < _MOST_MORE


def test_pictures__that_are_damaged_are_refused_or_shown(base: Project, tmp_path: Path) -> None:
    _fuzz(base, tmp_path / "p.saeproj", 50)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_pictures__damaged_in_thousands_of_ways_are_refused_or_shown(
    base: Project, tmp_path: Path
) -> None:
    _fuzz(base, tmp_path / "p.saeproj", 4000)
