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
from sae_desktop.circuits.reading.graph_file import LOGIT
from sae_desktop.cli.config_options import Choice, Settings, option, with_options
from sae_desktop.cli.lens_commands import ChatOption, ModelOption
from sae_desktop.cli.node_text import NodeTexts
from sae_desktop.cli.options import DeviceOption, JsonOption, ProjectArgument
from sae_desktop.cli.render import meaning, table
from sae_desktop.cli.runner import run_job_command
from sae_desktop.cli.trace_commands import GraphArgument
from sae_desktop.cli.trace_commands import trace_app as trace_app
from sae_desktop.described import default
from sae_desktop.described import settings as settings_of
from sae_desktop.language_model.names import BUILTIN
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.words.agreement_text import agreement_lines, parting_text
from sae_desktop.words.amounts import share_text, signed_text, whole_percent_text
from sae_desktop.words.circuit_text import groups_text as said_of_groups
from sae_desktop.words.circuit_text import tested_text as said_of_test
from sae_desktop.words.circuit_text import verdict

_NO_NODES: list[int] = []
_NONE = "–"
_ROWS = 20
_MEMBERS = 3
_ATTENTION: AttentionMode = default(InterveneConfig, "attention")
_NORMS: NormsMode = default(InterveneConfig, "norms")


@trace_app.command("groups")
@with_options(GroupsConfig, tuple(Choice(field) for field in settings_of(GroupsConfig)))
def groups(
    project: ProjectArgument, graph: GraphArgument, settings: Settings, as_json: JsonOption = False
) -> None:
    """Put features of a graph that do the same into groups, and keep them in its file."""
    config = GroupsConfig(project=str(project), graph=graph, **settings)
    texts = NodeTexts(project, graph)
    run_job_command(config, partial(groups_text, texts=texts), as_json=as_json)


def groups_text(result: GroupsResult, texts: NodeTexts) -> str:
    """Return the groups with how stable they are, and of what features they are."""
    rows = [
        (
            group.name,
            str(len(group.nodes)),
            share_text(group.stability, 0),
            share_text(group.influence),
            ", ".join(texts.name(node) for node in group.nodes[:_MEMBERS])
            + ("…" if len(group.nodes) > _MEMBERS else ""),
        )
        for group in result.groups
    ]
    heads = ("group", "features", "stability", "influence", "its features of most influence")
    lines = [table(heads, rows, left={0, 4})] if rows else []
    return "\n".join([*lines, said_of_groups(result), meaning("Stability")])


@trace_app.command("test")
def try_changes(
    project: ProjectArgument,
    graph: GraphArgument,
    node: Annotated[
        list[int], typer.Option("--node", min=0, help="Number of a node to change; repeatable.")
    ] = _NO_NODES,
    group: Annotated[str, typer.Option("--group", help="Name of a group to change.")] = "",
    mode: Annotated[
        ChangeMode,
        typer.Option(
            "--mode",
            help="What is done to their activation: ablate sets it to 0, clamp to --value, "
            "multiply takes it --value times, swap takes that in the prompt --other.",
        ),
    ] = default(NodeChange, "mode"),
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
    random: Annotated[int, option(InterveneConfig, "random", "--random")] = default(
        InterveneConfig, "random"
    ),
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Another seed draws other random groups.")
    ] = default(InterveneConfig, "seed"),
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
        norms=norms, random=random, seed=seed, device=device,
    )  # fmt: skip
    texts = NodeTexts(project, graph)
    run_job_command(config, partial(tested_text, texts=texts), as_json=as_json)


def tested_text(result: InterveneResult, texts: NodeTexts) -> str:
    """Return what is changed, what that does to what is explained and to features, next tokens."""
    logits = [n for n in range(texts.graph.nodes) if texts.graph.kind[n] == LOGIT]
    others = [effect for effect in result.effects if not effect.changed]
    # What is explained comes first.
    others.sort(key=lambda e: (e.node not in logits, -max(abs(e.measured), abs(e.predicted))))
    rows = [
        (
            texts(effect.node),
            *(signed_text(v, 3) for v in (effect.before, effect.predicted, effect.measured)),
            _NONE if effect.random is None else signed_text(effect.random, 3),
        )
        for effect in others[: _ROWS + len(logits)]
    ]
    heads = ("node", "before", "predicted change", "measured change", "by random groups")
    tokens = [
        (
            visible_token(row.token),
            f"{row.before:.1%}",
            f"{row.after:.1%}",
            _NONE if row.random is None else f"{row.random:.1%}",
        )
        for row in result.next_tokens
    ]
    said = (verdict(result, logits), said_of_test(result))
    return "\n".join(
        [
            *_changed_lines(result, texts),
            table(heads, rows, left={0}),
            *(line for line in said if line),
            *(f"- {line}" for line in agreement_lines(result.agreement)),
            "",
            table(("next token", "before", "after", "after random groups"), tokens, left={0}),
        ]
    )


def _changed_lines(result: InterveneResult, texts: NodeTexts) -> list[str]:
    """Return what the changed nodes are given; nothing of those that are not in the graph."""
    changed = [effect for effect in result.effects if effect.changed]
    lines = [
        f"  {texts(effect.node)}: {signed_text(effect.before, 3)} → "
        f"{signed_text(effect.before + effect.measured, 3)}"
        for effect in changed[:_ROWS]
    ]
    more = [f"  … and {len(changed) - _ROWS:,} more"] if len(changed) > _ROWS else []
    return ["Changed:", *lines, *more] if lines else []


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
