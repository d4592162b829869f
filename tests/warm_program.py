"""The warm processes of a test process: for the program, and for scripts that it wrote."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from warm_process import WarmCopy, WarmProcess

import sae_desktop

_LIBRARIES = (
    "torch", "transformers.models.llama.modeling_llama", "transformers.generation.utils",
    "transformers.tokenization_utils_tokenizers", "transformers.models.auto.tokenization_auto",
)  # fmt: skip
_PROGRAM = (
    *_LIBRARIES, "scipy.sparse", "h5py", "sae_desktop.cli.app", "sae_desktop.engine.main",
    "sae_desktop.activations.harvest", "sae_desktop.training.job",
    "sae_desktop.features.building.index", "sae_desktop.features.asking.probe",
    "sae_desktop.steering.job",
)  # fmt: skip
_SCRIPTS_READ = {"PATH": "", "OMP_NUM_THREADS": "1"}
_others: list[WarmProcess] = []


def engine_environment() -> dict[str, str]:
    """Return an environment in which `-m sae_desktop` is the code under test."""
    root = str(Path(sae_desktop.__file__).resolve().parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([root, inherited] if inherited else [root])
    return {**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1"}


@cache
def warm_program() -> WarmProcess:
    """Return the one for the program; begun with the first command."""
    without_qt = ("block_qt",) if "tests.block_qt" in sys.modules else ()
    return WarmProcess((*without_qt, *_PROGRAM), engine_environment())


@contextmanager
def another_warm_program(environment: dict[str, str], *modules: str) -> Iterator[None]:
    """Begin programs with these variables in copies, too, where a library reads them once.

    `modules` are of the tests and change something for all copies.
    """
    _others.append(WarmProcess((*modules, *_PROGRAM), engine_environment() | environment))
    try:
        yield
    finally:
        _others.pop().close()


def warm_for(environment: dict[str, str]) -> WarmProcess | None:
    """Return the warm process that begins programs with this environment, if there is one."""
    if not hasattr(os, "fork"):
        return None
    ready = [warm for warm in (*_others, warm_program()) if warm.takes(environment)]
    return ready[0] if ready else None


def begin(
    program: Sequence[str], environment: dict[str, str]
) -> subprocess.Popen[bytes] | WarmCopy:
    """Begin Python with a program, in a copy where there is one for it."""
    warm = None if program[0] == "-c" else warm_for(environment)
    if warm is not None:
        return warm.begin(program, environment)
    return subprocess.Popen(
        [sys.executable, *program],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@cache
def _warm_scripts() -> WarmProcess:
    return WarmProcess(_LIBRARIES, _SCRIPTS_READ, ["-I"])


def run_script(*script: str | os.PathLike[str]) -> tuple[int, bytes, bytes]:
    """Run a script that the program wrote, where there is no SAE Desktop in what is imported.

    Return its status and what it wrote to standard output and error.
    """
    given = [os.fspath(part) for part in script]
    if hasattr(os, "fork"):
        return _warm_scripts().run(given, _SCRIPTS_READ)
    done = subprocess.run(
        [sys.executable, "-I", *given], env=_SCRIPTS_READ, capture_output=True, check=False
    )
    return done.returncode, done.stdout, done.stderr
