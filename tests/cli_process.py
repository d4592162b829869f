"""Runs the program as a person at a terminal does, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from engine_driver import engine_environment
from warm_program import warm_for

PROGRAM = ("-m", "sae_desktop")


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str

    @cached_property
    def result(self) -> Any:
        """The object on the last line of standard output."""
        return json.loads(self.stdout.splitlines()[-1], parse_constant=_refuse)

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        """Every line of standard error, each of which must be JSON."""
        return [json.loads(line, parse_constant=_refuse) for line in self.stderr.splitlines()]

    @property
    def error(self) -> dict[str, str]:
        """The error object on standard error."""
        found: dict[str, str] = self.lines[-1]["error"]
        return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not valid JSON")


def sae_desktop(
    *arguments: str | Path,
    environment: dict[str, str] | None = None,
    file_size: int = 0,
    program: tuple[str, ...] = PROGRAM,
) -> Done:
    """Run `sae-desktop` with these arguments; `file_size` is how many bytes a file may have.

    Where nothing speaks against it the process is a copy of one with the libraries loaded.
    """
    given, own = list(map(str, arguments)), {**engine_environment(), **(environment or {})}
    warm = warm_for(own) if program == PROGRAM else None
    if warm is not None:
        status, out, err = warm.run([*PROGRAM, *given], own, file_size=file_size)
        return Done(status, out.decode(), err.decode())
    assert not file_size, "only a copy has a limit"
    done = subprocess.run(
        [sys.executable, *program, *given], env=own, capture_output=True, check=False
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())
