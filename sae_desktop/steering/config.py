"""What steering is asked to do, and what it answers. Free of torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from sae_desktop.described import said
from sae_desktop.limits import AtLeast0, AtLeast1, Count, CountOrNone, Seed, ShareAbove0
from sae_desktop.steering.gate_config import Gate
from sae_desktop.steering.gate_config import Where as Where
from sae_desktop.steering.kept_pictures import KeptPicture

Mode = Literal["clamp", "add", "multiply", "ablate"]
Unit = Literal["maximum", "norm"]
MOST_VARIANTS = 8
MOST_STRENGTH = 1000.0
"""Far beyond what leaves a text; larger ones overflow in 16 bits."""


class RandomDirection(msgspec.Struct, frozen=True, kw_only=True, tag="random"):
    """A direction drawn from all, the same for the same seed."""

    seed: int = 0


class MeanDifference(msgspec.Struct, frozen=True, kw_only=True, tag="mean_difference"):
    """The mean of the site's values over texts `on` less that over `off`, to length one."""

    on: list[str]
    off: list[str]


class DecoderRow(msgspec.Struct, frozen=True, kw_only=True, tag="decoder_row"):
    """The decoder row of a feature of another dictionary of the model."""

    dictionary: str
    feature: int


Direction = RandomDirection | MeanDifference | DecoderRow


