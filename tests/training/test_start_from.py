"""Starting a run from a dictionary of the project: what is taken over, measured, kept, refused."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest
import torch
from imported_rows import assert_same_weights, import_rows, run_config, toy_rows, weights
from job_contexts import RecordingContext, cancelled_at

from sae_desktop.dictionary import Dictionary, load, save
from sae_desktop.dictionary.refinement import Refinement
from sae_desktop.dictionary.set_info import SetOrigin
from sae_desktop.dictionary.sets import save_set
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.set_rename import rename_set
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.job import train
from sae_desktop.training.origin_text import origin_text
from sae_desktop.training.planning.preflight import preflight
from sae_desktop.training.planning.preflight_config import PreflightConfig
from sae_desktop.training.run_folder import CFG, RUN_LOG, TRAIN_CONFIG, TRAIN_RESULT, read_summary
from sae_desktop.training.run_log import read_run
from sae_desktop.training.run_setup import recipe_of
from sae_desktop.training.start_from import architectures_from, known_k, taken_over

WIDTH, FEATURES = 16, 48


@pytest.fixture
def begun(project: Project) -> Project:
    """A project with a dictionary “parent”, trained on other rows than those there are."""
    torch.set_num_threads(1)
    import_rows(project, toy_rows(3000))
    train(run_config(project, name="parent", architecture="batchtopk"), SilentContext())
    import_rows(project, toy_rows(3000, seed=9) + 5, "other")
    return project


def further(project: Project, **changes: object) -> TrainConfig:
    config = run_config(
        project, name="child", architecture="batchtopk", start_from="parent", activations="other"
    )
    return msgspec.structs.replace(config, **changes)


def put(project: Project, name: str, **changes: object) -> None:
    """Put a dictionary made elsewhere into the project."""
    generator = torch.Generator().manual_seed(1)
    width = int(changes.pop("width", WIDTH))  # type: ignore[call-overload]
    made = Dictionary(
        torch.randn(width, FEATURES, generator=generator),
        torch.zeros(FEATURES),
        torch.nn.functional.normalize(torch.randn(FEATURES, width, generator=generator)),
        torch.zeros(width),
        **changes,  # type: ignore[arg-type]
    )
    save(made, project.dictionary_path(name))


def test_run__begins_at_the_figures_of_the_other_and_keeps_where_it_came_from(
    begun: Project,
) -> None:
    context = RecordingContext()
    result = train(further(begun, lr=0.02, k=4), context)
    told = result.started_from
    assert told is not None
    assert told.before is not None
    assert told.after is not None
    assert told.name == "parent"
    # The first point of the curves is what the other dictionary does on these held-out rows.
    curves = read_run(begun.dictionary_path("child") / RUN_LOG).columns
    assert curves["step"][0] == curves["rows"][0] == 0
    assert curves["fvu"][0] == told.before.fvu
    assert curves["l0"][0] == told.before.l0
    assert curves["fvu"][-1] == pytest.approx(told.after.fvu, rel=1e-5)
    assert told.after.fvu < 0.75 * told.before.fvu
    assert math.isnan(curves["loss"][0])
    assert context.metrics[0][0] == 0
    assert any(f"FVU {told.before.fvu:.3g}" in line for line in context.lines)
    summary = read_summary(begun.dictionary_path("child"))
    assert summary.started_from == told
    assert origin_text(summary) == "trained further from “parent” on the store other"


def test_run_of_no_rate__hardly_moves_what_it_started_from(begun: Project) -> None:
    train(further(begun, lr=1e-12, tokens=256), SilentContext())
    folders = [begun.dictionary_path(name) for name in ("parent", "child")]
    parent, child = (load(folder) for folder in folders)
    for one, other in ((parent.W_enc, child.W_enc), (parent.W_dec, child.W_dec)):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_cancelled_run__continues_bit_for_bit_without_the_other(begun: Project) -> None:
    train(further(begun, name="whole"), SilentContext())
    with pytest.raises(JobCancelledError):
        train(further(begun), cancelled_at(20 * 256, "rows"))
    begun.dictionary_path("parent").rename(begun.path / "elsewhere")
    result = train(further(begun), SilentContext())
    assert_same_weights(begun, "whole", "child")
    whole = read_summary(begun.dictionary_path("whole")).started_from
    assert result.started_from == whole


def test_rate__is_lower_and_rises_first(begun: Project) -> None:
    scratch, config = recipe_of(further(begun, start_from="")), further(begun)
    assert recipe_of(config).lr < scratch.lr
    assert recipe_of(config).lr_warm_up > scratch.lr_warm_up == 0
    chosen = recipe_of(further(begun, lr=0.01, lr_warm_up=0.2))
    assert (chosen.lr, chosen.lr_warm_up) == (0.01, 0.2)


@pytest.mark.parametrize(
    ("changes", "said", "way_out"),
    [
        ({"start_from": "nobody"}, "no dictionary “nobody”", "parent"),
        ({"start_from": "child"}, "start_from = child", "cannot start from itself"),
        ({"features": 64}, "features = 64", "choose 48"),
        ({"architecture": "topk"}, "architecture = topk", "further as “batchtopk”"),
        ({"start_from": "wide"}, "width 20", "Choose a site or a model of that width"),
        ({"start_from": "normed", "architecture": "standard"}, "start_from = normed", "normalises"),
        ({"start_from": "grouped", "architecture": "topk"}, "start_from = grouped", "groupmax"),
        ({"start_from": "ranked", "architecture": "topk"}, "ranks its features", "from scratch"),
        ({"start_from": "many", "architecture": "batchtopk"}, "threshold of its own", "another"),
        ({"start_from": "several", "architecture": "standard"}, "= several", "several sites"),
        ({"target": "crosscoder", "sites": ()}, "target = crosscoder", "choose “input”"),
    ],
)
def test_what_cannot_be_trained_further__is_refused(
    begun: Project, changes: dict[str, object], said: str, way_out: str
) -> None:
    lengths = torch.linspace(0.2, 3, FEATURES)
    put(begun, "wide", width=20, threshold=torch.ones(FEATURES),
        metadata={"training_architecture": "batchtopk"})  # fmt: skip
    put(begun, "normed", row_norm="layer")
    put(begun, "grouped", k=4, grouped=True)
    put(begun, "ranked", k=4, rank=lengths)
    put(begun, "many", threshold=lengths)
    put(begun, "several", parts=(8, 8))
    with pytest.raises(UserError) as error:
        train(further(begun, **changes), SilentContext())
    assert said in error.value.what
    assert way_out in error.value.next_step + error.value.what
    assert not Path(begun.dictionary_path("child")).exists()
    with pytest.raises(UserError):
        preflight(PreflightConfig(train=further(begun, **changes)), SilentContext())


def test_settings_taken_over__are_those_of_the_dictionary(begun: Project) -> None:
    put(begun, "ours", k=7)
    put(begun, "many", threshold=torch.linspace(0.2, 3, FEATURES))
    own, found, many = (
        read_summary(begun.dictionary_path(name)) for name in ("parent", "ours", "many")
    )
    common = {"target": "input", "features": FEATURES, "lista_step": 0.0}
    assert taken_over(own) == common | {"architecture": "batchtopk", "k": 2}
    assert taken_over(found) == common | {"architecture": "topk", "k": 7}
    assert taken_over(many) == common | {"architecture": "jumprelu"}
    assert architectures_from(many) == ("jumprelu", "batchtopk", "gated")


def test_what_leaves_features_out__is_trained_further_with_thresholds_of_their_own(
    begun: Project,
) -> None:
    put(begun, "alone", threshold=torch.linspace(0.2, 3, FEATURES),
        refinement=Refinement(leave_one_out=0.8))  # fmt: skip
    found = read_summary(begun.dictionary_path("alone"))
    assert architectures_from(found) == ("jumprelu", "batchtopk", "gated")
    assert taken_over(found)["leave_one_out"] == 0.8
    config = further(begun, start_from="alone", architecture="jumprelu", leave_one_out=0.8, k=5)
    result = train(config, SilentContext())
    child = load(begun.dictionary_path("child"))
    assert child.refinement == Refinement(leave_one_out=0.8)
    assert child.threshold is not None
    assert float(child.threshold.max() / child.threshold.min()) > 2
    told = read_summary(begun.dictionary_path("child"))
    # What is left out makes L0 less than the k that was aimed at, which the next run keeps.
    fewer = msgspec.structs.replace(told, result=msgspec.structs.replace(result, l0=3.0))
    assert known_k(fewer) == 5
    more = msgspec.structs.replace(told, result=msgspec.structs.replace(result, l0=8.0))
    assert known_k(more) == 8


def test_renamed_set__is_followed_by_what_was_trained_from_its_member(begun: Project) -> None:
    member = Dictionary(
        torch.eye(WIDTH), torch.zeros(WIDTH), torch.eye(WIDTH), torch.zeros(WIDTH),
        metadata={"model_name": "builtin", "hook_name": "blocks.0.mlp.hook_in",
                  "hook_name_out": "blocks.0.hook_mlp_out"},
    )  # fmt: skip
    save_set({0: member, 1: member}, begun.set_path("deep"), SetOrigin())
    train(further(begun), SilentContext())
    folder = begun.dictionary_path("child")
    for name in (CFG, TRAIN_CONFIG, TRAIN_RESULT):
        path = folder / name
        path.write_bytes(path.read_bytes().replace(b'"parent"', b'"deep.L01"'))
    rename_set(begun, "deep", "other")
    summary = read_summary(folder)
    assert summary.started_from is not None
    assert summary.train is not None
    assert summary.result is not None
    assert summary.started_from.name == summary.train.start_from == "other.L01"
    assert summary.result.started_from == summary.started_from
    assert weights(begun, "child").keys()
