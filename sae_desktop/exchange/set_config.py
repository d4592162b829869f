"""What imports and exports of sets are asked to do, and what they answer. Free of torch."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sae_desktop.dictionary.set_info import SetKind
from sae_desktop.file_kinds import takes

SetFormat = Literal["circuit_tracer", "saelens", "package"]
"""saelens: a folder for each layer, as SAELens reads them; package: a .saepack file with the
indexes and labels, too."""


class SetFound(msgspec.Struct, frozen=True, kw_only=True):
    """Dictionaries of a source that belong together: one for each layer, or one of all."""

    path: str
    """What `ImportSetConfig.which` takes: their places, with * for the layer."""
    format: str
    kind: SetKind
    layers: tuple[int, ...]
    features: int
    """Of all layers together."""
    width: int
    """Of what one layer reads."""
    model: str
    """Empty where the files do not say it."""
    notes: list[str]


class ImportSetConfig(msgspec.Struct, frozen=True, kw_only=True, tag="import_set"):
    """Copy dictionaries for the layers of a model, made elsewhere, into a project as one set."""

    project: str
    name: str
    source: Annotated[str, takes("dictionary", "project")]
    """As `FindDictionariesConfig.source`."""
    which: str = ""
    """Of a source with several sets: the path of one, as it was found."""
    model: str = ""
    """Instead of what the files say."""
    layers: tuple[int, ...] = ()
    """Of those that are there; none: all."""
    with_model: bool = False
    """Also download its model where that is not on this machine; `model` must name it."""


class ImportSetResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    format: str
    kind: SetKind
    layers: tuple[int, ...]
    features: int
    model: str
    bytes: int
    notes: list[str]


class ExportSetConfig(msgspec.Struct, frozen=True, kw_only=True, tag="export_set"):
    """Write a set as circuit-tracer or SAELens reads it."""

    project: str
    set: str
    path: str
    """A new or empty folder; for a package a file."""
    format: SetFormat = "circuit_tracer"
