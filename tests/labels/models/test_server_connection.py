"""How a server is reached: whom to trust on the way, and past whom to go."""

from __future__ import annotations

import pytest
from chat_server import ChatServer, says

from sae_desktop.labels.chat import Ask, ChatError, Message
from sae_desktop.labels.models.address import server_address
from sae_desktop.labels.models.server import ServerModel

KEY = "sk-very-secret-1234567890"
ASK = Ask((Message("user", "Say ü."),), most_tokens=20)


def test_certificate__that_nobody_vouches_for_is_refused_before_the_key_is_sent(
    own_certificate: tuple[str, str],
) -> None:
    with ChatServer(says("ok"), certificate=own_certificate) as server:
        model = ServerModel(server_address(server.url), "toy", KEY)
        with pytest.raises(ChatError, match="cannot be trusted") as caught:
            model.ask(ASK)
        model.close()
    assert caught.value.kind == "certificate"
    assert server.requests == []


def test_certificate__that_the_system_knows_is_taken(
    own_certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", own_certificate[0])
    with ChatServer(says("ok"), certificate=own_certificate) as server:
        model = ServerModel(server_address(server.url), "toy", KEY)
        assert model.ask(ASK).text == "ok"
        model.close()


def test_https__to_a_server_without_it_is_told() -> None:
    with ChatServer(says("ok")) as server:
        model = ServerModel(server_address(server.url.replace("http:", "https:")), "toy", KEY)
        with pytest.raises(ChatError, match="https") as caught:
            model.ask(ASK)
        model.close()
    assert caught.value.kind == "unreachable"


def test_proxy__is_not_asked_about_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer(says("of the proxy")) as proxy, ChatServer(says("direct")) as server:
        for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        model = ServerModel(server_address(server.url), "toy")
        assert model.ask(ASK).text == "direct"
        model.close()
    assert proxy.asked == []
