"""What there is of pictures, and what a model would make of them, told without its weights."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from job_contexts import RecordingContext
from PIL import Image
from toy_pictures import image_processor, marked_tokenizer, picture_config

from sae_desktop.cli.picture_commands import pictures_text
from sae_desktop.errors import UserError
from sae_desktop.language_model.picture_config import PicturesDescription, PreviewPicturesConfig
from sae_desktop.language_model.pictures.preview import preview_pictures


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of which there are no weights: the files that a look at the hub brings."""
    folder = tmp_path_factory.mktemp("model")
    picture_config("smolvlm").save_pretrained(folder)
    image_processor("smolvlm").save_pretrained(folder)
    marked_tokenizer("smolvlm").save_pretrained(folder)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {}}')
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, size in enumerate(((400, 300), (1, 1), (40, 90))):
        Image.new("RGB", size).save(tmp_path / f"{number}.png")
    (tmp_path / "0.txt").write_text("a photograph")
    (tmp_path / "broken.png").write_bytes((tmp_path / "0.png").read_bytes()[:60])
    (tmp_path / "drawing.svg").write_text("<svg/>")
    return tmp_path


def looked(pictures: Path, **settings: object) -> PicturesDescription:
    config = PreviewPicturesConfig(pictures=str(pictures), **settings)  # type: ignore[arg-type]
    return preview_pictures(config, RecordingContext())


def test_preview__shows_each_picture_with_its_words_and_names_what_cannot_be_read(
    folder: Path,
) -> None:
    found = looked(folder)

    assert (found.documents, found.pictures, found.refusals, found.complete) == (4, 4, 2, True)
    assert [one.name for one in found.previews] == ["0.png", "1.png", "2.png"]
    assert found.previews[0].text == "a photograph"
    assert [one.name for one in found.refused] == ["broken.png", "drawing.svg"]
    assert found.previews[0].layout is None
    small = Image.open(io.BytesIO(found.previews[0].thumbnail))
    assert (small.format, small.size) == ("WEBP", (160, 120))


def test_preview__places_the_tokens_a_model_makes_of_each(folder: Path, model: Path) -> None:
    found = looked(folder, model=str(model), preview=1)
    layout = found.previews[0].layout
    assert layout is not None
    place = layout.place(5)

    assert len(found.previews) == 1
    assert (layout.tokens, len(layout.tiles)) == (20, 5)
    assert (place.tile, place.row, place.column) == (1, 0, 1)
    assert (place.left, place.top, place.right, place.bottom) == (300.0, 0.0, 400.0, 75.0)


def test_terminal__says_what_was_found_and_which_cells_there_are(folder: Path, model: Path) -> None:
    text = pictures_text(looked(folder, model=str(model), preview=1))

    assert "4 pictures in 4 documents; 2 cannot be read" in text
    assert "20 tokens" in text
    assert "tile 2: tokens 4 to 7, 2 rows of 2, 100 × 75 pixels each, from 200 across" in text
    assert "drawing.svg: SVG files are not read" in text


def test_a_source_without_pictures__is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("words")

    with pytest.raises(UserError, match="There are no pictures in"):
        looked(tmp_path)
