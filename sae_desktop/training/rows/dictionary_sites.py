"""Which sites a dictionary reads and writes, as its metadata name them. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class DictionarySites(NamedTuple):
    """Sites in the order in which their rows are side by side."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    """The inputs again for a dictionary that reconstructs what it reads."""


def dictionary_sites(metadata: Mapping[str, Any]) -> DictionarySites:
    """Return the sites named in a dictionary's metadata; none for one that names none.

    `input_sites` and `output_sites` are lists; a dictionary of one site names it as SAELens
    does, in `hook_name`, and a transcoder what it writes in `hook_name_out`.
    """
    inputs = _names(metadata, "input_sites", "hook_name")
    return DictionarySites(inputs, _names(metadata, "output_sites", "hook_name_out") or inputs)


def other_stores(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the stores of the other models that a dictionary learned from, in their order.

    Earlier releases had at most one, named by itself.
    """
    found = metadata.get("other_activations") or ()
    return (found,) if isinstance(found, str) else tuple(str(name) for name in found)


def _names(metadata: Mapping[str, Any], several: str, one: str) -> tuple[str, ...]:
    names = metadata.get(several) or [metadata.get(one)]
    return tuple(str(name) for name in names if name)
