"""Packages with plug-ins, installed into a folder as pip does, without pip, network or build."""

from __future__ import annotations

import importlib
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from sae_desktop.plugins.installed import WITHOUT
from sae_desktop.plugins.loading import forget

EXAMPLE = Path(__file__).parent / "plugin_example"


def install_example(target: Path) -> None:
    """Install tests/plugin_example, with the entry points that its pyproject.toml states."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    shutil.copytree(EXAMPLE / "sae_plugin_example", target / "sae_plugin_example")
    _write_metadata(
        target, project["name"], project["version"], project["entry-points"], project["description"]
    )


def install_module(
    target: Path,
    package: str,
    text: str,
    entry_points: Mapping[str, Mapping[str, str]],
    version: str = "1.0",
) -> None:
    """Install a package of one module, called as the package with “_” for “-”."""
    target.mkdir(parents=True, exist_ok=True)
    (target / f"{package.replace('-', '_')}.py").write_text(text)
    _write_metadata(target, package, version, entry_points)


def _write_metadata(
    target: Path,
    package: str,
    version: str,
    entry_points: Mapping[str, Mapping[str, str]],
    summary: str = "",
) -> None:
    folder = target / f"{package.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    told = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\nSummary: {summary}\n"
    (folder / "METADATA").write_text(told)
    lines = []
    for group, entries in entry_points.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()), ""]
    (folder / "entry_points.txt").write_text("\n".join(lines))
    importlib.invalidate_caches()
    forget()


@contextmanager
def plugins_from(target: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[None]:
    """Have this process, and those it starts, find what is installed in a folder, and nothing of
    what was switched off or has failed elsewhere."""
    with monkeypatch.context() as patched:
        patched.delenv(WITHOUT, raising=False)
        patched.setenv("XDG_CONFIG_HOME", str(home))
        patched.setenv("PYTHONPATH", str(target))
        patched.syspath_prepend(target)
        forget()
        yield
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(target)):
            del sys.modules[name]
    forget()
