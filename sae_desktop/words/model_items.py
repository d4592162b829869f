"""The models of a project: those that its stores and dictionaries are of. Free of Qt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sae_desktop.training.run_folder import DictionarySummary


class Stored(Protocol):
    """A store, as this needs it."""

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def model_origin(self) -> str: ...


@dataclass(frozen=True)
class ModelItem:
    name: str
    width: int
    stores: tuple[str, ...]
    origin: str = ""
    """In words, where its weights come from and what they went through."""


def models_of(
    stores: Sequence[Stored], summaries: Iterable[DictionarySummary | None]
) -> list[ModelItem]:
    """Return the models of stores, and those that dictionaries were trained on."""
    widths: dict[str, int] = {}
    origins: dict[str, str] = {}
    for summary in summaries:
        if summary is not None and summary.model:
            widths[summary.model] = summary.width
            origins[summary.model] = summary.model_origin
    for store in stores:
        if store.model:
            widths[store.model] = store.width
            origins[store.model] = store.model_origin or origins.get(store.model, "")
    return [
        ModelItem(
            name, width, tuple(s.name for s in stores if s.model == name), origins.get(name, "")
        )
        for name, width in sorted(widths.items())
    ]
