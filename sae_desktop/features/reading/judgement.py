"""What a language model that judges says of a label. Free of torch, Qt and HDF5."""

from __future__ import annotations

from typing import Literal

import msgspec

Scorer = Literal["detection", "fuzzing", "intruder", "rubric", "simulation"]
SCORERS: tuple[Scorer, ...] = ("detection", "fuzzing", "intruder", "rubric", "simulation")

Of = Literal["label", "shuffled", "top_token", "random", "direction"]
OF: tuple[Of, ...] = ("label", "shuffled", "top_token", "random", "direction")
"""What was judged. label: the label on its feature. shuffled: another feature's label, on the same
texts. top_token: as a label, the token it fires on most, on the same texts. random: the label on
the texts of another feature of like density. direction: a random direction of the model that fires
as often, called by its own top token, on its own texts."""

Verdict = Literal["sound", "weak", "chance"]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of some of the items alone, with its interval of 95%."""

    interval: int
    """Of activation, 1 the weakest; 0: the feature is silent."""
    kind: str = ""
    """Of silent items: how they were chosen; empty: all of them."""
    value: float
    """Rubric: the mean rating, 0–3. Of silent items otherwise: the share that was answered
    rightly. Else the scorer's own figure, of this interval against all silent ones."""
    low: float
    high: float
    items: int
    """Answered."""


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of a judge's answers; None where too few were answered."""

    value: float | None
    """Detection, fuzzing: balanced accuracy. Rubric: AUROC of the ratings. Intruder: share found.
    Simulation: correlation of the simulated with the true activations."""
    low: float | None
    high: float | None
    """Of an interval of 95%, as wide as what was left unanswered makes it."""
    chance: float
    """What a judge who answers blindly reaches."""
    asked: int
    answered: int
    as_wrong: float | None
    """The figure, were all unanswered items wrong."""
    as_right: float | None
    parts: tuple[Part, ...] = ()

    @property
    def scored(self) -> bool:
        return self.value is not None

    def corrected(self) -> tuple[float, float, float] | None:
        """Return the figure and the ends of its interval, with 0 at chance and 1 perfect."""
        if self.value is None or self.low is None or self.high is None:
            return None
        value, low, high = (self._over_chance(v) for v in (self.value, self.low, self.high))
        return value, low, high

    def _over_chance(self, value: float) -> float:
        return (value - self.chance) / (1.0 - self.chance)

    def by_interval(self) -> tuple[Part, ...]:
        """Return the parts of the intervals in which the feature fires, the weakest first."""
        return tuple(part for part in self.parts if part.interval > 0)


class SelfTest(msgspec.Struct, frozen=True, kw_only=True):
    """How a judge did on items of which the truth is known, before it judged any label."""

    scorer: Scorer
    judgement: Judgement

    @property
    def verdict(self) -> Verdict:
        """chance: its answers may be blind, so no label gets a score from it. weak: better than
        that, but wrong where the answer is plain. sound: neither."""
        found = self.judgement.corrected()
        if found is None or found[1] <= 0:
            return "chance"
        return "sound" if found[0] >= SOUND else "weak"


SOUND = 0.6
"""Chance-corrected: a balanced accuracy of 80% on items that are plain."""


class Judge(msgspec.Struct, frozen=True, kw_only=True):
    """Who judged, and by what."""

    model: str
    prompts: dict[str, str] = {}
    """Scorer → digest of the prompt it was asked with."""
    seed: int = 0
    per_interval: int = 0
    """Contexts of each interval of activation that each label was judged by, at most."""
    silent: int = 0
    """Silent contexts of each kind, at most."""
    probabilities: bool = False
    thinking: int = 0
    """Tokens it might think before each answer."""
    small: bool = False
    """A billion parameters or fewer, as far as that is known."""
    tests: tuple[SelfTest, ...] = ()
    made: str = ""
    """When, ISO 8601, UTC."""

    def test(self, scorer: Scorer) -> SelfTest | None:
        """Return how it did with one scorer's known items; None: it was not asked."""
        return next((test for test in self.tests if test.scorer == scorer), None)


class JudgedLabel(msgspec.Struct, frozen=True, kw_only=True):
    """One label of one feature, judged by one scorer; or a baseline of that."""

    feature: int
    label: str
    """What was judged: of a baseline, still the feature's own label."""
    method: str
    """How the label was made, as the notes have it; empty: by a person."""
    scorer: Scorer
    of: Of = "label"
    judge: Judge
    judgement: Judgement
