"""What every kind of job says of how far it is: up to its total, never back, in true counts."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from job_contexts import RecordingContext
from kill_jobs import FEATURES, ROWS, SCENARIOS, Place, copy_place, make_place

from sae_desktop.activations.config import (
    DescribeStoreConfig,
    EstimateHarvestConfig,
    VerifyStoreConfig,
)
from sae_desktop.activations.original_config import OriginalPictureConfig
from sae_desktop.benchmark.captions.config import CaptionChangesConfig, ConceptFeature
from sae_desktop.circuits.asking_config import (
    EdgeHeadsConfig,
    HeadConfig,
    InterveneConfig,
    NodeChange,
)
from sae_desktop.circuits.config import EstimateTraceConfig
from sae_desktop.circuits.lens_config import AttributeConfig, LensConfig, PatchConfig
from sae_desktop.circuits.reading.graph_file import FEATURE, read_graph
from sae_desktop.corpus.config import DescribeCorpusConfig
from sae_desktop.engine.protocol import JobConfig
from sae_desktop.engine.registry import JOB_KINDS, job_kind
from sae_desktop.engine.run import run_job
from sae_desktop.exchange.config import FindDictionariesConfig
from sae_desktop.features.asking.text_set_config import FindFeaturesConfig
from sae_desktop.features.config import FirstFeatures, IndexConfig, ProbeConfig
from sae_desktop.labels.explaining.config import ExplainFeaturesConfig, PreviewExplanationConfig
from sae_desktop.labels.judging.config import JudgeLabelsConfig, PreviewJudgingConfig
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.models.config import CheckServerConfig, FindServersConfig
from sae_desktop.labels.search.config import SearchMeaningConfig
from sae_desktop.language_model.config import DescribeModelConfig
from sae_desktop.language_model.picture_config import PreviewPicturesConfig
from sae_desktop.safety.mitigation.config import MitigateConfig
from sae_desktop.sizing.config import MeasureMachineConfig, SizeConfig
from sae_desktop.steering.config import (
    PLAIN,
    Sampling,
    SteerConfig,
    SweepStrengthsConfig,
    Variant,
    clamped,
)
from sae_desktop.steering.effect_config import FeatureStrengthConfig
from sae_desktop.steering.gate_config import Gate
from sae_desktop.training.architecture_info import DescribeArchitecturesConfig
from sae_desktop.training.config import (
    TrainConfig,
)
from sae_desktop.training.planning.preflight_config import PreflightConfig
from sae_desktop.training.set_config import EstimateSetConfig, TrainSetConfig

OF_THE_NETWORK = "get model"
"""What needs a hub."""
TOTALS = {
    "harvest": {("tokens", ROWS)},
    "harvest more": {("tokens", 2 * ROWS)},
    "import activations": {("rows", 200)},
    "train": {("rows", 320)},
    "sweep": {("rows", 2 * 192)},
    "train a set": {("rows", 192)},
    "index a set": {("tokens", 64), ("layers", 2)},
    "index": {("rows", ROWS), ("features", FEATURES)},
    "name features": {("features", FEATURES)},
    "output effect": {("prompts", 1), ("features", 1)},
    "match": {("features", FEATURES + 24)},
    "import labels": {("labels", 3)},
    "explain features": {("requests", 3)},
}
"""Units and their true counts, where a job has so many of them."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Place:
    torch.set_num_threads(1)
    return make_place(tmp_path_factory.mktemp("progress") / "base")


def _first_feature(p: Place) -> int:
    """Return a feature of the graph; before the place is made, any number."""
    path = Path(p.project) / "graphs" / "g.h5"
    return int(np.flatnonzero(read_graph(path).kind == FEATURE)[0]) if path.exists() else 0


def _first_link(p: Place) -> dict[str, int]:
    path = Path(p.project) / "graphs" / "g.h5"
    if not path.exists():
        return {"source": 0, "target": 1}
    graph = read_graph(path)
    return {"source": int(graph.sources[-1]), "target": int(graph.targets()[-1])}


