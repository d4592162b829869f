"""Configs and results of what is asked of an attribution graph. Free of torch.

A node is its number in the graph's file. Positions count from the first token of the graph,
special tokens included.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sae_desktop.described import said
from sae_desktop.limits import Count, CountOrNone, Seed, Share

AttentionMode = Literal["frozen", "free"]
NormsMode = Literal["frozen", "free"]
ChangeMode = Literal["ablate", "clamp", "multiply", "swap"]
TEST = "Test"


class GroupsConfig(msgspec.Struct, frozen=True, kw_only=True, tag="groups"):
    """Put features of a graph that do the same into groups, and name them."""

    project: str
    graph: str
    nodes: Annotated[
        Share,
        said("Influence kept", "Share of the influence that the grouped nodes carry.", "Groups"),
    ] = 0.8
    most_nodes: Annotated[
        Count, said("At most", "Nodes that are grouped, the most influential ones.", "Groups")
    ] = 800
    stability: Annotated[
        Share,
        said(
            "Stability asked",
            "A group is kept whose members come together in as large a share of the repeats.",
            "Groups",
        ),
    ] = 0.75
    repeats: Annotated[
        Count,
        said("Repeats", "How often the nodes are regrouped by half of their links.", "Groups"),
    ] = 40
    seed: Seed = 0


class GroupSummary(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    stability: float
    """Mean likeness (Jaccard) of the group to the nearest one in repeats by half the links."""
    nodes: list[int]
    influence: float


class GroupsResult(msgspec.Struct, frozen=True, kw_only=True):
    graph: str
    groups: list[GroupSummary]
    """The most influential first, as they stand in the file."""
    grouped: int
    considered: int
    shuffled_stability: float | None
    """Mean stability of groups made from exchanged links: what chance gives; None: of none."""


class EdgeHeadsConfig(msgspec.Struct, frozen=True, kw_only=True, tag="edge_heads"):
    """Which attention heads carry a link between two nodes."""

    project: str
    graph: str
    source: int
    target: int
    device: str = "auto"


class HeadShare(msgspec.Struct, frozen=True, kw_only=True):
    """What one head carries of a link in its last step across positions."""

    layer: int
    head: int
    weight: float
    direct: float
    """Of it, what the head takes from the source's own position."""


class EdgeHeadsResult(msgspec.Struct, frozen=True, kw_only=True):
    """`heads`, largest first, and `own` add up to `weight`."""

    source: int
    target: int
    weight: float
    """Of the link, computed again from the model."""
    stored: float
    """As it stands in the graph; 0: it was left out as too small."""
    heads: list[HeadShare]
    own: float
    """What never crosses positions: all of a link within one position."""


class HeadConfig(msgspec.Struct, frozen=True, kw_only=True, tag="head"):
    """Where a head looks in the prompt, and which pairs of features make it look there."""

    project: str
    graph: str
    layer: int
    head: int
    query: int = -1
    """The position that looks; −1: the last."""
    key: int = -1
    """The position looked at; −1: the one it looks at most, beside itself and special tokens."""
    top: Annotated[Count, said("Pairs listed", "Pairs of nodes to list.", "Head")] = 40
    device: str = "auto"


class QueryKeyPair(msgspec.Struct, frozen=True, kw_only=True):
    """What two nodes add to the score; −1: all that is constant (biases)."""

    query_node: int
    key_node: int
    weight: float


class HeadResult(msgspec.Struct, frozen=True, kw_only=True):
    layer: int
    head: int
    heads: int
    """Of a layer."""
    pattern: list[list[float]]
    """(T, T), row: the position that looks. Rows sum to 1 (less with a sink)."""
    query: int
    key: int
    score: float
    """Before the softmax and any cap, scaled as the model does."""
    pairs: list[QueryKeyPair]
    """The largest by size."""
    rest: float
    """What all other pairs add: `pairs` and `rest` sum to `score`."""
    by_query: list[tuple[int, float]]
    """What a node adds as the query, over all keys; the largest first."""
    by_key: list[tuple[int, float]]


class NodeChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to a node, to a group's nodes, or to a feature that is not in the graph."""

    node: int = -1
    group: str = ""
    nodes: tuple[int, ...] = ()
    """A group the person made: its members."""
    layer: int = -1
    position: int = -1
    feature: int = -1
    mode: ChangeMode = "ablate"
    value: float = 0.0
    """clamp: the activation; multiply: the factor."""
    prompt: str = ""
    """swap: the prompt whose activation there is put in; as many tokens."""


