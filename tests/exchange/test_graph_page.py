"""A graph's page needs nothing else, and its script finds what it draws."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import numpy as np
import pytest
from made_graphs import made_graph

from sae_desktop.circuits.reading.graph_file import Graph
from sae_desktop.circuits.reading.graph_view import ViewGroup, node_key
from sae_desktop.circuits.reading.pruning import pruned
from sae_desktop.errors import UserError
from sae_desktop.exchange.graph_page import write_graph_page

HOSTILE = "</script><script>alert(1)</script>"


def _page(path: Path) -> tuple[str, dict]:
    made = made_graph(features=60)
    texts = (*made.info.token_text[:-1], HOSTILE)
    graph = Graph(msgspec.structs.replace(made.info, token_text=texts), made.arrays)
    kept = pruned(graph)
    group = ViewGroup(name=HOSTILE, members=(node_key(graph, int(np.flatnonzero(kept.nodes)[9])),))
    shown = (kept.nodes, kept.edges)
    write_graph_page(path, graph, shown, lambda node: f"{HOSTILE} {node}", (group,), HOSTILE)
    page = path.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    assert {node["id"] for node in data["nodes"]} == set(np.flatnonzero(kept.nodes).tolist())
    assert len(data["edges"]) == int(kept.edges.sum())
    return page, data


def test_page__holds_what_is_shown_and_lets_no_text_be_a_script(tmp_path: Path) -> None:
    page, data = _page(tmp_path / "g.html")
    assert HOSTILE not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    ends = {node["id"] for node in data["nodes"]}
    assert all(edge["s"] in ends and edge["t"] in ends for edge in data["edges"])
    assert [node["group"] for node in data["nodes"]].count(0) == 1
    with pytest.raises(UserError, match="not a page name"):
        write_graph_page(
            tmp_path / "g.txt", made_graph(features=3), (np.zeros(0), np.zeros(0)), str
        )


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to read scripts with")
def test_script__can_be_read(tmp_path: Path) -> None:
    page, _ = _page(tmp_path / "g.html")
    script = page.split("<script>")[-1].split("</script>")[0]
    (tmp_path / "page.js").write_text(script, encoding="utf-8")
    done = subprocess.run(["node", "--check", str(tmp_path / "page.js")], check=False,
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
