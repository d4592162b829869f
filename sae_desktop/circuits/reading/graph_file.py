"""An attribution graph on disk: what it holds, to the key. Free of torch and Qt.

`graphs/<name>.h5`, all datasets contiguous, so that readers map them. N nodes, sorted by layer,
so that every edge leads from an earlier node to a later one; E edges, T tokens:

    tokens            (T,) int32    ids of the prompt, special tokens before it included
    nodes/kind        (N,) uint8    EMBEDDING, FEATURE, ERROR or LOGIT
    nodes/layer       (N,) int16    −1: an embedding; a logit's: the number of layers
    nodes/position    (N,) int32
    nodes/feature     (N,) int64    of a feature its number in the layer's dictionary (of a
                                    cross-layer transcoder: in the layer's block), of an embedding
                                    or a logit its token, of an error −1
    nodes/activation  (N,) float32  of a feature its activation, of an error or an embedding its
                                    norm, of a logit the centred logit
    nodes/pre         (N,) float32  the inputs and the constant together: of a feature what it
                                    makes of its row before it is activated, of a logit the
                                    centred logit
    nodes/constant    (N,) float32  what biases give, with all inputs at 0
    nodes/probability (N,) float32  of a logit; else 0
    nodes/influence   (N,) float32  on the targets (`pruning.influence`), when it was traced
    edges/offsets     (N+1,) int64  the edges into node i are offsets[i]:offsets[i+1] of the next
    edges/sources     (E,) int32    two, the largest first
    edges/weights     (E,) float32
    edges/rest        (N,) float32  the sum of the edges into a node that were not kept
    groups/of         (N,) int32    number of the node's group in the info; −1: none; not always
                                    there
    info              (n,) uint8    `GraphInfo` as JSON
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.circuits.reading.graph_terms import SetKind, TargetKind
from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.hdf5 import new_file, open_checked, write_header
from sae_desktop.storage.mapped import (
    FLOATS,
    NUMBERS,
    WHOLE,
    Accepted,
    MappedFile,
    extents,
)

KIND = "graph"
SCHEMA_VERSION = 1
EMBEDDING, FEATURE, ERROR, LOGIT = range(4)
KINDS = ("embedding", "feature", "error", "logit")

Array = npt.NDArray[Any]

ARRAYS: dict[str, Accepted] = {
    "tokens": Accepted(WHOLE, ("T",)),
    "nodes/kind": Accepted(WHOLE, ("N",)),
    "nodes/layer": Accepted(WHOLE, ("N",)),
    "nodes/position": Accepted(WHOLE, ("N",)),
    "nodes/feature": Accepted(WHOLE, ("N",)),
    "nodes/activation": Accepted(NUMBERS, ("N",)),
    "nodes/pre": Accepted(FLOATS, ("N",)),
    "nodes/constant": Accepted(FLOATS, ("N",)),
    "nodes/probability": Accepted(FLOATS, ("N",)),
    "nodes/influence": Accepted(FLOATS, ("N",)),
    "edges/offsets": Accepted(WHOLE, ("N+1",)),
    "edges/sources": Accepted(WHOLE, ("E",)),
    "edges/weights": Accepted(FLOATS, ("E",)),
    "edges/rest": Accepted(FLOATS, ("N",)),
    "groups/of": Accepted(WHOLE, ("N",), needed=False),
}
"""What a reader takes. Nothing else is written or mapped."""
_TYPES = {
    "tokens": "i4",
    "nodes/kind": "u1",
    "nodes/layer": "i2",
    "nodes/position": "i4",
    "nodes/feature": "i8",
    "edges/offsets": "i8",
    "edges/sources": "i4",
    "groups/of": "i4",
}


class Faithfulness(msgspec.Struct, frozen=True, kw_only=True):
    """How far what a graph predicts of ablations is what they do (`circuits.faithfulness`)."""

    correlation: float | None
    """Of predicted and measured change of the target, over the graph's top nodes; None: of too
    few."""
    top_effect: float
    """Mean size of the measured change where a top node is ablated."""
    random_effect: float
    """The same of random nodes of equal activation."""
    nodes: int
    details: dict[str, float] = {}


class GraphInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a graph was made from; an attribute of its file."""

    name: str
    set: str
    set_digest: str = ""
    set_kind: SetKind = "transcoders"
    model: str
    model_revision: str = ""
    tokenizer_hash: str = ""
    prompt: str
    token_text: tuple[str, ...]
    """The tokens as they are shown, T."""
    specials: int = 0
    """How many of the first tokens are none of the prompt's; features are not read there."""
    target: TargetKind = "likely"
    target_tokens: tuple[str, ...] = ()
    """Of the logit nodes, as they are shown; of a difference the two."""
    logit_mass: float = 0.0
    """Which share of the probability the logit nodes have."""
    replacement_score: float = 0.0
    completeness_score: float = 0.0
    kept_nodes: int = 0
    """Feature nodes of the graph."""
    all_nodes: int = 0
    """Features that fire on the prompt."""
    kept_edges: float = 1.0
    """Which share of all edges' size, between nodes of the graph, is kept."""
    layers: int
    seconds: float = 0.0
    peak_bytes: int = 0
    config: str = ""
    faithfulness: Faithfulness | None = None
    groups: tuple[str, ...] = ()
    """Names of the groups."""
    group_stabilities: tuple[float, ...] = ()
    made_at: str = ""
    origin: str = ""
    """Where it was read from; empty: it was traced here."""
    names: tuple[str, ...] = ()
    """What the nodes were called there, N; empty: they have no names of their own."""


