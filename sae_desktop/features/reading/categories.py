"""What the numbers of a column of categories stand for. Free of torch and Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sae_desktop.features.reading.columns import MODALITIES

if TYPE_CHECKING:  # it brings h5py, which the window does without until an index is opened
    from sae_desktop.features.reading.index_file import IndexFile


def category_names(index: IndexFile, column: str) -> list[str] | None:
    """Return the names of a column's categories in their order; None where they are numbers."""
    if column == "modality":
        return list(MODALITIES)
    if column == "concept":
        return None if index.kinds is None else index.kinds.info.concepts
    return {"language": index.info.languages, "source": index.info.sources}.get(column)
