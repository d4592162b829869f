"""The command that tells whether an installation is whole and works."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import tempfile
from typing import Annotated, Any

import typer

from sae_desktop import launch
from sae_desktop.cli.options import JsonOption
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.cli.window import window_problem
from sae_desktop.engine.registry import JOB_KINDS
from sae_desktop.errors import UserError
from sae_desktop.resources import NEEDED, resource_path
from sae_desktop.storage.own_folders import TEMPORARY_PREFIX

_WINDOW_SECONDS = 600
_REINSTALL = "Reinstall SAE Desktop; the log of the program may say more."


def self_check(
    window: Annotated[
        bool,
        typer.Option(
            "--window",
            help="Also open the window, read a feature of the demonstration and steer a prompt.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check that the installation is complete and works, and change nothing of yours.

    Every shipped file is looked for and the code of every job is loaded. With --window a copy of
    the demonstration is opened in a window of its own, which closes by itself.
    """

    def work() -> dict[str, Any]:
        problem = window_problem() if window else None
        if problem is not None:
            raise UserError(problem)
        for relative in NEEDED:
            resource_path(relative)
        steps = _tried_window() if window else []
        return {"resources": len(NEEDED), "jobs": _load_jobs(), "window": steps}

    run_reading_command(work, _text, as_json=as_json)


def _load_jobs() -> int:
    """Load the function of every job; return how many there are."""
    for kind in JOB_KINDS.values():
        module, name = kind.function.split(":")
        try:
            getattr(importlib.import_module(module), name)
        except (ImportError, OSError) as error:
            raise UserError(
                f"The job “{name}” cannot be loaded: {error}", next_step=_REINSTALL
            ) from error
    return len(JOB_KINDS)


def _tried_window() -> list[dict[str, Any]]:
    """Try the window in a process of its own; return its steps."""
    with tempfile.TemporaryDirectory(prefix=f"{TEMPORARY_PREFIX}check-") as folder:
        # What a person has set and opened is neither read nor changed.
        own = dict.fromkeys(("XDG_CONFIG_HOME", "XDG_STATE_HOME"), folder)
        try:
            done = subprocess.run(
                launch.command("sae_desktop.gui.frame.self_check", folder),
                stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8",
                check=False, timeout=_WINDOW_SECONDS,
                env={**os.environ, **own, "PYTHONUTF8": "1"},
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            raise UserError(
                f"The window did not finish within {_WINDOW_SECONDS // 60} minutes.",
                next_step=_REINSTALL,
            ) from late
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        why = lines[-1]["why"] if lines and "why" in lines[-1] else last
        after = next((f", after “{line['step']}”" for line in lines[::-1] if "step" in line), "")
        raise UserError(f"The window failed{after}: {why}", next_step=_REINSTALL)
    return lines


def _text(result: dict[str, Any]) -> str:
    lines = [
        "All shipped files are there.",
        f"All {result['jobs']} jobs can be loaded.",
    ]
    lines += [f"{s['step']}: {s['found']} ({s['seconds']:.1f} s)." for s in result["window"]]
    return "\n".join(lines)
