"""A queue against a server on a real socket that does everything a server may do wrong.

What the server saw is held against the ledger: each request is in both, none is made after its
answer, and a kill loses no answer that was handed on.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from chat_server import ChatServer, Request
from hostile_replies import (
    ANSWER_TOKENS,
    LASTING,
    PASSING,
    PROMPT_TOKENS,
    WHOLE,
    Script,
    answers,
    failing_with_key,
    wrong_key,
)
from job_contexts import RecordingContext
from scripted_model import ask_of

from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.jobs import JobContext, SilentContext
from sae_desktop.labels.chat import Answer, Ask, ChatError
from sae_desktop.labels.models.address import server_address
from sae_desktop.labels.models.server import ServerModel
from sae_desktop.labels.queue import pace
from sae_desktop.labels.queue.asking import Asking, ask_all
from sae_desktop.labels.queue.ledger import Ledger, request_of
from sae_desktop.labels.queue.limits import QueueLimits

KEY = "sk-very+secret/key=0123456789"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(pace, "LONGEST_WAIT", 0.02)


def questions(count: int) -> Iterator[tuple[int, Ask]]:
    return ((n, ask_of(f"question {n}", most_tokens=20)) for n in range(count))


def ask_server(
    server: ChatServer,
    path: Path,
    count: int,
    context: JobContext | None = None,
    **limits: float,
) -> tuple[dict[int, Answer | ChatError], Asking[int]]:
    model = ServerModel(server_address(server.url), "toy", KEY, seconds=120.0)
    settings = QueueLimits(**limits)  # type: ignore[arg-type]
    with closing(Ledger(path)) as ledger:
        asking = ask_all(
            questions(count), model, ledger, settings, context or SilentContext(), total=count
        )
        try:
            with closing(asking):
                return dict(asking), asking
        finally:
            model.close()


def rows(path: Path, server: ChatServer) -> dict[str, tuple[str, int]]:
    """Return question → (state, attempts) of the ledger."""
    name = ServerModel(server_address(server.url), "toy").name
    with closing(Ledger(path)) as ledger:
        found = {
            bytes(digest): (state, attempts)
            for digest, state, attempts in ledger._database.execute(
                "SELECT digest, state, attempts FROM requests"
            )
        }
    by_prompt = {ask.messages[0].content: request_of(name, ask) for _, ask in questions(1000)}
    told = {p: found.pop(r.digest) for p, r in by_prompt.items() if r.digest in found}
    assert not found, "the ledger has requests that nobody asked"
    return told


def test_every_request__is_accounted_for_and_none_is_made_after_its_answer(tmp_path: Path) -> None:
    draw = random.Random(18)
    named = {}
    for n in range(60):
        passing = draw.choices([*PASSING], k=draw.choice((0, 0, 1, 1, 2, 3)))
        last = draw.choices([*WHOLE, *LASTING], weights=(8, 2, 2, 1, 1, 1))
        named[f"question {n}"] = [*passing, *last]
    script = Script(named)
    with ChatServer(script) as server:
        found, asking = ask_server(server, tmp_path / "r.sqlite", 60, at_once=6, attempts=5)
        told = rows(tmp_path / "r.sqlite", server)
    assert set(found) == set(range(60))
    assert {p: attempts for p, (_, attempts) in told.items()} == dict(script.times)
    assert asking.progress.attempts == len(script.sent)
    for n in range(60):
        prompt, answer = f"question {n}", found[n]
        sent = [name for question, name in script.sent if question == prompt]
        assert sent == named[prompt], prompt  # each reply once, none after the last
        lasting = sent[-1] in LASTING
        assert told[prompt][0] == ("failed" if lasting else "answered")
        assert isinstance(answer, ChatError if lasting else Answer)
        if isinstance(answer, Answer) and sent[-1] in ("answers", "thinking"):
            assert answer.text == f"about {prompt}"
            assert ("2" in answer.thoughts) == (sent[-1] == "thinking")
        if isinstance(answer, Answer) and sent[-1] == "huge":
            assert answer.finish == "cut"
    progress = asking.progress
    assert progress.answered + progress.failed == progress.done == 60
    assert sum(progress.failures.values()) == progress.failed > 0


def test_another_start__asks_for_what_failed_alone(tmp_path: Path) -> None:
    script = Script({"question 3": ["too long"], "question 5": ["fails", "fails"]})
    with ChatServer(script) as server:
        ask_server(server, tmp_path / "r.sqlite", 8, attempts=2)
        script.sent.clear()
        script.named = {}
        found, asking = ask_server(server, tmp_path / "r.sqlite", 8)
    assert {prompt for prompt, _ in script.sent} == {"question 3", "question 5"}
    assert all(isinstance(answer, Answer) for answer in found.values())
    assert (asking.progress.kept, asking.progress.answered) == (6, 2)


@pytest.mark.parametrize("reply", ["wrong key", "certificate"])
def test_server__that_will_never_answer_is_asked_once(
    reply: str, tmp_path: Path, own_certificate: tuple[str, str]
) -> None:
    certificate = own_certificate if reply == "certificate" else None
    with (
        ChatServer(wrong_key, certificate=certificate) as server,
        pytest.raises(UserError, match="are kept") as caught,
    ):
        ask_server(server, tmp_path / "r.sqlite", 50, at_once=8)
    assert len(server.requests) == (0 if certificate else 1)
    assert ("key" if reply == "wrong key" else "certificate") in str(caught.value)


def test_nobody_there__is_told_after_a_few_attempts(tmp_path: Path) -> None:
    server = ChatServer(answers)
    server.close()
    with pytest.raises(UserError, match="No server was reached"):
        ask_server(server, tmp_path / "r.sqlite", 50, attempts=3, at_once=4, price_in=9.0)
    with closing(Ledger(tmp_path / "r.sqlite")) as ledger:
        assert ledger.totals().unsure == 0.0  # nothing arrived, so nothing was charged
    told = rows(tmp_path / "r.sqlite", server)
    assert 3 <= sum(attempts for _, attempts in told.values()) < 20 < 50


def test_nobody_there__is_told_of_a_single_question(tmp_path: Path) -> None:
    server = ChatServer(answers)
    server.close()
    with pytest.raises(UserError, match="No server was reached"):
        ask_server(server, tmp_path / "r.sqlite", 1, attempts=2, at_once=4)


def test_key__is_in_no_file_error_or_log(tmp_path: Path) -> None:
    context = RecordingContext()
    told: list[str] = []
    for reply in (wrong_key, failing_with_key):
        with ChatServer(reply) as server:
            try:
                found, _ = ask_server(server, tmp_path / "r.sqlite", 3, context, attempts=2)
                told += [str(answer) for answer in found.values()]
            except UserError as error:
                told += [str(error), str(error.__cause__), str(error.__context__)]
            assert KEY in str(server.requests[0].headers)
    told += [*context.lines, *context.doing]
    assert "boom" in str(told)
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"boom" in files
    for part in (KEY, KEY[:12], KEY[-10:]):
        assert part not in "\n".join(told)
        assert part.encode() not in files


def test_cap__holds_by_what_the_server_counts(tmp_path: Path) -> None:
    prices = {"price_in": 1000.0, "price_out": 1000.0}
    with ChatServer(answers) as server:
        _, asking = ask_server(
            server, tmp_path / "r.sqlite", 300, at_once=6, most_cost=0.5, **prices
        )
        script_cost = len(server.requests) * (PROMPT_TOKENS + ANSWER_TOKENS) / 1000
    told = asking.progress
    assert told.ended == "cap"
    assert told.cost == pytest.approx(script_cost)
    assert 0.4 < told.cost <= 0.5


def test_cancel__hangs_up_on_a_server_that_does_not_answer(tmp_path: Path) -> None:
    hung_up = threading.Semaphore(0)
    came = threading.Semaphore(0)

    def never(request: Request) -> None:
        if len(server.requests) == 1:
            answers(request)
            return
        came.release()
        request.handler.connection.settimeout(60)
        assert request.handler.connection.recv(1) == b""  # the other side has closed
        hung_up.release()

    def look(_number: int) -> None:
        if len(server.requests) == 4:
            for _ in range(3):
                assert came.acquire(timeout=60)
            raise JobCancelledError

    path = tmp_path / "r.sqlite"
    with ChatServer(never) as server:
        with pytest.raises(JobCancelledError):
            ask_server(server, path, 20, RecordingContext(on_check=look), at_once=3)
        for _ in range(3):
            assert hung_up.acquire(timeout=60)
        told = rows(path, server)
    assert sorted(state for state, _ in told.values()) == ["answered", *["waiting"] * 3]
    assert len(server.requests) == 4


_CHILD = """
import sys
from contextlib import closing
from pathlib import Path
from test_queue_server import KEY, questions
from sae_desktop.jobs import SilentContext
from sae_desktop.labels.models.address import server_address
from sae_desktop.labels.models.server import ServerModel
from sae_desktop.labels.queue.asking import ask_all
from sae_desktop.labels.queue.ledger import Ledger
from sae_desktop.labels.queue.limits import QueueLimits
url, path, handed_on = sys.argv[1:]
model = ServerModel(server_address(url), "toy", KEY)
ledger = Ledger(Path(path))
limits = QueueLimits(at_once=4, price_in=1.0, price_out=1.0)
with open(handed_on, "a", buffering=1) as file:
    for key, answer in ask_all(questions(120), model, ledger, limits, SilentContext()):
        file.write(f"{key}\\n")
