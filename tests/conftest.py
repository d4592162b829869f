"""Fixtures that several folders of tests share.

The tests never touch the user's own folders, the network, or a screen, and keep to one
thread of linear algebra, so that figures repeat.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from sae_desktop.project import Project
from sae_desktop.storage.open_files import allow_many_open_files

_NIGHTLY_SECONDS = 3600
_HOME = tempfile.mkdtemp(prefix="tests-of-sae-desktop-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
_ISOLATED = {
    "XDG_CACHE_HOME": f"{_HOME}/cache",
    "XDG_CONFIG_HOME": f"{_HOME}/config",
    "XDG_DATA_HOME": f"{_HOME}/data",
    "XDG_STATE_HOME": f"{_HOME}/state",
    "HF_HUB_OFFLINE": "1",
    "SAE_DESKTOP_NO_PLUGINS": "1",
}
# Processes that share the tests inherit the isolation, and with it what was there before.
_BEFORE: dict[str, str | None] = json.loads(
    os.environ.setdefault(
        "SAE_DESKTOP_TESTS_BEFORE", json.dumps({name: os.environ.get(name) for name in _ISOLATED})
    )
)
os.environ.update(_ISOLATED)
# What numba compiles is the same in every run of the tests, and takes seconds of each else.
os.environ.setdefault(
    "NUMBA_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "compiled")
)
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"


allow_many_open_files()  # as the program itself does


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the nightly tests out unless they are asked for; begin with the real model's.

    Those take longest, and what begins last in one of two processes leaves the other idle.
    """
    items.sort(key=lambda item: item.get_closest_marker("real_model") is None)
    long = [item for item in items if item.get_closest_marker("nightly") is not None]
    for item in long:
        item.add_marker(pytest.mark.timeout(_NIGHTLY_SECONDS))
    if long and "nightly" not in config.getoption("markexpr"):
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in set(long)]


def pytest_collection_finish() -> None:
    """Keep the garbage collector from going through all libraries again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _own_cache(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give tests of a real model the user's cache and the network back."""
    if request.node.get_closest_marker("real_model") is not None:
        for name, value in _BEFORE.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project."""
    return Project.open_or_create(tmp_path / "test.saeproj")


@pytest.fixture(scope="session")
def toy_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random four-layer Llama of width 32 with a byte-level tokenizer; context of 64."""
    import torch
    from toy_models import save_toy_model

    torch.set_num_threads(1)
    return save_toy_model(tmp_path_factory.mktemp("models") / "toy-llama")


@pytest.fixture(scope="session")
def _finished_project(tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path) -> Path:
    from small_project import make_small_project

    folder = tmp_path_factory.mktemp("finished") / "small.saeproj"
    return make_small_project(folder, toy_model_folder)


@pytest.fixture
def small_project(_finished_project: Path, tmp_path: Path) -> Path:
    """A copy of a project with the store `acts`, the dictionary `dict` and the index `idx`."""
    return Path(shutil.copytree(_finished_project, tmp_path / _finished_project.name))
