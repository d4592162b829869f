"""Everything but the window and its client can be imported; in CI with Qt not importable, too."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import sae_desktop

_NEEDS_QT = ("sae_desktop.gui", "sae_desktop.client")
MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(sae_desktop.__path__, "sae_desktop.", lambda _name: None)
    if not found.name.startswith(_NEEDS_QT) and not found.name.startswith("sae_desktop._resources")
)


def test_modules__are_found() -> None:
    packages = {name.split(".")[1] for name in MODULES}
    assert packages >= {
        "activations", "comparison", "corpus", "dictionary", "engine", "exchange", "features",
        "language_model", "steering", "storage", "training",
    }  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_module__is_imported(name: str) -> None:
    importlib.import_module(name)
