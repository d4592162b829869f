"""A server that answers, fails, refuses, lies and rambles: one answer or one plain error each."""

from __future__ import annotations

import email.utils
import json
import subprocess
import sys
import threading
import time

import pytest
from chat_server import ChatServer, Reply, Request, says, slowly

from sae_desktop.labels.chat import Answer, Ask, ChatError, Message
from sae_desktop.labels.models.address import server_address
from sae_desktop.labels.models.server import ServerModel

KEY = "sk-a/very+secret=key-1234567890"
ASK = Ask((Message("system", "Be short."), Message("user", "Say ü.")), most_tokens=20)


def ask(reply: Reply, ask: Ask = ASK, *, key: str = KEY, **options: float) -> Answer:
    with ChatServer(reply) as server:
        model = ServerModel(server_address(server.url), "toy", key, **{"seconds": 30, **options})
        try:
            return model.ask(ask)
        finally:
            model.close()


def fault(reply: Reply, ask_: Ask = ASK, *, key: str = KEY, **options: float) -> ChatError:
    with pytest.raises(ChatError) as caught:
        ask(reply, ask_, key=key, **options)
    error = caught.value
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert KEY not in str(error)
    return error


def test_answer__is_put_together_from_its_pieces() -> None:
    seen: list[Request] = []

    def reply(request: Request) -> None:
        seen.append(request)
        says("ü", " ", "ok")(request)

    found = ask(reply)
    assert (found.text, found.thoughts, found.model) == ("ü ok", "", "toy")
    assert (found.prompt_tokens, found.answer_tokens, found.finish) == (7, 3, "stop")
    assert seen[0].headers["Authorization"] == f"Bearer {KEY}"
    assert seen[0].body["messages"][1] == {"role": "user", "content": "Say ü."}
    assert (seen[0].body["max_tokens"], seen[0].body["temperature"]) == (20, 0.0)


def test_request__without_a_key_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-another")
    seen: list[Request] = []

    def reply(request: Request) -> None:
        seen.append(request)
        says("ok")(request)

    ask(reply, key="")
    assert "another" not in str(seen[0].headers)
    assert "Authorization" not in seen[0].headers


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thoughts__in_a_field_of_their_own_are_kept_apart(name: str) -> None:
    def reply(request: Request) -> None:
        request.begin()
        request.piece(**{name: "Is it a date?"})
        request.piece(content="dates")
        request.done()

    found = ask(reply)
    assert (found.text, found.thoughts) == ("dates", "Is it a date?")


def test_thoughts__in_the_text_are_kept_apart_with_their_tokens() -> None:
    words = ["<think>", "a", "</think>", "yes"]

    def reply(request: Request) -> None:
        request.begin()
        for word in words:
            token = {"token": word, "logprob": -0.5, "top_logprobs": [
                {"token": "no", "logprob": -3.0}, {"token": word, "logprob": -0.5}]}  # fmt: skip
            request.piece(content=word, logprobs={"content": [token]})
        request.done()

    found = ask(reply, Ask(ASK.messages, logprobs=2))
    assert (found.text, found.thoughts) == ("yes", "a")
    assert found.logprobs is not None
    assert [(t.text, t.alternatives) for t in found.logprobs] == [
        ("yes", (("yes", -0.5), ("no", -3.0)))
    ]


