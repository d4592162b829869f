"""Commands that ask more of a graph: trace groups, test, faithfulness; and trace patch."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from sae_desktop.circuits.asking_config import (
    AttentionMode,
    ChangeMode,
    FaithfulnessConfig,
    FaithfulnessResult,
    GroupsConfig,
    GroupsResult,
    InterveneConfig,
    InterveneResult,
    NodeChange,
    NormsMode,
)
from sae_desktop.circuits.lens_config import PatchConfig, PatchedHook, PatchResult
from sae_desktop.cli.config_options import Choice, Settings, option, with_options
from sae_desktop.cli.lens_commands import ChatOption, ModelOption
from sae_desktop.cli.node_text import NodeTexts
from sae_desktop.cli.options import DeviceOption, JsonOption, ProjectArgument
from sae_desktop.cli.render import table
from sae_desktop.cli.runner import run_job_command
from sae_desktop.cli.trace_commands import GraphArgument
from sae_desktop.cli.trace_commands import trace_app as trace_app
from sae_desktop.described import default
from sae_desktop.described import settings as settings_of
from sae_desktop.language_model.names import BUILTIN
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.words.agreement_text import agreement_lines, parting_text
from sae_desktop.words.amounts import signed_text, whole_percent_text

_NO_NODES: list[int] = []
_ROWS = 20
_ATTENTION: AttentionMode = default(InterveneConfig, "attention")
_NORMS: NormsMode = default(InterveneConfig, "norms")


@trace_app.command("groups")
@with_options(GroupsConfig, tuple(Choice(field) for field in settings_of(GroupsConfig)))
def groups(
    project: ProjectArgument, graph: GraphArgument, settings: Settings, as_json: JsonOption = False
) -> None:
    """Put features of a graph that do the same into groups, and keep them in its file."""
    config = GroupsConfig(project=str(project), graph=graph, **settings)
    run_job_command(config, groups_text, as_json=as_json)


def groups_text(result: GroupsResult) -> str:
    """Return the groups with how stable they are."""
    rows = [
        (group.name, str(len(group.nodes)), f"{group.stability:.2f}", f"{group.influence:.3f}")
        for group in result.groups
    ]
    text = table(("group", "features", "stability", "influence"), rows, left={0})
    chance = result.shuffled_stability
    beside = "" if chance is None else f"; exchanged links give groups of stability {chance:.2f}"
    return f"{text}\n{result.grouped:,} of {result.considered:,} features are in a group{beside}"


@trace_app.command("test")
def try_changes(
    project: ProjectArgument,
    graph: GraphArgument,
    node: Annotated[
        list[int], typer.Option("--node", min=0, help="Number of a node to change; repeatable.")
    ] = _NO_NODES,
    group: Annotated[str, typer.Option("--group", help="Name of a group to change.")] = "",
    mode: Annotated[ChangeMode, typer.Option("--mode", help="What is done to them.")] = default(
        NodeChange, "mode"
    ),
    value: Annotated[
        float, typer.Option("--value", help="Activation to clamp to, or factor to multiply by.")
    ] = default(NodeChange, "value"),
    other: Annotated[
        str, typer.Option("--other", help="Prompt from which “swap” takes the activations.")
    ] = "",
    attention: Annotated[
        AttentionMode, option(InterveneConfig, "attention", "--attention")
    ] = _ATTENTION,
    norms: Annotated[NormsMode, option(InterveneConfig, "norms", "--norms")] = _NORMS,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Change nodes of a graph in the model, and compare what happens with what it predicts."""
    changes = [NodeChange(node=one, mode=mode, value=value, prompt=other) for one in node]
    if group:
        changes.append(NodeChange(group=group, mode=mode, value=value, prompt=other))
    if not changes:
        raise typer.BadParameter("name a node or a group", param_hint="--node")
    config = InterveneConfig(
        project=str(project), graph=graph, changes=tuple(changes), attention=attention,
        norms=norms, device=device,
    )  # fmt: skip
    texts = NodeTexts(project, graph)
    run_job_command(config, partial(tested_text, texts=texts), as_json=as_json)


