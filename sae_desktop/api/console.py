"""Python on a project: at a terminal, or in a process of its own for the window.

For the window it is JSON lines: `Run` in, `Ready`, `Printed` and `Done` out. The process ends when
its input does.
"""

from __future__ import annotations

import ast
import code
import io
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import msgspec

from sae_desktop.engine.console_protocol import MOST_PRINTED, Done, Printed, Ready, Run
from sae_desktop.errors import UserError
from sae_desktop.words.console_words import TO_TRY, bound_text


def names(path: Path, index: str = "") -> dict[str, Any]:
    """Return what is there from the beginning: `project`, `index`, and what `sae_desktop.api` has.

    `index`: the name of the one that is bound; empty: the first, if there is any. Raises UserError
    for a project or index that is not there.
    """
    from sae_desktop import api

    found = {name: getattr(api, name) for name in api.__all__}
    project = api.open_project(path)
    named = index or next(iter(project.indexes), "")
    if named:
        found["index"] = project.index(named)
    return {"__name__": "__console__", **found, "project": project}


def interact(path: Path, index: str = "") -> None:
    """Read and run lines at a terminal, until its end of file. Raises as `names` does."""
    local = names(path, index)
    with suppress(ImportError):  # up and down bring earlier lines back
        import readline  # noqa: F401
    bound = local["index"].name if "index" in local else ""
    lines = [bound_text(str(path), bound), "Try:", *(f"  {line}" for line, _ in TO_TRY)]
    code.interact("\n".join(lines), local=local, exitmsg="")


def serve(path: Path, index: str, lines: Iterable[bytes], out: IO[bytes]) -> None:
    """Run what comes in until it ends, and write what it prints to `out`.

    Call from the main thread: SIGINT interrupts what runs there. Raises as `names` does.
    """
    teller = _Teller(out)
    # Whoever started this may have had it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdout, sys.stderr = teller.stream(error=False), teller.stream(error=True)
    asked: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines, asked), daemon=True).start()
    local = names(path, index)
    console = _Console(local)
    teller.tell(Ready(index=local["index"].name if "index" in local else ""))
    while True:
        try:
            source = asked.get()
            teller.begin()
            # Who asks for input finds its end; exit() closes this, not what the window writes to.
            sys.stdin = io.StringIO()
            console.run(source)
        except KeyboardInterrupt:
            pass  # it came when nothing ran any more
        teller.tell(Done())


def _listen(lines: Iterable[bytes], asked: queue.SimpleQueue[str]) -> None:
    for line in lines:
        asked.put(msgspec.json.decode(line, type=Run).source)
    os._exit(0)  # whoever asked is gone; the main thread may be in an endless loop


class _Console(code.InteractiveInterpreter):
    """Runs statements; the value of a last expression is printed."""

    def run(self, source: str) -> None:
        """Run statements, and print what goes wrong."""
        try:
            tree = ast.parse(source, "<console>")
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            parts = [compile(tree, "<console>", "exec")]
            if last is not None:
                parts.append(compile(ast.Interactive([last]), "<console>", "single"))
        except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
            self.showsyntaxerror("<console>")
            return
        try:
            for part in parts:
                exec(part, self.locals)
        except SystemExit:
            self.write("The console stays open: close its panel instead.\n")
        except KeyboardInterrupt:
            self.write("Stopped.\n")
        except UserError as error:
            self.write(f"{error}\n")
        except BaseException:
            self.showtraceback()


class _Teller:
    """Writes messages, a line each; what is printed by one run is bounded."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out, self._lock, self._left = out, threading.Lock(), MOST_PRINTED

    def begin(self) -> None:
        self._left = MOST_PRINTED

    def tell(self, message: Ready | Printed | Done) -> None:
        data = msgspec.json.encode(message) + b"\n"
        with self._lock:
            self._out.write(data)
            self._out.flush()

    def printed(self, text: str, *, error: bool) -> None:
        if self._left <= 0:
            return
        kept, self._left = text[: self._left], self._left - len(text)
        self.tell(Printed(text=kept, error=error))
        if self._left <= 0:
            left_out = f"\nWhat it prints after {MOST_PRINTED:,} characters is left out.\n"
            self.tell(Printed(text=left_out, error=True))

    def stream(self, *, error: bool) -> io.TextIOBase:
        return _Stream(self, error)


class _Stream(io.TextIOBase):
    """What is written here is told."""

    def __init__(self, teller: _Teller, error: bool) -> None:
        self._teller, self._error = teller, error

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if text:
            self._teller.printed(text, error=self._error)
        return len(text)
