"""Whether the hub may be asked. Free of torch."""

from __future__ import annotations

from sae_desktop.storage.network import why_offline


def offline() -> bool:
    """Whether the person asked that the hub be left alone."""
    return bool(why_offline())
