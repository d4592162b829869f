"""The demonstration project that ships: it opens, it is as good as promised, its labels fit."""

import shutil
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from shipped import demonstration

from sae_desktop.activations.config import HarvestConfig, VerifyStoreConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.activations.verify import verify_store
from sae_desktop.comparison.completeness_table import read_table
from sae_desktop.comparison.splitting import Splitting
from sae_desktop.dictionary import load
from sae_desktop.features.reading.dictionary_hash import dictionary_hash
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.load import load_model
from sae_desktop.project import Project
from sae_desktop.project_lists import FeatureLists
from sae_desktop.project_notes import Notes
from sae_desktop.resources import resource_path
from sae_desktop.safety.monitors.listing import take_monitors
from sae_desktop.safety.scan.scan_file import read_scan
from sae_desktop.steering.config import PLAIN, Sampling, SteerConfig, clamped
from sae_desktop.steering.job import steer
from sae_desktop.steering.presets import check_preset, read_preset
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.job import train
from sae_desktop.training.measuring.metrics import measure_fit
from sae_desktop.training.run_folder import read_summary
from sae_desktop.training.run_log import read_run

sys.path.insert(0, str(Path(__file__).parents[2] / "packaging"))
import demonstration_notes
import demonstration_safety

NAME, SMALL, SAMPLE = "builtin-L3", "builtin-L3-512", "sample"
START_LIST = demonstration_notes.START_LIST
FRENCH = 158


@pytest.fixture(scope="module")
def shipped() -> Project:
    return demonstration()


def test_demonstration__is_small_and_names_no_folder_of_its_maker(shipped: Project) -> None:
    ships = [path for path in resource_path(".").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in ships) <= 100_000_000
    for path in shipped.path.rglob("*"):
        if not path.is_file():
            continue
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


def test_demonstration__says_what_it_leaves_out(shipped: Project) -> None:
    assert shipped.stores() == [SAMPLE]
    assert not list(shipped.path.glob("features/*.firings"))
    for told in ("activations", "firings", "sample", "16,000 tokens"):
        assert told in shipped.about


def test_demonstration__has_a_scan_and_monitors_that_hold(shipped: Project) -> None:
    scan = read_scan(shipped, demonstration_safety.SCAN)
    assert {one.set for one in scan.scans} == set(demonstration_safety.SETS)
    found = take_monitors(shipped)
    assert {item.name for item in found} == {name for name, *_ in demonstration_safety.MONITORS}
    for item in found:
        assert not item.trouble
        assert item.monitor is not None
        assert item.monitor.promise.bound <= demonstration_safety.RATE
        assert item.monitor.power[0].of >= 20


def test_demonstration__has_a_second_dictionary_matched_with_the_first(shipped: Project) -> None:
    sizes = {n: read_summary(shipped.dictionary_path(n)).features for n in shipped.dictionaries()}
    assert sizes == {NAME: 2048, SMALL: 512}
    first, second = (FeatureIndex(shipped.index_path(name)) for name in (NAME, SMALL))
    assert (first.info.site, first.info.model) == (second.info.site, second.info.model)
    assert np.array_equal(first.tokens, second.tokens)
    hashes = {name: dictionary_hash(shipped.dictionary_path(name)) for name in sizes}
    splitting = Splitting.of_project(shipped, hashes)
    assert splitting.outdated == []
    assert splitting.dictionaries(NAME) == [SMALL, NAME]
    (parent,) = splitting.ancestors(NAME, FRENCH)
    french = [c for c in second.contexts(parent.feature) if c.bucket == 0]
    assert sum(c.language == "fr" for c in french) >= 18
    parts = [len(splitting.tree(SMALL, feature).parts) for feature in range(512)]
    assert sum(count >= 2 for count in parts) >= 50  # so that splitting is to be seen


def test_demonstration__tells_which_concepts_have_a_feature_beside_random_directions(
    shipped: Project,
) -> None:
    assert shipped.completeness_tables() == ["programming"]
    table = read_table(shipped, "programming")
    assert table.tokens == 600_000
    assert table.judged >= 50
    smaller, larger = table.dictionaries
    assert (smaller.dictionary, larger.dictionary) == (SMALL, NAME)
    assert smaller.found < larger.found
    for one in table.dictionaries:
        assert one.control_found is not None
        assert one.found > 2 * one.control_found


