"""Opening the window, or saying in plain words why it cannot open."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sae_desktop.cli import EXIT_FAILED
from sae_desktop.cli.console import say
from sae_desktop.cli.qt_libraries import explain_missing, missing_library, xcb_plugin_problem

_NO_DISPLAY = (
    "There is no display to open the window on: neither WAYLAND_DISPLAY nor DISPLAY is set.\n"
    "Run it in a desktop session, over “ssh -X”, or under “xvfb-run”.\n"
    "Every job also runs without a window: see “sae-desktop --help”, or try "
    "“sae-desktop demo --headless”."
)


def window_problem() -> str | None:
    """Return why no window can open on this machine, or None. Imports no Qt."""
    if sys.platform != "linux":
        return None
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    display = os.environ.get("DISPLAY")
    wayland = os.environ.get("WAYLAND_DISPLAY")
    if not platform and not display and not wayland:
        return _NO_DISPLAY
    if platform.startswith("xcb") or (not platform and not wayland):
        message = xcb_plugin_problem()
        library = missing_library(message) if message else None
        if library is not None:
            return explain_missing(library, x11=True)
    return None


def open_window(project: Path | None) -> int:
    """Open the window and return its exit status once it is closed."""
    problem = window_problem()
    if problem is not None:
        say(problem)
        return EXIT_FAILED
    try:
        from sae_desktop.gui.frame.app import run_app
    except ImportError as error:
        library = missing_library(str(error))
        if library is None:
            raise
        say(explain_missing(library, x11=sys.platform == "linux"))
        return EXIT_FAILED
    return run_app(project)
