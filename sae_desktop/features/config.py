"""What indexing and probing are asked to do, and what they answer. Free of torch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Literal

import msgspec

from sae_desktop.described import said
from sae_desktop.features.stages import StageTime
from sae_desktop.limits import Count, CountOrNone, Limits, Seed, Share
from sae_desktop.pictures.places import PictureLayout

BucketScheme = Literal["linear", "quantile"]
Ranking = Literal["activation", "share", "attribution"]
"""share: activation over the feature's maximum on the indexed text, 1 for one that was silent
there; attribution: its absolute value."""
Against = Literal["second", "mean"]
"""What the logit of the next token is compared with: the likeliest other token's, or the mean."""
REACH = 1024
MOST_REACH = 32_767
"""Positions are kept in 16 bits."""
TEXT, KEPT = "Text", "What is kept"
"""Headings of the settings of an index."""


class IndexConfig(msgspec.Struct, frozen=True, kw_only=True, tag="index"):
    """Find out when each feature of a dictionary fires and what it does."""

    project: str
    dictionary: str
    name: str
    activations: str = ""
    """The store to read; empty: the one the dictionary was trained on."""
    other_activations: Annotated[
        tuple[str, ...],
        said(
            "Other models’ stores",
            "The same tokens through the other models that a crosscoder of several reads; if "
            "none, those it was trained on.",
            TEXT,
        ),
    ] = ()
    rows: Annotated[
        CountOrNone,
        said("Rows", "Rows to read; 0 reads the whole store. More rows find rarer features.", TEXT),
    ] = 0
    shard: Annotated[
        str,
        said(
            "Part",
            "Part of the store, cut between documents: 2/4 is the second of four, to be merged "
            "later. If empty, all of it.",
            TEXT,
        ),
    ] = ""
    add: Annotated[
        bool,
        said(
            "Add to the index",
            "Read rows into the index that is there: those its store has got since, or another "
            "store’s.",
            TEXT,
        ),
    ] = False
    first_rows: Annotated[
        CountOrNone,
        said(
            "First features from",
            "Rows after which a new index can be opened while the rest of it is made, where at "
            "least twice as many are read; 0: only when it is finished.",
            TEXT,
        ),
    ] = 65_536
    top_contexts: Annotated[
        Count, said("Top contexts", "Strongest contexts kept of each feature.", KEPT)
    ] = 20
    bucket_scheme: Annotated[
        BucketScheme,
        said(
            "Random contexts",
            "From which ranges of activation they are drawn: of equal width between 0 and the "
            "feature’s maximum (linear), or of equally many firings (quantile).",
            KEPT,
        ),
    ] = "linear"
    buckets: Annotated[
        CountOrNone, said("Number of buckets", "Buckets of random contexts.", KEPT)
    ] = 5
    bucket_contexts: Annotated[
        CountOrNone, said("Contexts per bucket", "Random contexts kept in each bucket.", KEPT)
    ] = 4
    context_tokens: Annotated[
        Count, said("Tokens per context", "Tokens of a context as it is shown at first.", KEPT)
    ] = 32
    context_reach: Annotated[
        int,
        Limits(least=0, most=MOST_REACH),
        said(
            "Reach",
            "Tokens on either side of a context’s chosen one over which its firings are kept.",
            KEPT,
        ),
    ] = REACH
    keep_firings: Annotated[
        bool,
        said(
            "Keep all activations",
            "Without them an index can neither be merged nor added to.",
            KEPT,
        ),
    ] = True
    coactivation: Annotated[
        bool, said("Co-activation", "Find the features that fire along with each.", KEPT)
    ] = True
    neuron_rows: Annotated[
        CountOrNone,
        said(
            "Rows for neurons",
            "Rows on which features are compared with the neurons of the preceding layers; 0 "
            "compares none.",
            KEPT,
        ),
    ] = 16_384
    by_output: Annotated[
        bool,
        said(
            "By output",
            "Of a dictionary that writes several sites: also keep the logits and neighbours of "
            "each output by itself.",
            KEPT,
        ),
    ] = True
    names: Annotated[
        bool,
        said(
            "Names",
            "Name the features by what stands where they fire; they can also be named later.",
            KEPT,
        ),
    ] = True
    map: Annotated[bool, said("Map", "Lay the features out on a map and find clusters.", KEPT)] = (
        True
    )
    seed: Seed = 0
    """Of the random contexts."""
    device: str = "auto"


