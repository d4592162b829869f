"""Whether the settings of a training are valid; used by the job, the command line and the window.

Free of torch and Qt.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from sae_desktop.limits import beyond_limits
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.second_look import SECOND_LOOKS
from sae_desktop.training.sweeps.sweep_config import SweepPoint, settings_in_force


def aims_at_k(config: TrainConfig, aims: bool) -> bool:
    """Return whether λ is led so that k features are active.

    `aims`: whether the architecture can; it does where no λ was chosen.
    """
    return aims and config.sparsity is None


def chosen_init(config: TrainConfig) -> Literal["random", "data"]:
    """Return where directions begin: for a transcoder, if nothing was chosen, at the data's rows.

    Random directions of the input and of the output have nothing to do with one another: of
    2,048 TopK features between an MLP's input and its output in the built-in model, 38% were dead
    after 600,000 rows (FVU .295), and 7% of those started at rows of the data (FVU .227).
    What reconstructs its input gains little: 1,024 features there, 300,000 rows, two seeds, FVU of
    BatchTopK .228 from random directions, .224 from rows, of TopK .233 and .229, with as many dead.
    In a made world of width 64, k 6, rows cost BatchTopK F1 (.510 to .472) and features: 41 of 256
    dead instead of 4.
    """
    if config.init != "auto":
        return config.init
    return "data" if config.target in ("transcoder", "skip_transcoder") else "random"


def setting_problems(config: TrainConfig, used: Collection[str]) -> dict[str, str]:
    """Return field → why it cannot work; empty when all can.

    `used`: fields that the architecture uses and not every other does, such as "k".
    """
    found = beyond_limits(config)
    if found:
        return found
    if "k" in settings_in_force(used, config.sparsity) and config.k > config.features:
        found["k"] = f"It cannot exceed the number of features, {config.features:,}."
    if "k_start" in used and config.k_start:
        if config.k_start < config.k:
            found["k_start"] = f"k falls during the run: begin at {config.k:,} or more, or with 0."
        elif config.k_start > config.features:
            found["k_start"] = f"It cannot exceed the number of features, {config.features:,}."
    for name, why in SECOND_LOOKS.items():
        if getattr(config, name) and config.target != "input":
            found[name] = "Only what reconstructs its own rows can read a second time: enter 0."
        elif getattr(config, name) and name not in used:
            found[name] = why
    if config.start_from and config.start_from == config.name:
        found["start_from"] = "A run cannot start from itself: choose another name for it."
    if config.tokens < config.batch:
        found["tokens"] = f"It must cover one batch of {config.batch:,} rows."
    if config.lr_warm_up + config.lr_decay > 1:
        found["lr_warm_up"] = "Warm-up and decay are shares of the run and together at most 1."
    return found


def sweep_problems(
    points: Iterable[SweepPoint], used: Mapping[str, Collection[str]]
) -> dict[str, str]:
    """Return field → why it cannot work, of the first run of a sweep that cannot.

    `used`: architecture → fields it uses and not every other does.
    """
    for point in points:
        train = point.train
        found = setting_problems(train, used.get(train.architecture, ("k",)))
        if found:
            return {
                field: f"{getattr(train, field)}, in “{train.name}”: {why}"
                for field, why in found.items()
            }
    return {}