class Intervention(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a site's value x: x' = x + c·d, d of length one.

    The site is the one that the dictionary writes: of a transcoder its output, while activations
    are those of what it reads. Where a dictionary writes several sites, x and d are those of all
    side by side: each gets its part of c·d, and a direction alone works at each by itself.
    Activations of features that read several are those of the model as it is, on the same tokens.
    Of a crosscoder of several models the first one is steered. With a the activation of a feature,
    or x·d of a direction alone, and s the strength:

        clamp      c = v − a, v = s units       (Scaling Monosemanticity, steering)
        ablate     c = −a
        multiply   c = (s − 1)·a
        add        c = s units

    A unit is the feature's maximum over the indexed text, or the typical norm of the site's
    values. A direction given beside a feature takes the place of the feature's own, with the
    feature's c: what a control of the same size is.
    """

    feature: int | None = None
    index: str = ""
    """Of the feature, and of the site that is changed; empty: the index that is steered with."""
    index_hash: str = ""
    """Of that index's dictionary when it was chosen; empty: whatever it is now."""
    direction: Direction | None = None
    mode: Mode = "clamp"
    strength: float = 1.0
    unit: Unit = "maximum"
    where: Where = "all"
    """Tokens of the prompt, of the output, or both; or those of pictures, or of words."""
    start: int = 0
    """First token of the prompt to affect, counting from 0."""
    tokens: list[int] = []
    """Only these tokens, counted from the prompt's first; none: as `where` says."""
    sites: list[str] = []
    """Where it is added beside the site that the dictionary writes; only for `add`."""
    output: str = ""
    """The only site that is changed, of a dictionary that writes several: it gets its part of c·d,
    and the others none; empty: all of them."""
    when: Gate | None = None
    """Only on tokens on which this is open; None: on all that are chosen."""


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One continuation: what is done to the model, and the prompt if it is another."""

    name: str
    interventions: list[Intervention] = []
    """None: the model as it is."""
    prompt: str = ""
    """Empty: that of all."""
    stop: list[Gate] = []
    """The text ends where one of these fires, without the token that would have come next."""


PLAIN = Variant(name="plain")
"""The model as it is."""


def clamped(strengths: dict[int, float]) -> Variant:
    """Return the variant that clamps features to multiples of their maxima at every token."""
    return Variant(
        name="steered",
        interventions=[Intervention(feature=f, strength=s) for f, s in strengths.items()],
    )


def scaled(interventions: Sequence[Intervention], factor: float) -> list[Intervention]:
    """Return the same interventions with their strengths multiplied."""
    return [msgspec.structs.replace(act, strength=act.strength * factor) for act in interventions]


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """How tokens are chosen; the same random numbers for all variants."""

    max_new_tokens: Annotated[Count, said("Length", "Tokens to generate.")] = 40
    temperature: Annotated[
        AtLeast0,
        said(
            "Temperature",
            "0 always takes the most likely token; higher values make the text more random.",
        ),
    ] = 0.0
    top_k: Annotated[
        CountOrNone, said("Top-k", "Sample from the k most likely tokens only; 0: from all.")
    ] = 0
    top_p: Annotated[
        ShareAbove0,
        said(
            "Top-p",
            "Sample only from the most likely tokens that together have this probability.",
        ),
    ] = 1.0
    repetition_penalty: Annotated[
        AtLeast1,
        said(
            "Repetition penalty",
            "Makes tokens that already stand in the text less likely, so that a small model does "
            "not repeat itself; 1: off.",
        ),
    ] = 1.3
    seed: Annotated[
        Seed, said("Seed", "The same seed gives all texts the same random numbers.")
    ] = 0


class SteerConfig(msgspec.Struct, frozen=True, kw_only=True, tag="steer"):
    """Continue a prompt in several variants side by side."""

    project: str
    index: str
    prompt: str
    """May be empty after pictures."""
    variants: list[Variant]
    sampling: Sampling = Sampling()
    chat: Annotated[
        bool,
        said("Chat template", "Put the prompt through the model’s chat template, as a question."),
    ] = False
    compare: bool = True
    """Read every continuation with the plain model, too: its probabilities beside the steered."""
    monitors: list[str] = []
    """Of the project: they read along, as the model is steered, and change nothing."""
    pictures: list[str] = []
    """Files of pictures that stand before the prompt of every variant, in this order."""
    device: str = "auto"


class SweepStrengthsConfig(msgspec.Struct, frozen=True, kw_only=True, tag="sweep_strengths"):
    """Steer with one variant at several strengths, and measure what becomes of the text."""

    project: str
    index: str
    prompt: str
    variant: Variant
    """The strength of each of its interventions is multiplied by those asked for."""
    strengths: list[float]
    watched: list[str] = []
    """Texts whose first token's probability after the prompt is followed."""
    sampling: Sampling = Sampling()
    chat: bool = False
    pictures: list[str] = []
    """As those of SteerConfig."""
    device: str = "auto"


class NextToken(msgspec.Struct, frozen=True, kw_only=True):
    token: str
    probabilities: list[float]
    """One a variant."""


class SteeredToken(msgspec.Struct, frozen=True, kw_only=True, tag="steered_token"):
    """One step of the generation; a variant that has ended hands an empty text."""

    position: int
    texts: list[str]
    next_tokens: list[NextToken] = []
    """Only with position 0: the likeliest next tokens after the prompt in any variant."""


class OutputToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token of a continuation, as the steered and as the plain model see it there."""

    text: str
    log_probability: float
    plain_log_probability: float
    kl: float
    """Of the steered from the plain next-token distribution, in nats."""
    open: bool = False
    """A condition was open on it: what works under it worked there, or ended the text."""


class WatchedText(msgspec.Struct, frozen=True, kw_only=True):
    """What a monitor says of a prompt and what was written after it, token by token."""

    monitor: str
    threshold: float
    scores: list[float]
    """One a token, of the prompt first, without special tokens: of the token by itself, or where
    it pools by the mean, of all up to it."""
    prompt: int
    """How many of them are of the prompt."""
    hits: list[int]
    """Tokens above the threshold; of a maximum over several features, that at which it rises above
    it too."""


class VariantResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    prompt: str
    text: str
    tokens: list[OutputToken] = []
    """Empty unless they were compared."""
    perplexity: float | None = None
    """Of the continuation under the plain model; None: not compared, or nothing was written."""
    kl: float | None = None
    """Mean over its tokens, in nats."""
    repetition: float = 0.0
    """Share of its runs of three tokens that stood there before."""
    own: float | None = None
    """Share of its tokens that are the steered features' own: they fire on them as the plain model
    reads the text, or promote them most. None: not compared, or no feature was steered."""
    plain_own: float | None = None
    """The same of the plain text, where there is one after the same prompt."""
    typical_strength: float | None = None
    """Mean length of the change over the prompt's changed tokens, in typical norms; over those
    written, where the prompt was left alone; None where nothing was changed."""
    stopped: bool = False
    """A gate of `Variant.stop` fired and ended it."""
    prompt_open: list[int] = []
    """Tokens of the prompt on which a condition was open, as positions count."""
    watched: list[WatchedText] = []
    """One a monitor; of the prompt alone where nothing was compared."""


class SteerResult(msgspec.Struct, frozen=True, kw_only=True):
    variants: list[VariantResult]
    next_tokens: list[NextToken]
    site: str = ""
    """That the features of the index write, several after commas; empty in what an earlier version
    kept."""
    prompt_tokens: list[str] = []
    """Of the prompt of all, in the order that positions count."""
    typical_norm: float = 0.0
    """Median length of the values at the changed sites on the beginning of the indexed text."""
    pictures: list[KeptPicture] = []
    """Those before the prompt, as they were read."""


class SweepPoint(msgspec.Struct, frozen=True, kw_only=True):
    """What one strength does."""

    strength: float
    text: str
    watched: list[float]
    """Probability of each watched token after the prompt."""
    perplexity: float | None
    kl: float | None
    repetition: float
    broken: bool
    """The text has fallen apart: see `SweepStrengthsResult.criterion`."""


class SweepStrengthsResult(msgspec.Struct, frozen=True, kw_only=True):
    points: list[SweepPoint]
    plain: VariantResult
    plain_watched: list[float]
    criterion: str
    """When a text counts as broken, in words."""