class MergeIndexesConfig(msgspec.Struct, frozen=True, kw_only=True, tag="merge_indexes"):
    """Merge indexes of several texts into one, as if all had been read at once."""

    project: str
    name: str
    indexes: list[str]
    """Of one dictionary, with their firings. Their settings are the first one's."""
    keep_firings: bool = True
    device: str = "auto"


class NameFeaturesConfig(msgspec.Struct, frozen=True, kw_only=True, tag="name_features"):
    """Name every feature of an index by statistics, without a model."""

    project: str
    index: str


class NameFeaturesResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the names of an index are worth: mean AUROCs on text they were not made from, each with
    the ends of its 95% interval over features; None where too few are known."""

    index: str
    features: int
    alive: int
    named: int
    scored: int
    """Features of which the text kept for scoring has enough firings."""
    score: tuple[float, float, float] | None
    shuffled: tuple[float, float, float] | None
    """With the names given to other features."""
    top_token: tuple[float, float, float] | None
    """With the token alone that a feature fires on most."""
    random_direction: tuple[float, float, float] | None
    """Of random directions, named in the same way."""
    bytes: int
    seconds: float


class IndexResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    features: int
    rows: int
    alive: int
    bytes: int
    seconds: float
    stages: tuple[StageTime, ...] = ()
    """What took how long, in the order in which it was done."""


class FirstFeatures(msgspec.Struct, frozen=True, kw_only=True, tag="first_features"):
    """An index can be opened that is still being made."""

    name: str
    features: int
    rows: int
    """Of which its figures are so far,"""
    whole_rows: int
    """and of which they are to be."""


class ChatTurn(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says in a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


class ProbeConfig(msgspec.Struct, frozen=True, kw_only=True, tag="probe"):
    """Which features fire on a text."""

    project: str
    index: str
    text: str = ""
    chat: list[ChatTurn] = []
    """Read in place of the text, through the model's chat template."""
    ids: list[int] = []
    """Tokens read in place of a text, such as those of a document of the index."""
    pictures: list[str] = []
    """Files of pictures that stand before the text, in this order."""
    views: bool = False
    """Whether small copies of the pictures come with the answer."""
    per_token: CountOrNone = 16
    """Highest-ranking features kept for a token; 0 keeps all that are active."""
    features: list[int] = []
    """Features always reported, whatever their rank and density."""
    rank: Ranking = "activation"
    """What the features of a token are ranked by."""
    most_density: Share = 1.0
    """Features that fire on a larger share of the indexed tokens are left out."""
    attribute_at: int | None = None
    """The token whose next token features are attributed to; −1: the last; None: no attribution
    unless it is what ranks."""
    against: Against = "second"
    spill: str = ""
    """Folder for a file with the arrays of a long answer; empty: they come with the answer."""
    device: str = "auto"


class LogitDifference(msgspec.Struct, frozen=True, kw_only=True):
    """What features are attributed to: how much the model prefers a token to others."""

    position: int
    """The token after which it is measured."""
    target: str
    """The token that follows in the text; after the last one, the likeliest."""
    against: str
    """The likeliest other token; empty: the mean logit of the vocabulary."""
    value: float


class ProbedPicture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture as it was read, and which tokens the model makes of it."""

    name: str
    digest: str
    """SHA-256 of its file."""
    layout: PictureLayout
    notes: list[str] = []
    """What was done to it beyond reading, such as “turned upright”."""
    view: bytes = b""
    """A copy of at most VIEW_SIDE pixels a side, WebP; empty unless it was asked for."""


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    """T tokens and the n activations reported of them, token by token, best rank first."""

    tokens: list[str]
    offsets: list[int] = []
    """(T + 1,): token t has the entries offsets[t] : offsets[t + 1] of the next three."""
    features: list[int] = []
    """(n,)"""
    activations: list[float] = []
    """(n,), ‖W_dec‖-weighted, to six digits."""
    attributions: list[float] = []
    """(n,), to the logit difference; empty without one."""
    pictures: list[ProbedPicture] = []
    picture: list[int] = []
    """(T,): the picture a token is of; −1 of text. Empty where there are none."""
    picture_token: list[int] = []
    """(T,): which token of that picture it is; −1 of text."""
    difference: LogitDifference | None = None
    file: str = ""
    """A NumPy .npz file that holds the four arrays in place of the lists."""

    def entries(self) -> Iterator[tuple[int, int, float]]:
        """Yield (position, feature, activation) of the lists, in their order."""
        for position, (start, end) in enumerate(pairwise(self.offsets)):
            for place in range(start, end):
                yield position, self.features[place], self.activations[place]
