"""Which heads carry an edge, and where a head looks: asked from the tables beside the graph."""

from __future__ import annotations

import numpy as np
from frame_client import FakeClient

from sae_desktop.circuits.asking_config import (
    EdgeHeadsConfig,
    EdgeHeadsResult,
    HeadConfig,
    HeadResult,
    HeadShare,
    QueryKeyPair,
)
from sae_desktop.circuits.reading.graph_file import LOGIT
from sae_desktop.gui.circuits.circuits import CircuitsPanel


def test_edge_between_tokens__is_divided_among_heads_and_a_head_shows_where_it_looks(
    circuits: CircuitsPanel, client: FakeClient
) -> None:
    opened, panel, graph = circuits.opened, circuits.attention, circuits.opened.graph
    assert graph is not None
    target = int(np.flatnonzero(graph.kind == LOGIT)[0])
    opened.select(target)
    table = circuits.node.tables["inputs"]
    sources = [table.links.node(row) for row in range(table.links.rowCount())]
    here = int(graph.position[target])
    crossing = next(r for r, n in enumerate(sources) if int(graph.position[n]) != here)  # type: ignore[index]
    table.setCurrentIndex(table.model().index(crossing, 0))
    source = sources[crossing]
    assert source is not None
    panel.find_button.click()
    job = client.last(EdgeHeadsConfig)
    assert (job.config.source, job.config.target, job.config.graph) == (source, target, "one")
    shares = [
        HeadShare(layer=2, head=1, weight=0.5, direct=0.4),
        HeadShare(layer=1, head=0, weight=-0.2, direct=-0.2),
    ]
    client.finish(
        job,
        EdgeHeadsResult(
            source=source, target=target, weight=0.4, stored=0.4, heads=shares, own=0.1
        ),
    )
    rows = [[panel.heads.item(r, c).text() for c in range(2)] for r in range(3)]
    assert rows == [["Layer 2, head 1", "+0.5"], ["Layer 1, head 0", "−0.2"],
                    ["Without attention", "+0.1"]]  # fmt: skip
    panel.heads.setCurrentCell(0, 0)
    asked = client.last(HeadConfig)
    place = int(graph.position[source])
    assert (asked.config.layer, asked.config.head) == (2, 1)
    assert (asked.config.query, asked.config.key) == (here, place)
    count = len(graph.info.token_text)
    pattern = (np.tril(np.ones((count, count))) / np.arange(1, count + 1)[:, None]).tolist()
    client.finish(
        asked,
        HeadResult(
            layer=2, head=1, heads=4, pattern=pattern, query=here, key=place, score=1.5,
            pairs=[QueryKeyPair(query_node=-1, key_node=source, weight=1.25)], rest=0.25,
            by_query=[], by_key=[],
        ),
    )  # fmt: skip
    assert panel.pattern.model().index(1, 0).data() == "50%"
    assert panel.pattern.model().index(0, 1).data() == ""
    assert panel.pairs.item(0, 0).text() == "constant"
    panel.pairs.cellActivated.emit(0, 1)
    assert opened.node == source


def test_edge_within_one_token__has_no_heads_to_find(circuits: CircuitsPanel) -> None:
    graph = circuits.opened.graph
    assert graph is not None
    targets = circuits.opened.targets
    same = np.flatnonzero(graph.position[graph.sources] == graph.position[targets])
    edge = int(same[0])
    circuits.attention.take_link((int(graph.sources[edge]), int(targets[edge])))
    assert not circuits.attention.find_button.isEnabled()
    assert "no attention between tokens" in circuits.attention.find_button.toolTip()
