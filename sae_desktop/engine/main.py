"""The engine's process: `sae-desktop engine`, also `python -m sae_desktop.engine`.

Reads commands from standard input and writes events to the real standard output, until the
pipe closes, it is told to end, or its parent dies. Then every job is cancelled, which makes
it checkpoint, and the process ends within seconds even when a job does not listen.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
import threading
import time
from pathlib import Path

from sae_desktop.engine.engine import UNKNOWN_DEVICE, Engine, start_thread
from sae_desktop.engine.environment import prepare_environment
from sae_desktop.engine.pipe import EventWriter, take_standard_output
from sae_desktop.engine.protocol import PROTOCOL_VERSION, Detached, Ready
from sae_desktop.reports.logs import begin_engine_log, output_file

STATUS_SECONDS = 1.0
ENDING_SECONDS = 6.0
"""Time for jobs to checkpoint once the engine must end."""
_NICENESS = 5
"""Where processors are short, the window answers first."""
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> int:
    """Run the engine until it must end. Does not return: the process exits with status 0."""
    parent = os.getppid()
    prepare_environment()
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    faulthandler.enable()
    writer = EventWriter(take_standard_output())
    sys.stdout = sys.stderr
    begin_engine_log()
    engine = Engine(writer)
    ending = Ending(engine)
    _listen_to_signals(ending)
    writer.send([Ready(protocol_version=PROTOCOL_VERSION, pid=os.getpid(), device=UNKNOWN_DEVICE)])
    start_thread("device", engine.resolve_device)
    start_thread("watchdog", lambda: _watch(engine, writer, ending, parent))
    for line in sys.stdin.buffer:
        if line.strip() and not engine.handle(line):
            break
        if engine.alone is not None:
            break
    if engine.alone is not None:
        _leave_parent(engine.alone.log_path)
        # Not earlier: the window closes once it hears this, and would take the engine along.
        writer.send_last([Detached()])
        engine.alone.work()
    ending.begin()
    return 0


class Ending:
    """Ends the process, once, from whichever thread finds the reason first."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._once = threading.Lock()

    def begin(self) -> None:
        """Let the jobs checkpoint, then exit."""
        if not self._once.acquire(blocking=False):
            threading.Event().wait()  # another thread is ending the process
        # A thread of C's own, for a job that holds the interpreter's lock.
        faulthandler.dump_traceback_later(ENDING_SECONDS + 4.0, exit=True)
        self._engine.end(ENDING_SECONDS)
        sys.stderr.flush()
        # Not sys.exit: native threads of libraries may hang in their destructors.
        os._exit(0)


def _listen_to_signals(ending: Ending) -> None:
    def end(*_: object) -> None:
        start_thread("ending", ending.begin)

    # Ctrl+C in the terminal reaches the whole group; the window decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, end)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _leave_parent(log: Path) -> None:
    """Outlive the window, its terminal and its pipes."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, 0)
    if sys.platform == "win32":
        ctypes.windll.kernel32.FreeConsole()  # else the console takes it along when it closes
    else:
        with contextlib.suppress(OSError):
            os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    target = output_file(log)
    nothing = os.open(os.devnull, os.O_RDONLY)
    # Who reads the pipes is about to go; what libraries print must not fail for that.
    os.dup2(target, 2)
    os.dup2(target, 1)
    os.dup2(nothing, 0)
    for descriptor in (target, nothing):
        os.close(descriptor)


def _watch(engine: Engine, writer: EventWriter, ending: Ending, parent: int) -> None:
    while not writer.broken.is_set() and os.getppid() == parent:
        if engine.alone is not None:
            return
        time.sleep(STATUS_SECONDS)
        engine.send_status()
    if engine.alone is None:
        ending.begin()
