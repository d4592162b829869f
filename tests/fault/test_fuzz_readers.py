"""Damaged files of others' formats end in clear errors: a taste of `fuzz_readers.py`."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import fuzz_readers
import pytest


@pytest.fixture(autouse=True)
def _alarm() -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, fuzz_readers._alarm)
    yield
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", fuzz_readers.KINDS)
def test_undamaged_file__is_read(tmp_path: Path, name: str) -> None:
    files, read = fuzz_readers.KINDS[name]
    for inside, data in files.items():
        (tmp_path / "in" / inside).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / inside).write_bytes(data)
    read(tmp_path / "in")


@pytest.mark.parametrize("name", fuzz_readers.KINDS)
def test_fuzz(name: str) -> None:
    counts = fuzz_readers.fuzz(name, 60, seed=1)
    assert counts["faults"] == 0
    assert counts["refused"] > 0
