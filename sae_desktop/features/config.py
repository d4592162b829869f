"""What indexing and probing are asked to do, and what they answer. Free of torch."""

from __future__ import annotations

from typing import Literal

import msgspec

BucketScheme = Literal["linear", "quantile"]
REACH = 1024
MOST_REACH = 32_767
"""Positions are kept in 16 bits."""


class IndexConfig(msgspec.Struct, frozen=True, kw_only=True, tag="index"):
    """Find out, feature by feature, when a dictionary's features fire and what they do."""

    project: str
    dictionary: str
    name: str
    activations: str = ""
    """The store to read; empty: the one the dictionary was trained on."""
    rows: int = 0
    """Rows to read; 0: the whole store."""
    top_contexts: int = 20
    bucket_scheme: BucketScheme = "linear"
    """linear: buckets of equal width between 0 and the feature's maximum; quantile: of equally
    many firings."""
    buckets: int = 5
    bucket_contexts: int = 4
    """Random contexts kept in each bucket."""
    context_tokens: int = 32
    """Tokens of a context as it is shown at first."""
    context_reach: int = REACH
    """Tokens on either side of a context's chosen one over which its firings are kept."""
    shard: str = ""
    """“2/4”: the second of four parts of the store, cut between documents; empty: all of it."""
    add: bool = False
    """Read rows into the index that is there: those its store has got since, or another's."""
    keep_firings: bool = True
    """Keep all activations beside the index: without them it is neither merged nor added to."""
    coactivation: bool = True
    """Find the features that fire along with each."""
    neuron_rows: int = 16_384
    """Rows on which features are compared with the neurons of the preceding layers; 0: none."""
    map: bool = True
    """Lay the features out on a map and find clusters."""
    seed: int = 0
    """Of the random contexts."""
    device: str = "auto"


class MergeIndexesConfig(msgspec.Struct, frozen=True, kw_only=True, tag="merge_indexes"):
    """Make one index of those of several texts, as if they had been read at once."""

    project: str
    name: str
    indexes: list[str]
    """Of one dictionary, with their firings. Their settings are the first one's."""
    keep_firings: bool = True
    device: str = "auto"


class IndexResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    features: int
    rows: int
    alive: int
    bytes: int
    seconds: float


class ProbeConfig(msgspec.Struct, frozen=True, kw_only=True, tag="probe"):
    """Which features fire on a text."""

    project: str
    index: str
    text: str
    per_token: int = 16
    """Strongest features kept for a token; 0 keeps all that are active."""
    features: list[int] = []
    """Features always reported, whatever their rank."""
    device: str = "auto"


class ActiveFeature(msgspec.Struct, frozen=True, kw_only=True, array_like=False):
    position: int
    feature: int
    activation: float


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    tokens: list[str]
    active: list[ActiveFeature]
