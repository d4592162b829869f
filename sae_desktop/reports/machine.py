"""What a report of a fault has to say of the program and of the machine it runs on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import psutil

from sae_desktop import __version__

LIBRARIES = (
    "PySide6-Essentials",
    "torch",
    "transformers",
    "numpy",
    "h5py",
    "pyqtgraph",
    "tokenizers",
)
_MISSING = "not installed"


def facts() -> dict[str, str]:
    """Return names and values, in the order they are read; no library is imported for it."""
    memory = psutil.virtual_memory()
    return {
        "SAE Desktop": __version__,
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "System": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "Processors": str(os.cpu_count() or 1),
        "Memory": f"{memory.total / 2**30:.1f} GiB, {memory.available / 2**30:.1f} GiB of it free",
        **{name: _version(name) for name in LIBRARIES},
    }


def listed(told: dict[str, str]) -> str:
    """Return facts as lines whose values stand under one another."""
    width = max(map(len, told)) + 2
    return "\n".join(f"{name + ':':<{width}}{value}" for name, value in told.items())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return _MISSING
