"""A harvest of pictures: the model's own rows, whole pictures, resumed to the same bits."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from job_contexts import RecordingContext
from PIL import Image
from stored import opened, same_stores
from toy_pictures import noise_picture, save_picture_model

from sae_desktop.activations.config import DescribeStoreConfig, EstimateHarvestConfig, HarvestConfig
from sae_desktop.activations.describe_store import describe_store
from sae_desktop.activations.estimate import estimate_harvest
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.language_model.load import load_any, load_model, release_models
from sae_desktop.language_model.pictures.reader import open_pictures
from sae_desktop.language_model.text.token_text import IMAGE_TOKEN
from sae_desktop.pictures.reading import read_picture
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.job import train
from sae_desktop.training.measuring.splice import splice_text
from sae_desktop.training.rows.data import SiteRows, split_parts
from sae_desktop.training.rows.document_split import text_of_rows
from sae_desktop.training.run_log import read_run

Make = Callable[..., HarvestConfig]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder, made = tmp_path_factory.mktemp("models"), {}

    def model(kind: str) -> Path:
        if kind not in made:
            made[kind] = save_picture_model(folder / kind, kind)
        return made[kind]

    return model


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pictures of several sizes, most with words beside them."""
    folder = tmp_path_factory.mktemp("drawings")
    for number in range(8):
        noise_picture(30 + 9 * number, 90 - 7 * number, seed=number).save(folder / f"{number}.png")
        if number % 4:
            (folder / f"{number}.txt").write_text("a dog and the cat " * number)
    return folder


@pytest.fixture
def make(tmp_path: Path, models: Callable[[str], Path], drawings: Path) -> Make:
    Project.open_or_create(tmp_path / "p.saeproj")

    def config(kind: str = "llava", **changes: Any) -> HarvestConfig:
        settings = {
            "project": str(tmp_path / "p.saeproj"),
            "name": "pics",
            "model": str(models(kind)),
            "site": "blocks.1.hook_resid_post",
            "pictures": str(drawings),
            "tokens": 5000,
            "context_size": 400,
            "batch_tokens": 150,
            "dtype": "float32",
        }
        return HarvestConfig(**settings | changes)

    return config


def own_rows(store: ActivationStore, config: HarvestConfig, window: int, layer: int) -> Any:
    """The model's own hidden states of one document, prepared anew, and what each row is of."""
    lm = load_any(config.model)
    reader = open_pictures(lm)
    document = store.documents[store.windows[window]["document"]]
    path = Path(config.pictures, document["title"].decode())
    image = read_picture(path).image
    words = path.with_suffix(".txt")
    text = [words.read_text().strip()] if words.exists() and lm.tokenizer_hash else []
    batch = reader.batch([[image, *text]])
    with torch.no_grad():
        states = lm.model.base_model(**batch.inputs, output_hidden_states=True).hidden_states
    return batch, states[layer][0].numpy()


@pytest.mark.parametrize("kind", ["llava", "qwen2_vl", "smolvlm", "paligemma", "dinov2"])
def test_rows__are_the_models_own_hidden_states(make: Make, kind: str) -> None:
    release_models()
    config = make(kind)
    result = harvest(config, RecordingContext())
    store = opened(config)
    pictures = store.pictures
    assert result.windows == len(pictures) == 8
    assert result.rows == store.rows == sum(store.windows["length"])
    left_out = 0
    for number, window in enumerate(store.windows):
        first, rows = int(window["first_row"]), int(window["length"])
        batch, own = own_rows(store, config, number, 2)
        lead = 0 if batch.picture[0, 0] >= 0 else 1
        left_out += lead
        assert rows == batch.lengths[0] - lead
        found = store.read(first, first + rows)
        np.testing.assert_allclose(found, own[lead:], rtol=1e-3, atol=2e-4)
        picture = np.where(batch.picture[0, lead:] >= 0, number, -1)
        assert pictures.of_rows(first, first + rows).tolist() == picture.tolist()
        token = batch.token[0, lead:].tolist()
        assert pictures.tokens_of_rows(first, first + rows).tolist() == token
        ids = batch.inputs["input_ids"][0].tolist() if kind != "dinov2" else [-1] * rows
        assert store.window_ids(window) == ids
        assert pictures.get(number).record.layout == batch.layouts[0]
        assert pictures.get(number).document == window["document"]
    assert left_out == (0 if kind in ("paligemma", "dinov2") else 8)


