"""The command that shows a corpus as a model would read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from sae_desktop.cli import render
from sae_desktop.cli.config_options import Settings, with_options
from sae_desktop.cli.harvest_options import READING_CHOICES
from sae_desktop.cli.options import JsonOption, bounds
from sae_desktop.cli.runner import run_job_command
from sae_desktop.corpus.config import CorpusDescription, DescribeCorpusConfig, WindowPreview
from sae_desktop.described import default
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.language_names import language_name
from sae_desktop.storage.faults import format_bytes

_MOST_NAMES = 8


@with_options(DescribeCorpusConfig, READING_CHOICES)
def corpus(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="builtin, a file, a folder, or a dataset on the hub."),
    ],
    model: Annotated[str, typer.Option("--model", help="Model whose tokens are shown.")] = default(
        DescribeCorpusConfig, "model"
    ),
    preview: Annotated[
        int,
        typer.Option(
            "--preview", **bounds(DescribeCorpusConfig, "preview"), help="Windows to show."
        ),
    ] = default(DescribeCorpusConfig, "preview"),
    as_json: JsonOption = False,
    *,
    settings: Settings,
) -> None:
    """Show what a corpus holds, and its first windows as a model would read them."""
    config = DescribeCorpusConfig(corpus=name, model=model, preview=preview, **settings)
    run_job_command(
        config, corpus_text, as_json=as_json, failed=lambda described: bool(described.problem)
    )


def corpus_text(described: CorpusDescription) -> str:
    """Return a description of a corpus for a terminal."""
    counted = f"{described.documents:,} documents" if described.documents >= 0 else "not counted"
    size = format_bytes(described.bytes) if described.bytes >= 0 else "size unknown"
    lines = [f"{described.name}: {described.format}, {counted}, {size}"]
    if described.problem:
        lines = [described.problem]
    if described.duplicates:
        lines.append(f"Duplicates among the documents read: {described.duplicates:,}")
    for title, names in (
        ("Sources", described.sources),
        ("Languages", [language_name(code) for code in described.languages]),
    ):
        if names:
            lines.append(f"{title}: {_some(names)}")
    if described.columns:
        rows = [
            ("→" if column.name in described.column.split(" + ") else "", column.name, column.kind,
             column.example)
            for column in described.columns
        ]  # fmt: skip
        lines += ["", render.table(("", "column", "kind", "example"), rows, left={0, 1, 2, 3})]
    for other in described.tables:
        if not other.column and len(described.tables) > 1:
            columns = ", ".join(column.name for column in other.columns)
            lines.append(f"Not read: {other.name} (columns: {columns})")
    lines += ["", *described.notes] if described.notes else []
    for number, window in enumerate(described.preview, start=1):
        lines += ["", *_window_lines(number, window)]
    return "\n".join(lines)


def _window_lines(number: int, window: WindowPreview) -> list[str]:
    heads = [window.title, window.source, language_name(window.language)]
    heads += [f"{name}: {value}" for name, value in window.metadata.items()]
    lines = [f"Window {number}, {len(window.tokens)} tokens: {' · '.join(filter(None, heads))}"]
    role = ""
    shown: list[str] = []
    for place, (token, special) in enumerate(zip(window.tokens, window.special, strict=True)):
        speaks = window.roles[place] if window.roles else ""
        if speaks != role:
            role = speaks
            lines += ["|".join(shown)] if shown else []
            lines.append(f"  {role}:" if role else "")
            shown = []
        text = visible_token(token)
        shown.append(f"⟦{text}⟧" if special else text)
    return [*lines, "|".join(shown)]


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMES
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{shown} and {rest:,} more" if rest > 0 else shown