PICTURE = Path(__file__).parents[2] / "packaging" / "images" / "bfloat16.png"


def _questions(p: Place) -> dict[str, JobConfig]:
    """One job of every kind that writes nothing."""
    harvest = SCENARIOS["harvest"](p)
    train = SCENARIOS["train"](p)
    assert isinstance(train, TrainConfig)
    train_set = SCENARIOS["train a set"](p)
    assert isinstance(train_set, TrainSetConfig)
    return {
        "describe model": DescribeModelConfig(model=str(p.material / "model")),
        "pictures": PreviewPicturesConfig(pictures=str(PICTURE)),
        "original picture": OriginalPictureConfig(
            digest=hashlib.sha256(PICTURE.read_bytes()).hexdigest(),
            name=PICTURE.name,
            place=str(PICTURE.parent),
        ),
        "describe corpus": DescribeCorpusConfig(corpus=str(p.material / "text")),
        "describe store": DescribeStoreConfig(project=p.project, name="acts"),
        "verify": VerifyStoreConfig(project=p.project, name="acts"),
        "estimate": EstimateHarvestConfig(harvest=harvest),  # type: ignore[arg-type]
        "architectures": DescribeArchitecturesConfig(),
        "preflight": PreflightConfig(train=train, measure=True),
        "size": SizeConfig(model=str(p.material / "model"), site="blocks.1.hook_resid_post"),
        "measure": MeasureMachineConfig(device="cpu", seconds=0.01, file_bytes=2**24),
        "estimate a set": EstimateSetConfig(train=train_set),
        "probe": ProbeConfig(project=p.project, index="i", text="In the beginning"),
        "find features": FindFeaturesConfig(
            project=p.project, index="i", on=["In the beginning"] * 3, off=["def add(a)"] * 3
        ),
        "caption changes": CaptionChangesConfig(
            project=p.project, index="seen", unit="norm", pictures=2,
            drawings=(str(p.material / "drawings"),), strengths=(1.0,), where=("all",), tokens=3,
            features=(ConceptFeature(concept="horse", feature=1),), device="cpu",
        ),
        "find dictionaries": FindDictionariesConfig(source=str(p.material / "dictionary")),
        "steer": SteerConfig(
            project=p.project, index="i", prompt="In the", variants=[PLAIN],
            sampling=Sampling(max_new_tokens=4),
        ),
        "strengths": SweepStrengthsConfig(
            project=p.project, index="i", prompt="In the", variant=clamped({1: 1.0}),
            strengths=[1.0, 2.0],
            sampling=Sampling(max_new_tokens=4),
        ),
        "find servers": FindServersConfig(),
        "check server": CheckServerConfig(
            model=ModelChoice(model=str(p.material / "model"), device="cpu")
        ),
        "preview": PreviewExplanationConfig(
            explain=ExplainFeaturesConfig(
                project=p.project, index="i", model=ModelChoice(server="localhost:1", model="toy")
            )
        ),
        "preview judging": PreviewJudgingConfig(
            judge=JudgeLabelsConfig(
                project=p.project, index="i", model=ModelChoice(server="localhost:1", model="toy")
            )
        ),
        "search by meaning": SearchMeaningConfig(
            project=p.project, index="i", text="the cat", by="words"
        ),
        "lens": LensConfig(model=str(p.material / "model"), prompt="In the", device="cpu"),
        "patch": PatchConfig(
            model=str(p.material / "model"), prompt="In xyz", other="In xqz", device="cpu"
        ),
        "heads of a link": EdgeHeadsConfig(
            project=p.project, graph="g", device="cpu", **_first_link(p)
        ),
        "head": HeadConfig(project=p.project, graph="g", layer=1, head=0, device="cpu"),
        "attribute": AttributeConfig(
            project=p.project, index="i", prompt="In the beginning", device="cpu"
        ),
        "intervene": InterveneConfig(
            project=p.project, graph="g", changes=(NodeChange(node=_first_feature(p)),),
            device="cpu",
        ),
        "estimate a trace": EstimateTraceConfig(
            project=p.project, set="layers", prompt="In the", device="cpu"
        ),
        "mitigate": MitigateConfig(
            project=p.project, index="i", prompts=["In the"], targets=["e"], documents=2, tries=9,
            variant=Variant(name="x", stop=[Gate(feature=1)]), corpus=str(p.material / "text"),
            sampling=Sampling(max_new_tokens=3), context_size=16, device="cpu",
        ),
        "strength of one": FeatureStrengthConfig(project=p.project, index="i", feature=1),
        "map": IndexConfig(
            project=p.project, dictionary="e", name="mapped", device="cpu", neuron_rows=64
        ),
    }  # fmt: skip


