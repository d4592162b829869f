"""What is said of what was asked of a graph: groups, tests, faithfulness. Free of Qt and torch."""

from __future__ import annotations

from collections.abc import Sequence

from sae_desktop.circuits.asking_config import (
    Agreement,
    AttentionMode,
    FaithfulnessResult,
    GroupsResult,
    InterveneResult,
    NodeChange,
    NormsMode,
)
from sae_desktop.circuits.reading.graph_file import Faithfulness
from sae_desktop.words.agreement_text import parting_text
from sae_desktop.words.amounts import exact_count, share_text
from sae_desktop.words.graph_words import signed

MODES = (
    ("ablate", "Switch off", "Its activation is set to 0"),
    ("clamp", "Set to", "Its activation is set to a value"),
    ("multiply", "Multiply by", "Its activation is multiplied; 2 doubles it, −1 turns it round"),
    ("swap", "Swap in from", "Its activation is what it is in another prompt of as many tokens"),
)


HELD: dict[tuple[AttentionMode, NormsMode], tuple[str, str]] = {
    ("frozen", "frozen"): (
        "Attention and norms held",
        "Heads look where they looked, and norms divide by what they divided by: what a graph "
        "predicts for.",
    ),
    ("frozen", "free"): (
        "Attention held",
        "Heads look where they looked; norms divide by the size of what they are given then.",
    ),
    ("free", "frozen"): (
        "Norms held",
        "Norms divide by what they divided by; heads look where the changed model has them look.",
    ),
    ("free", "free"): (
        "Nothing held",
        "Heads look where the changed model has them look, and norms divide by what they are given "
        "then: what the model really does.",
    ),
}
"""What is held as it was when nodes are changed → its name, and what it means."""


def groups_text(result: GroupsResult) -> str:
    """Return what was found of groups, and what chance would give."""
    if not result.groups:
        return (
            f"No group of {exact_count(result.considered)} nodes is found again and again: each "
            "has inputs and outputs of its own."
        )
    mean = sum(group.stability for group in result.groups) / len(result.groups)
    return (
        f"{exact_count(len(result.groups))} group{'s' * (len(result.groups) > 1)} with "
        f"{exact_count(result.grouped)} of {exact_count(result.considered)} nodes. Stability "
        f"{share_text(mean, 0)} on average; groups of shuffled edges have "
        f"{share_text(result.shuffled_stability, 0)}."
        + " Chance finds groups as surely: take these for a suggestion."
        * (result.shuffled_stability is not None and mean <= result.shuffled_stability)
    )


def change_text(change: NodeChange, name: str) -> str:
    """Return a change in words: “Switch off “capital cities””."""
    title = next(text for mode, text, _ in MODES if mode == change.mode)
    if change.mode == "ablate":
        return f"{title} “{name}”"
    if change.mode == "swap":
        return f"{title} “{change.prompt}”: “{name}”"
    return f"“{name}”: {title[0].lower()}{title[1:]} {change.value:g}"


def tested_text(result: InterveneResult) -> str:
    """Return how far the graph foresaw what happened."""
    parts = []
    for what, value in (("logits", result.logit_correlation), ("nodes", result.node_correlation)):
        if value is not None:
            parts.append(f"{value:.2f} over {what}")
    how = HELD[result.attention, result.norms][0].lower()
    said = f"Correlation of predicted and measured ({how}): {', '.join(parts)}. " if parts else ""
    return f"{target_text(result)} {said}{parting_text(result.agreement)}".strip()


def target_text(result: InterveneResult) -> str:
    """Return the change of all that is explained, beside that by random groups."""
    target = result.target
    if target is None:
        return ""
    said = (
        f"What is explained, by probability: predicted {signed(target.predicted)}, measured "
        f"{signed(target.measured)}."
    )
    if not target.random:
        return said
    lowest, highest = min(target.random), max(target.random)
    mean = sum(target.random) / len(target.random)
    return (
        f"{said} {exact_count(len(target.random))} random groups of like activation: "
        f"{signed(mean)} on average, {signed(lowest)} to {signed(highest)}."
    )


def verdict(result: InterveneResult, targets: Sequence[int]) -> str:
    """Return one sentence: whether the tokens that are explained moved as predicted."""
    effects = {effect.node: effect for effect in result.effects}
    found = [effects[node] for node in targets if node in effects]
    if not found:
        return ""
    most = max(found, key=lambda effect: abs(effect.predicted))
    if abs(most.predicted) < 1e-3 and abs(most.measured) < 1e-3:
        return "The graph predicts no effect on the explained tokens, and there is none."
    share = most.measured / most.predicted if most.predicted else 0.0
    figures = f"predicted {signed(most.predicted)}, measured {signed(most.measured)}"
    if share <= 0:
        return f"The graph is refuted here: the logit moved the other way ({figures})."
    if 0.5 <= share <= 2.0:
        return f"The graph is confirmed here: the logit moved about as predicted ({figures})."
    size = "less" if share < 1 else "more"
    return f"The logit moved as predicted, but {size} ({figures})."


def faithfulness_text(result: FaithfulnessResult | Faithfulness) -> str:
    """Return how faithful a graph is: its nodes beside random ones."""
    correlation = result.correlation
    count = len(result.nodes) if isinstance(result, FaithfulnessResult) else result.nodes
    said = "" if correlation is None else f"Predicted with measured effect: {correlation:.2f}. "
    times = result.top_effect / result.random_effect if result.random_effect > 0 else 0.0
    beside = f", {times:.1f}× as much" if times else ""
    if isinstance(result, FaithfulnessResult):
        agreed = result.agreement
    else:
        told = {name: result.details[name] for name in _AGREEMENT if name in result.details}
        agreed = Agreement(overflowed=int(told.pop("overflowed", 0)), **told)
    why = parting_text(agreed)
    return (
        f"{exact_count(count)} top nodes were switched off one by one. {said}Mean effect "
        f"{result.top_effect:.3g}; of random nodes of equal activation "
        f"{result.random_effect:.3g}{beside}. {why}"
    ).rstrip()


_AGREEMENT = Agreement.__struct_fields__
