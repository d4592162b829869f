"""Rows of image-text models and encoders: the model's own, each at its place in the picture."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from threading import RLock
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from toy_pictures import (
    ENCODERS,
    FAMILIES,
    LAYERS,
    MARKS,
    SIDE,
    image_processor,
    marked_tokenizer,
    noise_picture,
    picture_network,
)

from sae_desktop.errors import UserError
from sae_desktop.language_model.pictures.batches import PictureBatch
from sae_desktop.language_model.pictures.reader import PictureReader
from sae_desktop.language_model.sites.capture import visit_inputs
from sae_desktop.language_model.sites.resolve import Site
from sae_desktop.language_model.text.text_reader import TextReader

ALONE = tuple(kind for kind in ENCODERS if kind not in ("clip", "siglip"))
"""The other two are opened as these."""


@cache
def toy(kind: str) -> tuple[Any, PictureReader]:
    model = picture_network(kind)
    text = (
        TextReader(kind, marked_tokenizer(kind), 512, 380, causal=True) if kind in MARKS else None
    )
    lm = SimpleNamespace(model=model, lock=RLock(), device=torch.device("cpu"))
    return lm, PictureReader(kind, model.config, image_processor(kind), text)


def rows_at(lm: Any, batch: PictureBatch, site: Site) -> Tensor:
    found: list[Tensor] = []
    rows, length = batch.picture.shape
    visit_inputs(lm, batch.inputs, rows, length, [site], lambda _, x: found.append(x.clone()))
    return found[0]


def documents(kind: str) -> list[list[Any]]:
    wide, tall = noise_picture(61, 40), noise_picture(33, 90, seed=1)
    if kind in MARKS:
        return [["a dog ", wide, " and then\n", tall, "!"], [wide, "once more"], ["only words"]]
    return [[wide], [tall]]


@pytest.mark.parametrize("kind", FAMILIES + ALONE)
def test_rows__are_the_models_own_hidden_states(kind: str) -> None:
    lm, reader = toy(kind)
    batch = reader.batch(documents(kind))

    with torch.no_grad():
        own = lm.model.base_model(**batch.inputs, output_hidden_states=True).hidden_states

    for layer in range(LAYERS):
        torch.testing.assert_close(rows_at(lm, batch, Site(layer, "hook_resid_pre")), own[layer])
    assert [int(n) for n in (batch.picture >= 0).sum(axis=1)] == [
        sum(batch.layouts[p].tokens for p in np.unique(row[row >= 0])) for row in batch.picture
    ]


@pytest.mark.parametrize("kind", FAMILIES + ALONE)
def test_a_batch_of_padded_documents__gives_what_each_gives_alone(kind: str) -> None:
    lm, reader = toy(kind)
    given, site = documents(kind), Site(LAYERS - 1, "hook_resid_post")
    together = reader.batch(given)
    rows = rows_at(lm, together, site)

    for number, document in enumerate(given):
        alone = reader.batch([document])
        length = alone.lengths[0]
        torch.testing.assert_close(
            rows[number, :length], rows_at(lm, alone, site)[0], rtol=1e-3, atol=2e-4
        )
        assert together.lengths[number] == length
        assert np.array_equal(together.token[number, :length], alone.token[0])


def _without_mixing(model: Any) -> Any:
    """Let no patch of the encoder of pictures see another, so that a change stays where it is."""
    seen = "self_attn.out_proj", "attn.proj", "attention.o_proj"
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if any(f".{part}.weight" in name for part in seen):
                parameter.zero_()
    return model


@cache
def traceable(kind: str) -> tuple[Any, PictureReader]:
    lm, reader = toy(kind)
    copied = picture_network(kind)
    return SimpleNamespace(**vars(lm) | {"model": _without_mixing(copied)}), reader


def _lit(size: tuple[int, int], box: Any) -> Image.Image:
    drawn = np.full((size[1], size[0], 3), 128, dtype=np.uint8)
    left, top, right, bottom = (round(float(n)) for n in box)
    drawn[top:bottom, left:right] = (255, 0, 64)
    return Image.fromarray(drawn)


@pytest.mark.parametrize(
    ("kind", "size"),
    [(kind, (168, 112)) for kind in FAMILIES + ALONE] + [(kind, (56, 140)) for kind in FAMILIES],
)
def test_the_place_of_a_token__is_where_a_lit_patch_changes_it_most(
    kind: str, size: tuple[int, int]
) -> None:
    lm, reader = traceable(kind)
    layout = reader.layout(*size)
    boxes, places = layout.boxes(), layout.places()
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    tokens = [n for n in range(layout.tokens) if places[n, 0] >= 0 and areas[n] > 4]
    dark = _lit(size, (0, 0, 0, 0))

    batch = reader.batch([[dark], *([_lit(size, boxes[n])] for n in tokens)])
    found = rows_at(lm, batch, Site(0, "hook_resid_pre"))
    of_picture = torch.from_numpy(batch.picture[0] >= 0)
    changes = (found[1:, of_picture] - found[0, of_picture]).norm(dim=-1).numpy()

    margin = max(size) / 8
    for number, token in enumerate(tokens):
        tile = np.flatnonzero(places[:, 0] == places[token, 0])
        assert tile[changes[number, tile].argmax()] == token, places[token]
        left, top, right, bottom = boxes[token]
        away = (
            (boxes[:, 0] > right + margin)
            | (boxes[:, 2] < left - margin)
            | (boxes[:, 1] > bottom + margin)
            | (boxes[:, 3] < top - margin)
        )
        if kind != "gemma3":  # its norm after the encoder is of all tokens
            assert changes[number, away].max(initial=0) < 1e-3 * changes[number, token]


def test_what_lies_outside_a_centre_crop__changes_no_row() -> None:
    lm, reader = traceable("llava")
    size = (168, 84)
    inside = reader.layout(*size).boxes()
    assert inside[:, 0].min() == 42
    assert inside[:, 2].max() == 126
    batch = reader.batch([[_lit(size, (0, 0, 0, 0))], [_lit(size, (0, 0, 30, 84))]])
    found = rows_at(lm, batch, Site(0, "hook_resid_pre"))

    torch.testing.assert_close(found[0], found[1])


def test_a_text_that_names_a_token_of_pictures__is_refused_by_name() -> None:
    _, reader = toy("llava")

    with pytest.raises(UserError, match="contains “<image>”"):
        reader.batch([["a text with <image> in it", noise_picture(30, 30)]])


def test_an_encoder_of_pictures__refuses_words() -> None:
    _, reader = toy("vit")

    with pytest.raises(UserError, match="one picture at a time, without words"):
        reader.batch([["words", noise_picture(30, 30)]])


def test_a_picture_that_would_become_huge__is_refused_before_it_is_prepared() -> None:
    _, reader = toy("clip_vision_model")

    with pytest.raises(UserError, match="would be resized to"):
        reader.layout(30_000_000, 1)


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_picture_of_one_pixel__is_read(kind: str) -> None:
    lm, reader = toy(kind)
    batch = reader.batch([["one ", noise_picture(1, 1)]])

    assert torch.isfinite(rows_at(lm, batch, Site(1, "hook_resid_post"))).all()
    boxes = batch.layouts[0].boxes()
    assert boxes.min() >= 0
    assert boxes.max() == 1


def test_pictures__are_numbered_in_the_order_of_the_documents() -> None:
    _, reader = toy("qwen2_vl")
    batch = reader.batch(documents("qwen2_vl"))
    layouts: Mapping[int, int] = {n: one.tokens for n, one in enumerate(batch.layouts)}

    assert sorted(set(batch.picture[0])) == [-1, 0, 1]
    assert sorted(set(batch.picture[1])) == [-1, 2]
    assert set(batch.picture[2]) == {-1}
    for number, count in layouts.items():
        of = batch.picture == number
        assert np.array_equal(batch.token[of], np.arange(count))


@pytest.mark.parametrize("kind", FAMILIES + ALONE)
def test_patches__are_those_that_the_pixels_of_a_token_make(kind: str) -> None:
    _, reader = toy(kind)
    batch = reader.batch([[noise_picture(SIDE, SIDE)]])
    patches, places = reader.patches, batch.layouts[0]
    pixels = batch.inputs["pixel_values"].numel()
    if kind.startswith("qwen2"):  # each picture twice, as two moments of a film
        pixels //= 2
    tokens = places.tokens - places.loose
    assert pixels / patches.pixels == pytest.approx(patches.number * tokens)


@pytest.mark.parametrize("kind", FAMILIES + ALONE)
def test_joined__documents_are_what_a_batch_of_them_is(kind: str) -> None:
    _, reader = toy(kind)
    given = documents(kind)
    whole = reader.batch(given)
    joined = reader.joined([reader.batch([document]) for document in given])

    assert joined.inputs.keys() == whole.inputs.keys()
    for name, expected in whole.inputs.items():
        assert torch.equal(joined.inputs[name], expected), name
    assert (joined.layouts, joined.lengths) == (whole.layouts, whole.lengths)
    for part in ("picture", "token", "special"):
        assert np.array_equal(getattr(joined, part), getattr(whole, part)), part