def _run(config: JobConfig) -> RecordingContext:
    context = RecordingContext()
    run_job(config, context)
    # What it handed on while it ran is what its kind says, and nothing where that says nothing.
    streams = job_kind(config).streams
    handed = {type(part) for part in context.outputs}
    if isinstance(config, IndexConfig):  # of a short text, or over another, it has none
        streams = FirstFeatures if config.name == "new" and config.first_rows < ROWS else None
    assert handed == ({streams} if streams else set())
    return context


def check(steps: list[tuple[float, float, str]]) -> None:
    """Hold what a job said to what a person may rely on.

    A part of a job is what it says in one unit and of one total. It never goes back but from the
    total to the beginning of another part, and it ends at its total. Where there turned out to be
    less than was asked for, a last word says of how much.
    """
    parts = [
        (unit, total, [done for done, *_ in some])
        for (total, unit), some in itertools.groupby(steps, key=lambda step: step[1:])
    ]
    for number, (unit, total, done) in enumerate(parts):
        where = f"{unit} of {total:g}: {done[:3]} … {done[-3:]}"
        assert unit, where
        assert total >= 0, where
        assert all(0 <= d <= max(total, d * (not total)) for d in done), where
        for before, after in itertools.pairwise(done):
            assert after >= before or not total or before == total, f"it goes back: {where}"
        following = parts[number + 1] if number + 1 < len(parts) else None
        told_less = following is not None and following[:1] == (unit,) and following[1] < total
        if total and not (told_less and number + 2 == len(parts)):
            assert done[-1] == total, f"it does not end at its total: {where}"


_NO_JOB = ("delete a store", "delete an index", "put back", "empty the trash")


@pytest.mark.parametrize("job", [job for job in SCENARIOS if job not in (*_NO_JOB, OF_THE_NETWORK)])
def test_progress__of_a_job_that_writes_ends_at_its_true_total(
    job: str, base: Place, tmp_path: Path
) -> None:
    place = copy_place(base, tmp_path)
    config = SCENARIOS[job](place)
    assert isinstance(config, msgspec.Struct)
    context = _run(config)
    check(context.steps)
    told = {(unit, total) for _, total, unit in context.steps}
    assert TOTALS.get(job, set()) <= told


@pytest.mark.parametrize("question", sorted(_questions(Place(Path("p"), Path("m")))))
def test_progress__of_a_question_ends_at_its_total(
    question: str, base: Place, tmp_path: Path
) -> None:
    place = copy_place(base, tmp_path)
    check(_run(_questions(place)[question]).steps)


def test_progress__is_asked_of_every_kind_of_job_but_those_of_the_network() -> None:
    place = Place(Path("p"), Path("m"))
    asked = {type(config) for config in _questions(place).values()}
    asked |= {type(make(place)) for job, make in SCENARIOS.items() if job != OF_THE_NETWORK}
    missing = {kind.__struct_config__.tag for kind in JOB_KINDS if kind not in asked}
    assert missing == {"get_model"}
