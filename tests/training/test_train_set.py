"""Dictionaries for all layers in one pass: each as if trained alone, resumed, refused, indexed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from imported_rows import assert_same_weights
from job_contexts import RecordingContext, cancelled_at
from made_graphs import save_made_graph

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.circuits.reading.graph_file import read_graph_info
from sae_desktop.comparison.completeness_table import read_table, write_table
from sae_desktop.comparison.config import CompletenessResult, DictionaryCompleteness
from sae_desktop.comparison.match_file import (
    ARRAYS,
    MatchedDictionary,
    MatchInfo,
    read_match_info,
    write_match,
)
from sae_desktop.deletion import delete_item, restore_item, trash_items
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.dictionary.set_info import read_set_info
from sae_desktop.dictionary.sets import load_set
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.features.building.set_index import index_set
from sae_desktop.features.reading.beside import names_path
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.features.set_index_config import IndexSetConfig
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.sites.resolve import parse_site
from sae_desktop.project import Project
from sae_desktop.project_notes import FeatureNote, Notes
from sae_desktop.set_rename import rename_set
from sae_desktop.steering.config import Intervention, Sampling, Variant
from sae_desktop.steering.presets import Preset, read_preset, save_preset
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.job import train
from sae_desktop.training.measuring.splice import SpliceText, measure_losses
from sae_desktop.training.rows import streaming
from sae_desktop.training.set_config import EstimateSetConfig, TrainSetConfig
from sae_desktop.training.sets.replaced import measure_replaced
from sae_desktop.training.sets.set_estimate import estimate_set
from sae_desktop.training.sets.set_job import train_set
from sae_desktop.training.sets.set_plan import sites_of

LAYERS, FEATURES, ROWS, BATCH = 4, 24, 8 * 64, 64


@pytest.fixture
def config(
    project: Project, toy_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> TrainSetConfig:
    torch.set_num_threads(1)
    monkeypatch.setattr(streaming, "HELD_OUT_ROWS", 100)
    monkeypatch.setattr(streaming, "MEASURED_ROWS", 200)
    (tmp_path / "texts").mkdir()
    for number in range(20):
        words = [f"word{(number * 7 + n * n) % 61}" for n in range(22)]
        (tmp_path / "texts" / f"{number:02}.txt").write_text(" ".join(words))
    stream = HarvestConfig(
        project="", name="", model=str(toy_model_folder), corpus=str(tmp_path / "texts"),
        context_size=24, batch_tokens=24, dtype="float32", order="files",
    )  # fmt: skip
    train = TrainConfig(
        project="", name="", stream=stream, architecture="batchtopk", features=FEATURES, k=4,
        tokens=ROWS, batch=BATCH, checkpoint_seconds=1e9, device="cpu", metric_rows=64,
        measure_loss=False, exclude_massive=False,
    )  # fmt: skip
    return TrainSetConfig(project=str(project.path), name="deep", train=train)


def _save_results(project: Project) -> None:
    """Write a match of “deep.L02”, a completeness table and a preset with others in it."""
    small, large = (
        MatchedDictionary(name=name, hash="", features=2, site="") for name in ("alone", "deep.L02")
    )
    arrays = {
        name: np.zeros((2, 1), np.int32 if name.endswith("ids") else np.float32) for name in ARRAYS
    }
    path = project.match_path("alone", "deep.L02")
    write_match(path, MatchInfo(smaller=small, larger=large, nearest=1), arrays)
    dictionaries = [
        DictionaryCompleteness(
            dictionary=name, index=name, features=2, alive=2, found=0, control_found=None,
            even_chance=None, even_chance_low=None, even_chance_high=None,
        )
        for name in ("alone", "deep.L00")
    ]  # fmt: skip
    table = CompletenessResult(
        name="words", concepts="c", tokens=9, judged=0, least_f1=0.5, least_occurrences=1,
        dictionaries=dictionaries, rows=[], seconds=0.0,
    )  # fmt: skip
    write_table(project, table)
    act = Intervention(feature=1, index="deep.L03")
    variants = [Variant(name="kind", interventions=[act])]
    preset = Preset(
        name="kind", model="m", site="s", dictionary="deep.L01", prompt="p", variants=variants,
        sampling=Sampling(),
    )  # fmt: skip
    save_preset(project, preset)


def _alone(config: TrainSetConfig, layer: int) -> TrainConfig:
    sites = sites_of(range(LAYERS))
    assert config.train.stream is not None
    stream = msgspec.structs.replace(config.train.stream, site=sites[0], sites=tuple(sites[1:]))
    return msgspec.structs.replace(
        config.train, project=config.project, name="alone", target="skip_transcoder",
        sites=(sites[layer],), output_sites=(sites[LAYERS + layer],), stream=stream,
    )  # fmt: skip


def test_set__trains_each_layer_as_if_alone(project: Project, config: TrainSetConfig) -> None:
    result = train_set(config, SilentContext())
    train(_alone(config, 1), SilentContext())
    assert_same_weights(project, "deep.L01", "alone")
    info = read_set_info(project.set_path("deep"))
    assert (info.layers, info.skip, info.features) == ((0, 1, 2, 3), True, LAYERS * FEATURES)
    assert [one.layer for one in result.figures] == [0, 1, 2, 3]
    assert result.loss_recovered is not None
    assert info.member(2).writes == "blocks.2.hook_mlp_out"
    metadata = load_set(project.set_path("deep")).dictionary(1).metadata
    assert metadata["hook_name_out"] == "blocks.1.hook_mlp_out"
    assert "input_sites" not in metadata
    # The same again is there already; other settings are refused.
    assert train_set(config, SilentContext()) == result
    with pytest.raises(UserError, match="made with other settings"):
        train_set(msgspec.structs.replace(config, skip=False), SilentContext())


def test_set__resumes_bit_for_bit(project: Project, config: TrainSetConfig) -> None:
    with pytest.raises(JobCancelledError):
        train_set(config, cancelled_at(3 * BATCH, "rows"))
    assert project.sets() == []
    assert project.set_runs() == ["deep"]
    train_set(config, SilentContext())
    train_set(msgspec.structs.replace(config, name="whole"), SilentContext())
    for layer in range(LAYERS):
        assert_same_weights(project, f"deep.L0{layer}", f"whole.L0{layer}")


def test_set__stopped_early_is_a_set_of_what_it_has(
    project: Project, config: TrainSetConfig
) -> None:
    class Stopping(RecordingContext):
        @property
        def stop_requested(self) -> bool:
            return bool(self.steps) and self.steps[-1][0] >= 2 * BATCH

    result = train_set(config, Stopping())
    assert result.stopped_early
    assert result.rows < ROWS
    assert load_set(project.set_path("deep")).layers == [0, 1, 2, 3]
    assert not list(project.set_path("deep").glob("*/checkpoint/*"))


def test_set__cancelled_before_a_step_leaves_nothing(
    project: Project, config: TrainSetConfig
) -> None:
    with pytest.raises(JobCancelledError):
        train_set(config, cancelled_at(0, "rows"))
    assert not project.set_path("deep").exists()


def test_cross_layer_set__is_one_dictionary_of_all_layers(
    project: Project, config: TrainSetConfig
) -> None:
    across = msgspec.structs.replace(config, name="clt", kind="cross_layer", layers=(0, 2))
    result = train_set(across, SilentContext())
    opened = load_set(project.set_path("clt"))
    assert opened.layers == [0, 2]
    assert isinstance(opened.cross_layer, CrossLayerDictionary)
    assert opened.info.features == 2 * FEATURES
    assert [one.layer for one in result.figures] == [0, 2]
    index_set(
        IndexSetConfig(project=across.project, set="clt", rows=300, device="cpu"), SilentContext()
    )
    assert read_info(project.index_path("clt.all")).features == 2 * FEATURES


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"layers": (0, 7)}, "in layer 7"),
        ({"kind": "cross_layer", "layers": (1,)}, "at least two layers"),
        ({"name": "x" * 78}, "not a valid name"),
    ],
)
def test_set__refuses_what_cannot_be(
    config: TrainSetConfig, changes: dict[str, object], problem: str
) -> None:
    with pytest.raises(UserError, match=problem):
        train_set(msgspec.structs.replace(config, **changes), SilentContext())


def test_set__says_what_it_takes_before_anything_is_loaded(config: TrainSetConfig) -> None:
    one = msgspec.structs.replace(config, layers=(1,))
    whole, single = (
        estimate_set(EstimateSetConfig(train=asked, measure=False), SilentContext())
        for asked in (config, one)
    )
    assert whole.needs.fits
    assert whole.needs.seconds is None
    assert whole.set_bytes == LAYERS * single.set_bytes
    needed = [{n.what: n.bytes for r in e.needs.rooms for n in r.needs} for e in (whole, single)]
    for what in ("weights", "Adam’s moments", "checkpoints", "batches ahead"):
        assert needed[0][what] == LAYERS * needed[1][what]
    huge = msgspec.structs.replace(config.train, features=2**26)
    refused = msgspec.structs.replace(config, train=huge)
    told = estimate_set(EstimateSetConfig(train=refused, measure=True), SilentContext())
    assert not told.needs.fits
    assert told.needs.would_fit


def test_replaced__is_a_splice_where_it_is_of_one_layer(
    project: Project, config: TrainSetConfig, toy_model_folder: Path
) -> None:
    train_set(msgspec.structs.replace(config, layers=(1,)), SilentContext())
    own = load_set(project.set_path("deep")).dictionary(1)
    lm = load_model(str(toy_model_folder), "cpu", "auto")
    text = SpliceText(
        lm=lm, inputs=[parse_site("blocks.1.mlp.hook_in")],
        outputs=[parse_site("blocks.1.hook_mlp_out")], windows=[lm.encode("word1 word2 word3 and")],
        typical_norms=[1e9], means=[torch.zeros(own.out_width)],
    )  # fmt: skip
    found, expected = measure_replaced(text, [own]), measure_losses(text, own)
    assert found.clean == pytest.approx(expected.clean, rel=1e-5)
    assert found.replaced == pytest.approx(expected.spliced, rel=1e-5)
    assert found.zero == pytest.approx(expected.zero, rel=1e-5)
    assert found.kl == pytest.approx(expected.kl, rel=1e-4)


def test_set__is_indexed_in_one_go_and_is_one_thing_in_the_trash(
    project: Project, config: TrainSetConfig
) -> None:
    train_set(config, SilentContext())
    asked = IndexSetConfig(project=config.project, set="deep", rows=300, device="cpu")
    first = index_set(asked, SilentContext())
    assert project.indexes() == ["deep.L00", "deep.L01", "deep.L02", "deep.L03"]
    assert project.stores() == []
    info = read_info(project.index_path("deep.L01"))
    assert (info.dictionary, info.site) == ("deep.L01", "blocks.1.mlp.hook_in")
    assert all(one.made for one in first.indexes)
    # Made again, only what is missing is.
    delete_item(project, "index", "deep.L03")
    again = index_set(asked, SilentContext())
    assert [one.made for one in again.indexes] == [False, False, False, True]
    assert [one.alive for one in again.indexes] == [one.alive for one in first.indexes]
    with closing(Notes(project.notes_path)) as notes:
        notes.save("deep.L01", FeatureNote(feature=3, label="three"))
    save_made_graph(project.graph_path("g"), set_name="deep")
    save_made_graph(project.graph_path("h"), set_name="some")
    _save_results(project)
    rename_set(project, "deep", "other")
    assert [path.stem for path in project.matches()] == ["alone~other.L02"]
    assert read_match_info(project.matches()[0]).larger.name == "other.L02"
    preset = read_preset(project, "kind")
    (act,) = preset.variants[0].interventions
    assert (preset.dictionary, act.index) == ("other.L01", "other.L03")
    told = read_table(project, "words").dictionaries
    assert [(one.dictionary, one.index) for one in told] == [
        ("alone", "alone"), ("other.L00", "other.L00")
    ]  # fmt: skip
    assert [read_graph_info(project.graph_path(g)).set for g in ("g", "h")] == ["other", "some"]
    assert (project.sets(), project.stores()) == (["other"], [])
    assert project.indexes() == ["other.L00", "other.L01", "other.L02", "other.L03"]
    assert read_info(project.index_path("other.L01")).dictionary == "other.L01"
    assert names_path(project.index_path("other.L01")).is_file()
    with closing(Notes(project.notes_path)) as notes:
        assert notes.note("other.L01", 3).label == "three"
    with pytest.raises(UserError, match="already a set “other”"):
        rename_set(project, "other", "other")
    rename_set(project, "other", "deep")
    item = delete_item(project, "set", "deep")
    assert project.sets() == project.indexes() == []
    restore_item(project, next(i for i in trash_items(project) if i.key == item.key))
    assert project.indexes() == ["deep.L00", "deep.L01", "deep.L02", "deep.L03"]
    assert read_set_info(project.set_path("deep")).layers == (0, 1, 2, 3)
