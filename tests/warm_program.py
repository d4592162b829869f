"""Commands begun in copies of a process that has the large libraries loaded already.

Starting Python with torch and transformers takes seconds, most of what a command on toy data
takes. A copy has nothing of an earlier command: each is forked from the untouched process.
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
import traceback
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_LOADED = (
    "torch", "transformers.models.llama.modeling_llama", "transformers.generation.utils",
    "transformers.tokenization_utils_tokenizers", "transformers.models.auto.tokenization_auto",
    "scipy.sparse", "h5py",
    "sae_desktop.cli.app", "sae_desktop.activations.harvest", "sae_desktop.training.job",
    "sae_desktop.features.building.index", "sae_desktop.features.asking.probe",
    "sae_desktop.steering.job",
)  # fmt: skip
_WITHOUT_QT = "SAE_DESKTOP_TESTS_WITHOUT_QT"
_READ_AT_IMPORT = ("HF_", "HUGGINGFACE_", "TRANSFORMERS_", "TORCH", "PYTHON", "OMP_NUM", "MKL_NUM")
_TOLD_ONLY = ("HF_HUB_DISABLE_",)
"""What the program itself sets for its processes, which changes no result."""


class WarmProgram:
    """A process with libraries, from which `python -m sae_desktop` is begun."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._read = _read_at_import(environment)
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        atexit.register(self._process.kill)

    def takes(self, environment: dict[str, str]) -> bool:
        """Return whether a command with this environment can be begun here.

        Some variables are read when a library is imported: with others it begins anew.
        """
        return _read_at_import(environment) == self._read

    def run(
        self, arguments: Sequence[str], environment: dict[str, str]
    ) -> tuple[int, bytes, bytes]:
        """Run a command; return its status and what it wrote to standard output and error."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            request = [list(arguments), environment, os.getcwd(), str(out), str(err)]
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            status = int(self._process.stdout.readline())
            return status, out.read_bytes(), err.read_bytes()


@cache
def warm_program() -> WarmProgram:
    """Return the one of this test process; begun with the first command."""
    from engine_driver import engine_environment

    blocked = {_WITHOUT_QT: "1"} if "tests.block_qt" in sys.modules else {}
    return WarmProgram({**engine_environment(), **blocked})


def _read_at_import(environment: dict[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(_READ_AT_IMPORT) and not name.startswith(_TOLD_ONLY)
    }


# ---------------------------------------------------------------- in the process itself
def _serve() -> None:
    """Fork a copy for each line of standard input, and answer with its status."""
    if os.environ.get(_WITHOUT_QT):
        importlib.import_module("block_qt")
    for name in _LOADED:
        importlib.import_module(name)
    answers = os.dup(1)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            os.close(answers)
            _become(*request)
        _, status = os.waitpid(child, 0)
        os.write(answers, f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _become(
    arguments: list[str], environment: dict[str, str], folder: str, out: str, err: str
) -> None:
    """Go on as `python -m sae_desktop` with these arguments, to the end of the process."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for descriptor, target in ((0, os.devnull), (1, out), (2, err)):
        opened = os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.stdin = os.fdopen(0)
    sys.argv = ["sae_desktop", *arguments]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    status = 1
    try:
        runpy.run_module("sae_desktop", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
