"""A test of the window must leave no thread and no top-level widget behind."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication


def _visible() -> set[str]:
    return {
        f"{type(widget).__name__} “{widget.windowTitle()}”"
        for widget in QApplication.topLevelWidgets()
        if widget.isVisible()
    }


@pytest.fixture(autouse=True)
def _nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    threads = set(threading.enumerate())
    yield
    if "qapp" in request.fixturenames or "qtbot" in request.fixturenames:
        gc.collect()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        assert not _visible(), "top-level widgets stayed open"
    left = {t for t in threading.enumerate() if t not in threads and t.is_alive() and not t.daemon}
    assert not left, f"threads went on: {left}"
