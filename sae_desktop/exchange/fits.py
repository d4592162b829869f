"""What a dictionary of the catalogue and its model take, held against a machine.

Free of torch and Qt.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import msgspec

from sae_desktop.exchange.gallery import Family, weights_here
from sae_desktop.exchange.machine import Machine
from sae_desktop.language_model.config import LOADING_ROOM
from sae_desktop.resources import resource_path

Access = Literal["open", "terms", "unknown"]
"""Whether the hub gives a model to anybody, or to those who have accepted its terms."""
Where = Literal["gpu", "float32", "bfloat16", ""]
"""On a GPU in the type of the weights; on the CPU, in which precision; nowhere."""
ROOM = 1_000_000_000
"""Of memory beside weights: this program with torch, and a batch."""
_FLOAT32, _BFLOAT16 = 4, 2


class PublishedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that dictionaries of the catalogue are of."""

    name: str
    parameters: int
    bytes: int
    """Of its files of weights on the hub."""
    access: Access


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that a dictionary takes together with its model."""

    memory: int
    """On the CPU, where the model computes in float32."""
    memory_bfloat16: int
    """With the model in bfloat16, as a GPU has it."""
    download: int
    """Of both, what is not on this machine yet."""
    disk: int
    """That, and the dictionary once more in the project."""
    dictionary_known: bool = True
    """Whether the dictionary's size is among them."""


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """What a dictionary and its model take, and whether this machine has it."""

    needs: Needs
    machine: Machine
    where: Where
    disk: bool

    @property
    def fits(self) -> bool:
        return bool(self.where) and self.disk


@cache
def _models() -> dict[str, PublishedModel]:
    data = resource_path("gallery_models.json").read_bytes()
    found = msgspec.json.decode(data, type=list[PublishedModel])
    return {model.name: model for model in found}


def published_model(name: str) -> PublishedModel | None:
    """Return what is known of a model by its name on the hub."""
    return _models().get(name)


def needs(family: Family, layer: int) -> Needs | None:
    """Return what a dictionary takes with its model; None where the model is not known."""
    model = published_model(family.model)
    if model is None:
        return None
    own = family.bytes if family.features else 0
    room = own + ROOM + LOADING_ROOM
    download = 0 if weights_here(family.model) else model.bytes
    download += 0 if family.is_here(layer) else own
    return Needs(
        memory=_FLOAT32 * model.parameters + room,
        memory_bfloat16=_BFLOAT16 * model.parameters + room,
        download=download,
        disk=download + own,
        dictionary_known=family.features > 0,
    )


def fit(needed: Needs, machine: Machine) -> Fit:
    """Hold needs against a machine. The first place that has the room is taken."""
    places: tuple[tuple[Where, int, int], ...] = (
        ("gpu", needed.memory_bfloat16 - ROOM, machine.gpu),
        ("float32", needed.memory, machine.memory),
        ("bfloat16", needed.memory_bfloat16, machine.memory),
    )
    where: Where = next((name for name, takes, has in places if takes <= has), "")
    return Fit(needs=needed, machine=machine, where=where, disk=needed.disk <= machine.disk)


def fit_of(family: Family, layer: int, machine: Machine) -> Fit | None:
    """Return how a dictionary and its model fit a machine; None where it is not known."""
    needed = needs(family, layer)
    return None if needed is None else fit(needed, machine)
