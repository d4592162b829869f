"""One small job of every kind that writes, for the sweep of kills: where it begins, its config.

`SCENARIOS` has a row for every kind of `engine/registry.py` that writes; a test compares the two.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest
from chat_server import answering_url
from checkpoint_toys import save_checkpoint, save_text
from fake_hub import point_at_hub
from kill_benchmarks import measured, save_labelled, synthetic
from kill_pictures import concept_kinds, harvest_pictures, save_pictures, seen
from made_graphs import save_made_graph
from made_sets import save_random_set
from scanned_toy import SET as CODE_SET
from scanned_toy import save_code_sets
from toy_encoder import save_toy_bert
from toy_models import TEXT, save_toy_model

from sae_desktop.activations.config import HarvestConfig, ImportActivationsConfig
from sae_desktop.circuits.asking_config import FaithfulnessConfig, GroupsConfig
from sae_desktop.circuits.config import ExportGraphConfig, ImportGraphConfig, TraceConfig
from sae_desktop.circuits.lens_config import FitLensConfig
from sae_desktop.circuits.reading.pruning import pruned
from sae_desktop.circuits.reading.tracer_json import tracer_json
from sae_desktop.comparison.concepts import save_concepts
from sae_desktop.comparison.config import CompletenessConfig, MatchConfig
from sae_desktop.deletion import delete_item, empty_trash, restore_item, trash_items
from sae_desktop.engine.protocol import JobConfig
from sae_desktop.engine.run import run_job
from sae_desktop.exchange.config import (
    ExportDictionaryConfig,
    ExportFeaturesConfig,
    ExportPackageConfig,
    ImportDictionaryConfig,
    ImportFeaturesConfig,
    ImportLabelsConfig,
    ImportPackageConfig,
)
from sae_desktop.exchange.set_config import ExportSetConfig, ImportSetConfig
from sae_desktop.features.building import collect
from sae_desktop.features.config import IndexConfig, MergeIndexesConfig, NameFeaturesConfig
from sae_desktop.features.reading import firing_files
from sae_desktop.features.set_index_config import IndexSetConfig
from sae_desktop.jobs import SilentContext
from sae_desktop.labels.explaining.config import ExplainFeaturesConfig
from sae_desktop.labels.judging.config import JudgeLabelsConfig
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.scoring.config import ScoreLabelsConfig
from sae_desktop.labels.search.config import EmbedLabelsConfig
from sae_desktop.labels.selection import Selection
from sae_desktop.language_model.config import GetModelConfig, SameModelConfig, TrustModelConfig
from sae_desktop.language_model.files import hub as hub_module
from sae_desktop.language_model.files.trust import code_of
from sae_desktop.project import Project
from sae_desktop.project_lists import FeatureList, FeatureLists, ListMember
from sae_desktop.project_notes import FeatureNote, Notes
from sae_desktop.safety.change.config import (
    CalibrateWatchConfig,
    CompareCheckpointsConfig,
    WatchConfig,
    WatchedCheckpoint,
)
from sae_desktop.safety.change.watch_file import WatchRecord
from sae_desktop.safety.monitors.config import (
    CalibrateMonitorConfig,
    ExportMonitorConfig,
    RunMonitorsConfig,
)
from sae_desktop.safety.scan.config import ScanConfig
from sae_desktop.steering.config import clamped
from sae_desktop.steering.effect_config import OutputEffectConfig
from sae_desktop.steering.export_config import ExportSteeringConfig
from sae_desktop.training.config import EvaluateConfig, TrainConfig
from sae_desktop.training.set_config import TrainSetConfig
from sae_desktop.training.sweeps.sweep_config import SweepConfig

ROWS, FEATURES = 480, 16
HUB_MODEL = "owner/toy"


@dataclass(frozen=True)
class Place:
    """The folder of a trial: the project, and what lies beside it."""

    folder: Path
    material: Path
    """What imports and harvests read; the same for all trials."""

    @property
    def project(self) -> str:
        return str(self.folder / "p")

    @property
    def out(self) -> Path:
        """Where exports go."""
        return self.folder / "out"


def make_small_groups() -> None:
    """Let a few hundred rows be several groups of firings, as millions are."""
    collect._GROUP_ROWS = 100
    firing_files.ENTRIES = 400


def _train(place: Place, name: str, **changes: object) -> TrainConfig:
    config = TrainConfig(
        project=place.project, name=name, activations="acts", features=FEATURES, k=4, batch=64,
        tokens=320, metric_rows=64, checkpoint_seconds=1e-6, device="cpu",
    )  # fmt: skip
    return msgspec.structs.replace(config, **changes)


def _train_set(place: Place, name: str, tokens: int = 192) -> TrainSetConfig:
    train = _train(
        place, "", activations="", stream=_harvest(place, "stream"), architecture="topk",
        tokens=tokens, measure_loss=False,
    )  # fmt: skip
    return TrainSetConfig(project=place.project, name=name, train=train, layers=(0, 1))


def _index(place: Place, name: str, **changes: object) -> IndexConfig:
    config = IndexConfig(
        project=place.project, dictionary="d", name=name, coactivation=False, neuron_rows=0,
        map=False, device="cpu",
    )  # fmt: skip
    return msgspec.structs.replace(config, **changes)


def _harvest(place: Place, name: str) -> HarvestConfig:
    return HarvestConfig(
        project=place.project, name=name, model=str(place.material / "model"),
        corpus=str(place.material / "text"), site="blocks.1.hook_resid_post", tokens=ROWS,
        context_size=32, batch_tokens=64, commit_seconds=0.0, device="cpu",
    )  # fmt: skip


def _monitor(place: Place, name: str) -> CalibrateMonitorConfig:
    return CalibrateMonitorConfig(
        project=place.project, name=name, index="i", features=[1], rate=0.5, confidence=0.5,
        corpus=str(place.material / "text"), context_size=32, device="cpu",
    )  # fmt: skip


def make_place(folder: Path) -> Place:
    """Make the project, and the files that imports take."""
    place = Place(folder, folder / "material")
    material = place.material
    text = material / "text"
    text.mkdir(parents=True)
    for number in range(4):
        (text / f"{number}.txt").write_text(TEXT[number * 9 :] + TEXT[: 60 * number])
    save_toy_model(material / "model")
    save_toy_bert(material / "encoder")
    save_checkpoint(material / "run" / "step-1", "llama", noise=0.01)
    save_text(material / "lines.jsonl")
    save_pictures(material)
    own = save_toy_model(material / "own")
    config = own / "config.json"
    named = {"auto_map": {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}}
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_type": "own"} | named))
    (own / "own.py").write_text("from transformers import LlamaConfig as OwnConfig\n")
    project = Project.open_or_create(place.project)
    make_small_groups()
    for config in (
        _harvest(place, "acts"),
        _train(place, "d"),
        _train(place, "e", features=24),
        _train_set(place, "deep", 64),
        _index(place, "i"),
        _index(place, "first", shard="1/2"),
        _index(place, "second", shard="2/2"),
        _index(place, "third", rows=ROWS // 2),
        _monitor(place, "m"),
        *seen(place.project, material),
    ):
        run_job(config, SilentContext())
    with closing(Notes(project.notes_path)) as notes:
        for feature in range(5):
            notes.save("d", FeatureNote(feature=feature, label=f"label {feature}"))
        content = FeatureList(name="some", members=[ListMember(feature=f) for f in (3, 1)])
        FeatureLists(notes).write("d", "some", content)
    made = save_made_graph(project.graph_path("made"))
    everything = pruned(made, 1.0, 1.0)
    (material / "graph.json").write_bytes(tracer_json(made, everything, {}, threshold=1.0))
    save_random_set(project, "layers", str(material / "model"), features=8)
    run_job(
        TraceConfig(project=place.project, name="g", set="layers", prompt="In the", device="cpu"),
        SilentContext(),
    )
    for name in ("one", "other"):
        record = WatchRecord(
            folder=name, settings="", watched=[WatchedCheckpoint(name="c", scores={"outputs": 1.0})]
        )
        project.watch_path(name).parent.mkdir(exist_ok=True)
        project.watch_path(name).write_bytes(msgspec.json.encode(record))
    save_code_sets(project)
    save_concepts(project, "words", "heaven\nfirst\nsecond\nreturn\n")
    np.save(material / "rows.npy", np.random.default_rng(0).normal(size=(200, 8)).astype("f4"))
    with (material / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("feature", "label"), (2, "two"), (9, "nine"), (11, "eleven")])
    save_labelled(material)
    for config in (
        ExportPackageConfig(
            project=place.project, dictionary="d", index="i", path=str(material / "d.saepack")
        ),
        ExportDictionaryConfig(
            project=place.project, dictionary="d", path=str(material / "dictionary")
        ),
        ExportFeaturesConfig(project=place.project, index="i", path=str(material / "features")),
        ExportSetConfig(project=place.project, set="deep", path=str(material / "set")),
    ):
        run_job(config, SilentContext())
    delete_item(project, "index", "third")
    place.out.mkdir()
    return place


def _put_back(project: Project) -> None:
    """Put back what is in the trash, the index “third”."""
    for item in trash_items(project):
        restore_item(project, item)


def be_at(place: Place, hub: str) -> None:
    """Let this process keep the user's own settings and models beside the exports.

    `hub` is the address of the hub that it asks.
    """
    os.environ["XDG_CONFIG_HOME"] = str(place.out / "settings")
    os.environ["XDG_CACHE_HOME"] = str(place.out / "cache")
    point_at_hub(hub, place.out / "hub", pytest.MonkeyPatch())
    hub_module._SMALL = 1000


def copy_place(base: Place, folder: Path) -> Place:
    """Lay a copy of project and exports over what a trial left; the material is shared."""
    place = Place(folder, base.material)
    for path in (Path(place.project), place.out):
        if path.exists():
            shutil.rmtree(path)
        shutil.copytree(base.folder / path.name, path)
    return place


Scenario = Callable[[Place], "JobConfig | Action"]
Action = Callable[[Project], object]

SCENARIOS: dict[str, Scenario] = {
    "harvest": lambda p: _harvest(p, "new"),
    "harvest more": lambda p: msgspec.structs.replace(_harvest(p, "acts"), tokens=2 * ROWS),
    "harvest pictures": lambda p: harvest_pictures(p.project, p.material, "new"),
    "harvest more pictures": lambda p: msgspec.structs.replace(
        harvest_pictures(p.project, p.material, "seen"), tokens=2 * ROWS
    ),
    "import activations": lambda p: ImportActivationsConfig(
        project=p.project, name="new", file=str(p.material / "rows.npy")
    ),
    "train": lambda p: _train(p, "new"),
    "sweep": lambda p: SweepConfig(
        project=p.project, name="new", base=_train(p, "", tokens=192), features=(8, 16),
        together=1,
    ),
    "train a set": lambda p: _train_set(p, "new"),
    "index a set": lambda p: IndexSetConfig(
        project=p.project, set="deep", layers=(0, 1), rows=64, device="cpu"
    ),
    "evaluate": lambda p: EvaluateConfig(
        project=p.project, dictionary="d", rows=64, dead_rows=64, device="cpu"
    ),
    "index": lambda p: _index(p, "new", first_rows=ROWS // 3),
    "index again": lambda p: _index(p, "i", context_tokens=8),
    "index without firings": lambda p: _index(p, "i", keep_firings=False),
    "index --add": lambda p: _index(p, "first", shard="2/2", add=True),
    "merge": lambda p: MergeIndexesConfig(
        project=p.project, name="new", indexes=["first", "second"], device="cpu"
    ),
    "merge over": lambda p: MergeIndexesConfig(
        project=p.project, name="first", indexes=["first", "second"], device="cpu"
    ),
    "match": lambda p: MatchConfig(project=p.project, dictionaries=("d", "e"), device="cpu"),
    "completeness": lambda p: CompletenessConfig(
        project=p.project, name="new", concepts="words", indexes=("i",), least_occurrences=1,
        device="cpu",
    ),
    "scan": lambda p: ScanConfig(
        project=p.project, name="new", indexes=("i",), sets=(CODE_SET,), candidates=2,
        attributed=1, ordinary=4, tested=1, test_texts=1, controls=2, device="cpu",
    ),
    "benchmark": lambda p: measured(p.project, p.material),
    "benchmark synthetic": lambda p: synthetic(p.project),
    "concept kinds": lambda p: concept_kinds(p.project, p.material),
    "name features": lambda p: NameFeaturesConfig(project=p.project, index="i"),
    "score labels": lambda p: ScoreLabelsConfig(
        project=p.project, index="i", features=[1, 2, 3], rows=64, new_texts=1, device="cpu"
    ),
    "output effect": lambda p: OutputEffectConfig(
        project=p.project, index="i", count=1, features=[1], device="cpu"
    ),
    "judge labels": lambda p: JudgeLabelsConfig(
        project=p.project, index="i", scorers=("detection",),
        model=ModelChoice(model=str(p.material / "model"), device="cpu"),
    ),
    "embed labels": lambda p: EmbedLabelsConfig(
        project=p.project, index="i", encoder=str(p.material / "encoder"), device="cpu"
    ),
    "import dictionary": lambda p: ImportDictionaryConfig(
        project=p.project, name="new", source=str(p.material / "dictionary")
    ),
    "import set": lambda p: ImportSetConfig(
        project=p.project, name="new", source=str(p.material / "set")
    ),
    "export set": lambda p: ExportSetConfig(
        project=p.project, set="deep", path=str(p.out / "new")
    ),
    "import features": lambda p: ImportFeaturesConfig(
        project=p.project, name="new", source=str(p.material / "features")
    ),
    "explain features": lambda p: ExplainFeaturesConfig(
        project=p.project, index="i", model=ModelChoice(server=answering_url(), model="toy"),
        selection=Selection(features=(1, 2, 7)),
    ),
    "import labels": lambda p: ImportLabelsConfig(
        project=p.project, index="i", file=str(p.material / "labels.csv"), make_list="listed"
    ),
    "import package": lambda p: ImportPackageConfig(
        project=p.project, file=str(p.material / "d.saepack"), name="new"
    ),
    "export dictionary": lambda p: ExportDictionaryConfig(
        project=p.project, dictionary="d", path=str(p.out / "new")
    ),
    "export features": lambda p: ExportFeaturesConfig(
        project=p.project, index="i", path=str(p.out / "new")
    ),
    "export package": lambda p: ExportPackageConfig(
        project=p.project, dictionary="d", index="i", path=str(p.out / "new.saepack")
    ),
    "export steering": lambda p: ExportSteeringConfig(
        project=p.project, index="i", path=str(p.out / "new.py"), prompt="In the",
        variant=clamped({1: 2.0}), device="cpu",
    ),
    "same model": lambda p: SameModelConfig(
        project=p.project, one="store:acts", other="dictionary:d"
    ),
    "fit lens": lambda p: FitLensConfig(
        project=p.project, model=str(p.material / "model"), corpus=str(p.material / "text"),
        texts=2, context_size=32, device="cpu",
    ),
    "get model": lambda p: GetModelConfig(name=HUB_MODEL),
    "trust model": lambda p: TrustModelConfig(
        model=str(p.material / "own"), digest=code_of(p.material / "own").digest
    ),
    "compare checkpoints": lambda p: CompareCheckpointsConfig(
        project=p.project, name="new", corpus=str(p.material / "lines.jsonl"), texts=8,
        checkpoints=(str(p.material / "model"), str(p.material / "run" / "step-1")),
        dictionary="d", context_size=12, crosscoder_features=8, crosscoder_steps=2, device="cpu",
    ),
    "watch checkpoints": lambda p: WatchConfig(
        project=p.project, name="new", folder=str(p.material / "run"), expected=1, every=0.01,
        base=str(p.material / "model"), corpus=str(p.material / "lines.jsonl"), texts=8,
        context_size=12, device="cpu",
    ),
    "calibrate a watch": lambda p: CalibrateWatchConfig(
        project=p.project, name="new", watches=("one", "other"), rate=0.5
    ),
    "groups": lambda p: GroupsConfig(project=p.project, graph="g", repeats=2),
    "faithfulness": lambda p: FaithfulnessConfig(
        project=p.project, graph="g", count=3, device="cpu"
    ),
    "trace": lambda p: TraceConfig(
        project=p.project, name="new", set="layers", prompt="In the", device="cpu"
    ),
    "calibrate a monitor": lambda p: _monitor(p, "new"),
    "calibrate a monitor again": lambda p: msgspec.structs.replace(
        _monitor(p, "m"), made="difference", features=[], replace=True,
        on=["In the", "God", "earth"], off=["def add", "return", "first"],
    ),
    "run monitors": lambda p: RunMonitorsConfig(
        project=p.project, monitors=["m"], corpus=str(p.material / "text"), device="cpu"
    ),
    "export a monitor": lambda p: ExportMonitorConfig(
        project=p.project, monitor="m", path=str(p.out / "new"), device="cpu"
    ),
    "import graph": lambda p: ImportGraphConfig(
        project=p.project, name="new", file=str(p.material / "graph.json")
    ),
    "export graph": lambda p: ExportGraphConfig(
        project=p.project, graph="made", path=str(p.out / "new.json")
    ),
    "delete a store": lambda p: lambda project: delete_item(project, "store", "acts"),
    "delete an index": lambda p: lambda project: delete_item(project, "index", "i"),
    "put back": lambda p: _put_back,
    "empty the trash": lambda p: empty_trash,
}  # fmt: skip
"""A job's config, or what the window does itself, to a project."""
