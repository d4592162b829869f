"""Configs and results of the simpler ways to ask why: lens, patching, attribution. Free of torch.

T tokens of a prompt, special tokens before it included; L layers; k tokens listed.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sae_desktop.described import said
from sae_desktop.file_kinds import takes
from sae_desktop.limits import Count, CountOrNone, Seed

LensKind = Literal["logit", "jacobian"]
PatchedHook = Literal[
    "hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out",
    "attn.hook_z",
]  # fmt: skip
ASKED = "What is asked"


class LensConfig(msgspec.Struct, frozen=True, kw_only=True, tag="lens"):
    """What each layer would answer at each token of a prompt."""

    model: str
    prompt: str
    project: str = ""
    """Where the averaged Jacobians of the model lie; only that kind of lens needs it."""
    chat: bool = False
    """The prompt is what a person says in a chat, in the model's own template."""
    kind: Annotated[
        LensKind,
        said(
            "Lens",
            "“logit” reads the residual stream after each layer as if it were the last; "
            "“jacobian” carries it to the last layer first, by the averaged Jacobian.",
            ASKED,
        ),
    ] = "logit"
    top: Annotated[
        Count, said("Tokens listed", "How many tokens to list for each layer and token.", ASKED)
    ] = 5
    tokens: tuple[str, ...] = ()
    """Tokens whose probability and rank are given everywhere; empty: the likeliest at the end."""
    device: str = "auto"


class LensResult(msgspec.Struct, frozen=True, kw_only=True):
    """Rows: what enters the first layer, then the stream after each of L layers, last first word
    of the model itself; (L + 1, T, …) nested lists."""

    kind: LensKind
    tokens: list[str]
    specials: int
    """Tokens that stand before the prompt by themselves, such as BOS."""
    rows: list[str]
    """“embedding”, then “layer 0” …"""
    top_tokens: list[list[list[str]]]
    """(L + 1, T, k), the likeliest first."""
    top_probabilities: list[list[list[float]]]
    entropy: list[list[float]]
    """(L + 1, T), in nats."""
    kl: list[list[float]]
    """(L + 1, T), nats from the model's own prediction at that token."""
    followed: list[str]
    """The tokens of which probability and rank are given."""
    probability: list[list[list[float]]]
    """(L + 1, T, followed)"""
    rank: list[list[list[int]]]
    """(L + 1, T, followed), from 1."""
    fitted_on: str = ""
    """Of the averaged Jacobian: how many tokens of which text."""


class FitLensConfig(msgspec.Struct, frozen=True, kw_only=True, tag="fit_lens"):
    """Average the Jacobians from every layer to the last over a text."""

    project: str
    model: str
    corpus: Annotated[str, takes("corpus")] = ""
    """Text read; empty: the text that comes with the program."""
    texts: Annotated[
        Count, said("Texts", "Windows of text to average over. About 100 are enough.", "Text")
    ] = 32
    context_size: Annotated[
        Count,
        said("Tokens per text", "Tokens of each; the first 16 are left out of the mean.", "Text"),
    ] = 64
    device: str = "auto"


class FitLensResult(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    texts: int
    positions: int
    """Over which was averaged."""
    layers: int
    agreement: list[float]
    """By layer: cosine of the averages of two halves of the texts; near 1: enough text."""
    bytes: int
    seconds: float


class PatchConfig(msgspec.Struct, frozen=True, kw_only=True, tag="patch"):
    """Put values of another prompt into a prompt, one place at a time."""

    model: str
    prompt: str
    other: str
    """The prompt whose values are put in; as many tokens."""
    chat: bool = False
    target: str = ""
    """Token whose logit is measured after the last token; empty: the likeliest of the prompt."""
    against: str = ""
    """Token it is set against; empty: the likeliest of the other prompt, or the second."""
    hook: Annotated[
        PatchedHook,
        said(
            "Site",
            "Where values are put in, layer by layer and token by token; of “attn.hook_z”, layer "
            "by layer and head by head, at all tokens.",
            ASKED,
        ),
    ] = "hook_resid_post"
    device: str = "auto"


class PatchResult(msgspec.Struct, frozen=True, kw_only=True):
    tokens: list[str]
    other_tokens: list[str]
    specials: int
    hook: PatchedHook
    target: str
    against: str
    difference: float
    """logit[target] − logit[against] after the prompt."""
    other_difference: float
    """The same after the other prompt."""
    by: Literal["token", "head"]
    grid: list[list[float]]
    """(L, T) or (L, heads): the difference once the value was put in there."""
    restored: list[list[float]]
    """The same as a share: 0 the prompt's own difference, 1 that of the other prompt."""


class AttributeConfig(msgspec.Struct, frozen=True, kw_only=True, tag="attribute"):
    """Attribution of every feature at every token to a logit difference, ablation beside it."""

    project: str
    index: str
    prompt: str
    chat: bool = False
    target: str = ""
    """Token whose logit is explained, after the last token; empty: the likeliest."""
    against: str = ""
    """Token it is set against; empty: the likeliest other; “mean”: the mean of all logits."""
    top: Annotated[
        CountOrNone,
        said("Firings listed", "How many firings to list; 0: all.", ASKED),
    ] = 200
    ablated: Annotated[
        CountOrNone,
        said(
            "Firings ablated",
            "Of the firings listed first, how many are also ablated one by one, to check the "
            "attribution.",
            ASKED,
        ),
    ] = 64
    sampled: Annotated[
        CountOrNone,
        said(
            "Firings drawn",
            "Firings drawn at random and ablated, by which attribution and activation are "
            "compared with ablation; 0: none.",
            ASKED,
        ),
    ] = 128
    seed: Seed = 0
    device: str = "auto"


class AttributeResult(msgspec.Struct, frozen=True, kw_only=True):
    """n firings listed, the largest effect (by size of attribution) first."""

    tokens: list[str]
    specials: int
    target: str
    against: str
    """Empty: the mean of all logits."""
    difference: float
    positions: list[int]
    """(n,), counted in `tokens`."""
    features: list[int]
    activations: list[float]
    attributions: list[float]
    """(n,), what the firing adds to the difference, to first order."""
    ablations: list[float | None]
    """(n,), by how much the difference falls when it is ablated; None: not ablated."""
    firings: int
    """Of all features at all tokens."""
    sampled: int
    """Firings drawn at random, of which the next two are; fewer where there are fewer."""
    attribution_correlation: float | None
    """Pearson, attribution with ablation; None where too few were ablated."""
    activation_correlation: float | None
