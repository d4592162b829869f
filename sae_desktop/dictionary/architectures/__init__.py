"""The architectures, one per file; the file's name is the architecture's name.

A module of this package whose name does not begin with an underscore and that defines a
subclass of `Architecture` is an architecture: adding the file is all that is needed.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil

from sae_desktop.dictionary.architectures.base import (
    Architecture,
    Batch,
    Loss,
    Setup,
    StepState,
)

DEFAULT = "matryoshka"
"""What a new user is offered (science: the best of those compared on SAEBench)."""


def _found() -> dict[str, type[Architecture]]:
    found: dict[str, type[Architecture]] = {}
    for info in pkgutil.iter_modules(__path__):
        if info.name.startswith("_") or info.name == "base":
            continue
        module = importlib.import_module(f"{__name__}.{info.name}")
        for value in vars(module).values():
            own = inspect.isclass(value) and value.__module__ == module.__name__
            if own and issubclass(value, Architecture):
                found[info.name] = value
    return found


ARCHITECTURES: dict[str, type[Architecture]] = _found()

__all__ = ["ARCHITECTURES", "DEFAULT", "Architecture", "Batch", "Loss", "Setup", "StepState"]
