"""Whether each plug-in works: all are tried in a process of their own, whatever they do there."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from sae_desktop import launch
from sae_desktop.errors import UserError
from sae_desktop.plugins import kept
from sae_desktop.plugins.installed import Plugin, installed, of_kind, refusal
from sae_desktop.plugins.kinds import KINDS, KindId, called_by
from sae_desktop.plugins.loading import WAY_OUT, load

SECONDS = 120.0
"""That one plug-in may take: the first one of an architecture loads torch."""
State = Literal["works", "off", "broken", "failed"]


class PluginReport(msgspec.Struct, frozen=True, kw_only=True):
    """A plug-in and how it does."""

    key: str
    kind: KindId
    name: str
    package: str
    version: str
    summary: str
    adds: str
    """What it does for a person, in a sentence."""
    state: State | Literal["unchecked"] = "unchecked"
    """works, switched off, broken: it cannot be used, failed: it raised an exception in use."""
    why: str = ""
    next_step: str = ""
    details: str = ""
    """A traceback, where there is one."""


def listed() -> list[PluginReport]:
    """Return what is installed, unchecked; nothing of it is imported."""
    return [_report(plugin) for plugin in installed()]


def _report(plugin: Plugin) -> PluginReport:
    return PluginReport(
        key=plugin.key,
        kind=plugin.kind,
        name=plugin.name,
        package=plugin.package,
        version=plugin.version,
        summary=plugin.summary,
        adds=KINDS[plugin.kind].adds.format(plugin.name),
        state="off" if kept.is_off(plugin.key) else "unchecked",
    )


def checked() -> list[PluginReport]:
    """Return what is installed and whether it works; takes as long as loading all of it.

    Each is loaded in another process, which is ended where one does not come back and started
    again where one takes it down.
    """
    found = {report.key: report for report in listed()}
    left = [key for key, report in found.items() if report.state == "unchecked"]
    while left:
        told = dict(_checked_beside(left, found))
        found.update(told)
        left = [key for key in left if key not in told]
    return list(found.values())


def _checked_beside(
    keys: Sequence[str], found: dict[str, PluginReport]
) -> Iterator[tuple[str, PluginReport]]:
    """Yield the reports of some plug-ins, up to the first that its process does not survive."""
    process = subprocess.Popen(
        launch.command("sae_desktop.plugins", *keys),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    try:
        for key in keys:
            try:
                line = lines.get(timeout=SECONDS)
            except queue.Empty:
                process.kill()
                why = f"It was not loaded within {SECONDS:.0f} seconds."
                yield key, _broken(found[key], why)
                return
            if not line:
                ended = process.wait()
                how = f"signal {-ended}" if ended < 0 else f"exit status {ended}"
                yield key, _broken(found[key], f"It ended the process that loaded it ({how}).")
                return
            yield key, msgspec.json.decode(line, type=PluginReport)
    finally:
        process.kill()
        process.wait()


def _read(process: subprocess.Popen[bytes], lines: queue.SimpleQueue[bytes]) -> None:
    assert process.stdout is not None
    with process.stdout as out:
        for line in out:
            lines.put(line)
    lines.put(b"")


def _broken(report: PluginReport, why: str) -> PluginReport:
    return msgspec.structs.replace(
        report, state="broken", why=why, next_step=WAY_OUT.format(report.name)
    )


def check_here(keys: Sequence[str]) -> None:
    """Check plug-ins in this process and write a report of each, a line each, to its output."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a plug-in prints is no report
    sys.stdout = sys.stderr
    plugins = {plugin.key: plugin for plugin in installed()}
    for key in keys:
        out.write(msgspec.json.encode(_tried(plugins[key])) + b"\n")
        out.flush()


def _tried(plugin: Plugin) -> PluginReport:
    report, kind = _report(plugin), KINDS[plugin.kind]
    try:
        refused = refusal(plugin, called_by(kind.taken)(), _before(plugin))
        if refused is not None:
            raise refused
        found = load(plugin)
        if kind.trial:
            _try(kind.trial, found, plugin)
    except UserError as error:
        details = "" if error.__cause__ is None else _traceback(error.__cause__)
        return msgspec.structs.replace(
            report, state="broken", why=error.what, next_step=error.next_step, details=details
        )
    fault = kept.fault_of(plugin.key, plugin.version)
    if fault is None:
        return msgspec.structs.replace(report, state="works")
    return msgspec.structs.replace(
        report,
        state="failed",
        why=f"It failed when it was last used ({_moment(fault.when)}): {fault.what}",
        next_step=WAY_OUT.format(plugin.name),
        details=fault.details,
    )


def _try(trial: str, found: object, plugin: Plugin) -> None:
    try:
        called_by(trial)(found)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"It failed when it was tried: {type(error).__name__}: {error}",
            next_step=WAY_OUT.format(plugin.name),
        ) from error


def _before(plugin: Plugin) -> dict[str, Plugin]:
    """Return the plug-in that has the name already, where there is one that is on."""
    for other in of_kind(plugin.kind):
        if other == plugin:
            break
        if other.name == plugin.name and not kept.is_off(other.key):
            return {other.name: other}
    return {}


def _moment(when: str) -> str:
    """Return a moment in words, to the minute."""
    return f"{when[:16].replace('T', ' at ')} UTC"


def _traceback(error: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(error)).rstrip()
