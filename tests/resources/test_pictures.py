"""What ships of pictures: a model that names what it sees, and the demonstration made with it."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from shipped import demonstration

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.benchmark.captions.naming import names, spoken_words
from sae_desktop.benchmark.kinds.drawings import drawings, shipped_drawings
from sae_desktop.benchmark.kinds.instances import LANGUAGES, PICTURE, instances, read_concepts
from sae_desktop.demonstrations import PICTURES, START_LIST
from sae_desktop.dictionary import load
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.files import packed
from sae_desktop.language_model.names import BUILTIN_PICTURES
from sae_desktop.project import Project
from sae_desktop.project_lists import FeatureLists
from sae_desktop.project_notes import Notes
from sae_desktop.resources import resource_path
from sae_desktop.training.measuring.metrics import measure_fit
from sae_desktop.training.run_folder import read_summary

TITLES = {"en": "English", "de": "German", "fr": "French", "es": "Spanish", "ru": "Russian"}
NAMED = {"en": 17, "de": 8, "fr": 19, "es": 16, "ru": 15}
"""By language, of how many concepts a drawing by an artist who was never learnt from is named."""
MAX_MODEL_BYTES = 12_000_000
OF_A_MACHINE = re.compile(rb"/(?:home|root|Users|work|mnt)/")
"""Beginnings of folders that people work in."""


@pytest.fixture(scope="module")
def shipped() -> Project:
    return demonstration(PICTURES)


@pytest.fixture(scope="module")
def captioned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """By concept and language, what is written after its first drawing."""
    transformers = pytest.importorskip("transformers")
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patched:
        cache = tmp_path_factory.mktemp("models")
        patched.setattr(packed, "models_cache", lambda: cache)
        folder = packed.unpacked_model(resource_path(f"models/{BUILTIN_PICTURES}"))
    model = transformers.LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    processor = transformers.AutoProcessor.from_pretrained(folder)
    found: dict[str, dict[str, str]] = {}
    for concept in read_concepts():
        pictures = [one for one in instances(concept) if one.kind == PICTURE]
        files, _ = drawings(shipped_drawings(), pictures)
        with Image.open(files[pictures[0].text][0]) as drawn:
            white = Image.new("RGBA", drawn.size, "white")
            white.alpha_composite(drawn.convert("RGBA"))
        found[concept.name] = {
            language: _written(model, processor, white.convert("RGB"), title)
            for language, title in TITLES.items()
        }
    return found


def _written(model: Any, processor: Any, picture: Image.Image, title: str) -> str:
    """Return the line that is written after a picture and “German:”."""
    asked = processor(images=picture, text=f"<|bos|><image>{title}:", return_tensors="pt")
    ids = model.generate(**asked, do_sample=False, max_new_tokens=24)
    text: str = processor.tokenizer.decode(ids[0, asked["input_ids"].shape[1] :])
    return text.partition("\n")[0]


def test_model__is_small_and_names_no_folder_of_its_maker() -> None:
    files = list(resource_path(f"models/{BUILTIN_PICTURES}").iterdir())
    assert sum(path.stat().st_size for path in files) <= MAX_MODEL_BYTES
    for path in files:
        data = path.read_bytes()
        assert not OF_A_MACHINE.search(data), path.name
    assert "CC-BY 4.0" in resource_path(f"models/{BUILTIN_PICTURES}/README.md").read_text()


@pytest.mark.parametrize("language", LANGUAGES)
def test_model__names_drawings_of_an_artist_it_never_learnt_from(
    captioned: dict[str, dict[str, str]], language: str
) -> None:
    concepts = {concept.name: concept for concept in read_concepts()}
    assert len(concepts) == len(captioned) == 30
    right = [
        name for name, said in captioned.items()
        if names(said[language], spoken_words(concepts[name], language))
    ]  # fmt: skip
    assert len(right) >= NAMED[language] - 1, right  # of another processor


def test_model__answers_in_the_language_it_is_asked_in(
    captioned: dict[str, dict[str, str]],
) -> None:
    russian = [said["ru"] for said in captioned.values()]
    assert all(re.search("[а-я]", text) for text in russian)
    english = [said["en"] for said in captioned.values()]
    assert not any(re.search("[а-я]", text) for text in english)


def test_demonstration__starts_with_features_of_one_thing_in_words_and_pictures(
    shipped: Project,
) -> None:
    index = FeatureIndex(shipped.index_path(PICTURES.first_index))
    with closing(Notes(shipped.notes_path)) as notes:
        start = FeatureLists(notes).read(PICTURES.first_index, START_LIST)
        noted = notes.all(PICTURES.first_index)
    assert start is not None
    labels = {member.feature: noted[member.feature].label for member in start.members}
    assert len(labels) >= 10
    assert len(set(labels.values())) == len(labels)
    named = 0
    for feature, label in labels.items():
        contexts = sorted(index.contexts(feature), key=lambda one: -one.activation)
        assert any(one.picture for one in contexts), label
        texts = ["".join(one.tokens) for one in contexts if not one.picture][:6]
        named += any(names(text, [label.casefold()]) for text in texts)
    assert named >= 0.8 * len(labels)  # others are named in another language


def test_demonstration__explains_what_its_model_makes_of_pictures(
    shipped: Project, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    project = Project.open_or_create(tmp_path / "p")
    index = FeatureIndex(shipped.index_path(PICTURES.first_index))
    config = HarvestConfig(
        project=str(project.path), name="a", model=BUILTIN_PICTURES, site=index.info.site,
        tokens=2000, pictures=shipped_drawings()[0], context_size=256, device="cpu",
    )  # fmt: skip
    harvest(config, SilentContext())
    rows = ActivationStore.open(project.store_path("a")).read(0, 2000)
    fit = measure_fit(
        load(shipped.dictionary_path(PICTURES.first_index)), [torch.tensor(rows).float()]
    )
    assert fit.fvu <= 0.1
    assert fit.l0 <= 100  # 75: more than of a token of text


def test_demonstration__is_better_than_random_and_tells_nothing_of_its_maker(
    shipped: Project,
) -> None:
    figures = read_summary(shipped.dictionary_path(PICTURES.first_index)).evaluation
    assert figures is not None
    assert figures.control is not None
    assert figures.explained_variance >= 0.85 > 0.6 > figures.control.explained_variance
    assert shipped.stores() == []
    for path in shipped.path.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not OF_A_MACHINE.search(data), path
