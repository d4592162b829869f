"""An index of the open project, read for the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sae_desktop.errors import UserError

if TYPE_CHECKING:
    from sae_desktop.features.reading.reader import FeatureIndex
    from sae_desktop.project import Project


def read_index(project: Project, name: str) -> FeatureIndex:
    """Open an index for reading. Raises UserError, whatever is wrong with it."""
    # h5py: not before the first show
    from sae_desktop.features.reading.reader import FeatureIndex

    try:
        return FeatureIndex(project.index_path(name))
    except UserError:
        raise
    except Exception as error:  # the project stays open whatever an index of it is
        raise UserError(
            f"The index “{name}” cannot be read: {error or type(error).__name__}.",
            kept="It was left unchanged, and everything else can be used.",
            next_step="Restore it from a copy, or build it again under another name.",
        ) from error
