"""How much memory a process may still take."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest

from sae_desktop.storage import memory
from sae_desktop.storage.own_settings import kept_setting, settings_path


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    settings_path().parent.mkdir(parents=True)


def _allow(value: object) -> None:
    settings_path().write_text(json.dumps({memory.SETTING: value}))


def test_container_limit__is_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("max", "current", "stat")
    for name, text in zip(
        names, ("5000000", "3000000", "anon 1\ninactive_file 500\n"), strict=True
    ):
        (tmp_path / name).write_text(text)
    paths = tuple(str(tmp_path / name) for name in names)
    monkeypatch.setattr(memory, "_CGROUPS", (paths,))
    assert memory.free_memory() == 2_000_500
    (tmp_path / "max").write_text("max\n")
    assert 2_000_500 < memory.free_memory() <= psutil.virtual_memory().total


def test_limit_of_the_settings__counts_what_the_process_has() -> None:
    assert memory.memory_limit() is None
    assert memory.limit_text() == ""
    held = psutil.Process().memory_info().rss
    gigabytes = held // 1_000_000_000 + 2
    _allow(gigabytes)
    assert memory.free_memory() == pytest.approx(gigabytes * 1_000_000_000 - held, abs=50_000_000)
    assert memory.limit_text() == f" Edit › Settings › Memory allows it {gigabytes} GB in all."
    _allow(1_000_000)
    assert memory.free_memory() <= psutil.virtual_memory().total


@pytest.mark.parametrize("value", [0, -1, None, "3", 2.5])
def test_limit_that_is_none__leaves_all_that_is_free(value: object) -> None:
    _allow(value)
    assert memory.memory_limit() is None
    assert memory.free_memory() > 0


def test_settings_that_cannot_be_read__set_nothing() -> None:
    settings_path().write_text("[" * 100_000)
    assert kept_setting(memory.SETTING) is None
    settings_path().write_text("[1]")
    assert kept_setting(memory.SETTING) is None
