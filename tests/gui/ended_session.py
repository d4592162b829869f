"""The end of a session whose window a test has closed."""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent

from sae_desktop.gui.state.session import Session


def end(session: Session) -> None:
    """Close the project and delete the session, and with it what is connected to its signals.

    Panels that are connected by a closure would otherwise stay, with the files they have mapped:
    the collector does not see references that Qt holds.
    """
    session.close_project()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    shiboken6.delete(session)