def test_demonstration__begins_with_features_of_many_kinds_that_are_as_labelled(
    shipped: Project,
) -> None:
    index = FeatureIndex(shipped.index_path(NAME))
    with closing(Notes(shipped.notes_path)) as notes:
        (found,) = [name for name, _ in FeatureLists(notes).names(NAME)]
        start = FeatureLists(notes).read(NAME, found)
        labelled = notes.all(NAME)
    assert start is not None
    assert start.name == START_LIST
    assert start.features[0] == FRENCH
    assert 10 <= len(start.members) <= 20
    assert len({member.annotation for member in start.members}) >= 6
    for one in demonstration_notes.labelled():
        assert labelled[one.feature].label == one.label
        assert labelled[one.feature].starred
        assert demonstration_notes.fitting(index, one) >= demonstration_notes.FITTING_SHARE


def test_demonstration__has_rows_to_train_on_at_once(shipped: Project, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    project = Project.open(shutil.copytree(shipped.path, tmp_path / "p.saeproj"))
    path = str(project.path)
    verified = verify_store(VerifyStoreConfig(project=path, name=SAMPLE), SilentContext())
    assert verified.damaged == []
    config = TrainConfig(
        project=path, name="new", activations=SAMPLE, features=512, tokens=120_000, batch=1024
    )
    result = train(config, SilentContext())
    assert result.fvu < 0.5
    assert len(read_run(project.dictionary_path("new") / "run.h5").measured("fvu")[1]) >= 3


def test_demonstration__has_a_preset_that_turns_the_text_and_leaves_it_whole(
    shipped: Project,
) -> None:
    (name,) = shipped.presets()
    preset = read_preset(shipped, name)
    check_preset(preset, FeatureIndex(shipped.index_path(NAME)).info)
    result = steer(
        SteerConfig(
            project=str(shipped.path), index=NAME, prompt=preset.prompt, variants=preset.variants,
            sampling=preset.sampling,
        ),
        SilentContext(),
    )  # fmt: skip
    plain, steered = (variant.text for variant in result.variants)
    assert demonstration_notes.french_share(plain) < 0.1
    assert demonstration_notes.french_share(steered) > demonstration_notes.LEAST_FRENCH
    assert demonstration_notes.repeated_share(steered) < demonstration_notes.MOST_REPEATED


def test_demonstration__knows_the_strengths_that_work(shipped: Project) -> None:
    for name, least in ((NAME, 900), (SMALL, 200)):
        index = FeatureIndex(shipped.index_path(name))
        assert np.isfinite(index.columns["output_effect"]).all()
        known = [index.strength(feature) for feature in range(index.features)]
        assert sum(one is not None and one.verdict == "works" for one in known) >= least
    index = FeatureIndex(shipped.index_path(NAME))
    for one in demonstration_notes.labelled():
        strength = index.strength(one.feature)
        assert strength is not None
        assert strength.verdict == "works" or not one.start  # what one starts with can be steered


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


@pytest.mark.parametrize("name", [NAME, SMALL])
def test_every_feature__ships_with_a_name_that_tells_more_than_its_token(
    shipped: Project, name: str
) -> None:
    index = FeatureIndex(shipped.index_path(name))
    alive = np.flatnonzero(index.columns["density"] > 0)
    assert len(alive) == index.features
    names = index.names
    assert names is not None
    assert names.info.firings_kept
    assert all(index.short_names()[int(feature)] for feature in alive)
    assert max(map(len, index.short_names())) <= 90
    figures = {key: float(np.nanmean(values)) for key, values in names.figures.items()}
    random = names.info.random_direction
    assert random is not None
    assert figures["name_score"] > max(figures["top_token"], random[2]) + 0.08
    assert abs(figures["shuffled"] - 0.5) < 0.01
    assert all(index.name(int(feature)).long for feature in alive[::37])  # type: ignore[union-attr]


def test_names__stay_small(shipped: Project) -> None:
    for pattern, count in (("builtin-*.names", 2), ("circuits.*.names", 6)):
        files = list((shipped.path / "features").glob(pattern))
        assert len(files) == count
        assert sum(path.stat().st_size for path in files) < 900_000
