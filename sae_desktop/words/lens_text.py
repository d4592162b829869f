"""A lens and a patch as grids of words: what stands in a cell, how it is shaded, what it tells.

Free of Qt and torch. Rows run from the last layer to the first, as graphs do.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from sae_desktop.circuits.lens_config import LensResult, PatchResult
from sae_desktop.words.amounts import MINUS, exact_count, share_text
from sae_desktop.words.graph_words import quoted, signed

LENS_TOP = 5
HOOKS = (
    ("hook_resid_post", "The stream after a layer"),
    ("hook_resid_pre", "The stream before a layer"),
    ("hook_attn_out", "What attention writes"),
    ("hook_mlp_out", "What the MLP writes"),
    ("attn.hook_z", "Each attention head"),
)


class Cells(NamedTuple):
    """What a grid shows; the lists in it have one list a row."""

    rows: list[str]
    columns: list[str]
    texts: list[list[str]]
    shades: list[list[float]]
    tips: list[list[str]]


def lens_cells(result: LensResult, followed: int = -1) -> Cells:
    """Return the cells of a lens: the likeliest token of each, or the probability of one."""
    order = range(len(result.rows) - 1, -1, -1)
    columns = [quoted(token) for token in result.tokens]
    texts, shades, tips = [], [], []
    for row in order:
        line, shade, tip = [], [], []
        for place in range(len(result.tokens)):
            tokens, chances = result.top_tokens[row][place], result.top_probabilities[row][place]
            if followed < 0:
                line.append(quoted(tokens[0]) if tokens else "")
                shade.append(_sharp(chances[0] if chances else 0.0))
            else:
                chance = result.probability[row][place][followed]
                line.append(share_text(chance, 0 if chance >= 0.1 else 1))
                shade.append(_sharp(chance))
            tip.append(_lens_tip(result, row, place, followed))
        texts.append(line)
        shades.append(shade)
        tips.append(tip)
    return Cells([_row_name(result.rows[row]) for row in order], columns, texts, shades, tips)


def _sharp(chance: float) -> float:
    """Return a shade for a probability: small ones are still told apart."""
    return math.sqrt(max(chance, 0.0)) if math.isfinite(chance) else 0.0


def _row_name(name: str) -> str:
    return name[:1].upper() + name[1:]


def _lens_tip(result: LensResult, row: int, place: int, followed: int) -> str:
    pairs = zip(result.top_tokens[row][place], result.top_probabilities[row][place], strict=True)
    lines = [f"{_row_name(result.rows[row])}, after “{quoted(result.tokens[place])}”"]
    lines += [f"“{quoted(token)}” {share_text(chance)}" for token, chance in pairs]
    if followed >= 0:
        rank = exact_count(result.rank[row][place][followed])
        lines.append(f"“{quoted(result.followed[followed])}” is in place {rank}")
    lines.append(f"KL from the model’s own answer: {result.kl[row][place]:.2f} nats")
    return "\n".join(lines)


def lens_text(result: LensResult) -> str:
    """Return where the answer comes up: the first layer from which on it is the likeliest."""
    if not result.tokens or not result.top_tokens:
        return ""
    last = len(result.tokens) - 1
    answers = [result.top_tokens[row][last][:1] for row in range(len(result.rows))]
    answer = answers[-1]
    if not answer:
        return ""
    first = len(answers) - 1
    while first > 0 and answers[first - 1] == answer:
        first -= 1
    fitted = f" Averaged over {result.fitted_on}." if result.fitted_on else ""
    said = f"After the last token, “{quoted(answer[0])}” is the likeliest"
    if first == len(answers) - 1:
        return f"{said} only after the last layer.{fitted}"
    return f"{said} from {result.rows[first]} on.{fitted}"


def patch_cells(result: PatchResult) -> Cells:
    """Return the cells of a patch: which share of the other prompt's answer each place brings."""
    layers = range(len(result.restored) - 1, -1, -1)
    if result.by == "head":
        count = len(result.restored[0]) if result.restored else 0
        columns = [f"head {number}" for number in range(count)]
    else:
        columns = [
            quoted(one) if one == other else f"{quoted(one)}|{quoted(other)}"
            for one, other in zip(result.tokens, result.other_tokens, strict=True)
        ]
    texts, shades, tips = [], [], []
    for layer in layers:
        row = result.restored[layer]
        texts.append([_percent(share) for share in row])
        shades.append([max(min(share, 1.0), -1.0) for share in row])
        tips.append(
            [
                f"Layer {layer}, {columns[place]}\nDifference of logits "
                f"{signed(result.grid[layer][place])}\n{_percent(row[place])} of the way "
                "to the other prompt"
                for place in range(len(row))
            ]
        )
    return Cells([f"Layer {layer}" for layer in layers], columns, texts, shades, tips)


def _percent(share: float) -> str:
    """Return a share that may be below 0, without a sign before nothing."""
    return f"{MINUS if round(100 * share) < 0 else ''}{abs(round(100 * share))}%"


def patch_text(result: PatchResult) -> str:
    """Return what the shares of a patch are of."""
    target, against = quoted(result.target), quoted(result.against)
    return (
        f"Logit of “{target}” minus that of “{against}”: {signed(result.difference)} after the "
        f"prompt (0%), {signed(result.other_difference)} after the other (100%)."
    )
