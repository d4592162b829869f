"""Settings of a second look at a row, which only some architectures take. Free of torch and Qt."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from sae_desktop.training.config import TrainConfig

SECOND_LOOKS = {
    "lista_step": "Only BatchTopK and Matryoshka can read a row a second time: enter 0.",
    "leave_one_out": (
        "Only features with a threshold at which they fire can be left out one at a time, as "
        "those of JumpReLU, Gated, BatchTopK and Matryoshka: enter 0."
    ),
}
"""Setting → why an architecture that does not use it cannot be asked for it."""


def with_its_own_looks(config: TrainConfig, used: Collection[str]) -> TrainConfig:
    """Return the settings without a second look that the architecture does not take.

    `used`: fields that the architecture uses and not every other does. For what chooses several
    architectures at once, or keeps a setting from one for the next.
    """
    return msgspec.structs.replace(
        config, **{name: 0.0 for name in SECOND_LOOKS if name not in used}
    )
