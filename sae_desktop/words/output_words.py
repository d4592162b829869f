"""What the outputs and inputs of a feature are called, and what their bars say. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from sae_desktop.dictionary.ends import End, end_words, sources
from sae_desktop.features.reading.outputs import InputFact, OutputFact
from sae_desktop.words.amounts import percent_text

ALL_OUTPUTS = "Over all outputs"
_SHORT_MODEL = 12


def short_names(ends: Sequence[End], models: Sequence[str]) -> list[str]:
    """Return a few letters for each site, by what tells it from the others: “L3”, a model."""
    hooks = [end.site.split(".", 2)[-1] for end in ends]
    layers = [f"L{_layer(end)}" if _layer(end) is not None else end.site for end in ends]
    found = []
    for end, layer, hook in zip(ends, layers, hooks, strict=True):
        words = []
        if sources(ends) > 1:
            words.append(_short_model(models, end.source))
        own = [n for n, other in enumerate(ends) if other.source == end.source]
        if len({layers[n] for n in own}) > 1 or (len(own) == 1 and sources(ends) == 1):
            words.append(layer)
        if len({(layers[n], hooks[n]) for n in own}) > len({layers[n] for n in own}):
            words.append(hook.removeprefix("hook_"))
        found.append(" ".join(words) or layer)
    return found


def _layer(end: End) -> int | None:
    head, _, rest = end.site.partition(".")
    layer = rest.split(".", 1)[0]
    return int(layer) if head == "blocks" and layer.isdigit() else None


def _short_model(models: Sequence[str], source: int) -> str:
    name = PurePath(models[source]).name if source < len(models) else f"model {source + 1}"
    return name if len(name) <= _SHORT_MODEL else f"{name[: _SHORT_MODEL - 1]}…"


def output_tip(fact: OutputFact, models: Sequence[str]) -> str:
    """Return what a bar of the strip says when it is hovered over."""
    lines = [
        end_words(fact.end, models),
        f"The feature writes here with {percent_text(fact.strength)} of the strength it has at its "
        "strongest output."
        if fact.strength > 0
        else "The feature writes nothing here.",
    ]
    if fact.logit_spread is not None and fact.strength > 0:
        lines.append(
            "Through this output alone, one unit of activation moves the logits by "
            f"{fact.logit_spread:.3g} (standard deviation over the vocabulary)."
        )
    if fact.strength > 0:
        lines.append("Click to see its logits and nearest features by this output alone.")
    return "\n".join(lines)


def input_tip(fact: InputFact, models: Sequence[str]) -> str:
    """Return what a bar of the inputs says when it is hovered over."""
    share = max(fact.share, 0.0)
    return (
        f"{end_words(fact.end, models)}\n"
        f"With this input alone put at its mean, the feature loses {percent_text(share)} of its "
        "activation, on average over where it fires."
    )
