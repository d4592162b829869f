"""Small jobs in place of the real ones, and an engine that runs them: `python toy_jobs.py`."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import msgspec

from sae_desktop.activations.config import HarvestConfig, HarvestResult
from sae_desktop.engine.registry import JOB_KINDS
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.config import DescribeModelConfig, ModelDescription
from sae_desktop.steering.config import SteerConfig, SteeredToken, SteerResult

TOY_ENGINE = [sys.executable, __file__]

_TICK = 0.002


def count(config: HarvestConfig, context: JobContext) -> HarvestResult:
    """Count to `tokens`; write how far into `<name>.count` however it ends.

    Settings changed meanwhile are only told in the log.
    """
    done = 0
    saved = Path(config.project) / f"{config.name}.count"
    try:
        while done < config.tokens and not context.stop_requested:
            if context.pause_requested:
                saved.write_text(f"paused {done}")
            context.check_cancelled()
            for name, value in context.adjustments().items():
                context.log(f"{name} is now {value}")
            done += 1
            context.progress(done, config.tokens, "tokens")
            context.metric(done, {"loss": 1 / done, "not_measured": float("nan")})
            time.sleep(_TICK)
        saved.write_text(f"ended {done}")
    except JobCancelledError:
        saved.write_text(f"cancelled {done}")
        raise
    return HarvestResult(
        name=config.name,
        site=config.site,
        rows=done,
        width=1,
        windows=1,
        documents=1,
        bytes=done,
        seconds=0.0,
        tokens_per_second=0.0,
    )


def behave(config: DescribeModelConfig, context: JobContext) -> ModelDescription:
    """Do what the model's name says."""
    match config.model:
        case "print":
            print("a library prints")
            os.write(1, b"a library in C prints\n")
            context.log("it printed")
        case "user error":
            raise UserError("It broke.", kept="All is kept.", next_step="Mend it.")
        case "bug":
            raise ValueError("of no use")
        case "memory":
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        case "disk":
            raise OSError(28, "No space left on device", "some.file")
        case "segfault":
            print("last words", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)
            time.sleep(60)
        case "hog":
            while True:
                sum(range(1000))
        case "sleep":
            while True:
                context.check_cancelled()
                time.sleep(_TICK)
    return ModelDescription(
        name=config.model,
        architecture="toy",
        layers=1,
        width=1,
        vocabulary=1,
        context_size=1,
        parameters=0,
        sites=[],
        default_site="",
        cached=True,
    )


def stream(config: SteerConfig, context: JobContext) -> SteerResult:
    """Hand over the prompt, a character a token."""
    for position, character in enumerate(config.prompt):
        context.output(SteeredToken(position=position, texts=[character, character.upper()]))
    return SteerResult(variants=[], next_tokens=[])


def register() -> None:
    """Put the toys in the engine's table."""
    toys: dict[type[msgspec.Struct], str] = {
        HarvestConfig: "toy_jobs:count",
        DescribeModelConfig: "toy_jobs:behave",
        SteerConfig: "toy_jobs:stream",
    }
    for config, function in toys.items():
        JOB_KINDS[config] = replace(JOB_KINDS[config], function=function)


if __name__ == "__main__":
    from sae_desktop.engine.main import main

    register()
    raise SystemExit(main())
