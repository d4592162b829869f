"""The job that traces: nodes, edges and what they add up to; stopped, resumed, refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import torch
from job_contexts import RecordingContext
from made_sets import save_random_set
from toy_models import save_toy_model

from sae_desktop.circuits.config import (
    EstimateTraceConfig,
    TraceConfig,
    TraceResult,
    TraceSettings,
)
from sae_desktop.circuits.reading.graph_file import (
    EMBEDDING,
    ERROR,
    FEATURE,
    LOGIT,
    read_graph,
)
from sae_desktop.circuits.reading.pruning import influence
from sae_desktop.circuits.tracing import needs
from sae_desktop.circuits.tracing.estimate import Pace, estimate_trace
from sae_desktop.circuits.tracing.job import trace
from sae_desktop.circuits.tracing.rows import LOGIT_ROW, Rows
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project

PROMPT = "In the beginning God created"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("trace")
    save_toy_model(folder / "toy", num_hidden_layers=2)
    project = Project.open_or_create(folder / "p")
    save_random_set(project, "set", str(folder / "toy"))
    return project


def config_of(project: Project, name: str = "g", **changes: object) -> TraceConfig:
    config = TraceConfig(
        project=str(project.path), name=name, set="set", prompt=PROMPT, device="cpu"
    )
    return msgspec.structs.replace(config, **changes)


@pytest.fixture(scope="module")
def whole(project: Project) -> TraceResult:
    return trace(config_of(project, "whole", keep_edges=1.0, most_features=0), SilentContext())


def test_trace__of_all_features_adds_up(project: Project, whole: TraceResult) -> None:
    graph = read_graph(Path(whole.path))
    info = graph.info
    assert whole.features == whole.active_features == info.kept_nodes > 100
    tokens = len(info.token_text)
    assert "".join(info.token_text[1:]) == PROMPT
    counts = [int((graph.kind == kind).sum()) for kind in (EMBEDDING, FEATURE, ERROR, LOGIT)]
    assert counts == [tokens, whole.features, 2 * (tokens - 1), 10]
    assert info.logit_mass == pytest.approx(graph.probability.sum(), rel=1e-5)
    sums = np.zeros(graph.nodes)
    np.add.at(sums, graph.targets(), graph.weights)
    read = (graph.kind == FEATURE) | (graph.kind == LOGIT)
    assert np.abs(sums + graph.constant - graph.pre)[read].max() < 1e-4
    assert np.abs(graph.rest).max() < 1e-4
    assert whole.largest_gap < 1e-5
    assert np.allclose(graph.pre[read], graph.activation[read])
    assert influence(graph) == pytest.approx(graph.influence, abs=1e-6)
    assert 0 < info.replacement_score < info.completeness_score < 1
    assert graph.position[graph.kind == FEATURE].min() == info.specials == 1


def test_trace__with_few_features_takes_those_of_most_influence(
    project: Project, whole: TraceResult
) -> None:
    result = trace(config_of(project, "few", most_features=30, batch=4), SilentContext())
    few, all_of_them = read_graph(Path(result.path)), read_graph(Path(whole.path))
    assert result.features == 30
    assert result.active_features == whole.active_features
    key = [few.layer, few.position, few.feature]
    chosen = set(zip(*(values[few.kind == FEATURE].tolist() for values in key), strict=True))
    wanted = np.flatnonzero(all_of_them.kind == FEATURE)
    order = wanted[np.argsort(-all_of_them.influence[wanted])][:10]
    for node in order:
        assert (
            int(all_of_them.layer[node]),
            int(all_of_them.position[node]),
            int(all_of_them.feature[node]),
        ) in chosen
    # What is not a node or not an edge is in the rest: all of it still adds up.
    sums = few.rest.astype(float)
    np.add.at(sums, few.targets(), few.weights)
    read = (few.kind == FEATURE) | (few.kind == LOGIT)
    assert np.abs(sums + few.constant - few.pre)[read].max() < 1e-4
    assert np.abs(few.rest).max() > 1e-2
    assert 0.975 < result.kept_edges < 1
    assert few.edges < 0.9 * (30 + 10) * few.nodes


def test_rows__give_influence_by_the_share_that_each_input_has() -> None:
    rows = Rows(most=5)  # sources: a token, two features of layer 0, two of layer 1
    logits = [[1.0, 0, -1, 2, 4], [0, 2, 0, 0, -2]]
    features = {3: [3.0, 1, 0, 0, 0], 4: [0, 0, -5, 0, 0], 1: [2, 0, 0, 0, 0], 2: [-7, 0, 0, 0, 0]}
    rows.add([LOGIT_ROW] * 2, torch.tensor(logits))
    rows.add(list(features), torch.tensor(list(features.values())))
    found = rows.influence(np.array([-1, 0, 0, 1, 1]), np.array([0.6, 0.2]))
    assert found == pytest.approx([1.0, 0.171875, 0.59375, 0.1875, 0.5])


def test_trace__keeps_as_few_edges_as_it_is_told(project: Project, whole: TraceResult) -> None:
    result = trace(config_of(project, "thin", most_edges=500), SilentContext())
    assert 450 < result.edges <= 510
    thin = read_graph(Path(result.path))
    assert thin.nodes == whole.nodes
    assert thin.info.kept_edges < 0.5
    sources, weights = thin.inputs(thin.nodes - 10)
    assert np.all(np.diff(np.abs(weights)) <= 0)
    assert len(sources) > 20  # the likeliest token's edges matter most


def test_trace__of_a_difference_has_one_logit(project: Project) -> None:
    kept = config_of(project, "pair", target="difference", tokens=("th", "nd"), keep_edges=1.0)
    graph = read_graph(Path(trace(kept, SilentContext()).path))
    named = msgspec.structs.replace(kept, name="two", target="tokens")
    one = read_graph(Path(trace(named, SilentContext()).path))
    assert graph.info.target_tokens == ("th", "nd") == one.info.target_tokens
    assert int((graph.kind == LOGIT).sum()) == 1
    assert graph.pre[-1] == pytest.approx(one.pre[-2] - one.pre[-1], abs=1e-5)
    assert graph.feature[-1] == one.feature[-2]


def test_trace__that_was_cancelled_resumes_and_ends_the_same(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sae_desktop.circuits.tracing.kept_rows._SECONDS", 0.0)
    config = config_of(project, "broken", batch=32)
    with pytest.raises(JobCancelledError):
        trace(config, RecordingContext(cancel_after=12))
    assert "broken" not in project.graphs()
    assert list(project.path.glob("graphs/.broken.rows/*.npz"))
    resumed = RecordingContext()
    result = trace(config, resumed)
    assert resumed.steps[0][0] >= 32  # not from the beginning
    assert resumed.steps[-1][0] == resumed.steps[-1][1] == result.features + 10
    assert not list(project.path.glob("graphs/.*"))
    again = trace(config_of(project, "anew", batch=32), SilentContext())
    one, other = read_graph(Path(result.path)), read_graph(Path(again.path))
    for name, values in one.arrays.items():
        assert np.array_equal(values, other.arrays[name]), name
    # Of other settings nothing is taken over, and no graph is replaced.
    changed = msgspec.structs.replace(config, prompt="In the end")
    with pytest.raises(UserError, match="already, of other settings"):
        trace(changed, SilentContext())
    Path(result.path).unlink()
    with pytest.raises(JobCancelledError):
        trace(config, RecordingContext(cancel_after=12))
    fresh = RecordingContext()
    trace(changed, fresh)
    assert fresh.steps[0][0] == 0


def test_trace__that_is_stopped_keeps_what_it_has(project: Project) -> None:
    result = trace(config_of(project, "stopped", batch=8), RecordingContext(stop_after=30))
    assert 0 < result.features < result.active_features
    assert read_graph(Path(result.path)).info.kept_nodes == result.features


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prompt": ""}, "no prompt"),
        ({"prompt": "a " * 70}, "reads 64 at once"),
        ({"target": "tokens", "tokens": ("beginning and",)}, "not one token"),
        ({"target": "tokens"}, "No target"),
        ({"target": "tokens", "tokens": ("th", "th")}, "named twice"),
        ({"target": "difference", "tokens": ("th",)}, "of two tokens"),
        ({"chat": True, "prompt": "user: hello"}, "no chat template"),
        ({"set": "other"}, "no set “other”"),
    ],
)
def test_trace__refuses_what_it_cannot_explain(
    project: Project, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        trace(config_of(project, "no", **changes), SilentContext())
    assert "no" not in project.graphs()


def test_trace__of_one_token_and_of_unknown_characters(project: Project) -> None:
    for name, prompt in (("one", "a"), ("odd", "𓀀\u0301")):
        result = trace(config_of(project, name, prompt=prompt), SilentContext())
        assert result.features > 0
        assert result.largest_gap < 1e-5


def test_trace__of_a_cross_layer_set_adds_up_too(project: Project) -> None:
    folder = project.path.parent
    save_random_set(project, "across", str(folder / "toy"), features=16, cross_layer=True)
    result = trace(config_of(project, "across", set="across", keep_edges=1.0), SilentContext())
    graph = read_graph(Path(result.path))
    assert graph.info.set_kind == "cross_layer"
    assert result.largest_gap < 1e-5
    first = (graph.layer == 0) & (graph.kind == FEATURE)
    last = (graph.layer == 1) & (graph.kind == FEATURE)
    assert first.sum() > 10 < last.sum()
    sums = np.zeros(graph.nodes)
    np.add.at(sums, graph.targets(), graph.weights)
    assert np.abs(sums + graph.constant - graph.pre)[last].max() < 1e-4
    assert int(graph.feature[first | last].max()) < 16


def test_set__that_has_changed_is_read_again(project: Project) -> None:
    folder = project.path.parent
    save_random_set(project, "changing", str(folder / "toy"), features=16)
    first = trace(config_of(project, "before", set="changing"), SilentContext())
    shutil.rmtree(project.set_path("changing"))
    save_random_set(project, "changing", str(folder / "toy"), features=16, seed=1)
    second = trace(config_of(project, "after", set="changing"), SilentContext())
    one, other = read_graph(Path(first.path)), read_graph(Path(second.path))
    assert one.info.set_digest != other.info.set_digest
    assert one.nodes != other.nodes or not np.array_equal(one.activation, other.activation)
    (project.set_path("changing") / "L01" / "sae_weights.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match="not the ones"):
        trace(config_of(project, "damaged", set="changing"), SilentContext())
    shutil.rmtree(project.set_path("changing") / "L01")
    with pytest.raises(UserError, match="is missing"):
        trace(config_of(project, "damaged", set="changing"), SilentContext())


def test_weights__that_are_not_numbers_are_refused(project: Project) -> None:
    folder = project.path.parent
    save_random_set(project, "nan", str(folder / "toy"), features=16, scale=float("nan"))
    with pytest.raises(UserError, match="are not numbers"):
        trace(config_of(project, "no", set="nan"), SilentContext())
    save_random_set(project, "dead", str(folder / "toy"), features=16, scale=0.0)
    with pytest.raises(UserError, match="No feature of the set “dead” fires"):
        trace(config_of(project, "no", set="dead"), SilentContext())


def test_estimate__says_what_a_trace_takes(
    project: Project, whole: TraceResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        field: getattr(config_of(project), field) for field in EstimateTraceConfig.__struct_fields__
    }
    config = EstimateTraceConfig(**settings)
    found = estimate_trace(config, SilentContext())
    assert (found.active_features, found.nodes) == (whole.active_features, whole.nodes)
    assert found.targets == whole.targets
    assert found.fits
    assert found.disk_bytes >= whole.file_bytes
    monkeypatch.setattr(needs, "_ROOM", 2**50)
    tight = estimate_trace(config, SilentContext())
    assert not tight.fits
    assert "shorter prompt or fewer feature nodes" in tight.problem
    with pytest.raises(UserError, match="of memory"):
        trace(config_of(project, "large"), SilentContext())
    assert "large" not in project.graphs()


def test_pace__is_of_batches_and_of_what_each_further_target_adds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = {1: 2.0, 4: 3.5}
    monkeypatch.setattr(Pace, "tried", lambda self, targets: taken[targets])
    tracer = SimpleNamespace(needs=SimpleNamespace(batch=8))
    pace = Pace(tracer, SilentContext())  # type: ignore[arg-type]
    assert pace.seconds(0) == 0
    assert pace.seconds(8) == 2 + 7 * 0.5
    assert pace.seconds(20) == 3 * 2 + 17 * 0.5
    taken[4] = 1.0  # on a busy machine
    assert Pace(tracer, SilentContext()).seconds(20) == 3 * 2  # type: ignore[arg-type]


def test_needs__grow_with_what_is_in_memory_together() -> None:
    shape = needs.Shape(tokens=64, layers=30, width=576, heads=9, vocabulary=49_152, bytes=4)
    settings = TraceSettings(project="", set="", prompt="", most_features=384)
    found = needs.needs_of(shape, settings, 60_480, 10, 8 * 10**9)
    # Measured at these sizes: 358 MB (tests/benchmarks/tracing.py).
    assert 1.0 < found.memory_bytes / 358e6 < 1.3
    long = needs.needs_of(shape._replace(tokens=1000), settings, 60_480, 10, 8 * 10**9)
    patterns = 30 * 9 * (1000**2 - 64**2) * 4
    assert long.memory_bytes - found.memory_bytes > patterns
    one = needs.needs_of(shape, msgspec.structs.replace(settings, batch=1), 60_480, 10, 8 * 10**9)
    assert one.memory_bytes < found.memory_bytes
