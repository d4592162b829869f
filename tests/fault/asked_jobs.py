"""One small job of every kind that writes nothing, of the project that `kill_jobs` makes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from kill_jobs import SCENARIOS, Place

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
from sae_desktop.exchange.config import FindDictionariesConfig
from sae_desktop.features.asking.text_set_config import FindFeaturesConfig
from sae_desktop.features.config import IndexConfig, ProbeConfig
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


def questions(p: Place) -> dict[str, JobConfig]:
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
