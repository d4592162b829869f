"""What a comparison takes, from what it does: seconds and bytes, before it starts.

M models, T tokens read with each, P parameters of a model, D width of the site, V vocabulary, F
features of the dictionary, C of the crosscoder. Free of torch and Qt.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import NamedTuple

from sae_desktop.errors import UserError
from sae_desktop.language_model.names import BUILTIN
from sae_desktop.project import Project
from sae_desktop.resources import resource_path
from sae_desktop.safety.change.config import CompareCheckpointsConfig, config_of

SPEED = 45e9
"""Operations per second on two cores of a server processor without other load, in float32: what 171
comparisons of the built-in model took at their fastest (13.5 s of two models, 64 texts of 64 tokens
with a dictionary of 2,048 features and two traits)."""
_OPEN = 0.7
"""Seconds in which a model is opened and writes after a few beginnings, beside what it computes."""
_SET_TOKENS = 3_000
"""Of an ordinary concept set: about 150 texts."""
_EFFECT_TEXTS = 32
_CROSS_BATCH = 1024
_BATCH_TEXTS = 16
_FLOAT = 4
_LIBRARIES = 250_000_000
"""Bytes of what is loaded for a comparison alone, such as what probes are fitted with."""
_LATEST = 3
"""Comparisons that tell how fast this machine is, with what else runs on it."""
_LONGEST_HEADER = 100_000_000
"""Bytes: beyond, a file is none of weights."""
_WIDTHS = ("hidden_size", "n_embd", "d_model")


class ModelSize(NamedTuple):
    parameters: int
    width: int
    vocabulary: int


class Needs(NamedTuple):
    seconds: float
    """At `SPEED`."""
    bytes: int
    """Of memory, beside what the program takes at any time."""


def model_size(name: str) -> ModelSize | None:
    """Return the size of a model in a folder, from its files’ headers; None where they are not."""
    folder = resource_path("models/builtin") if name == BUILTIN else Path(name).expanduser()
    with suppress(UserError, OSError, ValueError, KeyError, TypeError, AttributeError):
        files = folder.glob("*.safetensors")
        parameters = sum(prod(shape) for path in files for shape in _shapes(path))
        config = json.loads((folder / "config.json").read_bytes())
        config = config.get("text_config", config)
        width = next((config[key] for key in _WIDTHS if key in config), 0)
        if parameters and width:
            return ModelSize(parameters, int(width), int(config["vocab_size"]))
    return None


def _shapes(path: Path) -> list[list[int]]:
    """Return the shapes of the tensors of a file, by its header."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _LONGEST_HEADER:
            raise ValueError("not a safetensors file")
        header = json.loads(file.read(length))
    return [one["shape"] for name, one in header.items() if name != "__metadata__"]


def needs(config: CompareCheckpointsConfig, size: ModelSize, features: int, read: int = 0) -> Needs:
    """Return what a comparison of models of a size takes; `features`: of its dictionary, or 0.

    `read`: the models that are read, where what is known of the first is kept; 0: all.
    """
    models, texts = read or len(config.checkpoints), config.texts
    tokens = texts * config.context_size
    P, D, V = size
    once = 2.0 * P * tokens
    # Each model predicts the texts, and all but the first once more beside the one after.
    work = once * (2 * models - 1)
    if features:
        encoded = 2.0 * D * features * tokens
        effects = once * 3 * min(1.0, _EFFECT_TEXTS / texts)
        # The dictionary and random directions, encoded and decoded; effects; spliced in.
        work += models * (6 * encoded + effects + once)
    work += models * len(config.traits) * 2.0 * P * _SET_TOKENS
    if config.crosscoder_features:
        row = 2.0 * models * D * config.crosscoder_features
        steps = config.crosscoder_seeds * config.crosscoder_steps
        # Encoded and decoded, forwards, and both twice back; then told apart.
        work += row * (6.0 * _CROSS_BATCH * steps + (3.0 + models) * tokens)
    rows = models * tokens * D
    held = 2 * P + rows + 8 * _BATCH_TEXTS * config.context_size * V
    if features:
        held += 4 * D * features + 2 * models * texts * features
    if config.crosscoder_features:
        held += 3 * rows + 8 * models * D * config.crosscoder_features
    return Needs(models * _OPEN + work / SPEED, _LIBRARIES + _FLOAT * held)


def pace(project: Project, features: Callable[[str], int]) -> float:
    """Return how many times as long as foreseen the latest comparisons here took; 0: there is none.

    `features` tells how many a dictionary has.
    """
    # h5py: the window is shown before it is there
    from sae_desktop.safety.change.change_file import read_change

    paths = [project.change_path(name) for name in project.changes()]
    ratios: list[float] = []
    for path in sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)[:_LATEST]:
        with suppress(UserError, OSError):
            info = read_change(path).info
            config = config_of(info.config, CompareCheckpointsConfig)
            size = model_size(config.checkpoints[0]) if config is not None else None
            if config is None or size is None or info.seconds <= 0:
                continue
            foreseen = needs(config, size, features(config.dictionary), info.read)
            ratios.append(info.seconds / foreseen.seconds)
    return statistics.median(ratios) if ratios else 0.0
