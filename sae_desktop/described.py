"""What a setting is called and what it means, stated once: beside the type of its config's field.

Forms, command line, help and refusals read it here; its bounds are in `limits`. Free of torch
and Qt.
"""

from __future__ import annotations

import functools
import typing
from typing import Any, NamedTuple

import msgspec


class Setting(NamedTuple):
    """One field of a config, in words."""

    field: str
    title: str
    """The name on a form."""
    description: str
    """A sentence or two."""
    group: str
    """The heading it stands under."""


def said(title: str, description: str, group: str = "") -> msgspec.Meta:
    """Return what goes beside a field's type: `k: Annotated[Count, said("k", "…")] = 32`."""
    return msgspec.Meta(title=title, description=description, extra={"group": group})


def setting(config: type[msgspec.Struct], field: str) -> Setting:
    """Return what is said of a config's field. Raises LookupError where nothing is."""
    found = settings(config).get(field)
    if found is None:
        raise LookupError(f"nothing is said of {config.__name__}.{field}")
    return found


def default(config: type[msgspec.Struct], field: str) -> Any:
    """Return a config's default, so that forms and commands have none of their own."""
    found = _defaults(config)[field]
    if found is msgspec.NODEFAULT:
        raise LookupError(f"{config.__name__}.{field} has no default")
    return found


@functools.cache
def _defaults(config: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.name: field.default for field in msgspec.structs.fields(config)}


@functools.cache
def settings(config: type[msgspec.Struct]) -> dict[str, Setting]:
    """Return what is said of a config's fields, in their order, of those of which something is."""
    hints = typing.get_type_hints(config, include_extras=True)
    return {
        name: Setting(name, meta.title or "", meta.description or "", (meta.extra or {})["group"])
        for name in config.__struct_fields__
        for meta in _metas(hints[name])
    }


def _metas(hint: Any) -> list[msgspec.Meta]:
    return [meta for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]
