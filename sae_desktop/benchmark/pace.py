"""How long a benchmark on synthetic activations takes. Free of torch and Qt."""

from __future__ import annotations

from typing import NamedTuple

from sae_desktop.benchmark.config import SyntheticConfig


class Pace(NamedTuple):
    """Seconds of one core, a thousand samples each."""

    drawing: float
    step: float
    second_reading: float


PACES = {"full": Pace(0.094, 0.19, 0.06), "small": Pace(0.012, 0.012, 0.006)}
"""Measured with `tests/benchmarks/synth_bench.py` on one core of an AMD EPYC of 2021 (AVX2), with
a quarter as many features as the world has."""
WORLD_SECONDS = {"full": 100.0, "small": 1.0}


def synthetic_seconds(config: SyntheticConfig) -> float:
    """Return how many seconds of one such core the trainings take, within a factor of two or so."""
    pace = PACES[config.world]
    step = pace.step + (pace.second_reading if config.lista_step else 0.0)
    each = pace.drawing + len(config.architectures) * step
    return WORLD_SECONDS[config.world] + config.seeds * config.samples / 1000 * each