class InterveneConfig(msgspec.Struct, frozen=True, kw_only=True, tag="intervene"):
    """Change nodes of a graph in the model, and compare what happens with what it predicts."""

    project: str
    graph: str
    changes: tuple[NodeChange, ...]
    attention: Annotated[
        AttentionMode,
        said(
            "Attention",
            "“frozen” keeps where the heads look as in the graph, “free” lets it change.",
            TEST,
        ),
    ] = "frozen"
    norms: Annotated[
        NormsMode,
        said(
            "Norms",
            "“frozen” keeps what norms divide by as in the graph, “free” computes it again.",
            TEST,
        ),
    ] = "free"
    top: Annotated[
        CountOrNone, said("Tokens listed", "Next tokens listed before and after.", TEST)
    ] = 10
    random: Annotated[
        CountOrNone,
        said(
            "Random groups",
            "How many times as many features of like activation are drawn at random and changed "
            "in the same way, to compare with; 0: none.",
            TEST,
        ),
    ] = 8
    seed: Seed = 0
    device: str = "auto"


class NodeEffect(msgspec.Struct, frozen=True, kw_only=True):
    node: int
    before: float
    """Activation, or centred logit."""
    predicted: float
    """Change."""
    measured: float
    changed: bool = False
    """It is one of those that were set."""
    random: float | None = None
    """Of a logit: the mean change by random groups; null where none was drawn."""


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Correlation of the predicted change with that of the model, by what is held as it was.

    None: too few values, or not measured.
    """

    held: float | None = None
    """Attention and norms are held, as the graph takes them to be."""
    attention_held: float | None = None
    free: float | None = None
    """Neither is held."""
    edges: float | None = None
    """With what the replacement model does, both held: less than 1 where small edges are left out,
    and where features start or stop to fire."""
    replaced: float | None = None
    """Of what the replacement model does with the measured change, the same held in both."""
    overflowed: int = 0
    """Values that are not finite in the model with attention and norms held: without norms that
    answer, MLPs of deep models may amplify a change without bound. `held` leaves them out."""


class NextToken(msgspec.Struct, frozen=True, kw_only=True):
    token: str
    before: float
    """Probability."""
    after: float
    random: float | None = None
    """Mean of those after random groups were changed."""


class TargetChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is explained, in one number: the graph's logits, weighted by their probabilities."""

    predicted: float
    measured: float
    random: list[float] = []
    """Measured with each random group changed in the same way."""


class InterveneResult(msgspec.Struct, frozen=True, kw_only=True):
    graph: str
    attention: AttentionMode
    norms: NormsMode
    changed: int
    """Activations that were set."""
    effects: list[NodeEffect]
    """Every feature and logit of the graph at or after the first change."""
    logit_correlation: float | None
    """Predicted with measured change of the graph's logits; None of fewer than three."""
    node_correlation: float | None
    """Of features."""
    agreement: Agreement
    """Over logits; where there are fewer than three, over features."""
    next_tokens: list[NextToken]
    """The likeliest before and after."""
    target: TargetChange | None = None


class FaithfulnessConfig(msgspec.Struct, frozen=True, kw_only=True, tag="faithfulness"):
    """Ablate the top nodes of a graph one by one, and random nodes of equal activation."""

    project: str
    graph: str
    count: Annotated[
        Count, said("Nodes ablated", "How many of the most influential features.", TEST)
    ] = 20
    attention: AttentionMode = "frozen"
    norms: NormsMode = "free"
    seed: Seed = 0
    device: str = "auto"


class FaithfulnessResult(msgspec.Struct, frozen=True, kw_only=True):
    """Effects are changes of the graph's target when a node is ablated.

    Nodes whose ablation makes the model's values overflow are left out.
    """

    graph: str
    nodes: list[int]
    predicted: list[float]
    """By the edges of the graph."""
    replaced: list[float]
    """What the replacement model does, attention and norms held as in what is measured."""
    measured: list[float]
    random_nodes: list[tuple[int, int, int]]
    """(layer, position, feature) of each node drawn, of the activation nearest to its top one."""
    random_measured: list[float]
    correlation: float | None
    """Predicted with measured, of the top nodes."""
    agreement: Agreement
    same_sign: float
    """Share of the top nodes whose predicted and measured effect have one sign."""
    top_effect: float
    """Mean size of the measured effect."""
    random_effect: float
