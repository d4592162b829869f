"""A stranger's chat template is held to its time and memory, and writes what it always wrote."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from test_text_windows import BOS_FIRST, CHATML, FORGETFUL, STRICT, chat, toy

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.records import BadRowError
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.interruption import interrupted_by
from sae_desktop.language_model.text import chat_template
from sae_desktop.language_model.text.chat_template import TemplateRefusedError, render_chat
from sae_desktop.language_model.text.text_windows import document_encoder

ENDLESS = (
    "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}"
    "{% endfor %}{% endfor %}{% endfor %}"
)
BOMB = "{{ 'a' * 10**9 }}"
# Grows by a little at a time, and ends, so that nothing but the bound on memory can stop it.
SLOW_BOMB = (
    "{% set kept = namespace(all=[]) %}{% for n in range(100) %}"
    "{% set kept.all = kept.all + ['a' * (4000000 + n)] %}"
    "{% for wait in range(99999) %}{% endfor %}{% endfor %}done"
)
SAID = [
    {"role": "user", "content": "größer 🌉 \ud800 <b>?\n"},
    {"role": "assistant", "content": "A direction.", "calls": [{"name": "f", "at": 0.1}]},
    {"role": "user", "content": "Thanks", "nothing": None},
]


@pytest.fixture(autouse=True)
def own_child() -> Iterator[None]:
    chat_template.end_child()
    yield
    chat_template.end_child()


def render(template: Any, **more: Any) -> str:
    tokenizer = toy(template).tokenizer
    return render_chat(tokenizer, SAID, add_generation_prompt=True, name="toy", **more)


@pytest.mark.parametrize(
    "template",
    [
        CHATML,
        BOS_FIRST,
        STRICT,
        FORGETFUL,
        "{{ messages | tojson }}{{ eos_token }}{{ pad_token }}{{ additional_special_tokens }}",
        {"default": BOS_FIRST, "tool_use": STRICT},
    ],
)
def test_text__is_that_of_the_tokenizer_itself(template: Any) -> None:
    tokenizer = toy(template).tokenizer
    for question in (True, False):
        own = tokenizer.apply_chat_template(SAID, tokenize=False, add_generation_prompt=question)
        found = render_chat(tokenizer, SAID, add_generation_prompt=question, name="toy")
        assert found == own


def test_chats__are_rendered_by_one_process_that_is_not_this_one() -> None:
    render(CHATML)
    assert chat_template._child is not None
    first = chat_template._child.pid
    with pytest.raises(TemplateRefusedError):
        render("{{ raise_exception('no') }}")
    render(BOS_FIRST)
    assert chat_template._child.pid == first != os.getpid()


def test_child_that_was_ended_between_chats__is_started_again() -> None:
    text = render(CHATML)
    assert chat_template._child is not None
    chat_template._child._process.kill()
    chat_template._child._process.wait()
    assert render(CHATML) == text


@pytest.mark.parametrize(
    ("template", "watched_by"),
    [(BOMB, "the system"), (SLOW_BOMB, "the system"), (SLOW_BOMB, "the parent")],
)
def test_template_that_eats_memory__is_stopped(
    monkeypatch: pytest.MonkeyPatch, template: str, watched_by: str
) -> None:
    monkeypatch.setattr(chat_template, "MEMORY", 128 * 2**20)
    monkeypatch.setattr(chat_template, "SECONDS", 60.0)
    if watched_by == "the parent":
        monkeypatch.setattr(chat_template, "_own_limit", lambda: 0)
    elif sys.platform != "linux":
        pytest.skip("only Linux holds a process to its address space")
    else:
        monkeypatch.setattr(chat_template._Child, "_memory", lambda self: 0)
    with pytest.raises(UserError, match="“toy” took more than 128 MiB of memory") as told:
        render(template)
    assert told.value.kept
    assert "column of texts" in told.value.next_step
    assert chat_template._child is None


def test_text_far_longer_than_the_chat__is_not_taken() -> None:
    with pytest.raises(UserError, match="“toy” produced a text far longer"):
        render("{{ 'a' * (20 * 2**20) }}")


def test_template_without_end__is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_template, "SECONDS", 0.5)
    with pytest.raises(UserError, match=r"“toy” took more than 0\.5 seconds") as told:
        render(ENDLESS)
    assert told.value.kept
    assert "column of texts" in told.value.next_step
    assert chat_template._child is None


def test_cancelling__ends_a_template_at_work() -> None:
    asked: list[bool] = []

    def check() -> None:
        # Not while the process is being started, but once the template is at work.
        child = chat_template._child
        asked.append(child is not None)
        if child is not None:
            raise JobCancelledError

    with pytest.raises(JobCancelledError), interrupted_by(check):
        render(ENDLESS)
    assert asked[-1]
    assert chat_template._child is None


def test_what_a_template_refuses__is_told_in_its_words_and_left_out() -> None:
    with pytest.raises(TemplateRefusedError, match=r"^no tools here$"):
        render("{{ raise_exception('no tools here') }}")
    encode = document_encoder(
        toy("{{ raise_exception('no tools here') }}"), CorpusSettings(corpus="c")
    )
    with pytest.raises(BadRowError, match="no tools here"):
        encode(chat())


def test_template_without_end__is_no_row_to_leave_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_template, "SECONDS", 0.5)
    # It is at work only for what this chat says, not when the encoder looks at the template.
    template = "{% if 'Thanks' in messages[-1].content %}" + ENDLESS + "{% endif %}"
    encode = document_encoder(toy(template), CorpusSettings(corpus="c"))
    with pytest.raises(UserError, match="took more than") as told:
        encode(chat())
    assert not isinstance(told.value, BadRowError)


def test_tokenizer_that_renders_by_itself__goes_on_doing_so() -> None:
    tokenizer = toy(CHATML).tokenizer

    class Own(type(tokenizer)):  # type: ignore[misc]
        def apply_chat_template(self, conversation: Any, **more: Any) -> str:
            return f"{len(conversation)} said"

    tokenizer.__class__ = Own
    found = render_chat(tokenizer, SAID, add_generation_prompt=False, name="toy")
    assert found == "3 said"
    assert chat_template._child is None


PARENT = """
import sys, threading
from test_chat_template import ENDLESS, chat_template, render
def tell():
    while chat_template._child is None:
        threading.Event().wait(0.02)
    print(chat_template._child.pid, flush=True)
threading.Thread(target=tell, daemon=True).start()
render(ENDLESS)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_child__ends_with_a_parent_that_is_killed_in_the_middle_of_a_chat() -> None:
    places = [p for p in sys.path if p]
    with subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {places!r}\n{PARENT}"],
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        time.sleep(0.3)
        assert _runs(child)
        parent.send_signal(signal.SIGKILL)
    latest = time.monotonic() + 7  # before its own alarm
    while _runs(child) and time.monotonic() < latest:
        time.sleep(0.05)
    assert not _runs(child)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
