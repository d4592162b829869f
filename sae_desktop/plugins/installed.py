"""Which plug-ins are installed, read from packages' metadata. Nothing of theirs is imported."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from sae_desktop.errors import UserError
from sae_desktop.plugins import kept
from sae_desktop.plugins.kinds import KINDS, KindId, group

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_LOG = logging.getLogger(__name__)
WITHOUT = "SAE_DESKTOP_NO_PLUGINS"
"""In the environment: not empty, there are no plug-ins, in this process and those it starts."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_SEPARATORS = re.compile(r"[-_.]+")


class Plugin(NamedTuple):
    """One thing that an installed package adds."""

    kind: KindId
    name: str
    reference: str
    """`module:object`, as its entry point has it."""
    package: str
    version: str
    summary: str
    """What the package says of itself."""

    @property
    def key(self) -> str:
        """What it is switched off by: the same whatever its version."""
        return f"{self.package}/{self.kind}/{self.name}"

    @property
    def called(self) -> str:
        """Return it in words, such as “tied” of sae-tied 1.0."""
        return f"“{self.name}” of {self.package} {self.version}".rstrip()


@cache
def installed() -> tuple[Plugin, ...]:
    """Return the plug-ins of all packages on Python's path, by kind, name and package.

    Read once: whatever is installed later is seen by the next process, or after `read_again`.
    """
    if os.environ.get(WITHOUT):
        return ()
    from importlib import metadata  # not when the window starts

    found: dict[str, list[Plugin]] = {}
    for distribution in metadata.distributions():
        try:
            plugins = list(_of(distribution))
            name = _SEPARATORS.sub("-", distribution.name).lower() if plugins else ""
        except Exception as error:  # somebody's damaged package is no reason to stop
            _LOG.warning("the metadata of an installed package cannot be read: %s", error)
            continue
        if plugins:  # the first on the path is the one that Python imports
            found.setdefault(name, plugins)
    every = (plugin for plugins in found.values() for plugin in plugins)
    return tuple(sorted(every, key=lambda plugin: (plugin.kind, plugin.name, plugin.package)))


def _of(distribution: Distribution) -> Iterator[Plugin]:
    if "sae_desktop." not in (distribution.read_text("entry_points.txt") or ""):
        return
    kinds = {group(kind): kind for kind in KINDS}
    for entry in distribution.entry_points:
        if entry.group in kinds:
            yield Plugin(
                kinds[entry.group],
                entry.name,
                entry.value,
                distribution.name,
                distribution.version or "",
                distribution.metadata["Summary"] or "",
            )


def of_kind(kind: KindId) -> list[Plugin]:
    """Return the installed plug-ins of a kind, also those that cannot be used."""
    return [plugin for plugin in installed() if plugin.kind == kind]


@cache
def usable(kind: KindId, taken: frozenset[str]) -> Mapping[str, Plugin]:
    """Return the plug-ins of a kind that may be loaded, by name; `taken` are the built-in names.

    Read once, as `installed` is: what is switched off meanwhile is left out by the next process.
    """
    found: dict[str, Plugin] = {}
    for plugin in of_kind(kind):
        if not kept.is_off(plugin.key) and refusal(plugin, taken, found) is None:
            found[plugin.name] = plugin
    return found


def read_again() -> None:
    """Have metadata and switches read again when they are next asked for."""
    installed.cache_clear()
    usable.cache_clear()


def refusal(
    plugin: Plugin, taken: Collection[str], others: Mapping[str, Plugin]
) -> UserError | None:
    """Return why a plug-in cannot have its name beside the built-in ones and `others`, or None."""
    called = KINDS[plugin.kind].called
    if _NAME.fullmatch(plugin.name) is None:
        return UserError(
            f"Its name, “{plugin.name}”, is not one that a plug-in may have.",
            next_step="Its author can give it one of at most 40 small letters, digits, “_” and "
            "“-”.",
        )
    if plugin.name in taken:
        return UserError(
            f"The program has a built-in {called} “{plugin.name}”, which is used.",
            next_step="Its author can give it another name.",
        )
    if plugin.name in others:
        other = others[plugin.name]
        return UserError(
            f"{other.package} adds a {called} of the same name, “{plugin.name}”, which is used.",
            next_step="Switch that one off to use this one.",
        )
    return None
