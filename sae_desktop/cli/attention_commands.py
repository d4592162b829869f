"""Commands on the attention inside a graph, and on one dictionary: trace heads, head, attribute."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from sae_desktop.circuits.asking_config import (
    EdgeHeadsConfig,
    EdgeHeadsResult,
    HeadConfig,
    HeadResult,
)
from sae_desktop.circuits.lens_config import AttributeConfig, AttributeResult
from sae_desktop.cli.circuit_commands import trace_app as trace_app
from sae_desktop.cli.config_options import Choice, Settings, option, with_options
from sae_desktop.cli.lens_commands import ChatOption
from sae_desktop.cli.node_text import NodeTexts, feature_texts
from sae_desktop.cli.options import DeviceOption, IndexOption, JsonOption, ProjectArgument
from sae_desktop.cli.render import table
from sae_desktop.cli.runner import run_job_command
from sae_desktop.cli.trace_commands import GraphArgument
from sae_desktop.described import default
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.words.amounts import signed_text

_ROWS = 20
_CONSTANT = {-1: "biases", -2: "others"}
_NONE = "–"


@trace_app.command("heads")
def heads(
    project: ProjectArgument,
    graph: GraphArgument,
    source: Annotated[int, typer.Option("--source", min=0, help="Node where the link begins.")],
    target: Annotated[int, typer.Option("--target", min=0, help="Node where it ends.")],
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Show which attention heads carry a link between two nodes."""
    config = EdgeHeadsConfig(
        project=str(project), graph=graph, source=source, target=target, device=device
    )
    texts = NodeTexts(project, graph)

    def link() -> str:
        return f"{texts(source)} → {texts(target)}"

    run_job_command(config, partial(heads_text, link=link), as_json=as_json)


def heads_text(result: EdgeHeadsResult, link: Callable[[], str]) -> str:
    """Return what each head carries, the largest first."""
    rows = [
        (str(one.layer), str(one.head), signed_text(one.weight, 4), signed_text(one.direct, 4))
        for one in result.heads[:_ROWS]
    ]
    rest = sum(one.weight for one in result.heads[_ROWS:])
    lines = [table(("layer", "head", "weight", "from the source’s own position"), rows, left=set())]
    if len(result.heads) > _ROWS:
        lines.append(f"… and {len(result.heads) - _ROWS:,} more heads: {signed_text(rest, 4)}")
    lines.append(
        f"{link()}\nthe link: {signed_text(result.weight, 4)}, of which "
        f"{signed_text(result.own, 4)} stays at one position"
    )
    return "\n".join(lines)


@trace_app.command("head")
def head(
    project: ProjectArgument,
    graph: GraphArgument,
    layer: Annotated[int, typer.Option("--layer", min=0, help="Layer of the head.")],
    number: Annotated[int, typer.Option("--head", min=0, help="Number of the head.")],
    query: Annotated[
        int, typer.Option("--query", min=-1, help="Position that looks; -1: the last.")
    ] = default(HeadConfig, "query"),
    key: Annotated[
        int,
        typer.Option("--key", min=-1, help="Position looked at; -1: the one it looks at most."),
    ] = default(HeadConfig, "key"),
    top: Annotated[int, option(HeadConfig, "top", "--top")] = default(HeadConfig, "top"),
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Show where a head looks, and which pairs of nodes make it look there."""
    config = HeadConfig(
        project=str(project), graph=graph, layer=layer, head=number, query=query, key=key,
        top=top, device=device,
    )  # fmt: skip
    texts = NodeTexts(project, graph)
    run_job_command(config, partial(head_text, texts=texts), as_json=as_json)


def head_text(result: HeadResult, texts: NodeTexts) -> str:
    """Return the pattern of the position that looks, then the pairs."""
    looks = result.pattern[result.query]
    seen = sorted(range(len(looks)), key=lambda place: -looks[place])[:8]
    at = ", ".join(f"{place} ({looks[place]:.0%})" for place in seen if looks[place] >= 0.005)
    rows = [
        (
            _node(pair.query_node, texts),
            _node(pair.key_node, texts),
            signed_text(pair.weight, 4),
        )
        for pair in result.pairs
    ]
    return "\n".join(
        [
            f"position {result.query} looks at: {at}",
            table(("query’s node", "key’s node", "adds"), rows, left={0, 1}),
            f"all other pairs: {signed_text(result.rest, 4)}; score of position "
            f"{result.key}: {signed_text(result.score, 4)}",
        ]
    )


def _node(node: int, texts: NodeTexts) -> str:
    return _CONSTANT.get(node) or texts(node)


@trace_app.command("attribute")
@with_options(AttributeConfig, (Choice("top"), Choice("ablated"), Choice("sampled")))
def attribute(
    project: ProjectArgument,
    index: IndexOption,
    prompt: Annotated[str, typer.Option("--prompt", help="The text whose next token counts.")],
    settings: Settings,
    target: Annotated[
        str, typer.Option("--target", help="Token that is explained; default: the likeliest.")
    ] = "",
    against: Annotated[
        str,
        typer.Option(
            "--against", help="Token it is set against, or “mean”; default: the likeliest other."
        ),
    ] = "",
    chat: ChatOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Attribute every firing of one dictionary to a logit difference, ablation beside it."""
    config = AttributeConfig(
        project=str(project), index=index, prompt=prompt, target=target, against=against,
        chat=chat, device=device, **settings,
    )  # fmt: skip
    run_job_command(config, partial(attribute_text, project=project, index=index), as_json=as_json)


def attribute_text(result: AttributeResult, project: Path, index: str) -> str:
    """Return the most effective firings, then how far attribution is what ablation does."""
    called = feature_texts(project, index, result.features[:_ROWS])
    rows = []
    for number in range(len(called)):
        place, taken = result.positions[number], result.ablations[number]
        rows.append(
            (
                called[number],
                visible_token(result.tokens[place]),
                f"{result.activations[number]:.3f}",
                signed_text(result.attributions[number], 4),
                _NONE if taken is None else signed_text(taken, 4),
            )
        )
    heads_ = ("feature", "token", "activation", "attribution", "ablation takes")
    against = f"“{visible_token(result.against)}”" if result.against else "the mean"
    lines = [
        table(heads_, rows, left={0, 1}),
        f"to the logit of “{visible_token(result.target)}” minus that of {against}: "
        f"{signed_text(result.difference, 3)}; {result.firings:,} firings",
    ]
    if result.attribution_correlation is not None and result.activation_correlation is not None:
        lines.append(
            f"correlation with ablation over {result.sampled} firings drawn at random: "
            f"attribution {result.attribution_correlation:.3f}, activation "
            f"{result.activation_correlation:.3f}"
        )
    return "\n".join(lines)
