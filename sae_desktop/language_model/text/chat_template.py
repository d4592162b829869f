"""Chats through a model's template, which is a stranger's program: within bounds, elsewhere.

Templates are rendered in a child process, kept for the next chat, that is ended as soon as one
takes more time or memory than any honest template does.
"""

from __future__ import annotations

import atexit
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import psutil
from transformers import PreTrainedTokenizerBase

from sae_desktop import launch
from sae_desktop.errors import UserError
from sae_desktop.interruption import check_interrupted

SECONDS = 10.0
"""The most time that a template may take over one chat."""
MEMORY = 512 * 2**20
"""The most bytes by which the process that renders may grow."""
_START_SECONDS = 120.0
_LOOK_SECONDS = 0.05


class TemplateRefusedError(Exception):
    """What a template, or what runs it, said of a chat that it does not render."""


class _EndedError(Exception):
    """The child is gone."""


def render_chat(
    tokenizer: Any,
    messages: Sequence[Mapping[str, Any]],
    *,
    add_generation_prompt: bool,
    name: str,
) -> str:
    """Return a chat as the template of the model `name` writes it. Safe in any thread.

    Raises TemplateRefusedError for a chat the template refuses, UserError for a template that
    goes beyond SECONDS or MEMORY or writes without measure. The wait may be interrupted.
    """
    stated = _stated(tokenizer)
    if stated is None:
        try:
            return str(
                tokenizer.apply_chat_template(
                    list(messages), tokenize=False, add_generation_prompt=add_generation_prompt
                )
            )
        except Exception as error:  # code of the model's own raises what it likes
            raise TemplateRefusedError(str(error).strip() or type(error).__name__) from error
    request = {"messages": list(messages), "add_generation_prompt": add_generation_prompt}
    while not _LOCK.acquire(timeout=_LOOK_SECONDS):
        check_interrupted()
    try:
        answer = _ask(stated, request, name)
    finally:
        _LOCK.release()
    if "refused" in answer:
        raise TemplateRefusedError(answer["refused"])
    return str(answer["text"])


def end_child() -> None:
    """End the process that renders; the next chat starts another."""
    global _child
    if _child is not None:
        _child.end()
        _child = None


def _stated(tokenizer: Any) -> dict[str, Any] | None:
    """Return what a template is given of its tokenizer; nothing where other code renders."""
    base = PreTrainedTokenizerBase
    if not isinstance(tokenizer, base) or any(
        getattr(getattr(tokenizer, method), "__func__", None) is not getattr(base, method)
        for method in ("apply_chat_template", "get_chat_template")
    ):
        return None
    template = tokenizer.chat_template
    if not isinstance(template, (str, dict)):
        return None
    return {"chat_template": template, "special_tokens_map": tokenizer.special_tokens_map}


def _ask(stated: dict[str, Any], request: dict[str, Any], name: str) -> dict[str, Any]:
    global _child
    for last in (False, True):
        if _child is None:
            _child = _Child()
        try:
            answer = _child.answer(stated, request)
        except _EndedError:
            # It may have been ended between two chats, so a new one is asked once.
            end_child()
            if last:
                raise _beyond(name, "ended the process that renders it") from None
        except TimeoutError:
            end_child()
            raise _beyond(name, f"took more than {SECONDS:g} seconds over one chat") from None
        except BaseException:
            end_child()
            raise
        else:
            if "beyond" in answer:
                raise _beyond(name, answer["beyond"])
            if "memory" not in answer:
                return answer
            end_child()
            raise _beyond(name, f"took more than {MEMORY // 2**20:,} MiB of memory for one chat")
    raise AssertionError


def _beyond(name: str, what: str) -> UserError:
    return UserError(
        f"The chat template of “{name}” {what}, and was stopped.",
        kept="None of its output was used, and what was saved before is unchanged.",
        next_step="Choose a column of texts instead of the chats, or a model with another "
        "template.",
    )


class _Child:
    """A process that renders. Whoever waits for it may be interrupted."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            launch.command(
                "sae_desktop.language_model.text.chat_template_child",
                str(_own_limit()),
                str(SECONDS),
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            start_new_session=sys.platform != "win32",  # an interruption is for the parent
        )
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._known: dict[str, Any] = {}
        self._most = sys.maxsize
        threading.Thread(target=self._read_on, daemon=True).start()
        try:
            self._wait(_START_SECONDS)
            self._most = self._memory() + MEMORY
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def answer(self, stated: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
        """Return what is answered to a request.

        Raises TimeoutError and _EndedError.
        """
        if stated != self._known:
            request, self._known = {**request, "tokenizer": stated}, stated
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request, default=str).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise _EndedError from None
        return self._wait(SECONDS)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except OSError:
            return  # what was not sent yet has no reader any more

    def _wait(self, seconds: float) -> dict[str, Any]:
        latest = time.monotonic() + seconds
        while True:
            try:
                line = self._lines.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                check_interrupted()
                if self._memory() > self._most:
                    return {"memory": True}
                if time.monotonic() > latest:
                    raise TimeoutError from None
                continue
            if not line:
                raise _EndedError
            answer: dict[str, Any] = json.loads(line)
            return answer

    def _memory(self) -> int:
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            raise _EndedError from None

    def _read_on(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(b"")


def _own_limit() -> int:
    """Return the bytes by which the child lets itself grow."""
    return MEMORY


_LOCK = threading.Lock()
_child: _Child | None = None
atexit.register(end_child)