"""


@pytest.mark.parametrize("after", [5, 37])
def test_kill__loses_no_answer_and_asks_for_none_again(after: int, tmp_path: Path) -> None:
    path, handed_on = tmp_path / "r.sqlite", tmp_path / "handed on"
    enough = threading.Event()

    def look(request: Request) -> None:
        if len(server.requests) > after:
            enough.set()
            threading.Event().wait(0.05)

    script = Script(before=look)
    with ChatServer(script) as server:
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, server.url, str(path), str(handed_on)],
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        assert enough.wait(60)
        child.send_signal(signal.SIGKILL)
        child.wait()
        told = rows(path, server)
        answered = {prompt for prompt, (state, _) in told.items() if state == "answered"}
        under_way = {prompt for prompt, (state, _) in told.items() if state == "asked"}
        kept = {f"question {line}" for line in handed_on.read_text().split("\n")[:-1]}
        assert len(kept) >= after - 8
        assert kept <= answered  # nothing was handed on that is not in the ledger
        assert len(under_way) <= 4
        assert answered | under_way == set(told)
        context = RecordingContext()
        found, asking = ask_server(server, path, 120, context, at_once=4)
    assert len(found) == 120
    assert all(isinstance(answer, Answer) for answer in found.values())
    twice = {prompt for prompt, times in script.times.items() if times > 1}
    assert twice <= under_way  # no answer had come to these
    assert asking.progress.kept == len(answered)
    assert asking.progress.interrupted == len(under_way)
    said = any("under way when the program ended" in line for line in context.lines)
    assert said == bool(under_way)
