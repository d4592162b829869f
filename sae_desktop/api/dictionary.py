"""A dictionary of a project: its figures, its weights without a copy, itself to compute with."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from sae_desktop.api import html
from sae_desktop.api.shapes import Owner
from sae_desktop.storage.mapped_tensors import mapped_tensors
from sae_desktop.training.run_folder import DictionarySummary, read_summary

if TYPE_CHECKING:
    from sae_desktop.dictionary.dictionary import Dictionary as Loaded

Array = npt.NDArray[Any]
_WEIGHTS = "sae_weights.safetensors"


class Dictionary:
    """A sparse dictionary of F features. Get one by `Project.dictionary`."""

    def __init__(self, project: Owner, name: str) -> None:
        self.project = project
        self.name = name
        self.path: Path = project.folder.dictionary_path(name)
        """Its folder, which SAELens can read."""
        self.summary: DictionarySummary = read_summary(self.path)
        """Architecture, widths, k, model and sites; how it was trained and how good it was."""

    def __repr__(self) -> str:
        told = self.summary
        return f"<Dictionary {self.name}: {told.architecture}, {told.features:,} features>"

    def __len__(self) -> int:
        """F."""
        return self.summary.features

    @cached_property
    def weights(self) -> Mapping[str, Array]:
        """The tensors of its file by SAELens's names, such as "W_dec" (F, O), as they are stored.

        Read-only views of the mapped file: nothing is copied (bfloat16 becomes float32, and that
        is a copy). What is stored may be scaled otherwise than what `load` computes with.
        """
        return mapped_tensors(self.path / _WEIGHTS)

    @property
    def indexes(self) -> list[str]:
        """Names of the indexes of it."""
        return [name for name in self.project.indexes if self._is_of(name)]

    def _is_of(self, index: str) -> bool:
        from sae_desktop.features.reading.index_file import read_info

        return read_info(self.project.folder.index_path(index)).dictionary == self.name

    def load(self, device: str = "cpu") -> Loaded:
        """Return it as torch tensors, everything folded in, with `encode` and `decode`.

        Imports torch. The file is read and converted to float32, which is a copy.
        """
        from sae_desktop.dictionary.files import load

        return load(self.path, device)

    def _repr_html_(self) -> str:
        told = self.summary
        rows = [
            ("architecture", told.architecture),
            ("features", f"{told.features:,}"),
            ("width", f"{told.width:,}"),
            ("model", told.model),
            ("site", told.site),
        ]
        return html.heading(f"Dictionary {self.name}") + html.table(("", ""), rows)
