"""A key that is handed to the engine is kept, and repeated nowhere."""

from __future__ import annotations

import time

import pytest
from chat_server import ChatServer

from sae_desktop.engine.engine import Engine
from sae_desktop.engine.protocol import Event, JobFailed, KeepKey, KeyKept
from sae_desktop.labels.models import keys

KEY = "sk-secret-0123456789-abcdef"


class _Writer:
    def __init__(self) -> None:
        self.sent: list[Event] = []

    def send(self, events: list[Event]) -> None:
        self.sent += events

    def wait(self, kind: type) -> Event:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            for event in self.sent:
                if isinstance(event, kind):
                    return event
            time.sleep(0.01)
        raise AssertionError(self.sent)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> tuple[Engine, _Writer]:
    monkeypatch.setattr(keys, "_sitting", {})
    monkeypatch.setattr(keys, "_to_keyring", lambda address, key: False)
    monkeypatch.setattr(keys, "_from_keyring", lambda address: "")
    monkeypatch.setattr(keys, "_forget", lambda address: None)
    writer = _Writer()
    return Engine(writer), writer  # type: ignore[arg-type]


def test_engine__keeps_a_key_and_asks_with_it_without_repeating_it(
    engine: tuple[Engine, _Writer], capfd: pytest.CaptureFixture[str]
) -> None:
    core, writer = engine
    with ChatServer(lambda r: r.fail(401, f"Incorrect key {KEY}")) as server:
        core.handle(_line("keep_key", server=server.url, key=KEY))
        kept = writer.wait(KeyKept)
        assert isinstance(kept, KeyKept)
        assert (kept.place, kept.error) == ("memory", None)
        model = {"server": server.url, "model": "toy"}
        config = {"type": "check_server", "model": model}
        core.handle(_line("start_job", job_id="1", config=config))
        failed = writer.wait(JobFailed)
        assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert isinstance(failed, JobFailed)
    assert "does not accept the key" in failed.error.what
    out, err = capfd.readouterr()
    assert KEY not in f"{writer.sent} {out} {err}"


@pytest.mark.parametrize(
    "line",
    [b'{"type": "keep_key", "server": "a.org", "key": "sk-secret-0123456789-abcdef"',
     b'{"type": "keep_key", "servr": "a.org", "key": "sk-secret-0123456789-abcdef"}',
     b'{"type": "keep_key", "server": 3, "key": "sk-secret-0123456789-abcdef"}'],
)  # fmt: skip
def test_engine__does_not_repeat_a_damaged_line_with_a_key(
    engine: tuple[Engine, _Writer], line: bytes
) -> None:
    core, writer = engine
    core.handle(line)
    assert writer.sent
    assert KEY not in str(writer.sent)


def test_engine__refuses_what_cannot_be_a_key_without_repeating_it(
    engine: tuple[Engine, _Writer],
) -> None:
    core, writer = engine
    core.handle(_line("keep_key", server="a.org", key=f"{KEY}\n{KEY}"))
    kept = writer.wait(KeyKept)
    assert isinstance(kept, KeyKept)
    assert kept.error is not None
    assert KEY not in str(writer.sent)
    assert KEY not in repr(KeepKey(server="a.org", key=KEY))


def _line(kind: str, **fields: object) -> bytes:
    import json

    return json.dumps({"type": kind, **fields}).encode()
