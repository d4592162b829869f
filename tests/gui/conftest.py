"""Every test of the window must leave no thread and no top-level widget behind.

Its session is on a project without an index, unless a folder's own conftest says otherwise.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest
from project_session import (  # noqa: F401
    asked,
    client,
    harvest,
    heard,
    saved,
    session,
    settings,
    training,
    window,
)
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from tqdm import TMonitor

_ENDING_SECONDS = 20.0
_MOST_LEFT = 100
_WAIT_MS = 30_000
"""Until what is waited for comes: on a busy machine the five seconds of pytest-qt are too few."""


@pytest.fixture
def qtbot(qtbot: QtBot) -> QtBot:
    """pytest-qt's own, more patient."""
    qtbot.waitUntil = partial(qtbot.waitUntil, timeout=_WAIT_MS)  # type: ignore[method-assign]
    return qtbot


def _visible() -> set[str]:
    return {
        f"{type(widget).__name__} “{widget.windowTitle()}”"
        for widget in QApplication.topLevelWidgets()
        if widget.isVisible()
    }


@pytest.fixture(autouse=True)
def _nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    threads = set(threading.enumerate())
    # Of the test before, what its fixtures held; what remains, libraries above all, need not be
    # searched again after every test.
    gc.collect()
    gc.freeze()
    widgets = len(QApplication.allWidgets()) if QApplication.instance() else 0
    yield
    deadline = time.monotonic() + _ENDING_SECONDS
    if "qapp" in request.fixturenames or "qtbot" in request.fixturenames:
        gc.collect()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        assert not _visible(), "top-level widgets stayed open"
        left = len(QApplication.allWidgets()) - widgets
        # A panel without its workspace is never deleted, and every later style sheet would be
        # laid over its hundreds of widgets.
        assert left <= _MOST_LEFT, f"{left} widgets were not deleted"
    # Daemons, too: a computation beside the window may outlast its panel, but not for long.
    # tqdm's own watches over all bars for as long as the process lasts.
    left = {t for t in threading.enumerate() if t not in threads and not isinstance(t, TMonitor)}
    for thread in left:
        thread.join(max(deadline - time.monotonic(), 0.0))
    left = {thread for thread in left if thread.is_alive()}
    assert not left, f"threads went on: {left}"
