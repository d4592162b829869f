"""What the window's process may hold."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from engine_driver import engine_environment

pytestmark = pytest.mark.gui

_IMPORT_ALL = """
import importlib, json, pkgutil, sys
import sae_desktop.client, sae_desktop.gui
names = [
    info.name
    for package in (sae_desktop.client, sae_desktop.gui)
    for info in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
]
for name in names:
    importlib.import_module(name)
print(json.dumps({"imported": names, "present": list(sys.modules)}))
"""


def test_window__imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL],
        env=engine_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    expected = {"sae_desktop.client.engine_client", "sae_desktop.gui.state.session"}
    assert expected <= set(found["imported"])
    heavy = {"torch", "transformers", "tokenizers", "huggingface_hub", "typer", "rich"}
    assert heavy & set(found["present"]) == set()
