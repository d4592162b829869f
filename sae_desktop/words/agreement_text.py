"""Where a graph's prediction and the model part, and why, in words. Free of Qt and torch."""

from __future__ import annotations

from sae_desktop.circuits.asking_config import Agreement

_GOOD = 0.9
"""A correlation above is said to be agreement."""
_DROP = 0.1
"""Between two correlations, what is worth a word."""


_OVERFLOWS = (
    "With attention and norms held as in the graph, the model’s values overflow: its MLPs amplify "
    "what the norms would keep small, so that there is nothing to compare."
)
_OVERFLOWS_FOR_SOME = (
    "Where the model’s values overflow with norms held, since its MLPs amplify what the norms "
    "would keep small, they are left out of the figure."
)


def _figure(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def agreement_lines(found: Agreement) -> list[str]:
    """Return the correlation for each thing that may be held, a line each."""
    rows = (
        ("the model with attention and norms held as in the graph", found.held),
        ("the model with attention held", found.attention_held),
        ("the model with nothing held", found.free),
        ("the replacement model with attention and norms held", found.edges),
    )
    lines = [
        f"predicted with {what}: {_figure(value)}" for what, value in rows if value is not None
    ]
    if found.replaced is not None:
        lines.append(f"the replacement model with the model: {_figure(found.replaced)}")
    return lines


def parting_text(found: Agreement) -> str:
    """Return why prediction and measurement part; empty where too little is known to say."""
    held, half, free = found.held, found.attention_held, found.free
    if held is None and found.overflowed:
        return _OVERFLOWS
    if held is None or half is None or free is None:
        return ""
    left_out = f" {_OVERFLOWS_FOR_SOME}" if found.overflowed else ""
    return f"{_parting(found, held, half, free)}{left_out}"


def _parting(found: Agreement, held: float, half: float, free: float) -> str:
    as_held = "with attention and norms held as in the graph"
    if held < _GOOD:
        return f"Prediction and model part ({_figure(held)}) even {as_held}: {_held_apart(found)}."
    said = f"With{as_held[4:]}, prediction and model agree ({_figure(held)})"
    norms, heads = held - half > _DROP, half - free > _DROP
    if not norms and not heads:
        return f"{said}, and hardly less with nothing held ({_figure(free)})."
    reasons = []
    if norms:
        reasons.append(f"norms, which divide by another size once a node changes ({_figure(half)})")
    if heads:
        reasons.append(f"attention, which then looks elsewhere ({_figure(free)})")
    return f"{said}; they part because of {' and '.join(reasons)}.{_replacement(found)}"


def _held_apart(found: Agreement) -> str:
    if found.edges is not None and found.edges < _GOOD:
        return (
            f"the replacement model already does otherwise ({_figure(found.edges)}), since "
            "features start or stop firing, or since edges were left out as too small"
        )
    return "the MLPs respond otherwise than the features that stand for them"


def _replacement(found: Agreement) -> str:
    """Return whether the features, where norms and heads respond, do as the model does."""
    if found.replaced is None:
        return ""
    said = " The replacement model, run in the same way, agrees with it"
    figure = _figure(found.replaced)
    if found.replaced < _GOOD:
        return f"{said} to {figure}."
    return f"{said} ({figure}): the features are right, and it is the edges that leave this out."
