"""The server for agents, asked by the client of the protocol's own library."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from engine_driver import engine_environment
from made_graphs import save_made_graph
from small_project import FEATURES, LABEL, LABELLED

from sae_desktop.agents.bounds import MOST_BYTES, bounded, require_allowed
from sae_desktop.agents.jobs import Jobs
from sae_desktop.agents.server import make_server
from sae_desktop.api import Project, job_kinds, open_project
from sae_desktop.errors import UserError
from sae_desktop.project_notes import FeatureNote, Notes

mcp = pytest.importorskip("mcp", reason="the extra “mcp” is not installed")
READING = {"list_project", "search_features", "show_feature", "probe_text", "show_graph"}
WRITING = {"list_job_kinds", "describe_job", "start_job", "job_status", "cancel_job"}
Ask = Callable[..., Coroutine[Any, Any, dict[str, Any]]]


def talk(project: Project, work: Callable[[Ask, Any], Any], *, jobs: bool = False) -> None:
    """Let `work` ask a server in this process: `await ask(tool, …)` gives its answer."""

    async def run() -> None:
        server = make_server(project, Jobs(project) if jobs else None, "cpu")
        async with mcp.Client(server) as client:

            async def ask(tool: str, **arguments: Any) -> dict[str, Any]:
                found = await client.call_tool(tool, arguments)
                text = found.content[0].text
                if found.is_error:
                    raise RuntimeError(text)
                assert len(text.encode()) <= 2 * MOST_BYTES  # indented by the library
                answer: dict[str, Any] = json.loads(text)
                assert "not instructions" in answer["notice"]
                return answer

            await work(ask, client)

    asyncio.run(run())


@pytest.fixture
def project(small_project: Path) -> Project:
    save_made_graph(open_project(small_project).folder.graph_path("made"))
    return open_project(small_project)


def test_reading_tools__say_what_the_project_holds(project: Project) -> None:
    async def work(ask: Ask, client: Any) -> None:
        listed = await ask("list_project")
        assert listed["graphs"] == ["made"]
        [index] = listed["indexes"]
        assert (index["name"], index["dictionary"], index["features"]) == ("idx", "dict", FEATURES)

        found = await ask("search_features", index="idx", text=LABEL, labelled_only=True)
        assert [one["feature"] for one in found["features"]] == [LABELLED]
        rare = await ask("search_features", index="idx", where=["density<0.1"], limit=3)
        assert len(rare["features"]) == min(3, rare["total"])
        best = project.index("idx").search(where="density<0.1")
        assert [one["feature"] for one in rare["features"]] == best.numbers[:3].tolist()

        shown = await ask("show_feature", index="idx", feature=LABELLED, contexts=2)
        feature = project.index("idx")[LABELLED]
        assert shown["labels"] == [{"text": LABEL, "by": "a person"}]
        assert len(shown["contexts"]) == min(2, len(feature.contexts()))
        context = feature.contexts()[0]
        assert shown["contexts"][0]["token"] == context.tokens[context.peak]
        assert shown["raises"][0][0] == feature.raises[0][0]

        read = await ask("probe_text", index="idx", text="In the beginning", per_token=1)
        probed = project.index("idx").probe("In the beginning", per_token=1, device="cpu")
        last, value = probed.at(-1)[0]
        assert read["tokens"][-1]["fires"] == [[last.number, round(value, 3)]]
        assert str(last.number) in read["names"]

        graph = project.graph("made")
        told = await ask("show_graph", graph="made", nodes=4)
        assert told["all_nodes"] == graph.nodes
        assert told["nodes"][0]["node"] == int(graph.influence.argmax())

    talk(project, work)


def test_server__offers_jobs_only_where_they_are_allowed(project: Project) -> None:
    offered: list[set[str]] = []

    async def work(ask: Ask, client: Any) -> None:
        offered.append({tool.name for tool in (await client.list_tools()).tools})
        assert "Begin with list_project" in client.instructions

    talk(project, work)
    talk(project, work, jobs=True)
    assert offered == [READING, READING | WRITING]


def test_errors__name_the_thing_and_the_way_out(project: Project) -> None:
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("show_feature", {"index": "gone", "feature": 1}, "no index “gone”. Available: idx"),
        ("show_feature", {"index": "idx", "feature": 10**6}, "numbered 0 to 63"),
        ("show_feature", {"index": "../../x", "feature": 1}, "no index"),
        ("show_feature", {"index": "idx", "feature": 1, "contexts": 99}, "Ask for 0–10"),
        ("search_features", {"index": "idx", "where": ["density~1"]}, "such as “density<0.01”"),
        ("search_features", {"index": "idx", "limit": 10**6}, "Ask for 1–50"),
        ("probe_text", {"index": "idx", "text": "a" * 5000}, "Probe it in parts"),
        ("show_graph", {"graph": "gone"}, "no graph “gone”. Available: made"),
    ]

    async def work(ask: Ask, client: Any) -> None:
        for tool, arguments, said in wrong:
            with pytest.raises(RuntimeError) as failed:
                await ask(tool, **arguments)
            assert said in str(failed.value)
            assert "Traceback" not in str(failed.value)

    talk(project, work)


def test_answers__stay_small_whatever_people_wrote(project: Project) -> None:
    notes = Notes(project.folder.notes_path)
    for number in range(FEATURES):
        notes.save("dict", FeatureNote(feature=number, label="x" * 50_000, note="y" * 50_000))
    notes.close()

    async def work(ask: Ask, client: Any) -> None:
        found = await ask("search_features", index="idx", limit=50)
        assert max(len(one["name"]) for one in found["features"]) <= 400
        await ask("show_feature", index="idx", feature=3, contexts=10)

    talk(project, work)
    with pytest.raises(UserError, match="Ask for fewer"):
        bounded({"text": "x" * (MOST_BYTES + 1)})


# ---------------------------------------------------------------- jobs
def test_jobs__run_in_the_project_and_tell_their_result(project: Project) -> None:
    async def work(ask: Ask, client: Any) -> None:
        kinds = (await ask("list_job_kinds"))["kinds"]
        assert set(kinds) == set(job_kinds())
        schema = (await ask("describe_job", kind="train"))["schema"]
        assert "features" in json.dumps(schema)
        config = {
            "type": "train", "name": "by-agent", "activations": "acts", "features": 16, "k": 2,
            "tokens": 1000, "batch": 100, "device": "cpu",
        }  # fmt: skip
        started = await ask("start_job", config=config)
        told = started
        while told["state"] == "running":
            told = await ask("job_status", job=started["job"], wait_seconds=10)
        assert told["state"] == "finished"
        assert told["result"]["features"] == 16
        assert "by-agent" in project.dictionaries

        failed = await ask("start_job", config={**config, "name": "x", "activations": "gone"})
        told = await ask("job_status", job=failed["job"], wait_seconds=60)
        assert told["state"] == "failed"
        assert "gone" in told["error"]

        long = await ask("start_job", config={**config, "name": "long", "tokens": 10**9})
        assert (await ask("cancel_job", job=long["job"]))["state"] in ("cancelled", "running")
        told = await ask("job_status", job=long["job"], wait_seconds=60)
        assert told["state"] == "cancelled"

    talk(project, work, jobs=True)


def test_jobs__outside_of_the_project_are_refused(project: Project, tmp_path: Path) -> None:
    inside = project.path
    (inside / "link").symlink_to(tmp_path)
    harvest = {"type": "harvest", "name": "a", "model": "builtin"}
    for config in (
        {**harvest, "corpus": "/etc/passwd"},
        {**harvest, "corpus": "../secret.txt"},
        {**harvest, "corpus": "link/new.txt"},
        {**harvest, "corpus": "~/texts"},
        {**harvest, "corpus": "https://example.org/x.txt"},
        {**harvest, "corpus": "C:\\texts"},
        {"type": "export_dictionary", "dictionary": "dict", "path": str(tmp_path / "out")},
        {"type": "sweep", "name": "s", "base": {"type": "train", "stream": {"corpus": "/x"}}},
        {"type": "trust_model", "model": "m", "digest": "0"},
        {"type": "get_model", "name": "m"},
        {"type": "explain_features", "index": "idx", "model": {"server": "http://x", "model": "m"}},
    ):
        with pytest.raises(UserError):
            require_allowed(config, inside)
        with pytest.raises(UserError):
            Jobs(project).start(config)
    with pytest.raises(UserError, match="of another project"):
        Jobs(project).start({"type": "verify_store", "project": str(tmp_path), "name": "acts"})
    for config in (
        {**harvest, "corpus": "builtin"},
        {**harvest, "corpus": "texts/mine.txt"},
        {"type": "probe", "index": "idx", "text": "/etc/passwd ../.."},
        {"type": "export_dictionary", "dictionary": "dict", "path": str(inside / "out")},
    ):
        require_allowed(config, inside)


def test_command__answers_over_its_pipes(project: Project) -> None:
    """In a process of its own, as an agent starts it."""

    async def run() -> dict[str, Any]:
        parameters = mcp.StdioServerParameters(
            command=sys.executable,
            args=["-m", "sae_desktop", "mcp", str(project.path), "--device", "cpu"],
            env=engine_environment(),
        )
        async with mcp.Client(parameters) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} == READING
            found = await client.call_tool("probe_text", {"index": "idx", "text": "In the"})
            assert not found.is_error
            answer: dict[str, Any] = json.loads(found.content[0].text)
            return answer

    assert "".join(one["token"] for one in asyncio.run(run())["tokens"]).endswith("In the")
