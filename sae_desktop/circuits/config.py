"""What jobs on circuits are asked to do, and what they answer. Free of torch."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from sae_desktop.circuits.reading.graph_terms import EDGE_THRESHOLD, NODE_THRESHOLD, TargetKind
from sae_desktop.described import said
from sae_desktop.file_kinds import takes
from sae_desktop.limits import Count, CountOrNone, Share, ShareAbove0

TARGET, SIZE = "Target", "Size of the graph"


class TraceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a prompt is traced, for the job and for its estimate."""

    project: str
    set: str
    prompt: str
    chat: bool = False
    """The prompt is a chat, turns beginning with “user:”, “assistant:” or “system:”."""
    target: Annotated[
        TargetKind,
        said(
            "Target",
            "What is explained: the likely next tokens, tokens you name, or the difference "
            "between the logits of two tokens.",
            TARGET,
        ),
    ] = "likely"
    tokens: Annotated[
        tuple[str, ...],
        said(
            "Tokens",
            "The tokens that are explained, with their leading spaces; of a difference the first "
            "is explained against the second.",
            TARGET,
        ),
    ] = ()
    logit_mass: Annotated[
        ShareAbove0,
        said(
            "Probability to cover",
            "Likely tokens are added until they have this share of the probability together.",
            TARGET,
        ),
    ] = 0.95
    most_logits: Annotated[
        Count, said("Logits at most", "How many likely tokens are explained at most.", TARGET)
    ] = 10
    most_features: Annotated[
        CountOrNone,
        said(
            "Features at most",
            "How many feature nodes the graph has at most, those with the most influence on the "
            "target; 0: all that fire.",
            SIZE,
        ),
    ] = 2048
    keep_edges: Annotated[
        Share,
        said(
            "Edges to keep",
            "Which share of the size of a node's inputs is kept as edges; the sum of the others "
            "is kept as one number.",
            SIZE,
        ),
    ] = 0.98
    most_edges: Annotated[
        Count, said("Edges at most", "How many edges the file holds at most.", SIZE)
    ] = 4_000_000
    batch: Annotated[
        CountOrNone,
        said(
            "Nodes at once",
            "For how many nodes inputs are computed at once; 0: as many as the memory allows.",
            SIZE,
        ),
    ] = 0
    device: str = "auto"


class TraceConfig(TraceSettings, frozen=True, kw_only=True, tag="trace"):
    """Trace how features make the next token of a prompt."""

    name: str


def was_chat(config: str) -> bool:
    """Return whether the prompt of a graph was a chat, by the config it was made with."""
    try:
        return bool(msgspec.json.decode(config, type=dict[str, Any]).get("chat", False))
    except ValueError:  # of a graph that came from elsewhere
        return False


class TraceResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    path: str
    nodes: int
    features: int
    """Feature nodes."""
    active_features: int
    """Features that fire on the prompt."""
    edges: int
    targets: tuple[str, ...]
    """The tokens of the logit nodes."""
    probabilities: tuple[float, ...]
    logit_mass: float
    replacement_score: float
    completeness_score: float
    kept_edges: float
    largest_gap: float
    """By how much inputs and constant of a node fail to add up to it at most, relative."""
    seconds: float
    peak_bytes: int
    """Memory the trace took beside the model and the set."""
    file_bytes: int
    tokens: int


class EstimateTraceConfig(TraceSettings, frozen=True, kw_only=True, tag="estimate_trace"):
    """Say what tracing a prompt takes, before it is started."""


class TraceEstimate(msgspec.Struct, frozen=True, kw_only=True):
    tokens: tuple[str, ...]
    """The prompt's, as they are shown, special tokens before it included."""
    specials: int
    special_tokens: tuple[int, ...] = ()
    """Which of the tokens are special: what the prompt begins with, and those of a template."""
    active_features: int
    feature_nodes: int
    nodes: int
    targets: tuple[str, ...]
    probabilities: tuple[float, ...]
    memory_bytes: int
    free_memory_bytes: int
    disk_bytes: int
    free_disk_bytes: int
    seconds: float
    fits: bool
    problem: str = ""
    """Why it does not fit, and what to change; empty where it does."""


class ImportGraphConfig(msgspec.Struct, frozen=True, kw_only=True, tag="import_graph"):
    """Read a graph that circuit-tracer, Neuronpedia or this program wrote as JSON."""

    project: str
    name: str
    file: Annotated[str, takes("graph")]
    set: Annotated[
        str,
        said(
            "Set",
            "The set of the project whose features the nodes are; empty: the one that the file "
            "names, if the project has it.",
        ),
    ] = ""


class ImportGraphResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    nodes: int
    features: int
    edges: int
    dropped_links: int
    """Links that lead to no node, or not to a later layer."""
    set: str = ""
    """The set of the project whose features the nodes are; empty: none of it is known to be."""


class ExportGraphConfig(msgspec.Struct, frozen=True, kw_only=True, tag="export_graph"):
    """Write a graph as circuit-tracer’s JSON, with the names, pins and groups it has here."""

    project: str
    graph: str
    path: str
    nodes: Annotated[
        Share,
        said("Nodes to keep", "The share of the nodes’ influence that is written.", SIZE),
    ] = NODE_THRESHOLD
    edges: Annotated[
        Share,
        said("Edges to keep", "The share of the edges’ influence that is written.", SIZE),
    ] = EDGE_THRESHOLD


class ExportGraphResult(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    nodes: int
    edges: int
    bytes: int
