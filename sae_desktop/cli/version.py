"""`sae-desktop --version`, with `--verbose` all that a report of a fault has to say."""

from __future__ import annotations

from sae_desktop import __version__


def print_version(*, verbose: bool) -> None:
    """Print the version; verbosely, what it runs on and with."""
    if not verbose:
        print(f"sae-desktop {__version__}")
        return
    from sae_desktop.devices.abilities import (
        CPU,
        available_devices,
        card_name,
        cards,
        has_native_bfloat16,
    )
    from sae_desktop.reports.crash_reports import crash_folder
    from sae_desktop.reports.machine import facts, listed

    named = [name for card in cards() if (name := card_name(card))]
    native = has_native_bfloat16(CPU)
    told = facts() | {
        "Devices": ", ".join(available_devices()),
        "Cards": ", ".join(named) or "none",
        "bfloat16": f"{'in hardware' if native else 'emulated'} on the processor",
        "Crash reports": str(crash_folder()),
    }
    print(listed(told))
