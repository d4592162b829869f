"""How this program is run as a process of its own."""

from __future__ import annotations

from sae_desktop import launch


def own_program() -> list[str]:
    """Return the command line of `sae-desktop`, before its arguments."""
    return launch.command("sae_desktop")