@pytest.mark.parametrize("kind", ["llava", "siglip_vision_model"])
def test_killed_harvest__is_resumed_to_the_same_bits(make: Make, kind: str) -> None:
    release_models()
    small = {"batch_tokens": 12, "commit_seconds": 0.0}
    whole = make(kind, name="whole", keep_pictures=True, **small)
    harvest(whole, RecordingContext())
    config = make(kind, keep_pictures=True, **small)
    partly = [0]
    for _ in range(2):
        with pytest.raises(JobCancelledError):
            harvest(config, RecordingContext(cancel_after=4))
        partly.append(opened(config).rows)
    assert partly == sorted({*partly})
    assert partly[-1] < opened(whole).rows
    harvest(config, RecordingContext())
    ours, theirs = opened(config), opened(whole)
    assert same_stores(ours, theirs)
    assert np.array_equal(ours.pictures.of_rows(), theirs.pictures.of_rows())
    assert np.array_equal(ours.pictures.tokens_of_rows(), theirs.pictures.tokens_of_rows())
    for number in range(8):
        assert ours.pictures.get(number) == theirs.pictures.get(number)
        assert ours.pictures.thumbnail(number) == theirs.pictures.thumbnail(number)
        name = ours.pictures.get(number).record.name
        assert ours.pictures.whole(number) == Path(config.pictures, name).read_bytes()


def test_extended_store__goes_on_at_the_next_document(make: Make) -> None:
    whole = make(name="whole", tokens=300)
    harvest(whole, RecordingContext())
    config = make(tokens=100)
    told = RecordingContext()
    first = harvest(config, told)
    assert first.rows <= 100
    assert any("A picture is never cut" in line for line in told.lines)
    assert told.steps[-1][0] == told.steps[-1][1] == first.rows
    harvest(make(tokens=300), RecordingContext())
    ours, theirs = opened(config), opened(whole)
    assert ours.rows == theirs.rows <= 300
    assert np.array_equal(ours.tokens, theirs.tokens)
    assert np.array_equal(ours.pictures.of_rows(), theirs.pictures.of_rows())
    np.testing.assert_allclose(ours.read(0, ours.rows), theirs.read(0, theirs.rows), atol=1e-4)


def test_too_long_document__loses_the_end_of_its_text_but_no_picture_in_part(
    make: Make, tmp_path: Path
) -> None:
    pages = tmp_path / "pages.jsonl"
    noise_picture(40, 40).save(tmp_path / "a.png")
    words = "the cat " * 40
    rows = (
        {"texts": ["a dog", None, words, None], "images": [None, "a.png", None, "a.png"]},
        {"texts": [words, None], "images": [None, "a.png"]},
        {"texts": ["a dog", *[None] * 5], "images": [None, *["a.png"] * 5]},
    )
    pages.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config, told = make(pictures=str(pages), context_size=40), RecordingContext()
    harvest(config, told)
    store = opened(config)
    assert len(store.pictures) == 3  # one of the first, none of the second, two of the third
    for number in range(3):
        assert len(store.pictures.rows(number)) == 16
    of_rows = store.pictures.of_rows()
    for window in store.windows:
        rows = of_rows[window["first_row"] : window["first_row"] + window["length"]]
        assert 30 < len(rows) <= 40
        pictures = {b"row 1": 1, b"row 2": 0, b"row 3": 2}
        named = store.documents[window["document"]]["title"]
        assert len(set(rows) - {-1}) == pictures[named]
        assert (rows[-1] == -1) == (named != b"row 3")
    assert any("The end of 3 documents was left out" in line for line in told.lines)