class Graph:
    """A graph, its arrays mapped from the file or in memory."""

    def __init__(self, info: GraphInfo, arrays: Mapping[str, Array], path: Path | None = None):
        """Take the arrays of ARRAYS. Raises ValueError when they do not fit together."""
        self.info = info
        self.path = path
        self.tokens = arrays["tokens"]
        self.kind = arrays["nodes/kind"]
        self.layer = arrays["nodes/layer"]
        self.position = arrays["nodes/position"]
        self.feature = arrays["nodes/feature"]
        self.activation = arrays["nodes/activation"]
        self.pre = arrays["nodes/pre"]
        self.constant = arrays["nodes/constant"]
        self.probability = arrays["nodes/probability"]
        self.influence = arrays["nodes/influence"]
        self.offsets = arrays["edges/offsets"]
        self.sources = arrays["edges/sources"]
        self.weights = arrays["edges/weights"]
        self.rest = arrays["edges/rest"]
        self.groups_of = arrays.get("groups/of")
        self._check()

    @property
    def nodes(self) -> int:
        """N."""
        return len(self.kind)

    @property
    def edges(self) -> int:
        """E."""
        return len(self.sources)

    @property
    def arrays(self) -> dict[str, Array]:
        """The arrays by their names in the file."""
        found = {
            "tokens": self.tokens,
            "nodes/kind": self.kind,
            "nodes/layer": self.layer,
            "nodes/position": self.position,
            "nodes/feature": self.feature,
            "nodes/activation": self.activation,
            "nodes/pre": self.pre,
            "nodes/constant": self.constant,
            "nodes/probability": self.probability,
            "nodes/influence": self.influence,
            "edges/offsets": self.offsets,
            "edges/sources": self.sources,
            "edges/weights": self.weights,
            "edges/rest": self.rest,
        }
        return found if self.groups_of is None else {**found, "groups/of": self.groups_of}

    def targets(self) -> Array:
        """Return the node that each edge leads to, (E,) int32."""
        return np.repeat(np.arange(self.nodes, dtype=np.int32), np.diff(self.offsets))

    def inputs(self, node: int) -> tuple[Array, Array]:
        """Return the sources and the weights of the edges into a node, the largest first."""
        edges = slice(int(self.offsets[node]), int(self.offsets[node + 1]))
        return self.sources[edges], self.weights[edges]

    def _check(self) -> None:
        offsets, sources, layer = self.offsets, self.sources, self.layer
        if len(offsets) != self.nodes + 1 or len(sources) != len(self.weights):
            raise ValueError("the edges do not fit the nodes")
        if int(offsets[0]) or int(offsets[-1]) != len(sources) or np.any(np.diff(offsets) < 0):
            raise ValueError("the edges are not in the order of their targets")
        if self.nodes and np.any(np.diff(layer.astype(np.int32)) < 0):
            raise ValueError("the nodes are not sorted by layer")
        if self.nodes and int(self.kind.max()) > LOGIT:
            raise ValueError("a node has an unknown kind")
        if len(sources):
            if int(sources.min()) < 0 or int(sources.max()) >= self.nodes:
                raise ValueError("an edge comes from a node that is not there")
            if np.any(layer[sources] >= np.repeat(layer, np.diff(offsets))):
                raise ValueError("an edge leads backwards")
        if len(self.info.token_text) != len(self.tokens):
            raise ValueError("the tokens do not fit their texts")
        if self.nodes and not 0 <= int(self.position.min()) <= int(self.position.max()) < max(
            len(self.tokens), 1
        ):
            raise ValueError("a node stands beyond the prompt")
        if (
            self.groups_of is not None
            and self.nodes
            and not (
                -1 <= int(self.groups_of.min()) <= int(self.groups_of.max()) < len(self.info.groups)
            )
        ):
            raise ValueError("a node is in a group that is not there")


