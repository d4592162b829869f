"""Nothing leaves this machine before the person asks for something that is not on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import h5py
import msgspec
import pytest
from cli_process import sae_desktop
from engine_driver import EngineDriver
from warm_program import another_warm_program
from watched_network import WatchedNetwork, watched_network

from sae_desktop.activations.config import DescribeStoreConfig
from sae_desktop.engine.protocol import JobFailed
from sae_desktop.features.config import ProbeConfig
from sae_desktop.language_model.config import DescribeModelConfig
from sae_desktop.project import Project
from sae_desktop.steering.config import PLAIN, SteerConfig
from sae_desktop.training.config import EvaluateConfig

NAME = "owner/model"


@pytest.fixture(scope="module")
def _watched() -> Iterator[WatchedNetwork]:
    with watched_network() as found, another_warm_program(found.environment):
        yield found


@pytest.fixture
def network(_watched: WatchedNetwork) -> WatchedNetwork:
    _watched.asked.clear()
    return _watched


@pytest.fixture
def foreign(small_project: Path) -> Path:
    """A project of a hub's model that is not here, as another person would send it."""
    project = Project.open(small_project)
    for path in (project.index_path("idx"), project.store_path("acts") / "000.h5"):
        with h5py.File(path, "r+") as file:
            info = json.loads(file.attrs["info"])
            file.attrs["info"] = json.dumps(info | {"model": NAME})
    cfg = project.dictionary_path("dict") / "cfg.json"
    told = json.loads(cfg.read_bytes())
    told["metadata"] |= {"model_name": NAME, "model_revision": f"model-{'0' * 32}-0"}
    cfg.write_text(json.dumps(told))
    return small_project


def test_engine__asks_no_one_about_the_models_a_project_names(
    foreign: Path, network: WatchedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in network.environment.items():
        monkeypatch.setenv(name, value)
    path = str(foreign)
    with EngineDriver() as engine:
        engine.wait_ready()
        engine.open_project(foreign)
        for number, config in enumerate(
            (
                DescribeModelConfig(model=NAME),
                DescribeModelConfig(model="builtin"),
                DescribeStoreConfig(project=path, name="acts"),
                ProbeConfig(project=path, index="idx", text="In the beginning"),
                SteerConfig(project=path, index="idx", prompt="In the beginning", variants=[PLAIN]),
                EvaluateConfig(project=path, dictionary="dict"),
            )
        ):
            engine.start(f"j{number}", config)  # type: ignore[arg-type]
            end = engine.wait_end(f"j{number}")
            if isinstance(end, JobFailed):
                assert NAME in end.error.what + end.error.next_step
        assert network.asked == []
        # What the person asks for goes out, so the watch is no idle one.
        engine.start("asked", DescribeModelConfig(model=NAME, ask_hub=True))
        assert isinstance(engine.wait_end("asked"), JobFailed)
        assert network.asked


def test_commands__ask_no_one_and_obey_the_settings(
    foreign: Path, network: WatchedNetwork, tmp_path: Path
) -> None:
    own = {**network.environment, "XDG_CONFIG_HOME": str(tmp_path / "config")}
    for arguments in (
        ("models", "list"),
        ("stores", "show", str(foreign), "acts"),
        ("show", str(foreign), "--index", "idx", "--feature", "1"),
        ("probe", str(foreign), "--index", "idx", "--text", "In the beginning"),
    ):
        sae_desktop(*arguments, environment=own)
    assert network.asked == []
    settings = tmp_path / "config" / "sae-desktop" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_bytes(msgspec.json.encode({"network_off": True}))
    for arguments in (
        ("models", "get", NAME),
        ("models", "get", "smollm2"),
        ("models", "show", NAME),
        ("import", "--show", NAME),
        ("corpus", NAME),
    ):
        done = sae_desktop(*arguments, environment={**own, "XDG_CACHE_HOME": str(tmp_path)})
        assert done.status != 0
    assert network.asked == []
    settings.unlink()
    assert sae_desktop("models", "get", NAME, environment=own).status != 0
    assert network.asked
