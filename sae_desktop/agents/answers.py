"""What an agent is told of a project, as plain data of a bounded size. Free of torch and Qt."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from sae_desktop.agents.bounds import bounded, cut, within
from sae_desktop.api import Feature, Index, Project
from sae_desktop.circuits.node_names import node_names
from sae_desktop.errors import UserError
from sae_desktop.features.reading.facts import Context
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.words.graph_words import plain_name

MOST_LISTED, MOST_FOUND, MOST_CONTEXTS, MOST_NODES = 200, 50, 10, 60
MOST_PROBED, MOST_TOKENS, MOST_PER_TOKEN = 4000, 400, 5
_SIDE = 200
"""Characters of a context on either side of its token."""
_LOGITS, _NEIGHBOURS, _EDGES, _LABELS = 10, 8, 5, 10


class Answers:
    """Answers about one project; every one is small, and says that its texts are data."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._index = functools.lru_cache(maxsize=4)(project.index)

    def contents(self) -> dict[str, Any]:
        """Return what is in the project, at most 200 of each kind."""
        project = self.project
        return bounded(
            {
                "project": cut(project.title),
                "indexes": [self._told_index(name) for name in project.indexes[:MOST_LISTED]],
                "dictionaries": project.dictionaries[:MOST_LISTED],
                "sets": project.sets[:MOST_LISTED],
                "activation_stores": project.stores[:MOST_LISTED],
                "graphs": project.graphs[:MOST_LISTED],
            }
        )

    def _told_index(self, name: str) -> dict[str, Any]:
        try:
            info = read_info(self.project.folder.index_path(name))
        except UserError as error:
            return {"name": name, "problem": cut(str(error))}
        return {
            "name": name,
            "dictionary": info.dictionary,
            "model": cut(info.model),
            "site": info.site,
            "features": info.features,
            "tokens": info.rows,
        }

    def found(self, index: str, *, limit: int, **conditions: Any) -> dict[str, Any]:
        """Return features that meet conditions, as `Index.search` takes them."""
        within(limit, 1, MOST_FOUND, "limit")
        features = self._opened(index).search(**conditions)
        return bounded(
            {
                "index": index,
                "total": len(features),
                "features": [self._row(feature) for feature in features[:limit]],
            }
        )

    def feature(self, index: str, number: int, *, contexts: int) -> dict[str, Any]:
        """Return what an index says of a feature."""
        within(contexts, 0, MOST_CONTEXTS, "contexts")
        opened = self._opened(index)
        feature = opened[number]
        return bounded(
            {
                "index": index,
                **self._row(feature),
                "labels": [
                    {"text": cut(one.text), "by": cut(one.author or one.method or "a person")}
                    for one in feature.labels[:_LABELS]
                ],
                "note": cut(feature.note.note),
                "contexts": [self._context(one) for one in feature.contexts()[:contexts]],
                "raises": [[cut(token), round(by, 4)] for token, by in feature.raises[:_LOGITS]],
                "lowers": [[cut(token), round(by, 4)] for token, by in feature.lowers[:_LOGITS]],
                "neighbours": [
                    {"feature": near.number, "name": cut(near.name), "cosine": round(cosine, 3)}
                    for near, cosine in feature.neighbours[:_NEIGHBOURS]
                ],
            }
        )

    def probe(self, index: str, text: str, *, per_token: int, device: str) -> dict[str, Any]:
        """Return which features fire on each token of a text: the model reads it."""
        within(per_token, 1, MOST_PER_TOKEN, "per_token")
        if len(text) > MOST_PROBED:
            raise UserError(
                f"The text has {len(text):,} characters, of {MOST_PROBED:,} at most.",
                next_step="Probe it in parts.",
            )
        opened = self._opened(index)
        read = opened.probe(text, per_token=per_token, device=device)
        tokens = [
            {
                "token": cut(token),
                "fires": [[feature.number, round(value, 3)] for feature, value in read.at(place)],
            }
            for place, token in enumerate(read.tokens[:MOST_TOKENS])
        ]
        names = {feature.number: cut(feature.name, 80) for feature in read.strongest()[:MOST_FOUND]}
        return bounded(
            {"index": index, "all_tokens": len(read.tokens), "tokens": tokens, "names": names}
        )

    def graph(self, name: str, *, nodes: int) -> dict[str, Any]:
        """Return a kept attribution graph: its prompt, its most influential nodes, their inputs."""
        within(nodes, 1, MOST_NODES, "nodes")
        graph = self.project.graph(name)
        info = graph.info
        named = node_names(self.project.folder, graph)
        chosen = np.argsort(-np.asarray(graph.influence), kind="stable")[:nodes].tolist()

        def called(node: int) -> str:
            return cut(named.get(node) or plain_name(graph, node), 120)

        told = []
        for node in chosen:
            sources, weights = graph.inputs(node)
            inputs = [
                {"node": int(s), "name": called(int(s)), "weight": round(float(w), 5)}
                for s, w in zip(sources[:_EDGES], weights[:_EDGES], strict=True)
            ]
            told.append(
                {
                    "node": node,
                    "name": called(node),
                    "layer": int(graph.layer[node]),
                    "position": int(graph.position[node]),
                    "influence": round(float(graph.influence[node]), 5),
                    "strongest_inputs": inputs,
                }
            )
        return bounded(
            {
                "graph": name,
                "set": info.set,
                "model": cut(info.model),
                "prompt": cut(info.prompt, 2000),
                "targets": [cut(token) for token in info.target_tokens],
                "replacement_score": round(info.replacement_score, 4),
                "completeness_score": round(info.completeness_score, 4),
                "all_nodes": graph.nodes,
                "nodes": told,
            }
        )

    def _opened(self, index: str) -> Index:
        return self._index(index)

    @staticmethod
    def _row(feature: Feature) -> dict[str, Any]:
        return {
            "feature": feature.number,
            "name": cut(feature.name),
            "labelled": bool(feature.label),
            "density": float(f"{feature.density:.4g}"),
            "max_activation": float(f"{feature.max_activation:.4g}"),
        }

    @staticmethod
    def _context(context: Context) -> dict[str, Any]:
        before = "".join(context.tokens[: context.peak])
        after = "".join(context.tokens[context.peak + 1 :])
        return {
            "before": before[-_SIDE:],
            "token": cut(context.tokens[context.peak]),
            "after": after[:_SIDE],
            "activation": float(f"{context.activation:.4g}"),
        }
