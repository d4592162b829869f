"""What the objects of this package need of one another, so that they know each other one way."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy.typing as npt

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project import Project as Folder
from sae_desktop.project_labels import Label
from sae_desktop.project_note import FeatureNote

Array = npt.NDArray[Any]


class Owner(Protocol):
    """A project, as what is in it sees it."""

    @property
    def folder(self) -> Folder:
        """Where each thing of it lies."""

    @property
    def indexes(self) -> list[str]:
        """Names of the indexes, sorted."""

    def config(self, kind: type[msgspec.Struct], **settings: Any) -> Any:
        """Return the config of a job of this project."""

    def run(self, config: Any, **told: Any) -> Any:
        """Run a job and return its result."""


class FeatureSource(Protocol):
    """An index, as its features see it."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def file(self) -> FeatureIndex: ...

    def column(self, name: str) -> Array:
        """Return one of the columns (F,)."""

    def notes(self, features: Iterable[int]) -> dict[int, FeatureNote]:
        """Return what people wrote about features."""

    def labels_of(self, feature: int) -> list[Label]:
        """Return all labels of a feature."""
