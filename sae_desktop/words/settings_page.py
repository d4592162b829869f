"""Every setting of every kind of job, as a page: what it is called, may be and means.

Nothing is told here that is not stated beside the field's type. Free of torch and Qt.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from sae_desktop.described import default, settings
from sae_desktop.limits import limits

BAR = "\\|"
"""In a cell of a Markdown table, a bar that does not end it."""


class SettingRow(NamedTuple):
    """One setting of a kind of job."""

    field: str
    title: str
    values: str
    """What it may be, in words."""
    default: str
    """Empty: it has none."""
    meaning: str
    group: str


def setting_rows(config: type[msgspec.Struct]) -> list[SettingRow]:
    """Return the settings of a kind of job in their order, those of configs within it last."""
    hints = typing.get_type_hints(config)
    rows = [
        SettingRow(
            said.field,
            said.title,
            _values(config, said.field, hints[said.field]),
            _default(config, said.field),
            said.description,
            said.group,
        )
        for said in settings(config).values()
    ]
    for field, hint in hints.items():
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            rows += [row._replace(field=f"{field}.{row.field}") for row in setting_rows(hint)]
    return rows


def settings_page(jobs: Sequence[tuple[str, type[msgspec.Struct]]]) -> str:
    """Return the tables of jobs, each a title and its config, as Markdown."""
    parts = [
        "# Settings",
        "",
        "Every setting of every job that has some: its field in a JSON of settings, its name on a "
        "form, what it may be, and its default. Made by `sae-desktop settings --markdown`.",
    ]
    for title, config in jobs:
        parts += ["", f"## {title}"]
        rows = setting_rows(config)
        for group in dict.fromkeys(row.group for row in rows):
            parts += ["", f"### {group or 'General'}", "", *_table(rows, group)]
    return "\n".join(parts) + "\n"


def _table(rows: Sequence[SettingRow], group: str) -> Iterator[str]:
    yield "| field | name | values | default | meaning |"
    yield "|---|---|---|---|---|"
    for row in rows:
        if row.group == group:
            cells = (f"`{row.field}`", row.title, row.values, row.default, row.meaning)
            yield f"| {' | '.join(cell.replace('|', BAR) for cell in cells)} |"


def _values(config: type[msgspec.Struct], field: str, hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(str(value) or "none" for value in typing.get_args(hint))
    if hint is bool:
        return "yes or no"
    found = limits(config, field)
    if found is None:
        return "names" if typing.get_origin(hint) is tuple else "text"
    numbers = {hint, *typing.get_args(hint)}
    kind = "a number" if float in numbers else "a whole number"
    words = "" if found.words == "a finite number" else f", {found.words}"
    return f"{'several of ' if typing.get_origin(hint) is tuple else ''}{kind}{words}"


def _default(config: type[msgspec.Struct], field: str) -> str:
    try:
        value = default(config, field)
    except LookupError:
        return ""
    if value is None:
        return "not given"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"
