"""Plug-ins are loaded here, and only here; and the exceptions they raise are told as theirs."""

from __future__ import annotations

import logging
import threading
import traceback
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.plugins import kept
from sae_desktop.plugins.installed import Plugin, read_again, usable
from sae_desktop.plugins.kinds import KINDS, PLUGIN_API, KindId, called_by

_LOG = logging.getLogger(__name__)
WAY_OUT = (
    "Update it, or switch it off under Edit › Plug-ins or with “sae-desktop plugins --off {}”."
)
_lock = threading.RLock()
_objects: dict[Plugin, Any] = {}
_refused: dict[Plugin, UserError] = {}
_places: dict[Plugin, Path] = {}
"""The folder of a loaded plug-in's package, or its file where it is a module alone."""


def loaded(kind: KindId, taken: frozenset[str]) -> dict[str, Any]:
    """Return the objects of a kind's plug-ins that can be used, by name.

    `taken` are the names of the built-in ones. What fails is left out and in the log.
    """
    found = {}
    for name, plugin in usable(kind, taken).items():
        try:
            found[name] = load(plugin)
        except UserError as error:
            _LOG.warning("the plug-in %s was left out: %s", plugin.called, error)
    return found


def load(plugin: Plugin) -> Any:
    """Return the object of a plug-in, imported when it is first asked for.

    Raises UserError that says why it cannot be used.
    """
    with _lock:
        if plugin not in _objects and plugin not in _refused:
            try:
                _objects[plugin] = _load(plugin)
            except UserError as error:
                _refused[plugin] = error
        if plugin in _refused:
            raise _refused[plugin]
        return _objects[plugin]


def _load(plugin: Plugin) -> Any:
    way_out = WAY_OUT.format(plugin.name)
    if kept.ended_a_process(plugin.key, plugin.version):
        raise UserError(
            "The program ended while it was loading it, so it is not loaded again.",
            next_step="Update it, or try it again by switching it off and on.",
        )
    with kept.loading(plugin.key, plugin.version):
        try:
            found = _imported(plugin)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # also SystemExit
            raise UserError(f"It cannot be imported: {_said(error)}", next_step=way_out) from error
        _check_version(found, way_out)
        try:
            problem = called_by(KINDS[plugin.kind].problem)(found)
        except Exception as error:  # an object may do anything when it is looked at
            raise UserError(f"It cannot be looked at: {_said(error)}", next_step=way_out) from error
    if problem:
        raise UserError(f"{plugin.reference} {problem}.", next_step=way_out)
    return found


def _check_version(found: Any, way_out: str) -> None:
    stated = getattr(found, "plugin_api", None)
    if stated is None:
        raise UserError(
            "It does not say which version of the plug-in API it is written for.",
            next_step=f"Its author states it as “plugin_api = {PLUGIN_API}”.",
        )
    if stated != PLUGIN_API:
        raise UserError(
            f"It is written for version {stated} of the plug-in API; this program has version "
            f"{PLUGIN_API}.",
            next_step=way_out,
        )


def _imported(plugin: Plugin) -> Any:
    name, _, attributes = plugin.reference.partition(":")
    module = import_module(name)
    top = import_module(name.partition(".")[0])
    if top.__file__ is not None:
        file = Path(top.__file__)
        _places[plugin] = file.parent if file.name == "__init__.py" else file
    elif module.__file__ is not None:  # a package without an __init__.py
        _places[plugin] = Path(module.__file__).parent
    found: Any = module
    for attribute in attributes.split("."):
        found = getattr(found, attribute)
    return found


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def plugin_of(error: BaseException) -> Plugin | None:
    """Return the plug-in in whose code an exception was raised, or called what raised it."""
    if isinstance(error, (UserError, JobCancelledError)) or not _places:
        return None
    files = [Path(frame) for frame in _files(error.__traceback__)]
    for file in reversed(files):
        for plugin, place in _places.items():
            if file == place or place in file.parents:
                return plugin
    return None


def _files(trace: TracebackType | None) -> list[str]:
    return [frame.f_code.co_filename for frame, _ in traceback.walk_tb(trace)]


def fault(plugin: Plugin, error: BaseException, *, kept_text: str = "") -> UserError:
    """Return an exception of a plug-in as a person reads it, and remember it."""
    details = "".join(traceback.format_exception(error))
    kept.keep_fault(plugin.key, plugin.version, _said(error), details)
    return UserError(
        f"The plug-in {plugin.called} failed: {_said(error)}",
        kept=kept_text,
        next_step=WAY_OUT.format(plugin.name),
    )


def forget() -> None:
    """Forget what was loaded and installed, for whoever has changed what there is."""
    with _lock:
        for held in (_objects, _refused, _places):
            held.clear()
        read_again()
