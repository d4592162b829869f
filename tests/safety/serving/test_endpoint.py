"""The served model as OpenAI's own client meets it: the program's tokens, and nobody else's."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.safety.serving.config import MOST_BYTES, ServeConfig, Served
from sae_desktop.safety.serving.lab import Lab, Writing
from sae_desktop.safety.serving.server import ServedModel, bound, open_lab
from sae_desktop.steering.config import Sampling, SteerConfig
from sae_desktop.steering.job import steer
from sae_desktop.steering.presets import read_preset

SAID: list[Any] = [{"role": "user", "content": "In the beginning"}]


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=served.url, api_key=served.token, max_retries=0) as found:
        yield found


def in_the_lab(project: Project, prompt: str, count: int, *, chat: bool) -> str:
    """Return what the program itself writes with the preset."""
    preset = read_preset(project, "held")
    config = SteerConfig(
        project=str(project.path), index="i", prompt=prompt, variants=preset.variants[1:],
        sampling=Sampling(max_new_tokens=count, repetition_penalty=1.0), chat=chat, compare=False,
    )  # fmt: skip
    return steer(config, SilentContext()).variants[0].text


def test_chat__is_what_the_program_writes(
    client: openai.OpenAI, served: Served, lab_project: Project
) -> None:
    assert [model.id for model in client.models.list()] == [served.model]
    found = client.chat.completions.create(
        model=served.model, messages=SAID, max_tokens=10, temperature=0
    )
    wanted = in_the_lab(lab_project, "In the beginning", 10, chat=True)
    assert found.choices[0].message.content == wanted
    assert found.choices[0].finish_reason in ("stop", "length")
    assert found.usage is not None
    assert found.usage.completion_tokens == 10


def test_stream__says_the_same_piece_by_piece(
    client: openai.OpenAI, served: Served, lab_project: Project
) -> None:
    stream = client.chat.completions.create(
        model=served.model, messages=SAID, max_tokens=10, temperature=0, stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    chunks = list(stream)
    pieces = [c.choices[0].delta.content or "" for c in chunks if c.choices]
    assert "".join(pieces) == in_the_lab(lab_project, "In the beginning", 10, chat=True)
    assert len([piece for piece in pieces if piece]) > 3
    assert chunks[-1].usage is not None
    assert chunks[-2].choices[0].finish_reason == "length"


def test_text__is_continued_and_ends_at_a_stop(
    client: openai.OpenAI, served: Served, lab_project: Project
) -> None:
    wanted = in_the_lab(lab_project, "def add(", 12, chat=False)
    found = client.completions.create(
        model=served.model, prompt="def add(", max_tokens=12, temperature=0
    )
    assert found.choices[0].text == wanted
    stop = wanted[4:7]
    cut = client.completions.create(
        model=served.model, prompt="def add(", max_tokens=12, temperature=0, stop=[stop]
    )
    assert cut.choices[0].text == wanted[: wanted.index(stop)]
    assert cut.choices[0].finish_reason == "stop"


def test_seed__alone_decides_what_is_drawn(client: openai.OpenAI, served: Served) -> None:
    def drawn(seed: int) -> str:
        found = client.completions.create(
            model=served.model, prompt="In the", max_tokens=12, temperature=1.5, seed=seed
        )
        return found.choices[0].text

    assert drawn(1) == drawn(1) != drawn(2)


def test_ten_at_once__are_each_answered_as_alone(
    client: openai.OpenAI, served: Served, lab_project: Project
) -> None:
    prompts = [f"In the {['beginning', 'earth', 'heaven', 'God'][n % 4]} {n}" for n in range(10)]
    wanted = [in_the_lab(lab_project, prompt, 6, chat=False) for prompt in prompts]

    def ask(prompt: str) -> str:
        found = client.completions.create(
            model=served.model, prompt=prompt, max_tokens=6, temperature=0
        )
        return found.choices[0].text

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(ask, prompts)) == wanted


def test_client_that_hangs_up__ends_its_text(
    client: openai.OpenAI, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    writings: list[Writing] = []
    write = Lab.write

    def noted(lab: Lab, *args: Any) -> Writing:
        writings.append(write(lab, *args))
        return writings[-1]

    slow = Writing.step

    def step(writing: Writing) -> str | None:
        time.sleep(0.05)
        return slow(writing)

    monkeypatch.setattr(Lab, "write", noted)
    monkeypatch.setattr(Writing, "step", step)
    stream = client.chat.completions.create(
        model=served.model, messages=SAID, max_tokens=30, temperature=0, stream=True
    )
    next(iter(stream))
    stream.close()
    address = urlsplit(served.url)
    body = json.dumps({"messages": SAID, "max_tokens": 30, "temperature": 0}).encode()
    with socket.create_connection((address.hostname, address.port)) as line:
        line.sendall(
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {served.token}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        while len(writings) < 2:
            time.sleep(0.01)
    end = time.monotonic() + 60
    while not all(writing.cancelled for writing in writings) and time.monotonic() < end:
        time.sleep(0.01)
    assert all(writing.cancelled for writing in writings)
    assert min(len(writing.written) for writing in writings) < 30


def test_hits__of_prompt_and_answer_are_kept_in_the_project(
    client: openai.OpenAI, served: Served, opened: OpenedIndex
) -> None:
    log = Path(served.hits)
    before = log.read_text().count("\n") if log.exists() else 0
    found = client.chat.completions.create(
        model=served.model, messages=SAID, max_tokens=10, temperature=0
    )
    told = found.model_extra["monitors"][0]  # type: ignore[index]
    assert told["monitor"] == "live"
    assert told["fired"]
    while log.read_text().count("\n") == before:
        time.sleep(0.01)
    hits = [json.loads(line) for line in log.read_text().splitlines()[before:]]
    assert {hit["role"] for hit in hits} <= {"user", "assistant"}
    assert max(hit["score"] for hit in hits) == pytest.approx(told["score"])
    assert all(hit["at"] and hit["score"] > 0 for hit in hits)


# ---------------------------------------------------------------- who may, and how much
def test_no_answer_without_the_token(served: Served) -> None:
    with (
        openai.OpenAI(base_url=served.url, api_key="wrong", max_retries=0) as other,
        pytest.raises(openai.AuthenticationError, match="token is missing or wrong"),
    ):
        other.models.list()
    line = http.client.HTTPConnection(urlsplit(served.url).netloc)
    try:
        line.request("GET", "/v1/models")
        assert line.getresponse().status == 401
    finally:
        line.close()


def test_ten_megabytes__are_refused_in_plain_words(client: openai.OpenAI, served: Served) -> None:
    with pytest.raises(openai.APIStatusError, match="larger than 1 MB") as error:
        client.completions.create(model=served.model, prompt="word " * 2_000_000)
    assert error.value.status_code == 413
    body = (b"x" * 1000 for _ in range(MOST_BYTES // 1000 + 5))
    line = http.client.HTTPConnection(urlsplit(served.url).netloc)
    try:
        line.request(
            "POST", "/v1/completions", body=body, encode_chunked=True,
            headers={"Authorization": f"Bearer {served.token}", "Transfer-Encoding": "chunked",
                     "Content-Type": "application/json"},
        )  # fmt: skip
        assert line.getresponse().status == 413
    finally:
        line.close()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"prompt": "word " * 300}, "reads at most"),
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": ["a", "b"]}, "2 prompts were sent"),
        ({"prompt": "a", "n": 3}, "3 replies"),
        ({"prompt": "a", "temperature": -1}, "temperature"),
    ],
)
def test_what_cannot_be_done__is_said_in_plain_words(
    client: openai.OpenAI, served: Served, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=said):
        client.completions.create(model=served.model, **asked)


def test_port_in_use__is_said_before_anything_is_loaded(served: Served) -> None:
    port = int(served.url.removesuffix("/v1").rpartition(":")[2])
    with pytest.raises(UserError, match="another program already uses it") as error:
        ServedModel(ServeConfig(port=port, model="there is no such model"))
    assert "--port" in error.value.next_step


def test_only_this_machine__is_listened_to() -> None:
    found = bound(ServeConfig().host, 0)
    try:
        assert found.getsockname()[0] == "127.0.0.1"
    finally:
        found.close()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"preset": "held"}, "lie in a project"),
        ({"project": True, "preset": "gone"}, "no preset “gone”"),
        ({"project": True, "monitors": ["gone"]}, "no monitor “gone”"),
    ],
)
def test_what_is_not_there__cannot_be_served(
    lab_project: Project, asked: dict[str, Any], said: str
) -> None:
    given = asked | ({"project": str(lab_project.path)} if "project" in asked else {})
    with pytest.raises(UserError, match=said):
        open_lab(ServeConfig(port=0, device="cpu", **given))
