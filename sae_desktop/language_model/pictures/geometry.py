"""What parts of a picture a model is given, and in how many pixels: sizes alone, nothing is drawn.

Sizes are asked of the functions by which transformers resizes; `reader` holds what comes of it to
the pixels that the processor gave.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers.image_transforms import (
    get_resize_output_image_size,
    get_size_with_aspect_ratio,
)
from transformers.image_utils import get_image_size_for_max_height_width

from sae_desktop.errors import UserError

MOST_PIXELS = 64_000_000
"""Of a picture on its way into a model: above what any in use takes, 16.8 million."""


@dataclass(frozen=True)
class View:
    """A part of a picture as the model is given it."""

    height: int
    width: int
    """Of what the model is given."""
    left: float
    top: float
    """In the picture's own pixels, where it begins."""
    across: float
    down: float
    """How many of the picture's pixels one of the model's is."""


def views(processor: Any, height: int, width: int) -> list[View]:
    """Return the parts of a picture in the order in which a model is given them.

    Raises UserError for a picture that would become larger than any model reads.
    """
    name = type(processor).__name__
    try:
        if name.startswith("Qwen2VL"):
            return [_scaled(height, width, *_qwen_size(processor, height, width))]
        if name.startswith(("Idefics3", "SmolVLM")):
            return _tiles(processor, height, width)
        return [_cropped(processor, height, width)]
    except ValueError as error:
        raise UserError(
            f"A picture of {width:,} × {height:,} pixels cannot be prepared for this model: "
            f"{str(error)[:200]}.",
            next_step="Crop it to a more usual shape.",
        ) from error


def _scaled(height: int, width: int, to_height: int, to_width: int) -> View:
    _check(to_height, to_width)
    return View(to_height, to_width, 0.0, 0.0, width / to_width, height / to_height)


def _check(height: int, width: int) -> None:
    if height * width > MOST_PIXELS:
        raise UserError(
            f"The picture would be resized to {width:,} × {height:,} pixels for this model, more "
            f"than {MOST_PIXELS // 1_000_000} million.",
            kept="It was not read.",
            next_step="Crop it to a more usual shape.",
        )


def _like(height: int, width: int) -> Any:
    """Return what has the shape of a picture and takes no memory."""
    return np.broadcast_to(np.uint8(0), (3, height, width))


def _size(processor: Any, height: int, width: int) -> tuple[int, int]:
    """Return the (height, width) to which a processor resizes."""
    size = processor.size
    if not processor.do_resize:
        return height, width
    if size.shortest_edge and size.longest_edge:
        found = get_size_with_aspect_ratio((height, width), size.shortest_edge, size.longest_edge)
    elif size.shortest_edge:
        found = get_resize_output_image_size(
            _like(height, width), size=size.shortest_edge, default_to_square=False,
            input_data_format="channels_first",
        )  # fmt: skip
    elif size.max_height and size.max_width:
        found = get_image_size_for_max_height_width(
            (height, width), size.max_height, size.max_width
        )
    elif size.height and size.width:
        found = (size.height, size.width)
    else:
        raise ValueError(f"it gives no size ({size})")
    return int(found[0]), int(found[1])


def _cropped(processor: Any, height: int, width: int) -> View:
    left = top = 0
    if getattr(processor, "do_pad", False) and hasattr(processor, "pad_to_square"):
        side = max(height, width)
        left, top = -((side - width) // 2), -((side - height) // 2)
        height = width = side
    to_height, to_width = _size(processor, height, width)
    _check(to_height, to_width)
    down, across = height / to_height, width / to_width
    if not getattr(processor, "do_center_crop", False):
        return View(to_height, to_width, left, top, across, down)
    crop = processor.crop_size
    _check(crop.height, crop.width)
    # Floored also below 0, where the picture is padded; as transformers does.
    over, beside = (to_height - crop.height) // 2, (to_width - crop.width) // 2
    return View(crop.height, crop.width, left + beside * across, top + over * down, across, down)


def _qwen_size(processor: Any, height: int, width: int) -> tuple[int, int]:
    if not processor.do_resize:
        return height, width
    found = sys.modules[type(processor).__module__].smart_resize(
        height,
        width,
        factor=processor.patch_size * processor.merge_size,
        min_pixels=processor.size.shortest_edge,
        max_pixels=processor.size.longest_edge,
    )
    return int(found[0]), int(found[1])


def _tiles(processor: Any, height: int, width: int) -> list[View]:
    """As Idefics 3: tiles of one size, row by row, and last the whole in that size."""
    side = int(processor.max_image_size["longest_edge"])
    whole = _scaled(height, width, side, side)
    if not processor.do_image_splitting:
        return [whole]
    at_first = height, width
    if processor.do_resize:
        at_first = _idefics_size(processor, height, width)
    to_height, to_width = _whole_tiles(*at_first, side)
    _check(to_height, to_width)
    if to_height <= side and to_width <= side:
        return [whole]
    across, down = width / to_width, height / to_height
    return [
        View(side, side, column * side * across, row * side * down, across, down)
        for row in range(to_height // side)
        for column in range(to_width // side)
    ] + [whole]


def _idefics_size(processor: Any, height: int, width: int) -> tuple[int, int]:
    size = processor.size
    if not size.longest_edge:
        return int(size.height), int(size.width)
    module = sys.modules[type(processor).__module__]
    found = module.get_resize_output_image_size(
        _like(height, width), resolution_max_side=size.longest_edge
    )
    return int(found[0]), int(found[1])


def _whole_tiles(height: int, width: int, side: int) -> tuple[int, int]:
    """Return the size in whole tiles that keeps the shape best, in transformers' own steps."""
    ratio = width / height
    if width >= height:
        width = math.ceil(width / side) * side
        height = math.ceil(int(width / ratio) / side) * side
    else:
        height = math.ceil(height / side) * side
        width = math.ceil(int(height * ratio) / side) * side
    return height, width
