"""A graph opened together with its set and model, frozen at its prompt again."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from sae_desktop.circuits.config import TraceConfig
from sae_desktop.circuits.prompt import one_token
from sae_desktop.circuits.reading.graph_file import FEATURE, LOGIT, Graph, read_graph
from sae_desktop.circuits.replacement import ReplacementModel
from sae_desktop.circuits.tracing.opened import open_set
from sae_desktop.dictionary.set_info import SetInfo
from sae_desktop.errors import UserError
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.project import Project, existing

Place = tuple[int, int, int]
"""Layer, position, feature."""


class OpenedGraph(NamedTuple):
    graph: Graph
    set_info: SetInfo
    lm: LanguageModel
    model: ReplacementModel

    @property
    def places(self) -> dict[Place, int]:
        """Where a feature stands → its node."""
        graph = self.graph
        found = (graph.kind == FEATURE).nonzero()[0]
        rows = zip(graph.layer[found], graph.position[found], graph.feature[found], strict=True)
        return {
            (int(layer), int(position), int(feature)): int(node)
            for node, (layer, position, feature) in zip(found, rows, strict=True)
        }

    @property
    def logits(self) -> list[int]:
        """The nodes of the targets."""
        found: list[int] = (self.graph.kind == LOGIT).nonzero()[0].tolist()
        return found

    @property
    def against(self) -> int | None:
        """Of a difference of two logits, the token that is subtracted."""
        info = self.graph.info
        if info.target != "difference":
            return None
        try:
            tokens = msgspec.json.decode(info.config, type=TraceConfig).tokens
        except (msgspec.DecodeError, UnicodeDecodeError):
            tokens = info.target_tokens
        return one_token(self.lm, tokens[1] if len(tokens) > 1 else info.target_tokens[-1])


def open_graph(project_path: str, name: str, device: str) -> OpenedGraph:
    """Open a graph of a project, and freeze its model at its prompt.

    Raises UserError for a graph that is not there or damaged, without its set or model, or whose
    set is not the one it was traced with.
    """
    project = Project.open(project_path)
    graph = read_graph(project.graph_path(existing("graph", name, project.graphs())))
    info = graph.info
    if not info.set:
        raise UserError(
            f"The graph “{name}” was read from another program, and its set is not known.",
            next_step="Trace the prompt here, with a set of this project.",
        )
    opened = open_set(project, info.set, device)
    if info.set_digest and info.set_digest != opened.info.digest:
        raise UserError(
            f"The set “{info.set}” has changed since the graph “{name}” was traced.",
            kept="The graph is unchanged.",
            next_step="Trace the prompt again.",
        )
    if max(graph.tokens, default=0) >= len(opened.lm.token_bytes()):
        raise UserError(
            f"The graph “{name}” has tokens that “{opened.lm.name}” does not know.",
            next_step="Trace the prompt again.",
        )
    model = ReplacementModel(opened.lm, opened.members, graph.tokens.tolist(), info.specials)
    return OpenedGraph(graph, opened.info, opened.lm, model)
