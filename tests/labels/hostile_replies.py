"""Every way in which a server that speaks the protocol may answer, or not, by name.

A `Script` plays them in a row for each question; its log says what was sent back, to be held
against the ledger.
"""

from __future__ import annotations

import email.utils
import json
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from chat_server import Reply, Request, says

PROMPT_TOKENS, ANSWER_TOKENS = 7, 3
"""What the server says of each answer."""


def prompt_of(request: Request) -> str:
    text = request.body["messages"][-1]["content"]
    assert isinstance(text, str)
    return text


def answers(request: Request) -> None:
    says("about ", prompt_of(request))(request)


def prose(request: Request) -> None:
    says("Well, I would say it is about three, ", "or perhaps four out of five.")(request)


def thinking(request: Request) -> None:
    says("<think>", "1, 2, 3? It may be 2.", "</think>", "about ", prompt_of(request))(request)


def huge(request: Request) -> None:
    request.begin()
    while True:  # until whoever asked hangs up
        request.piece(content="word " * 20_000)


def fails(request: Request) -> None:
    request.fail(500, "The graphics card gave up.")


def busy(request: Request) -> None:
    request.fail(429, "Slow down.", Retry_After="0.02")


def busy_until(request: Request) -> None:
    """Say as a date until when to wait: its last second has nearly passed."""
    request.fail(429, "Slow down.", Retry_After=email.utils.formatdate(time.time(), usegmt=True))


def malformed(request: Request) -> None:
    request.begin()
    request.raw('{"choices": [{"delta": {"content": "half of')


def not_json(request: Request) -> None:
    request.send(200, b"{'answer': None, ", "application/json")


def web_page(request: Request) -> None:
    request.send(200, b"<html><b>Welcome</b></html>", "text/html")


def dropped(request: Request) -> None:
    """Reset the connection in the middle of an answer."""
    request.begin()
    request.piece(content="half of an")
    request.handler.connection.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER: a reset
    request.handler.connection.close()


def half(request: Request) -> None:
    request.begin()
    request.piece(content="half of an")


def too_long(request: Request) -> None:
    request.fail(400, "This model's maximum context length is 512 tokens.")


def refuses(request: Request) -> None:
    request.begin()
    request.piece(refusal="I cannot help with that.")
    request.done()


def wrong_key(request: Request) -> None:
    """Repeat the key, as some servers do."""
    key = request.headers.get("Authorization", "")
    request.fail(401, f"Incorrect API key provided: {key}", "invalid_api_key")


def failing_with_key(request: Request) -> None:
    request.fail(500, f"boom: {json.dumps(dict(request.headers))}")


PASSING: dict[str, Reply] = {
    "fails": fails, "busy": busy, "busy until": busy_until, "malformed": malformed,
    "not JSON": not_json, "web page": web_page, "dropped": dropped, "half": half,
}  # fmt: skip
"""After these it is worth asking again."""
WHOLE: dict[str, Reply] = {"answers": answers, "prose": prose, "thinking": thinking, "huge": huge}
"""These are answers."""
LASTING: dict[str, Reply] = {"too long": too_long, "refuses": refuses}
"""Of one question, and the next may fare better."""
REPLIES = PASSING | WHOLE | LASTING


@dataclass
class Script:
    """Plays for each question the replies named, then answers; a `Reply` for a `ChatServer`."""

    named: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Question → names of its first replies."""
    before: Callable[[Request], None] = lambda request: None
    sent: list[tuple[str, str]] = field(default_factory=list)
    """(question, name of the reply), as each began to be sent."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request) -> None:
        self.before(request)
        prompt = prompt_of(request)
        with self._lock:
            came = sum(question == prompt for question, _ in self.sent)
            names = [*self.named.get(prompt, ()), "answers"]
            name = names[min(came, len(names) - 1)]
            self.sent.append((prompt, name))
        REPLIES[name](request)

    @property
    def times(self) -> Counter[str]:
        """Question → how often it came."""
        return Counter(prompt for prompt, _ in self.sent)
