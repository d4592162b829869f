"""Renders chats for the process that started it, one JSON line for each; see `chat_template`.

Ends with its standard input, even in the middle of a chat.
"""

from __future__ import annotations

import json
import math
import os
import queue
import signal
import sys
import threading
from types import MethodType, SimpleNamespace
from typing import Any

import psutil
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

TEXT_ROOM = 16 * 2**20
"""Characters a rendered chat may have beyond four times those of what was said."""
_GRACE = 2.0
"""Seconds over its time after which the process ends by itself, were its parent gone."""


def _hold_memory(memory: int) -> None:
    """Let the process grow by at most `memory` bytes from now on, where the system can."""
    try:
        import resource

        most = psutil.Process().memory_info().vms + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    except (ImportError, OSError, ValueError):
        return  # the parent watches too


def _set_alarm(seconds: float) -> None:
    """End this process after so long, also in a computation that lets no thread on; 0: never."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _read_on(lines: queue.SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0)


def _tokenizer(stated: dict[str, Any]) -> Any:
    """Return as much of a tokenizer as its template is given, so that the text is the same."""
    found = SimpleNamespace(**stated)
    for name in ("apply_chat_template", "get_chat_template"):
        setattr(found, name, MethodType(getattr(PreTrainedTokenizerBase, name), found))
    return found


def _answer(tokenizer: Any, request: dict[str, Any], size: int) -> dict[str, Any]:
    try:
        text = tokenizer.apply_chat_template(
            request["messages"],
            tokenize=False,
            add_generation_prompt=request["add_generation_prompt"],
        )
        if len(text) > TEXT_ROOM + 4 * size:
            return {"beyond": "produced a text far longer than the chat"}
        return {"text": text}
    except MemoryError:
        return {"memory": True}
    except Exception as error:  # templates are programs, and raise what they like
        return {"refused": str(error).strip() or type(error).__name__}


def main(memory: int, seconds: float) -> None:
    """Answer requests until the standard input ends."""
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_on, args=(lines,), daemon=True).start()
    tokenizer: Any = None
    _send({"ready": True})
    if memory:
        _hold_memory(memory)
    while True:
        line = lines.get()
        request = json.loads(line)
        if "tokenizer" in request:
            tokenizer = _tokenizer(request["tokenizer"])
        _set_alarm(math.ceil(seconds) + _GRACE)
        answer = _answer(tokenizer, request, len(line))
        _set_alarm(0)
        try:
            _send(answer)
        except MemoryError:
            _send({"memory": True})


def _send(answer: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
