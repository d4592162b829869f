"""An index that can be read and is not finished: what refuses it, and how it is finished."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.features.reading.layout import IndexInfo


def require_whole(name: str, info: IndexInfo) -> None:
    """Raise UserError for an index that is not finished."""
    if info.whole_rows:
        raise UserError(
            f"The index “{name}” is not finished: it holds {info.rows:,} of {info.whole_rows:,} "
            "rows.",
            kept="Nothing was changed.",
            next_step="Finish it first, on its card in Project or with “sae-desktop finish-index”.",
        )


def finishing(project: Path, index: Path) -> IndexConfig:
    """Return the job that finishes an index. Raises UserError for one that is finished.

    The project may have been moved since, and the dictionary renamed.
    """
    info = read_info(index)
    if not info.whole_rows:
        raise UserError(
            f"The index “{index.stem}” is finished.", next_step="Open it, or add text to it."
        )
    return msgspec.structs.replace(
        msgspec.json.decode(info.config, type=IndexConfig),
        project=str(project),
        name=index.stem,
        dictionary=info.dictionary,
        activations=info.activations,
        other_activations=info.other_activations,
    )
