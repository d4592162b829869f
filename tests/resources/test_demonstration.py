"""The demonstration project that ships: it opens, it is as good as promised, its labels fit."""

from pathlib import Path

import pytest
import torch

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import load
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.load import load_model
from sae_desktop.project import Project
from sae_desktop.project_notes import Notes
from sae_desktop.resources import resource_path
from sae_desktop.steering.config import PLAIN, Sampling, SteerConfig, clamped
from sae_desktop.steering.job import steer
from sae_desktop.training.measuring.metrics import measure_fit
from sae_desktop.training.run_folder import read_summary
from sae_desktop.training.run_log import read_run

NAME = "builtin-L3"
FRENCH = 158


@pytest.fixture(scope="module")
def shipped() -> Project:
    return Project.open(resource_path("demonstration.saeproj"))


def test_demonstration__is_small_and_names_no_folder_of_its_maker(shipped: Project) -> None:
    files = [path for path in shipped.path.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 20_000_000
    for path in files:
        data = path.read_bytes()
        assert b"/home/" not in data
        assert b".saeproj" not in data


def test_demonstration__keeps_its_promises_beside_the_random_control(shipped: Project) -> None:
    summary = read_summary(shipped.dictionary_path(NAME))
    figures = summary.evaluation
    assert summary.features >= 2048
    assert figures is not None
    assert figures.explained_variance >= 0.80
    assert figures.l0 <= 32
    assert figures.dead_fraction < 0.10
    assert figures.loss_recovered is not None
    assert figures.loss_recovered >= 0.90
    assert figures.control is not None
    assert figures.control.l0 == pytest.approx(figures.l0, rel=0.1)
    assert figures.control.explained_variance < 0.5
    curves = read_run(shipped.dictionary_path(NAME) / "run.h5")
    assert curves.measured("fvu")[1][-1] < 0.2
    assert len(curves.samples[-1]) == 3


def test_demonstration__explains_activations_of_the_model_that_ships(
    shipped: Project, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    index = FeatureIndex(shipped.index_path(NAME))
    dictionary = load(shipped.dictionary_path(NAME))
    lm = load_model("builtin", "cpu")
    assert dictionary.metadata["model_revision"] in (lm.revision, lm.mark.first)
    project = Project.open_or_create(tmp_path / "p")
    harvest(
        HarvestConfig(project=str(project.path), name="a", site=index.info.site, tokens=4000),
        SilentContext(),
    )
    rows = ActivationStore.open(project.store_path("a")).read(0, 4000)
    fit = measure_fit(dictionary, [torch.tensor(rows, dtype=torch.float32)])
    assert fit.fvu <= 0.20
    assert fit.l0 <= 34


def test_demonstration__labels_at_least_ten_features_that_fire(shipped: Project) -> None:
    index = FeatureIndex(shipped.index_path(NAME))
    notes = Notes(shipped.notes_path)
    labelled = notes.all(NAME)
    notes.close()
    assert len(labelled) >= 10
    for feature, note in labelled.items():
        assert note.label
        assert index.columns["density"][feature] > 0
        assert len(index.contexts(feature)) >= 20


def test_french_feature__fires_in_french_and_turns_the_text(shipped: Project) -> None:
    index = FeatureIndex(shipped.index_path(NAME))
    contexts = [c for c in index.contexts(FRENCH) if c.bucket == 0]
    assert sum(c.language == "fr" for c in contexts) >= 18
    result = steer(
        SteerConfig(
            project=str(shipped.path), index=NAME, prompt="This is",
            variants=[PLAIN, clamped({FRENCH: 2.0})], sampling=Sampling(max_new_tokens=20),
        ),
        SilentContext(),
    )  # fmt: skip
    raised = {t.token: t.probabilities for t in result.next_tokens}
    plain, steered = raised["é"]
    assert plain < 0.001
    assert steered > 0.05
    assert result.variants[0].text != result.variants[1].text
