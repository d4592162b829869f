"""Whether this process is one of several that were started together, as by torchrun. No torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from sae_desktop.errors import UserError

TIMEOUT_VARIABLE = "SAE_DESKTOP_RANK_TIMEOUT"
"""The environment's: seconds for which a rank is waited for."""
USUAL_TIMEOUT = 600.0
_NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Place:
    """Which of the processes this one is."""

    rank: int
    count: int
    """Processes in all."""
    local_rank: int
    """Its number among those of this machine."""
    local_count: int
    host: str
    """Where all of them meet, and …"""
    port: int
    attempt: int = 0
    """How often they were restarted."""
    served: bool = False
    """Whether the launcher keeps the meeting place; otherwise rank 0 does."""
    timeout: float = USUAL_TIMEOUT

    @property
    def leads(self) -> bool:
        """Whether it is the one that writes: rank 0."""
        return self.rank == 0


def launched(environment: Mapping[str, str] | None = None) -> Place | None:
    """Return this process's place; None where it is the only one.

    Raises UserError for an environment that contradicts itself.
    """
    env = os.environ if environment is None else environment
    if any(not env.get(name) for name in _NEEDED) or env["WORLD_SIZE"] == "1":
        return None
    rank, count = _number(env, "RANK"), _number(env, "WORLD_SIZE")
    if not rank < count:
        raise UserError(
            f"This process is rank {rank} of {count}, and ranks are counted from 0.",
            next_step="Start the processes with torchrun, which numbers them.",
        )
    return Place(
        rank=rank,
        count=count,
        local_rank=_number(env, "LOCAL_RANK", 0),
        local_count=max(_number(env, "LOCAL_WORLD_SIZE", 1), 1),
        host=env["MASTER_ADDR"],
        port=_number(env, "MASTER_PORT"),
        attempt=_number(env, "TORCHELASTIC_RESTART_COUNT", 0),
        served=env.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
        timeout=_seconds(env),
    )


def _number(env: Mapping[str, str], name: str, default: int | None = None) -> int:
    told = env.get(name) or str(default)
    if not told.isdecimal():
        raise UserError(
            f"The environment variable {name} is “{told}”, which is not a number.",
            next_step="Start the processes with torchrun, which sets it.",
        )
    return int(told)


def _seconds(env: Mapping[str, str]) -> float:
    told = env.get(TIMEOUT_VARIABLE) or str(USUAL_TIMEOUT)
    try:
        seconds = float(told)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds < float("inf"):
        raise UserError(
            f"The environment variable {TIMEOUT_VARIABLE} is “{told}”, which is not a number of "
            "seconds of at least 1.",
            next_step=f"Set it to such a number, or leave it out for {USUAL_TIMEOUT:g}.",
        )
    return seconds
