"""How this program is run as a process of its own."""

from __future__ import annotations

import sys

from sae_desktop import launch


def own_program() -> list[str]:
    """Return the command line of `sae-desktop`, before its arguments."""
    if getattr(sys, "frozen", False):
        return [sys.executable]
    return launch.command("sae_desktop")
