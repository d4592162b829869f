"""What the command that steers prints."""

from __future__ import annotations

from collections.abc import Callable

from sae_desktop.cli.render import table
from sae_desktop.features.reading.known_strength import KnownStrength
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.steering.config import (
    SteerConfig,
    SteerResult,
    SweepStrengthsResult,
    VariantResult,
)
from sae_desktop.steering.effect_config import OutputEffectResult
from sae_desktop.steering.export_config import ExportSteeringResult
from sae_desktop.steering.figures_text import figures_text
from sae_desktop.words.condition_text import open_text, score_text, watched_text
from sae_desktop.words.steering_verdict import plain_beside, verdict_of
from sae_desktop.words.strength_words import effects_text

_TEXT = 60


def steer(
    result: SteerResult, asked: SteerConfig, strength: Callable[[int], KnownStrength | None]
) -> str:
    """Return the continuations, one below the other, and the next tokens of each.

    `strength` tells at which strengths a feature of the index works.
    """
    parts = []
    for variant, found in zip(asked.variants, result.variants, strict=True):
        plain = plain_beside(asked.variants, result.variants, found)
        verdict = verdict_of(variant.interventions, found, plain, strength)
        told = [] if verdict is None else [verdict.sentence]
        watched = [f"{watched_text(one)} {score_text(one)}" for one in found.watched]
        told += filter(None, [open_text(variant, found), *watched])
        parts.append("\n".join([_heading(found), f"{found.prompt}{found.text}", *told]))
    names = tuple(v.name for v in result.variants)
    rows = [
        (visible_token(t.token), *(f"{p:.4f}" for p in t.probabilities)) for t in result.next_tokens
    ]
    return "\n\n".join([*parts, table(("next token", *names), rows, left={0})])


def _heading(found: VariantResult) -> str:
    figures = figures_text(found)
    told = f" ({figures})" if figures else ""
    return f"{found.name[:1].upper()}{found.name[1:]}{told}"


def sweep(result: SweepStrengthsResult) -> str:
    """Return a line for each factor of the strengths."""
    rows = [
        (
            f"{point.strength:g}",
            _figure(point.perplexity),
            _figure(point.kl),
            f"{point.repetition:.2f}",
            " ".join(f"{p:.4f}" for p in point.watched),
            "broken" if point.broken else "",
            " ".join(point.text.split())[:_TEXT],
        )
        for point in result.points
    ]
    plain = result.plain
    rows.append(
        (
            "plain", _figure(plain.perplexity), "0", f"{plain.repetition:.2f}",
            " ".join(f"{p:.4f}" for p in result.plain_watched), "",
            " ".join(plain.text.split())[:_TEXT],
        )
    )  # fmt: skip
    head = ("factor", "perplexity", "KL", "repeats", "watched", "", "text")
    return f"{table(head, rows, left={5, 6})}\nbroken: {result.criterion}"


def effects(result: OutputEffectResult) -> str:
    return effects_text(result)


def exported(result: ExportSteeringResult) -> str:
    return f"Written: {result.path} ({result.bytes:,} bytes)"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
