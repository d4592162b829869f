"""A pytest plugin that makes Qt not importable, so that nothing else can need it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

_BLOCKED = {"PySide6", "shiboken6", "pyqtgraph", "superqt", "qtawesome", "qtpy"}


class _QtIsNotHere:
    """A finder that comes before all others."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if name.partition(".")[0] in _BLOCKED:
            raise ImportError(f"{name} was imported where Qt must not be needed", name=name)
        return None


imported = sorted(_BLOCKED & set(sys.modules))
if imported:
    raise RuntimeError(f"Qt is in the process already: {', '.join(imported)}")
sys.meta_path.insert(0, _QtIsNotHere())