def test_what_cannot_be_read__is_named_and_the_rest_is_kept(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    noise_picture(40, 30).save(folder / "good.png")
    noise_picture(40, 30).save(folder / "same.png")
    (folder / "cut.png").write_bytes((folder / "good.png").read_bytes()[:200])
    (folder / "drawing.svg").write_text("<svg></svg>")
    config, told = make(pictures=str(folder)), RecordingContext()
    assert harvest(config, told).documents == 1
    said = " ".join(told.lines)
    assert "2 documents were left out of 4, since they cannot be read: " in said
    assert "“cut.png” is damaged or cut short" in said
    assert "“drawing.svg”: SVG files are not read" in said
    assert "One document was left out: the same pictures and words" in said
    with pytest.raises(UserError, match="damaged or cut short"):
        harvest(make(name="strict", pictures=str(folder), skip_limit=0.0), RecordingContext())


def test_same_picture_with_other_words__is_on_one_side(make: Make, tmp_path: Path) -> None:
    rows = ["one dog", "a cat", "the sun", "my house"]
    for number in range(3):
        noise_picture(40, 30, seed=number).save(tmp_path / f"{number}.png")
    lines = [f'{{"image": "{n % 3}.png", "text": "{text}"}}' for n, text in enumerate(rows)]
    (tmp_path / "table.jsonl").write_text("\n".join(lines))
    config = make(pictures=str(tmp_path / "table.jsonl"), order="files")
    harvest(config, RecordingContext())
    store = opened(config)
    text_R = text_of_rows(store, store.rows)
    each = [int(text_R[first]) for first in store.windows["first_row"]]
    assert each[0] == each[3]
    assert len({*each}) == 3


def test_limit_on_image_tokens__gives_the_model_a_smaller_picture(make: Make) -> None:
    config = make("qwen2_vl", picture_tokens=6)
    harvest(config, RecordingContext())
    store = opened(config)
    for number in range(len(store.pictures)):
        layout = store.pictures.get(number).record.layout
        image = Image.open(Path(config.pictures, store.pictures.get(number).record.name))
        assert layout.tokens <= 6
        assert (layout.width, layout.height) == image.size
        boxes = layout.boxes()
        assert boxes[-1, 2:] == pytest.approx(image.size, abs=0.5)
        area = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sum()
        assert area == pytest.approx(image.width * image.height, rel=0.02)


def test_shuffled__the_seed_decides_the_order(make: Make) -> None:
    names = []
    for name, seed, order in (("a", 0, "shuffled"), ("b", 1, "shuffled"), ("c", 0, "files")):
        config = make("siglip_vision_model", name=name, seed=seed, order=order)
        harvest(config, RecordingContext())
        pictures = opened(config).pictures
        names.append([pictures.get(n).record.name for n in range(8)])
    assert names[2] == [f"{n}.png" for n in range(8)]
    assert sorted(names[0]) == sorted(names[1]) == names[2]
    assert len({tuple(one) for one in names}) == 3


def test_estimate__tells_tokens_of_headers_alone(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "few"
    folder.mkdir()
    for number in range(3):
        noise_picture(40, 30, seed=number).save(folder / f"{number}.png")
    data = io.BytesIO()
    noise_picture(40, 30).save(data, "PNG")
    (folder / "gone.png").write_bytes(b"nothing")
    config = make(pictures=str(folder))
    found = estimate_harvest(EstimateHarvestConfig(harvest=config), RecordingContext())
    assert found.pictures is not None
    assert (found.pictures.pictures, found.pictures.documents) == (3, 3)
    assert (found.pictures.fewest, found.pictures.most) == (16, 16)
    assert found.pictures.complete
    assert found.pictures.refused == ["gone.png"]
    made = harvest(config, RecordingContext())
    assert made.bytes <= found.bytes
    said = describe_store(
        DescribeStoreConfig(project=config.project, name=config.name), RecordingContext()
    )
    assert (said.pictures, said.picture_rows, said.rows) == (3, 48, made.rows)


def test_model_without_eyes__is_refused_by_name(make: Make, toy_model_folder: Path) -> None:
    with pytest.raises(UserError, match="reads no pictures"):
        harvest(make(model=str(toy_model_folder)), RecordingContext())
    with pytest.raises(UserError, match="There is no file or folder"):
        harvest(make(pictures="/nowhere/at/all"), RecordingContext())
    with pytest.raises(UserError, match="more than the 10 asked for"):
        harvest(make(tokens=10), RecordingContext())


def test_training__on_pictures_and_words_shows_what_it_learns(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(24):
        noise_picture(40, 30, seed=number).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"a dog {number} and the cat {number}")
    config = make(pictures=str(folder))
    harvest(config, RecordingContext())
    run = TrainConfig(
        project=config.project, name="d", activations="pics", architecture="topk", features=32, k=4,
        tokens=2000, batch=64, metric_rows=64,
    )  # fmt: skip
    train(run, RecordingContext())
    log = read_run(Project.open(config.project).dictionary_path("d") / "run.h5")
    tokens = {t for one in log.samples[-1] for context in one.contexts for t in context.tokens}
    assert IMAGE_TOKEN in tokens
    store = opened(config)
    parts = [SiteRows(store, store.site)]
    held_out = split_parts(parts, exclude_massive=True).held_out
    assert (
        splice_text(load_model(config.model), store, store.site, windows=4, rows=held_out) is None
    )
