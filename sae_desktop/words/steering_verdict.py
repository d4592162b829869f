"""What became of a steered text, in a sentence that says what to try next.

Measured as the sweep over strengths measures it (`steering/breaking.py`), and told alike in the
window and by the command line. Free of Qt and torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from sae_desktop.features.reading.known_strength import KnownStrength
from sae_desktop.steering.breaking import TURNED, breaking
from sae_desktop.steering.config import Intervention, Variant, VariantResult

Kind = Literal["turned", "changed", "same", "repeats", "unlikely"]
_STRONGER, _DOUBLE, _WEAKER = 1.5, 2.0, 2 / 3
_SAID = {
    "same": "Too weak: the text is the same as the plain one",
    "changed": "The text changes, but not towards the feature",
    "repeats": "Too strong: it repeats itself",
    "unlikely": "Too strong: it falls apart into words that the plain model would not write",
}


class SteeringVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a text."""

    kind: Kind
    sentence: str
    factor: float | None = None
    """By which the strengths are to be multiplied next; None: nothing better is known."""
    button: str = ""
    """What a button says that does so."""

    @property
    def good(self) -> bool:
        return self.kind == "turned"


def steering_verdict(
    found: VariantResult,
    plain: VariantResult | None,
    acts: Sequence[Intervention],
    known: KnownStrength | None = None,
) -> SteeringVerdict | None:
    """Return what became of a steered text; None of one that was not compared with the plain one.

    `known`: of the feature, where `acts` clamp one alone.
    """
    if plain is None or not acts or found.typical_strength is None or not plain.tokens:
        return None
    kind = _kind(found, plain, acts)
    if kind == "turned":
        return SteeringVerdict(kind=kind, sentence=_turned(found, acts))
    alone = len(acts) == 1 and acts[0].mode in ("clamp", "add") and acts[0].strength != 0
    if kind == "changed" and (found.own is None or min(a.strength for a in acts) <= 0):
        return SteeringVerdict(kind="changed", sentence="The text changes and stays whole.")
    if any(a.feature is not None and a.direction is not None for a in acts):
        return SteeringVerdict(kind=kind, sentence=f"{_SAID[kind]}.")  # a control: nothing to try
    if alone:
        return _of_one(kind, acts[0], known)
    scaled = [a for a in acts if a.mode in ("clamp", "add") and a.strength]
    if not scaled:
        return SteeringVerdict(kind=kind, sentence=f"{_SAID[kind]}.")
    factor = _WEAKER if kind in ("repeats", "unlikely") else _STRONGER
    what = "a third weaker" if factor < 1 else "half as strong again"
    return SteeringVerdict(
        kind=kind, sentence=f"{_SAID[kind]}; try all sliders {what}.", factor=factor,
        button="Weaken all sliders" if factor < 1 else "Strengthen all sliders",
    )  # fmt: skip


def verdict_of(
    acts: Sequence[Intervention],
    found: VariantResult,
    plain: VariantResult | None,
    strength: Callable[[int], KnownStrength | None],
) -> SteeringVerdict | None:
    """Return the verdict, with what `strength` knows of the one feature that is steered with."""
    known = None
    if len(acts) == 1 and acts[0].feature is not None and not acts[0].index:
        clamps = acts[0].mode == "clamp" and acts[0].direction is None
        known = strength(acts[0].feature) if clamps else None
    return steering_verdict(found, plain, acts, known)


def plain_beside(
    variants: Sequence[Variant], results: Sequence[VariantResult], found: VariantResult
) -> VariantResult | None:
    """Return what the model wrote by itself after the same prompt, if it was asked."""
    pairs = zip(variants, results, strict=False)
    return next((r for v, r in pairs if not v.interventions and r.prompt == found.prompt), None)


def _kind(found: VariantResult, plain: VariantResult, acts: Sequence[Intervention]) -> Kind:
    broken = breaking(found.repetition, found.perplexity, plain.repetition, plain.perplexity)
    if broken is not None:
        return broken
    if not found.tokens:
        return "unlikely"
    if found.text == plain.text:
        return "same"
    own, beside = found.own, found.plain_own or 0.0
    turned = own is not None and own - beside >= TURNED and all(a.strength > 0 for a in acts)
    return "turned" if turned else "changed"


def _turned(found: VariantResult, acts: Sequence[Intervention]) -> str:
    whose = "the feature’s" if len(acts) == 1 else "the features’"
    own, beside = found.own or 0.0, found.plain_own or 0.0
    return (
        f"It turns and stays whole: {own:.0%} of its tokens are {whose} own, {beside:.0%} in the "
        "plain text."
    )


def _of_one(kind: Kind, act: Intervention, known: KnownStrength | None) -> SteeringVerdict:
    wanted = _next(kind, act.strength, known if act.unit == "maximum" else None)
    if wanted is None:
        breaks = known is None or known.verdict != "too_little"
        no_more = "this feature breaks the text before it turns it"
        no_more = no_more if breaks else "this feature does too little at every strength tried"
        return SteeringVerdict(kind=kind, sentence=f"{_SAID[kind]}; {no_more}.")
    unit = "×" if act.unit == "maximum" else " typical norms"
    told = f"{wanted:g}".replace("-", "−")
    return SteeringVerdict(
        kind=kind, sentence=f"{_SAID[kind]}; try {told}{unit}.", factor=wanted / act.strength,
        button=f"Try {told}{unit}",
    )  # fmt: skip


def _next(kind: Kind, strength: float, known: KnownStrength | None) -> float | None:
    """Return the strength to try next."""
    suggested = None if known is None else known.suggested
    if kind in ("repeats", "unlikely"):
        if suggested is not None and suggested < strength:
            return suggested
        edge = math.inf if known is None else known.high if strength > 0 else -known.low
        return math.copysign(_rounded(min(abs(strength) * _WEAKER, edge or math.inf)), strength)
    if suggested is not None and 0 < strength < suggested:
        return suggested
    stronger = _rounded(strength * (_DOUBLE if kind == "same" else _STRONGER))
    if known is None or known.low <= stronger <= known.high:
        return stronger
    # What is left of the way to the edge, where something there is known to turn a text.
    return _rounded(known.high) if suggested is not None and strength < known.high else None


def _rounded(strength: float) -> float:
    return float(f"{strength:.2g}")
