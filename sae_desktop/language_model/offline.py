"""Whether the hub may be asked. Free of torch."""

from __future__ import annotations

import os


def offline() -> bool:
    """Whether the person asked that the hub be left alone."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