def tested_text(result: InterveneResult, texts: NodeTexts) -> str:
    """Return the changes, the largest first, then the next tokens."""
    order = sorted(result.effects, key=lambda e: -max(abs(e.measured), abs(e.predicted)))[:_ROWS]
    rows = [
        (
            f"{texts(effect.node)}{' (changed)' if effect.changed else ''}",
            *(signed_text(v, 3) for v in (effect.before, effect.predicted, effect.measured)),
        )
        for effect in order
    ]
    lines = [table(("node", "before", "predicted change", "measured change"), rows, left={0})]
    for what, value in (
        ("outputs", result.logit_correlation),
        ("features", result.node_correlation),
    ):
        if value is not None:
            lines.append(f"correlation of predicted and measured change, {what}: {value:.3f}")
    lines += [f"- {line}" for line in agreement_lines(result.agreement)]
    said = parting_text(result.agreement)
    lines += [said] if said else []
    tokens = [
        (visible_token(row.token), f"{row.before:.1%}", f"{row.after:.1%}")
        for row in result.next_tokens
    ]
    return "\n".join([*lines, "", table(("next token", "before", "after"), tokens, left={0})])


@trace_app.command("faithfulness")
@with_options(FaithfulnessConfig, (Choice("count"),))
def faithfulness(
    project: ProjectArgument,
    graph: GraphArgument,
    settings: Settings,
    attention: Annotated[
        AttentionMode, option(InterveneConfig, "attention", "--attention")
    ] = _ATTENTION,
    norms: Annotated[NormsMode, option(InterveneConfig, "norms", "--norms")] = _NORMS,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Ablate a graph’s top nodes one by one, beside random features of equal activation."""
    config = FaithfulnessConfig(
        project=str(project),
        graph=graph,
        attention=attention,
        norms=norms,
        device=device,
        **settings,
    )
    texts = NodeTexts(project, graph)
    run_job_command(config, partial(faithfulness_text, texts=texts), as_json=as_json)


def faithfulness_text(result: FaithfulnessResult, texts: NodeTexts) -> str:
    """Return the effects of the top nodes, then the figures."""
    rows = [
        (texts(node), *(signed_text(value, 4) for value in values))
        for node, *values in zip(
            result.nodes, result.predicted, result.replaced, result.measured,
            result.random_measured, strict=False,
        )
    ]  # fmt: skip
    heads = (
        "node", "predicted", "in the replacement model", "measured",
        "a random feature of like activation",
    )  # fmt: skip
    lines = [table(heads, rows, left={0})]
    if result.correlation is not None:
        lines.append(f"correlation of predicted and measured: {result.correlation:.3f}")
    lines += [f"- {line}" for line in agreement_lines(result.agreement)]
    said = parting_text(result.agreement)
    lines += [said] if said else []
    lines.append(
        f"mean size of the effect: {result.top_effect:.4f}, of random features "
        f"{result.random_effect:.4f}; same sign in {result.same_sign:.0%}"
    )
    return "\n".join(lines)


@trace_app.command("patch")
def patch(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="Text that is read.")],
    other: Annotated[
        str, typer.Argument(metavar="OTHER", help="Text whose values are put in, as many tokens.")
    ],
    model: ModelOption = BUILTIN,
    target: Annotated[
        str, typer.Option("--target", help="Token that is measured; default: the likeliest.")
    ] = "",
    against: Annotated[
        str, typer.Option("--against", help="Token it is set against; default: the other answer.")
    ] = "",
    hook: Annotated[PatchedHook, option(PatchConfig, "hook", "--hook")] = "hook_resid_post",
    chat: ChatOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Put values of another prompt into a prompt, one place at a time."""
    config = PatchConfig(
        model=model, prompt=prompt, other=other, target=target, against=against, hook=hook,
        chat=chat, device=device,
    )  # fmt: skip
    run_job_command(config, patched_text, as_json=as_json)


def patched_text(result: PatchResult) -> str:
    """Return how much of the other answer each place brings, the last layer first."""
    columns = len(result.grid[0])
    heads = [
        str(number) if result.by == "head" else visible_token(result.tokens[number])
        for number in range(columns)
    ]
    rows = [
        (f"layer {number}", *map(whole_percent_text, result.restored[number]))
        for number in reversed(range(len(result.grid)))
    ]
    return (
        f"{table((f'by {result.by}', *heads), rows, left={0})}\n"
        f"logit of “{visible_token(result.target)}” minus “{visible_token(result.against)}”: "
        f"{signed_text(result.difference, 3)}, after the other prompt "
        f"{signed_text(result.other_difference, 3)}"
    )
