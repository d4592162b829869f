"""The clients that stand in for the engine's in tests have what the real one has."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType

import pytest
from PySide6.QtCore import Signal

from sae_desktop.client.engine_client import EngineClient

_HERE = Path(__file__).parent
FAKES = {"frame": _HERE / "frame_client.py", "explore": _HERE / "index_session.py"}


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"fake_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look for it
    spec.loader.exec_module(module)
    return module


def signals(kind: type) -> dict[str, str]:
    return {name: str(found) for name, found in vars(kind).items() if isinstance(found, Signal)}


def methods(kind: type) -> dict[str, list[str]]:
    """Return the public methods and the names of what they take."""
    return {
        name: list(inspect.signature(found).parameters)
        for name, found in vars(kind).items()
        if inspect.isfunction(found) and not name.startswith("_")
    }


@pytest.mark.parametrize("path", FAKES.values(), ids=FAKES)
def test_fake_client__has_the_signals_and_methods_of_the_real_one(qapp: object, path: Path) -> None:
    fake = load(path).FakeClient
    assert {k: v.replace(fake.__name__, "") for k, v in signals(fake).items()} == signals(
        EngineClient
    )
    own, real = methods(fake), methods(EngineClient)
    assert {name: own.get(name) for name in real} == real
    for name in ("state", "status", "jobs"):
        assert hasattr(fake(), name)
