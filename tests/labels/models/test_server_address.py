"""Addresses as people type them, and which of them are this machine."""

from __future__ import annotations

import json

import pytest

from sae_desktop.errors import UserError
from sae_desktop.labels.chat import ChatError
from sae_desktop.labels.models.address import refuse_offline, server_address
from sae_desktop.storage.own_settings import settings_path


@pytest.mark.parametrize(
    ("typed", "url", "here"),
    [
        ("http://localhost:8080/v1", "http://localhost:8080/v1", True),
        (" http://127.0.0.1:8080/ ", "http://127.0.0.1:8080/v1", True),
        ("localhost:11434", "http://localhost:11434/v1", True),
        ("http://[::1]:8000", "http://[::1]:8000/v1", True),
        ("http://0.0.0.0:8000", "http://0.0.0.0:8000/v1", True),
        ("api.example.org", "https://api.example.org/v1", False),
        ("https://example.org/api/v1/chat/completions", "https://example.org/api/v1", False),
        ("http://192.168.1.7:8000/v1", "http://192.168.1.7:8000/v1", False),
        ("https://localhost.example.org/v1", "https://localhost.example.org/v1", False),
        ("http://127.0.0.1.example.org", "http://127.0.0.1.example.org/v1", False),
    ],
)
def test_address__is_read_as_it_is_typed(typed: str, url: str, here: bool) -> None:
    found = server_address(typed)
    assert (found.url, found.here) == (url, here)


@pytest.mark.parametrize("typed", ["", "   ", "ftp://a", "http://", "http://a:b", "file:///etc"])
def test_address__that_is_none_is_refused(typed: str) -> None:
    with pytest.raises(UserError, match=r"address"):
        server_address(typed)


@pytest.mark.parametrize(
    "typed",
    ["https://me:sk-12345678@a.org/v1", "https://sk-12345678@a.org", "https://a.org?key=sk-12345678",
     "https://a.org/v1#sk-12345678"],
)  # fmt: skip
def test_address__with_a_key_is_refused_without_repeating_it(typed: str) -> None:
    with pytest.raises(UserError) as caught:
        server_address(typed)
    assert "sk-12345678" not in str(caught.value)


def test_network_off__leaves_this_machine_alone(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text(json.dumps({"network_off": True}))
    refuse_offline(server_address("localhost:8080"))
    with pytest.raises(ChatError) as caught:
        refuse_offline(server_address("https://api.example.org/v1"))
    assert caught.value.kind == "offline"
    settings_path().write_text(json.dumps({"network_off": False}))
    refuse_offline(server_address("https://api.example.org/v1"))
