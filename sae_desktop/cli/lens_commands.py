"""Commands that read every layer as if it were the last: lens show, lens fit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sae_desktop.circuits.lens_config import FitLensConfig, LensConfig, LensKind, LensResult
from sae_desktop.cli import render
from sae_desktop.cli.config_options import option
from sae_desktop.cli.options import DeviceOption, JsonOption, ProjectArgument
from sae_desktop.cli.runner import run_job_command
from sae_desktop.described import default
from sae_desktop.language_model.names import BUILTIN
from sae_desktop.language_model.text.token_text import visible_token

_COLUMNS = 6
_NO_TOKENS: list[str] = []

lens_app = typer.Typer(
    no_args_is_help=True, help="Read every layer of a model as if it were the last."
)
ModelOption = Annotated[
    str,
    typer.Option("--model", help="builtin, smollm2, a folder, a .gguf file, or a hub name."),
]
ChatOption = Annotated[
    bool, typer.Option("--chat", help="Read the prompt through the model’s chat template.")
]
_KIND: LensKind = default(LensConfig, "kind")


@lens_app.command("show")
def show_lens(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="Text to read.")],
    model: ModelOption = BUILTIN,
    kind: Annotated[LensKind, option(LensConfig, "kind", "--kind")] = _KIND,
    project: Annotated[
        Path | None,
        typer.Option("--project", help="Project that has the averaged Jacobians of the model."),
    ] = None,
    top: Annotated[int, option(LensConfig, "top", "--top")] = default(LensConfig, "top"),
    token: Annotated[
        list[str],
        typer.Option("--token", help="Token to follow, a space before it included; repeatable."),
    ] = _NO_TOKENS,
    chat: ChatOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Show what every layer would answer at the last tokens of a prompt."""
    if kind == "jacobian" and project is None:
        raise typer.BadParameter("“jacobian” needs a project", param_hint="--project")
    config = LensConfig(
        project=str(project or ""),
        model=model,
        prompt=prompt,
        chat=chat,
        kind=kind,
        top=top,
        tokens=tuple(token),
        device=device,
    )
    run_job_command(config, lens_text, as_json=as_json)


@lens_app.command("fit")
def fit_lens(
    project: ProjectArgument,
    model: ModelOption = BUILTIN,
    corpus: Annotated[
        str, typer.Option("--corpus", help="Text to average over; default: the built-in text.")
    ] = default(FitLensConfig, "corpus"),
    texts: Annotated[int, option(FitLensConfig, "texts", "--texts")] = default(
        FitLensConfig, "texts"
    ),
    context_size: Annotated[int, option(FitLensConfig, "context_size", "--context-size")] = default(
        FitLensConfig, "context_size"
    ),
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Average the Jacobians from every layer to the last, for “lens show --kind jacobian”."""
    config = FitLensConfig(
        project=str(project),
        model=model,
        corpus=corpus,
        texts=texts,
        context_size=context_size,
        device=device,
    )
    run_job_command(config, render.figures, as_json=as_json)


def lens_text(result: LensResult) -> str:
    """Return the likeliest token of each layer at the last positions, the last layer first."""
    shown = range(max(0, len(result.tokens) - _COLUMNS), len(result.tokens))
    heads = [visible_token(result.tokens[position]) for position in shown]
    followed = [f"P({visible_token(token)})" for token in result.followed]
    rows = []
    for number in reversed(range(len(result.rows))):
        best = [
            f"{visible_token(result.top_tokens[number][position][0])} "
            f"{result.top_probabilities[number][position][0]:.0%}"
            for position in shown
        ]
        chances = [
            f"{chance:.1%}, rank {rank:,}"
            for chance, rank in zip(
                result.probability[number][-1], result.rank[number][-1], strict=True
            )
        ]
        rows.append((result.rows[number], *best, *chances))
    left = set(range(len(shown) + 1))
    text = render.table(("read after", *heads, *followed), rows, left=left)
    return f"{text}\naveraged over {result.fitted_on}" if result.fitted_on else text
