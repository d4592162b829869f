"""Formats of dictionaries that plug-ins read."""

from __future__ import annotations

import logging
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from sae_desktop.dictionary import formats
from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.formats.folder_view import FolderView, Found
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.plugins.installed import Plugin, usable
from sae_desktop.plugins.loading import fault, load, loaded

_LOG = logging.getLogger(__name__)


class DictionaryFormat(Protocol):
    """What an entry point of `sae_desktop.formats` refers to: an object, or a class."""

    plugin_api: int
    """`sae_desktop.plugins.kinds.PLUGIN_API` as it was when the format was written: 1."""
    title: str
    """The library whose format it is, as `Found.format` has it."""

    def find(self, view: FolderView) -> list[Found]:
        """Return the dictionaries in a folder, told by its files; none where it is not this format.

        It is asked where no built-in format knows the folder, which may hold anything, so it looks
        at names and shapes alone: `Found.read` reads the tensors, later. Raise `UserError`, in
        words, for a damaged file; any other exception is told as a fault of the plug-in.
        """


def builtin_names() -> frozenset[str]:
    """Return the names that no plug-in may have."""
    return frozenset(info.name for info in pkgutil.iter_modules(formats.__path__))


def problem_of(found: Any) -> str:
    """Return what is wrong with the object of an entry point; "": nothing."""
    if not callable(getattr(found, "find", None)):
        return "has no method “find”"
    if not isinstance(getattr(found, "title", None), str) or not found.title:
        return "has no “title”, a text"
    return ""


def plugged_titles() -> list[str]:
    """Return what the formats of plug-ins are called."""
    return [found.title for found in loaded("formats", builtin_names()).values()]


def that_of_a_plugin(view: FolderView) -> list[Found]:
    """Return what the first plug-in that knows a folder finds in it.

    One that fails is left out, and told of by `sae-desktop plugins`.
    """
    plugins: Mapping[str, Plugin] = usable("formats", builtin_names())
    for plugin in plugins.values():
        try:
            found = _found(plugin, view)
        except (UserError, JobCancelledError):
            raise
        except Exception as error:
            _LOG.warning("%s", fault(plugin, error))
            continue
        if found:
            return [replace(one, read=_guarded(plugin, one.read)) for one in found]
    return []


def _found(plugin: Plugin, view: FolderView) -> list[Found]:
    try:
        made = load(plugin)
    except UserError as error:
        _LOG.warning("the plug-in %s was left out: %s", plugin.called, error)
        return []
    reader: DictionaryFormat = made() if isinstance(made, type) else made
    found = list(reader.find(view))
    for one in found:
        if not isinstance(one, Found):
            raise TypeError(f"it gave a {type(one).__name__} instead of a Found")
    return found


def _guarded(plugin: Plugin, read: Callable[[], Dictionary]) -> Callable[[], Dictionary]:
    """Return `read`, whose exceptions are told as the plug-in's."""

    def guarded() -> Dictionary:
        try:
            dictionary = read()
            if not isinstance(dictionary, Dictionary):
                raise TypeError(f"it gave a {type(dictionary).__name__} instead of a Dictionary")
        except (UserError, JobCancelledError):
            raise
        except Exception as error:
            raise fault(plugin, error) from error
        return dictionary

    return guarded
