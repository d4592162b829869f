"""Every target, from one harvest of several sites to a saved and measured dictionary."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import torch
from job_contexts import RecordingContext
from safetensors.torch import load_file
from toy_models import LAYERS, TEXT, WIDTH, save_toy_model

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import load
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.config import EvaluateConfig, TrainConfig
from sae_desktop.training.job import train
from sae_desktop.training.measuring.evaluate import evaluate
from sae_desktop.training.rows.data import split_rows

STREAM = "blocks.1.hook_resid_post"
INS = tuple(f"blocks.{layer}.mlp.hook_in" for layer in range(LAYERS))
OUTS = tuple(f"blocks.{layer}.hook_mlp_out" for layer in range(LAYERS))
ROWS = 3000

TARGETS: dict[str, dict[str, Any]] = {
    "transcoder": {"target": "transcoder", "sites": INS[1:2], "output_sites": OUTS[1:2]},
    "skip transcoder": {"target": "skip_transcoder", "sites": INS[:1], "output_sites": OUTS[2:3]},
    "TopK transcoder": {
        "target": "transcoder", "sites": INS[1:2], "output_sites": OUTS[1:2],
        "architecture": "topk",
    },
    "crosscoder of layers": {
        "target": "crosscoder", "sites": OUTS[:3], "architecture": "standard", "sparsity": 0.5,
    },
    "crosscoder of models": {
        "target": "crosscoder", "sites": (STREAM,), "other_activations": ("theirs",),
    },
    "Gated": {"architecture": "gated", "sparsity": 1.0},
    "cross-layer transcoder": {
        "target": "cross_layer_transcoder", "architecture": "jumprelu", "sparsity": 0.5,
        "sites": INS[:3], "output_sites": OUTS[:3],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Stores `ours` of many sites and `theirs` of another model that reads the same tokens."""
    folder = tmp_path_factory.mktemp("targets")
    text = folder / "text"
    text.mkdir()
    for number in range(20):
        (text / f"{number}.txt").write_text(TEXT[number * 5 :] + TEXT[: 60 * number])
    project = Project.open_or_create(folder / "p")
    for name, model_type, sites in (
        ("ours", "llama", (*INS, *OUTS)),
        ("theirs", "qwen2", ()),
    ):
        model = save_toy_model(folder / model_type, model_type)
        harvest(
            HarvestConfig(
                project=str(project.path), name=name, model=str(model), corpus=str(text),
                site=STREAM, sites=sites, tokens=ROWS, context_size=32,
                batch_tokens=256, dtype="float32",
            ),
            SilentContext(),
        )  # fmt: skip
    return project


def config(project: Project, name: str, **changes: Any) -> TrainConfig:
    settings = {
        "project": str(project.path), "name": name, "activations": "ours", "features": 96,
        "k": 8, "tokens": 60_000, "batch": 256, "lr": 3e-3, "metric_rows": 500, "device": "cpu",
    }  # fmt: skip
    return TrainConfig(**(settings | changes))


@pytest.mark.parametrize("name", TARGETS)
def test_target__is_trained_saved_and_measured(project: Project, name: str) -> None:
    result = train(config(project, name, **TARGETS[name]), RecordingContext())
    dictionary = load(project.dictionary_path(name))
    store = ActivationStore.open(project.store_path("ours"))
    other = ActivationStore.open(project.store_path("theirs"))
    plan = dictionary.metadata
    inputs = plan.get("input_sites", [plan["hook_name"]])
    outputs = plan.get("output_sites", [plan.get("hook_name_out", plan["hook_name"])])
    owners = [other if source else store for source in plan.get("sources", [0] * len(outputs))]
    held_out = split_rows(store, inputs[0], exclude_massive=False).held_out

    def rows(sites: list[str]) -> torch.Tensor:
        found = zip(owners if len(sites) > 1 else [store], sites, strict=True)
        return torch.cat([torch.tensor(s.gather(held_out, site)) for s, site in found], dim=1)

    y = rows(outputs)
    error = (dictionary.apply(rows(inputs)) - y).square().sum()
    fvu = float(error / (y - y.mean(dim=0)).square().sum())
    assert fvu < 0.75, "a mean predictor has 1"
    measured = evaluate(
        EvaluateConfig(project=str(project.path), dictionary=name, loss_windows=4, device="cpu"),
        RecordingContext(),
    )
    assert measured.fvu == pytest.approx(fvu, rel=0.02)
    assert measured.control is not None
    assert measured.fvu < measured.control.fvu
    assert len(measured.part_fvu) in ((0, 1) if len(outputs) == 1 else (len(outputs),))
    assert result.l0 == pytest.approx(measured.l0, rel=0.3)


def test_index__of_a_transcoder_shows_its_features_at_what_it_reads(project: Project) -> None:
    settings = TARGETS["transcoder"] | {"tokens": 10_000}
    train(config(project, "shown", **settings), RecordingContext())
    asked = IndexConfig(project=str(project.path), dictionary="shown", name="shown", device="cpu")
    assert build_index(asked, RecordingContext()).alive > 0
    index = FeatureIndex(project.index_path("shown"))
    assert index.info.site == INS[1]
    store = ActivationStore.open(project.store_path("ours"))
    x = torch.tensor(store.read(0, ROWS, INS[1]))
    fired = (load(project.dictionary_path("shown")).encode(x) > 0).double().mean(dim=0)
    torch.testing.assert_close(
        torch.from_numpy(index.columns["density"]).double(), fired, atol=1e-3, rtol=0
    )


def test_cross_layer__is_resumed_bit_for_bit(project: Project) -> None:
    settings = TARGETS["cross-layer transcoder"] | {"tokens": 20_000}
    train(config(project, "whole", **settings), RecordingContext())
    broken = config(project, "broken", **settings)
    with pytest.raises(JobCancelledError):
        train(broken, RecordingContext(cancel_after=30))
    train(broken, RecordingContext())
    for path in project.dictionary_path("whole").glob("W_*.safetensors"):
        again = load_file(project.dictionary_path("broken") / path.name)
        for name, tensor in load_file(path).items():
            assert torch.equal(again[name], tensor), name


def test_run__with_sites_that_are_not_there_is_refused_before_anything_is_written(
    project: Project,
) -> None:
    asked = config(project, "refused", target="transcoder", sites=(STREAM,), output_sites=("x",))
    with pytest.raises(UserError, match="no site “x”"):
        train(asked, RecordingContext())
    short = msgspec.structs.replace(asked, target="crosscoder", output_sites=(), sites=(STREAM,))
    with pytest.raises(UserError, match="several sites or several models"):
        train(short, RecordingContext())
    assert "refused" not in project.dictionaries()
    assert ActivationStore.open(project.store_path("ours")).width(STREAM) == WIDTH