def test_answer__that_does_not_come_in_pieces_is_read_as_well() -> None:
    choice = {"message": {"content": "dates"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": 1}
    body = {"model": "whole", "choices": [choice], "usage": usage}
    found = ask(lambda r: r.send(200, json.dumps(body).encode()))
    assert (found.text, found.model, found.prompt_tokens) == ("dates", "whole", 9)


def test_tokens__are_estimated_where_a_server_counts_none() -> None:
    def reply(request: Request) -> None:
        request.begin()
        request.piece(content="a short answer")
        request.piece(finish="stop")

    found = ask(reply)
    assert found.answer_tokens == 3
    assert 10 <= found.prompt_tokens <= 30


def test_schema__is_left_out_once_a_server_refuses_it() -> None:
    asked: list[bool] = []

    def reply(request: Request) -> None:
        asked.append("response_format" in request.body)
        if asked[-1]:
            request.fail(400, "Unsupported parameter: 'response_format'")
        else:
            says("yes")(request)

    with ChatServer(reply) as server:
        model = ServerModel(server_address(server.url), "toy")
        wanted = Ask(ASK.messages, schema={"type": "object"})
        assert not model.ask(wanted).structured
        assert not model.ask(wanted).structured
        model.close()
    assert asked == [True, False, False]


def test_schema__is_held_where_the_answer_is_of_it() -> None:
    wanted = Ask(ASK.messages, schema={"type": "object"})
    assert ask(says('{"a": 1}'), wanted).structured
    assert not ask(says("It is 1."), wanted).structured


@pytest.mark.parametrize(
    ("refused", "instead"),
    [("max_tokens", "max_completion_tokens"), ("temperature", ""), ("stream_options", ""),
     ("seed", "")],
)  # fmt: skip
def test_parameter__that_a_server_refuses_is_left_out(refused: str, instead: str) -> None:
    bodies: list[dict[str, object]] = []

    def reply(request: Request) -> None:
        bodies.append(request.body)
        if refused in request.body:
            request.fail(400, f"Unsupported parameter: '{refused}' with this model.")
        else:
            says("ok")(request)

    assert ask(reply).text == "ok"
    assert [refused in body for body in bodies] == [True, False]
    assert not instead or bodies[1][instead] == 20


@pytest.mark.parametrize(
    ("status", "message", "code", "kind"),
    [
        (401, f"Incorrect API key provided: {KEY}", "invalid_api_key", "key"),
        (403, f"Key {KEY[:12]} may not", "", "key"),
        (402, "Payment required", "", "quota"),
        (429, "You exceeded your current quota", "insufficient_quota", "quota"),
        (429, "Too many requests", "", "rate"),
        (404, "The model `toy` does not exist", "model_not_found", "no_model"),
        (404, "Not Found", "", "no_model"),
        (400, "This model's maximum context length is 512 tokens", "", "too_long"),
        (400, "the request exceeds the available context size", "exceed_context_size", "too_long"),
        (500, f"boom {KEY}", "", "server"),
        (503, "Loading model", "", "server"),
        (418, "teapot", "", "malformed"),
        (302, "elsewhere", "", "no_model"),
    ],
)
def test_refusal__is_told_by_its_kind(status: int, message: str, code: str, kind: str) -> None:
    error = fault(lambda r: r.fail(status, message, code))
    assert error.kind == kind
    assert error.what
    assert kind == "key" or error.next_step or error.kind in ("malformed", "quota")
    assert KEY[:12] not in str(error)


def test_redirection__is_not_followed() -> None:
    with ChatServer(says("stolen")) as other:
        fault(lambda r: r.send(307, b"", Location=f"{other.url}/chat/completions"))
        assert other.asked == []


def test_rate_limit__says_how_long_to_wait() -> None:
    assert fault(lambda r: r.fail(429, "slow down", Retry_After="2.5")).retry_after == 2.5
    for nonsense in ("soon", "nan", "inf"):
        error = fault(lambda r, said=nonsense: r.fail(429, "slow down", Retry_After=said))
        assert error.retry_after is None


def test_rate_limit__says_until_when_to_wait() -> None:
    later = email.utils.formatdate(time.time() + 3600, usegmt=True)
    error = fault(lambda r: r.fail(429, "slow down", Retry_After=later))
    assert error.retry_after is not None
    assert 3000 < error.retry_after <= 3600
    past = fault(lambda r: r.fail(429, "no", Retry_After="Sat, 01 Jan 2000 00:00:00 GMT"))
    assert past.retry_after == 0.0


def test_retries__are_made_by_the_library_as_often_as_asked() -> None:
    statuses = [503, 503, 200]

    def reply(request: Request) -> None:
        status = statuses.pop(0)
        says("ok")(request) if status == 200 else request.fail(status, "no", Retry_After="0.01")

    assert ask(reply, retries=2).text == "ok"
    assert statuses == []


def test_key__that_is_missing_is_asked_for() -> None:
    assert "asks for a key" in fault(lambda r: r.fail(401, "no"), key="").what


def _drop(request: Request) -> None:
    request.begin()
    request.piece(content="half of an")
    request.handler.connection.shutdown(2)


def _half(request: Request) -> None:
    request.begin()
    request.piece(content="half of an")


def _nonsense(request: Request) -> None:
    request.begin()
    request.raw("{not json")


def _wrong_types(request: Request) -> None:
    request.begin()
    request.raw({"choices": [{"delta": {"content": ["a"]}, "finish_reason": 3}], "usage": "x"})
    request.raw("[DONE]")


def _error_within(request: Request) -> None:
    request.begin()
    request.piece(content="half")
    request.raw({"error": {"message": f"the graphics card gave up, {KEY}"}})


def _endless_line(request: Request) -> None:
    request.begin()
    for _ in range(40):
        request.handler.wfile.write(b"x" * 2**20)


def _refusing(request: Request) -> None:
    request.begin()
    request.piece(refusal="I cannot help with that.")
    request.done()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (_drop, "unreachable"),
        (_half, "unreachable"),
        (_nonsense, "malformed"),
        (_wrong_types, "unreachable"),
        (_error_within, "server"),
        (_endless_line, "malformed"),
        (_refusing, "refused"),
        (lambda r: r.send(200, b"<html>hello</html>", "text/html"), "malformed"),
        (lambda r: r.send(200, b"", "text/event-stream"), "malformed"),
        (lambda r: r.send(200, b"[1, 2", "application/json"), "malformed"),
        (lambda r: r.send(200, b"{}", Content_Encoding="gzip"), "malformed"),
        (lambda r: r.handler.connection.shutdown(2), "unreachable"),
    ],
)
def test_answer__that_is_none_is_told_by_its_kind(reply: Reply, kind: str) -> None:
    error = fault(reply)
    assert error.kind == kind
    assert error.next_step or kind == "server"
    assert error.sent


