"""The architectures, one per file; the file's name is the architecture's name.

A module of this package whose name does not begin with an underscore and that defines a
subclass of `Architecture` is an architecture: adding the file is all that is needed. Installed
packages add theirs as plug-ins (`sae_desktop.plugins`): a class of the same shape that says
`plugin_api = 1`, under the name of its entry point.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping

from sae_desktop.dictionary.architectures._linear import LinearArchitecture
from sae_desktop.dictionary.architectures.base import (
    Architecture,
    Batch,
    Loss,
    Setup,
    StepState,
)
from sae_desktop.plugins.loading import loaded

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


_BUILTIN = _found()


def builtin_names() -> frozenset[str]:
    """Return the names that no plug-in may have."""
    return frozenset(_BUILTIN)


class _Architectures(Mapping[str, type[Architecture]]):
    """Name → class. Plug-ins are loaded once a name that is not built in, or all, are asked for.

    They come after the built-in ones, and may import this module.
    """

    def _all(self) -> dict[str, type[Architecture]]:
        return {**_BUILTIN, **loaded("architectures", builtin_names())}

    def __getitem__(self, name: str) -> type[Architecture]:
        return _BUILTIN[name] if name in _BUILTIN else self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


ARCHITECTURES: Mapping[str, type[Architecture]] = _Architectures()

__all__ = [
    "ARCHITECTURES",
    "DEFAULT",
    "Architecture",
    "Batch",
    "LinearArchitecture",
    "Loss",
    "Setup",
    "StepState",
]
