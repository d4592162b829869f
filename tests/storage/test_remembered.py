"""What is remembered of files until they change."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest

from sae_desktop.storage.stamp import Remembered


def test_remembered__reads_a_file_again_only_where_it_was_written_to(tmp_path: Path) -> None:
    read: list[tuple[int, str]] = []

    def item(path: Path, size: int, modified: datetime, name: str) -> str:
        assert modified.timestamp() == pytest.approx(path.stat().st_mtime)
        read.append((size, name))
        return path.read_text()

    remembered, file = Remembered(item), tmp_path / "file"
    file.write_text("one")
    assert [remembered(file, "a"), remembered(file, "a"), remembered(file, "b")] == ["one"] * 3
    assert read == [(3, "a"), (3, "b")]
    beside = tmp_path / "beside"
    beside.write_text("two")  # as long, and put in its place with the same time
    os.utime(beside, ns=(0, file.stat().st_mtime_ns))
    beside.replace(file)
    assert remembered(file, "a") == "two"
    file.unlink()
    with pytest.raises(FileNotFoundError):
        remembered(file, "a")
