"""An index that is not finished is finished, from wherever it is seen."""

from __future__ import annotations

from sae_desktop.client.job import Job
from sae_desktop.errors import UserError
from sae_desktop.gui.state.session import Session


def finish_index(session: Session, name: str) -> Job | None:
    """Start the job that makes the rest of an index; errors become toasts."""
    if session.project is None:
        return None
    # h5py: the window is shown before it is there
    from sae_desktop.features.reading.unfinished import finishing

    try:
        config = finishing(session.project.path, session.project.index_path(name))
    except UserError as error:
        session.show_error(error)
        return None
    return session.run(config)