def test_huge_answer__is_cut_and_read_no_further() -> None:
    sent: list[int] = []

    def reply(request: Request) -> None:
        request.begin()
        for number in range(100):
            sent.append(number)
            request.piece(content="word " * 20_000)

    found = ask(reply)
    assert found.finish == "cut"
    assert 1_000_000 <= len(found.text) <= 1_200_000
    assert len(sent) < 100


def test_nothing_there__is_unreachable() -> None:
    server = ChatServer(says("ok"))
    server.close()
    with pytest.raises(ChatError, match="Start the server") as caught:
        ServerModel(server_address(server.url), "toy").ask(ASK)
    assert caught.value.kind == "unreachable"
    assert not caught.value.sent


def test_no_answer_in_time__is_a_timeout() -> None:
    assert fault(slowly(1.0, says("late")), seconds=0.2).kind == "timeout"


def test_close__ends_what_is_asked_at_once_and_what_would_be() -> None:
    ended: list[tuple[str, float]] = []
    with ChatServer(slowly(20.0, says("late"))) as server:
        model = ServerModel(server_address(server.url), "toy")

        def wait() -> None:
            try:
                model.ask(ASK)
            except ChatError as error:
                ended.append((error.kind, time.monotonic()))

        threads = [threading.Thread(target=wait) for _ in range(4)]
        for thread in threads:
            thread.start()
        while len(server.requests) < 4:
            time.sleep(0.01)
        model.close()
        for thread in threads:
            thread.join(10)
        assert [kind for kind, _ in ended] == ["closed"] * 4
        with pytest.raises(ChatError) as caught:
            model.ask(ASK)
        assert caught.value.kind == "closed"
        model.close()


def test_questions__are_asked_together() -> None:
    meeting = threading.Barrier(4)

    def reply(request: Request) -> None:
        meeting.wait(10)
        says("ok")(request)

    with ChatServer(reply) as server:
        model = ServerModel(server_address(server.url), "toy")
        found: list[str] = []
        threads = [
            threading.Thread(target=lambda: found.append(model.ask(ASK).text)) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        model.close()
    assert found == ["ok"] * 4
    assert server.most_at_once == 4


def test_models__are_listed() -> None:
    with ChatServer(says("ok"), models=({"id": "a", "max_model_len": 4096}, {"id": "b"})) as server:
        model = ServerModel(server_address(server.url), "")
        assert [one["id"] for one in model.models()] == ["a", "b"]
        model.close()


def test_module__imports_neither_the_library_nor_torch() -> None:
    code = (
        "import sys, sae_desktop.labels.models.server; "
        "sys.exit(bool({'openai', 'torch', 'keyring'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
