"""Fixtures of the client's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from toy_jobs import TOY_ENGINE

from sae_desktop.client.engine_client import EngineClient
from sae_desktop.client.engine_exit import EngineState


@pytest.fixture
def client(qapp: object) -> Iterator[EngineClient]:
    """A client of an engine that runs toy jobs; not started yet."""
    client = EngineClient(command=TOY_ENGINE)
    yield client
    client.shutdown()
    assert client.state is EngineState.STOPPED
