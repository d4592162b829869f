"""Servers of this machine are found with their models, and tried with one question."""

from __future__ import annotations

import json

import pytest
from chat_server import ChatServer, Request, says
from job_contexts import RecordingContext

from sae_desktop.jobs import SilentContext
from sae_desktop.labels.chat import ChatError
from sae_desktop.labels.models import nearby
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.models.config import CheckServerConfig, FindServersConfig, ServedModel
from sae_desktop.labels.models.nearby import check_server, find_servers, served_models


def test_servers__that_list_models_are_found_and_others_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = ChatServer(says("ok"))
    gone.close()
    owned = {"id": "smol", "owned_by": "llamacpp", "meta": {"n_ctx": 2048}}
    with (
        ChatServer(says("ok"), models=(owned, {"id": "other"})) as one,
        ChatServer(says("ok"), models=({"object": "nothing"},)) as empty,
    ):
        ports = {one.port: "", empty.port: "Ollama", gone.port: "vLLM"}
        monkeypatch.setattr(nearby, "PORTS", ports)
        context = RecordingContext()
        found = find_servers(FindServersConfig(), context)
        assert one.requests == []
    assert found.looked_at == 3
    assert [(s.title, s.url) for s in found.servers] == [("llama.cpp", one.url)]
    assert found.servers[0].models == [
        ServedModel(name="smol", window=2048),
        ServedModel(name="other"),
    ]
    assert context.steps[-1] == (3, 3, "ports")


def test_models__listed_in_a_strange_form_are_left_out() -> None:
    listed = [{"id": "a"}, {"id": 3}, {"id": "x" * 5000}, "b", None, {"id": "c\n"}, {"id": ""},
              {"id": "d", "max_model_len": "many"}]  # fmt: skip
    assert [one.name for one in served_models(listed)] == ["a", "d"]
    assert served_models({"id": "a"}) == []
    assert len(served_models([{"id": str(n)} for n in range(5000)])) == 1000


def test_check__says_what_a_server_can_do() -> None:
    def reply(request: Request) -> None:
        request.begin()
        request.piece(reasoning_content="Hm.")
        token = {"token": '{"answer": "yes"}', "logprob": -0.1, "top_logprobs": []}
        request.piece(content=json.dumps({"answer": "yes"}), logprobs={"content": [token]})
        request.done(answer_tokens=9)

    with ChatServer(reply, models=({"id": "toy", "max_model_len": 512},)) as server:
        choice = ModelChoice(server=server.url, model="toy")
        found = check_server(CheckServerConfig(model=choice), SilentContext())
    assert (found.answer, found.answer_tokens) == ('{"answer": "yes"}', 9)
    assert (found.thinks, found.structured, found.logprobs, found.window) == (True, True, True, 512)
    assert found.key == ""


def test_check__without_a_model_lists_them_and_asks_nothing() -> None:
    with ChatServer(says("ok")) as server:
        choice = ModelChoice(server=server.url)
        found = check_server(CheckServerConfig(model=choice), SilentContext())
        assert [one.name for one in found.models] == ["toy"]
        assert server.requests == []


def test_check__of_a_server_that_refuses_says_why() -> None:
    with ChatServer(lambda r: r.fail(401, "no")) as server:
        choice = ModelChoice(server=server.url, model="toy")
        with pytest.raises(ChatError) as caught:
            check_server(CheckServerConfig(model=choice), SilentContext())
    assert caught.value.kind == "key"
