"""Whether a model can be what its configuration says: held to its weights before it is built.

transformers builds whatever it is told, so that a configuration of a few bytes can take hours and
all memory. What it counts is held to ceilings that no model comes near, and what would be built to
the weights that lie beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sae_desktop.errors import UserError

CONFIG_BYTES = 16 << 20
"""Bytes of the largest config.json that is read: a list of names for 100,000 labels is a third."""
TOKENIZER_BYTES = 128 << 20
"""Bytes of the largest file of a tokenizer that is read: the largest in use are a third."""
MOST_LAYERS = 4096
_MOST_EXPERTS = 1 << 18
"""Of all layers together; the largest models in use have 23,000."""
# Names under which configurations count, and the most that is built of each. Far above what models
# in use have, and far below what takes long to build.
_CEILINGS: tuple[tuple[re.Pattern[str], int, str], ...] = (
    (
        re.compile(
            r"(num|n)_(\w+_)?(layers?|blocks?|stages?|groups?|modules?|loops?|levels?)"
            r"|(en|de)coder_(\w+_)?layers|inner_group_num|depths?|attention_types"
            r"|(\w+_)?block_count|nextn_predict_layers"
        ),
        MOST_LAYERS,
        "layers",
    ),
    (
        re.compile(r"(\w+_)?(num|n)_(\w+_)?experts(_per_tok\w*)?|expert_\w*count"),
        1 << 14,
        "experts",
    ),
    (
        re.compile(
            r"(\w+_)?(num|n)_(\w+_)?heads?|(en|de)coder_attention_heads"
            r"|attention\.head_count\w*"
        ),
        1 << 16,
        "heads",
    ),
    (re.compile(r"num_labels|num_\w+_labels|num_choices"), 1 << 20, "labels"),
    (
        re.compile(
            r"max_(\w+_)?position_embeddings|n_positions|n_ctx|max_seq_len\w*|seq_length"
            r"|max_sequence_length|context_length"
        ),
        1 << 28,
        "positions",
    ),
)
# The least that weights take is a bit each; what a model repeats of them is a few small ones.
_BITS = 8
_SLACK = 1 << 20
# Blocks that share their weights are counted each.
_ROOM_OF_FLOATS = 4
# Tables that are computed and not stored, such as which positions see which.
_BUFFERS = 1 << 28


@dataclass(frozen=True)
class StoredWeights:
    """What the files of a model's weights hold."""

    bytes: int
    numbers: int = 0
    """Elements of all tensors; 0 where the files do not say."""
    tensors: int = 0
    """0 where the files do not say."""


def check_counts(source: Path, told: object, stored: StoredWeights | None) -> None:
    """Return if what a configuration counts can be. `stored` is None where no weights are here.

    Raises UserError that names the figure. Nothing is built for it.
    """
    layers = experts = 1
    for name, value in _figures(told):
        for pattern, most, what in _CEILINGS:
            if not pattern.fullmatch(name):
                continue
            if value > most:
                raise _impossible(source, f"{value:,} {what} ({name}); more than {most:,} "
                                  "cannot be opened")  # fmt: skip
            if what == "layers":
                layers = max(layers, int(value))
            elif what == "experts":
                experts = max(experts, int(value))
    if layers * experts > _MOST_EXPERTS:
        raise _impossible(source, f"{layers:,} layers of {experts:,} experts")
    if stored is not None and stored.tensors and layers > max(stored.tensors, 64):
        raise _impossible(
            source, f"{layers:,} layers, but its weights are {stored.tensors:,} tensors"
        )


def check_size(source: Path, model: Any, stored: StoredWeights, *, packed: bool) -> None:
    """Return if a model's modules, which need have no memory, can be of the weights that are here.

    `packed`: its weights are quantised, so that one number stored may hold several.
    Raises UserError that says what is asked for and what there is.
    """
    wanted = sum(int(parameter.numel()) for parameter in model.parameters())
    computed = sum(int(buffer.numel()) for buffer in model.buffers())
    most = _BITS * stored.bytes
    if stored.numbers and not packed:
        most = min(most, _ROOM_OF_FLOATS * stored.numbers)
    if wanted > most + _SLACK:
        told = f"{stored.numbers:,} numbers" if stored.numbers else f"{stored.bytes:,} bytes"
        raise _impossible(source, f"{wanted:,} parameters, but its weights hold {told}")
    if computed > _BITS * stored.bytes + _BUFFERS:
        raise _impossible(source, f"tables of {computed:,} numbers in addition to its weights")


def _figures(told: object) -> Iterator[tuple[str, float]]:
    """Yield every number of a configuration, at any depth, under the name it stands under."""
    parts: list[tuple[str, object]] = [("", told)]
    while parts:
        name, part = parts.pop()
        if isinstance(part, dict):
            parts += ((str(key), value) for key, value in part.items())
        elif isinstance(part, list):
            parts += ((name, value) for value in part)
        elif isinstance(part, int | float) and not isinstance(part, bool):
            yield name, part


def _impossible(source: Path, says: str) -> UserError:
    return UserError(
        f"“{source}” says that the model has {says}.",
        kept="Nothing was loaded.",
        next_step="Copy or download the model again with all of its files, from a source you "
        "trust.",
    )