def write_graph(path: Path, info: GraphInfo, arrays: Mapping[str, Array]) -> None:
    """Write a graph in one step: it is there whole, or as it was.

    Raises UserError when the disk is full, ValueError for arrays that do not fit together.
    """
    kept = {name: _as_kept(name, values) for name, values in arrays.items()}
    Graph(info, kept)
    with replacing(path) as part, new_file(part) as file:
        write_header(file, KIND, SCHEMA_VERSION, {})
        # No attribute: those of HDF5 end at 64 kB, a long prompt does not.
        file.create_dataset("info", data=np.frombuffer(msgspec.json.encode(info), np.uint8))
        for name, values in kept.items():
            if name not in ARRAYS:
                raise KeyError(f"{name} is not one of the arrays of a graph")
            file.create_dataset(name, data=values)


def _as_kept(name: str, values: Array) -> Array:
    return np.ascontiguousarray(values, dtype=_TYPES.get(name, "f4"))


def read_graph(path: Path) -> Graph:
    """Open a graph, its arrays mapped.

    Raises UserError when it is missing, damaged or of a newer version.
    """
    with open_checked(path, KIND, SCHEMA_VERSION) as file, _damage_told(path):
        mapped = MappedFile(path, extents(path, file, ARRAYS | _INFO)).arrays
        # A plain view: indexing a memmap object costs ten times as much.
        arrays = {name: np.asarray(found) for name, found in mapped.items()}
        return Graph(_info_in(arrays.pop("info")), arrays, path)


def read_graph_info(path: Path) -> GraphInfo:
    """Return what a graph was made from. Raises UserError when it is missing or damaged."""
    with open_checked(path, KIND, SCHEMA_VERSION) as file, _damage_told(path):
        return _info_in(MappedFile(path, extents(path, file, _INFO)).arrays["info"])


_INFO = {"info": Accepted(np.dtype("u1"), ("bytes",))}


def _info_in(data: Array) -> GraphInfo:
    """Raises ValueError where it is not what a graph says of itself."""
    try:
        return msgspec.json.decode(data.tobytes(), type=GraphInfo)
    except RecursionError as error:
        raise ValueError("its “info” is nested too deep") from error


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, ValueError, IndexError) as error:
        raise UserError(
            f"The graph “{path.stem}” is damaged: {error}.",
            next_step="Restore it from a copy, or trace it again under another name.",
        ) from error
