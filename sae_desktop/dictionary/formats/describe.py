"""The tables of fields as a page, made from the readers."""

from __future__ import annotations

from collections.abc import Sequence

from sae_desktop.dictionary.formats.fields import Field, FieldTable
from sae_desktop.dictionary.formats.find import TABLES

_HEAD = """# What is read of other libraries' files

Every field that the library knows, and what is done with it here: *honoured* (what is computed
follows it), *converted* (it becomes a site, a name or a form of this project), *refused* (a value
that changes the mathematics and cannot be honoured is refused by the field's name), *told* (the
person is told of it), or *no effect* (it does not change what is computed). A field that is not
in these tables is told at import.

This page is made by `sae-desktop formats --markdown`.
"""


def formats() -> list[str]:
    """Return the names of the formats, in the order of the page."""
    return list(dict.fromkeys(table.format for table in TABLES))


def tables_of(name: str = "") -> list[FieldTable]:
    """Return the tables of the formats whose name holds `name`, whatever its case."""
    return [table for table in TABLES if name.casefold() in table.format.casefold()]


def markdown(tables: Sequence[FieldTable] = TABLES) -> str:
    """Return the page."""
    parts, heading = [_HEAD], ""
    for table in tables:
        if table.format != heading:
            heading = table.format
            parts.append(f"## {heading}\n")
        parts.append(f"### {table.place}\n")
        rows = [
            f"| {', '.join(f'`{name}`' for name in names)} | {field.treatment} | {field.what} |"
            for names, field in _grouped(table)
        ]
        parts.append("\n".join(["| field | here | |", "|---|---|---|", *rows, ""]))
    return "\n".join(parts).rstrip() + "\n"


def _grouped(table: FieldTable) -> list[tuple[list[str], Field]]:
    """Return fields with the names that are treated alike for one reason."""
    found: list[tuple[list[str], Field]] = []
    for name, field in table.fields.items():
        alike = next((names for names, other in found if other is field), None)
        if alike is None:
            found.append(([name], field))
        else:
            alike.append(name)
    return found
