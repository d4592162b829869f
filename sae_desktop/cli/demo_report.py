"""A short report on a headless demonstration, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sae_desktop.features.reading.facts import Context
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.training.config import DictionaryFigures, EvaluateResult

_FEATURES = 12
_CONTEXTS = 3


def write_report(
    out: Path,
    index: FeatureIndex,
    steered: int,
    clamp: float,
    results: Sequence[Any],
    pictures: Sequence[Path],
) -> Path:
    """Write `report.md` beside the pictures and return its path.

    `results` are those of harvest, train, evaluate, index and steer.
    """
    harvest, train, evaluation, _, steer = results
    lines = [
        "# Demonstration of SAE Desktop",
        "",
        f"{harvest.rows:,} activations of `{harvest.site}` "
        f"({harvest.tokens_per_second:,.0f} tokens per second); "
        f"{train.features:,} features trained on {train.rows:,} rows "
        f"({train.rows_per_second:,.0f} per second).",
        "",
        *_figures(evaluation),
        "",
        "## Features that fire strongest",
        "",
        *_features(index),
        "## Steering",
        "",
        f"Feature {steered} clamped to {clamp:g} × its maximum.",
        "",
        *(f"- {v.name.capitalize()}: {_line(v.prompt + v.text)}" for v in steer.variants),
        "",
        "| next token | plain | steered |",
        "|---|---:|---:|",
        *(
            f"| `{_line(t.token)}` | {' | '.join(f'{p:.4f}' for p in t.probabilities)} |"
            for t in steer.next_tokens
        ),
        "",
        "## Panels",
        "",
        *(f"![{picture.stem}]({picture.name})" for picture in pictures),
        "",
    ]
    path = out / "report.md"
    write_bytes(path, "\n".join(lines).encode())
    return path


def _figures(evaluation: EvaluateResult) -> list[str]:
    rows = [_row("this dictionary", evaluation)]
    if evaluation.control is not None:
        rows.append(_row("random directions", evaluation.control))
    return [
        "| | L0 | explained variance | loss recovered |",
        "|---|---:|---:|---:|",
        *rows,
        "",
        f"Dead over {evaluation.dead_window:,} rows: {evaluation.dead_fraction:.1%}.",
    ]


def _row(name: str, figures: EvaluateResult | DictionaryFigures) -> str:
    recovered = figures.loss_recovered
    shown = "–" if recovered is None else f"{recovered:.3f}"
    return f"| {name} | {figures.l0:.1f} | {figures.explained_variance:.3f} | {shown} |"


def _features(index: FeatureIndex) -> list[str]:
    strongest = index.columns["max_activation"].argsort()[::-1][:_FEATURES]
    lines = []
    for feature in strongest.tolist():
        density = index.columns["density"][feature]
        lines += [f"**Feature {feature}** (on {density:.2%} of tokens)", ""]
        lines += [f"- {_marked(c)}" for c in index.contexts(feature)[:_CONTEXTS]]
        lines.append("")
    return lines


def _marked(context: Context) -> str:
    context = context.as_read()
    tokens = list(context.tokens)
    tokens[context.peak] = f"⟦{visible_token(tokens[context.peak])}⟧"
    return _line("".join(tokens))


def _line(text: str) -> str:
    """Return text on one line, so that Markdown shows it as it is."""
    for mark in "\\`*_<>|#[]":
        text = text.replace(mark, "\\" + mark)
    return text.replace("\n", "↵").replace("\r", "")
