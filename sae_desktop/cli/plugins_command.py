"""The command that lists plug-ins and switches them off and on."""

from __future__ import annotations

import os
from typing import Annotated, Any

import msgspec
import typer

from sae_desktop.cli.options import JsonOption
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.errors import UserError


def plugins(
    off: Annotated[
        str,
        typer.Option("--off", help="Switch a plug-in off: its name, or PACKAGE/KIND/NAME."),
    ] = "",
    on: Annotated[
        str,
        typer.Option("--on", help="Switch a plug-in on, and try one again that has failed."),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """List what installed packages add to the program, and whether each of it works.

    Every plug-in is tried in a process of its own. --off and --on apply to what is started
    afterwards: restart the engine, or the program, where it is open.
    """
    from sae_desktop.plugins import kept
    from sae_desktop.plugins.checking import PluginReport, checked, listed
    from sae_desktop.plugins.installed import WITHOUT, read_again
    from sae_desktop.words.plugin_text import none_text, plugin_text

    def work() -> list[PluginReport]:
        found = listed()
        for name, switched_on in ((off, False), (on, True)):
            for key in _keys(name, found) if name else ():
                kept.switch(key, on=switched_on)
        read_again()
        return checked()

    def text(reports: list[Any]) -> str:
        told = [msgspec.convert(report, PluginReport) for report in reports]
        return plugin_text(told) or none_text(without=bool(os.environ.get(WITHOUT)))

    run_reading_command(lambda: msgspec.to_builtins(work()), text, as_json=as_json)


def _keys(name: str, found: list[Any]) -> list[str]:
    keys = [report.key for report in found if name in (report.key, report.name)]
    if not keys:
        there = ", ".join(report.key for report in found) or "there are none"
        raise UserError(f"No plug-in is called “{name}”.", next_step=f"Installed: {there}.")
    if len(keys) > 1:
        raise UserError(
            f"{len(keys)} plug-ins are called “{name}”.",
            next_step=f"Name one in full: {', '.join(keys)}.",
        )
    return keys
