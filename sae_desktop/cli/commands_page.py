"""The manual's page of commands, made from the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from sae_desktop.words.settings_page import BAR

_HEAD = """# The command line

Every command with its arguments and options, made from the program itself. `sae-desktop COMMAND
--help` tells the same in a terminal. Exit status: 0 done, 1 failed, 2 bad usage, 3 an alert of
`watch`, 130 interrupted.
"""
_KINDS = {"str": "text", "int": "whole number", "float": "number", "Path": "path"}
"""Python's name of what an option takes → what it is."""
_KIND = re.compile(r"<(list\[)?(str|int|float|Path)( range)?\]?>")
_AT_END = re.compile(r"\s*\[([^\[\]]*)\]$")


def commands_page(app: typer.Typer) -> str:
    """Return the page of all commands of a program as Markdown."""
    parts = [_HEAD]
    whole: Any = typer.main.get_command(app)
    for name, command in sorted(whole.commands.items()):
        parts += _command(command, (name,))
    return "\n".join(parts).rstrip() + "\n"


def _command(command: Any, words: tuple[str, ...]) -> Iterator[str]:
    context = command.make_context(" ".join(words), [], resilient_parsing=True)
    yield f"## {' '.join(words)}\n"
    told = " ".join((command.help or "").partition("\f")[0].split())
    yield f"{_plain(told)}\n"
    inside = getattr(command, "commands", None)
    if inside is not None:
        yield ", ".join(f"`{' '.join((*words, name))}`" for name in sorted(inside)) + "\n"
        for name, one in sorted(inside.items()):
            yield from _command(one, (*words, name))
        return
    usage = " ".join(("sae-desktop", *words, *command.collect_usage_pieces(context)))
    yield f"```\n{usage}\n```\n"
    rows = [row for param in command.params if (row := _row(param, context)) is not None]
    if rows:
        yield "| | meaning |\n|---|---|"
        yield from (f"| {name} | {meaning} |" for name, meaning in rows)
        yield ""


def _row(param: Any, context: Any) -> tuple[str, str] | None:
    """Return what a parameter is written as, and what is told of it; None: it is hidden."""
    record = param.get_help_record(context)
    if record is None:
        return None
    written, told = (str(part or "") for part in record)
    written = _KIND.sub(lambda kind: f"<{_KINDS[kind[2]]}>{' …' if kind[1] else ''}", written)
    return f"`{written.strip().replace('|', BAR)}`", _plain(_AT_END.sub(r" (\1)", told.strip()))


def _plain(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|~" else c for c in " ".join(text.split()))
