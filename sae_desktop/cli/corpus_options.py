"""Options of every command that reads a corpus."""

from __future__ import annotations

from typing import Annotated

import typer

from sae_desktop.corpus.config import BosPolicy, Packing, SpecialTokens

_PANEL = "Corpus"

SubsetOption = Annotated[
    str, typer.Option("--subset", help="Subset of a dataset on the hub.", rich_help_panel=_PANEL)
]
SplitOption = Annotated[
    str, typer.Option("--split", help="Split of a dataset with several.", rich_help_panel=_PANEL)
]
TextColumnOption = Annotated[
    str,
    typer.Option(
        "--text-column", help="Column of the texts; empty: found.", rich_help_panel=_PANEL
    ),
]
ChatColumnOption = Annotated[
    str,
    typer.Option(
        "--chat-column",
        help="Column of lists of messages, or a pair such as “prompt + response”, for the chat "
        "template; empty: found where there is no column of texts.",
        rich_help_panel=_PANEL,
    ),
]
DeduplicateOption = Annotated[
    bool,
    typer.Option(
        "--deduplicate/--no-deduplicate",
        help="Leave out documents whose text came before.",
        rich_help_panel=_PANEL,
    ),
]
ContextSizeOption = Annotated[
    int,
    typer.Option("--context-size", min=2, help="Tokens in a window.", rich_help_panel=_PANEL),
]
PackingOption = Annotated[
    Packing,
    typer.Option(
        "--packing",
        help="document: each window of one document; packed: filled with one after the other.",
        rich_help_panel=_PANEL,
    ),
]
BosOption = Annotated[
    BosPolicy,
    typer.Option("--bos", help="Begin each window with the BOS token.", rich_help_panel=_PANEL),
]
SpecialTokensOption = Annotated[
    SpecialTokens,
    typer.Option(
        "--special-tokens",
        help="Read the name of a special token in a text as the token, or as its letters.",
        rich_help_panel=_PANEL,
    ),
]
