"""A process with large libraries loaded, and the copies of it that run programs.

Starting Python with torch and transformers takes seconds, most of what a command on toy data
takes. A copy has nothing of an earlier program: each is forked from the untouched process.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

_TICK = 0.005
_READ_AT_IMPORT = ("HF_", "HUGGINGFACE_", "TRANSFORMERS_", "TORCH", "PYTHON", "OMP_NUM", "MKL_NUM")
_TOLD_ONLY = ("HF_HUB_DISABLE_",)
"""What the program itself sets for its processes, which changes no result."""


class WarmProcess:
    """Begins Python programs: `-m module` or a file, and their arguments."""

    def __init__(
        self, loaded: Sequence[str], environment: dict[str, str], options: Sequence[str] = ()
    ) -> None:
        self._read = _read_at_import(environment)
        self._process = subprocess.Popen(
            [sys.executable, *options, str(Path(__file__).resolve()), *loaded],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        atexit.register(self._process.kill)

    def takes(self, environment: dict[str, str]) -> bool:
        """Return whether a program with this environment can be begun here.

        Some variables are read when a library is imported: with others it begins anew.
        """
        return _read_at_import(environment) == self._read

    def run(
        self, program: Sequence[str], environment: dict[str, str], *, file_size: int = 0
    ) -> tuple[int, bytes, bytes]:
        """Run a program; return its status and what it wrote to standard output and error.

        `file_size` is how many bytes a file may have for it; 0 for no limit.
        """
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            pid = self._ask(
                "begin", list(program), environment, os.getcwd(),
                [os.devnull, str(out), str(err)], file_size,
            )  # fmt: skip
            return self._ask("wait", pid, None), out.read_bytes(), err.read_bytes()

    def begin(self, program: Sequence[str], environment: dict[str, str]) -> WarmCopy:
        """Begin a program that is spoken with while it runs."""
        with tempfile.TemporaryDirectory() as folder:
            pipes = [str(Path(folder, name)) for name in ("in", "out", "err")]
            for pipe in pipes:
                os.mkfifo(pipe)
            pid = self._ask("begin", list(program), environment, os.getcwd(), pipes, 0)
            return WarmCopy(self, pid, *map(_opened, pipes, ("wb", "rb", "rb")))

    def ended(self, pid: int, seconds: float | None) -> int | None:
        """Wait for the end of a copy and return its status; None when it has none so far."""
        return self._ask("wait", pid, seconds)

    def close(self) -> None:
        """End the process, and with it every copy that obeys its parent's end."""
        self._process.kill()
        self._process.communicate()
        atexit.unregister(self._process.kill)

    def _ask(self, *request: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def _opened(path: str, mode: str) -> IO[bytes]:
    return open(path, mode)


class WarmCopy:
    """A program that runs in a copy; as much of `subprocess.Popen` as tests use."""

    def __init__(
        self, warm: WarmProcess, pid: int, stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes]
    ) -> None:
        self._warm = warm
        self.pid = pid
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self.returncode: int | None = None

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self.returncode = self._warm.ended(self.pid, timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return self.returncode

    def communicate(self) -> tuple[bytes, bytes]:
        """Close standard input and return what has not been read of the others.

        One after the other: what the program writes must fit into a pipe.
        """
        self.stdin.close()
        said = self.stdout.read(), self.stderr.read()
        for pipe in (self.stdout, self.stderr):
            pipe.close()
        self.wait()
        return said


def _read_at_import(environment: dict[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(_READ_AT_IMPORT) and not name.startswith(_TOLD_ONLY)
    }


# ---------------------------------------------------------------- in the process itself
def _serve(loaded: Sequence[str]) -> None:
    """Answer each line of standard input: the number of a copy that was begun, or its status."""
    for name in loaded:
        importlib.import_module(name)
    answers = os.dup(1)
    for line in sys.stdin.buffer:
        what, *request = json.loads(line)
        if what == "wait":
            answer = _status(*request)
        else:
            answer = os.fork()
            if answer == 0:
                os.close(answers)
                _become(*request)
        os.write(answers, json.dumps(answer).encode() + b"\n")


def _status(pid: int, seconds: float | None) -> int | None:
    deadline = None if seconds is None else time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(pid, 0 if deadline is None else os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if deadline is not None and time.monotonic() > deadline:
            return None
        time.sleep(_TICK)


def _become(
    program: list[str],
    environment: dict[str, str],
    folder: str,
    streams: list[str],
    file_size: int,
) -> None:
    """Go on as Python with this program, to the end of the process."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for descriptor, path in enumerate(streams):
        opened = os.open(path, writing if descriptor else os.O_RDONLY)
        os.dup2(opened, descriptor)
        os.close(opened)
    # Anew: a pipe cannot be sought in, as what these streams were made for perhaps could. A
    # program that puts another in the place of one leaves its descriptor open.
    out, err = sys.stdout, sys.stderr
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding=out.encoding, errors=out.errors, closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding=err.encoding, errors=err.errors, closefd=False)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    status = 1
    try:
        if file_size:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
        if program[0] == "-m":
            sys.argv = program[1:]
            runpy.run_module(program[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = program
            runpy.run_path(program[0], run_name="__main__")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    else:
        status = 0
    finally:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve(sys.argv[1:])
