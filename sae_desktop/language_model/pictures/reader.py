"""Texts and pictures put together as a model reads them, and which row is of what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from sae_desktop.errors import UserError
from sae_desktop.language_model.files.find import ModelFiles
from sae_desktop.language_model.load import LanguageModel, Network
from sae_desktop.language_model.pictures.batches import PictureBatch, join
from sae_desktop.language_model.pictures.expansion import (
    expanded,
    image_token,
    pieces,
    placeholders,
)
from sae_desktop.language_model.pictures.families import (
    Family,
    encoder_of,
    family_of,
    loose_tokens,
)
from sae_desktop.language_model.pictures.geometry import View, views
from sae_desktop.language_model.pictures.processor import load_image_processor, processor_digest
from sae_desktop.language_model.text.text_reader import TextReader
from sae_desktop.pictures.places import PictureLayout, Tile

if TYPE_CHECKING:
    from PIL.Image import Image

Document = Sequence["str | Image"]
"""Texts and upright pictures in their order."""


_SIZES_KNOWN = 4096
"""Sizes of pictures whose layouts are remembered: a corpus has few."""


@dataclass(frozen=True)
class Patches:
    """Of one image token."""

    number: float
    width: int
    """Numbers that the encoder has for each patch."""
    pixels: int
    """Numbers of each patch as it is given."""


class PictureReader:
    """Prepares texts and pictures for one model. Made by `open_pictures`."""

    def __init__(self, name: str, config: Any, processor: Any, text: TextReader | None) -> None:
        self.name = name
        self.processor = processor
        self._config = config
        self._text = text
        self._family = family_of(config)
        self._layout = lru_cache(_SIZES_KNOWN)(self._computed_layout)

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits that tell apart how pictures are prepared."""
        return processor_digest(self.processor)

    def layout(self, width: int, height: int) -> PictureLayout:
        """Return which tokens come of a picture of a size, and where they are in it.

        Raises UserError for a size that this model cannot be given.
        """
        return self._layout(width, height)

    def _computed_layout(self, width: int, height: int) -> PictureLayout:
        found = views(self.processor, height, width)
        tiles, loose = [], loose_tokens(self._config)
        for view in found:
            down, across = self._cell(view)
            tiles.append(
                Tile(
                    rows=_whole(view.height / down),
                    columns=_whole(view.width / across),
                    left=view.left,
                    top=view.top,
                    cell_width=across * view.across,
                    cell_height=down * view.down,
                )
            )
        if self._family is not None and self._family.grid == "patches":
            loose = self._loose_of_tower()
        return PictureLayout(width, height, tiles, loose)

    def pieces(self, text: str, count: int) -> list[str]:
        """Return the words before, between and after `count` pictures in a chat through a template.

        Raises UserError where the template does not say where they stand.
        """
        found = None
        if self._text is not None and self._family is not None:
            mark = image_token(self._family, self._text.tokenizer)
            found = pieces(self._family, mark, text, count)
        if found is None:
            raise UserError(
                f"The chat template of “{self.name}” does not say where pictures stand.",
                kept="Nothing was read.",
                next_step="Use them without the chat template.",
            )
        return found

    def batch(self, documents: Sequence[Document]) -> PictureBatch:
        """Return documents as the model is given them.

        An encoder of pictures alone takes documents of one picture each. Raises UserError for a
        document that it cannot be given.
        """
        pictures = [[part for part in doc if not isinstance(part, str)] for doc in documents]
        layouts = [self.layout(*one.size) for doc in pictures for one in doc]
        if self._text is None or self._family is None:
            return self._of_pictures(documents, pictures, layouts)
        inputs = self._pixels(pictures, layouts)
        return self._of_both(self._family, self._text, documents, layouts, inputs)

    def joined(self, batches: Sequence[PictureBatch], length: int = 0) -> PictureBatch:
        """Return batches as one, as `batch` makes of all their documents, `length` tokens long
        where none is longer.

        An encoder of pictures takes those of one length together.
        """
        padding = 0
        if self._text is not None and self._family is not None:
            padding = _padding(self._text, int(self._config.image_token_id))
        return join(batches, padding, length)

    @property
    def patches(self) -> Patches:
        """What the model's encoder of pictures reads for an image token."""
        kind = self._family.grid if self._family else "patches"
        vision = self._config if self._family is None else self._config.vision_config
        number = 1.0
        if kind == "merged":
            number = self.processor.merge_size**2
        elif kind == "shuffled":
            number = self._config.scale_factor**2
        elif kind == "pooled":
            in_all = (vision.image_size / vision.patch_size) ** 2
            number = in_all / self._config.mm_tokens_per_image
        width = getattr(vision, "embed_dim", None) or vision.hidden_size
        return Patches(float(number), int(width), 3 * int(vision.patch_size) ** 2)

    # ------------------------------------------------------------------ tokens of a tile
    def _cell(self, view: View) -> tuple[float, float]:
        """Return the (height, width) in the model's pixels that one token is of."""
        kind = self._family.grid if self._family else "patches"
        if kind == "merged":
            side = self.processor.patch_size * self.processor.merge_size
            return side, side
        vision = self._config if self._family is None else self._config.vision_config
        patch = vision.patch_size
        if kind == "pooled":
            side = _whole(int(self._config.mm_tokens_per_image) ** 0.5)
            return view.height / side, view.width / side
        if kind == "shuffled":
            patch = patch * self._config.scale_factor
        return patch, patch

    def _loose_of_tower(self) -> int:
        """Return the tokens of a picture that LLaVA takes over from before its patches."""
        loose = loose_tokens(self._config.vision_config)
        strategy = getattr(self._config, "vision_feature_select_strategy", None)
        if strategy == "default" and loose != 1:
            raise UserError(
                f"“{self.name}” drops the first of its encoder’s tokens, which is of a patch.",
                next_step="Choose another model: where its tokens are in a picture is not known.",
            )
        return loose if strategy == "full" else 0

    # ------------------------------------------------------------------ pixels
    def _pixels(
        self, pictures: list[list[Image]], layouts: list[PictureLayout]
    ) -> dict[str, Tensor]:
        flat = [one for doc in pictures for one in doc]
        if not flat:
            return {}
        nested = self._family is not None and self._family.grid == "shuffled"
        try:
            found = self.processor(images=pictures if nested else flat, return_tensors="pt")
        except Exception as error:
            raise UserError(
                f"The pictures cannot be prepared for “{self.name}”: {str(error)[:200]}",
                next_step="Choose other pictures.",
            ) from error
        inputs = {key: x for key, x in found.items() if isinstance(x, Tensor)}
        inputs.pop("num_crops", None)
        self._check_sizes(inputs, layouts)
        return inputs

    def _check_sizes(self, inputs: dict[str, Tensor], layouts: list[PictureLayout]) -> None:
        """Hold the computed places to the pixels that there are."""
        pixels = inputs["pixel_values"]
        if "image_grid_thw" in inputs:
            merged = self.processor.merge_size
            agrees = [
                (int(rows) // merged, int(columns) // merged)
                for _, rows, columns in inputs["image_grid_thw"]
            ] == [(one.tiles[0].rows, one.tiles[0].columns) for one in layouts]
        else:
            # As those of the first one: all are of one size.
            height, width = pixels.shape[-2:]
            down, across = self._cell(View(height, width, 0.0, 0.0, 1.0, 1.0))
            grid = _whole(height / down), _whole(width / across)
            agrees = all((t.rows, t.columns) == grid for one in layouts for t in one.tiles)
            if pixels.dim() == 4:
                agrees = agrees and len(pixels) == sum(len(one.tiles) for one in layouts)
        if not agrees:
            raise UserError(
                f"“{self.name}” prepares these pictures in a way whose places are not known.",
                next_step="Use pictures of the size it was made for, or another model.",
            )

    # ------------------------------------------------------------------ put together
    def _of_pictures(
        self,
        documents: Sequence[Document],
        pictures: list[list[Image]],
        layouts: list[PictureLayout],
    ) -> PictureBatch:
        if any(len(doc) != 1 for doc in pictures) or any(len(doc) != 1 for doc in documents):
            raise UserError(
                f"“{self.name}” reads one picture at a time, without words.",
                next_step="Choose pictures alone, or a model that reads text and pictures.",
            )
        counts = {one.tokens for one in layouts}
        if len(counts) > 1:
            raise UserError(
                f"“{self.name}” makes {min(counts):,} to {max(counts):,} tokens of these pictures, "
                "which cannot be read together.",
                next_step="Read pictures of one shape together.",
            )
        inputs = self._pixels(pictures, layouts)
        length = counts.pop()
        picture = np.repeat(np.arange(len(layouts), dtype=np.int32)[:, None], length, axis=1)
        token = np.tile(np.arange(length, dtype=np.int32), (len(layouts), 1))
        special = np.zeros_like(picture, dtype=np.bool_)
        return PictureBatch(inputs, layouts, [length] * len(layouts), picture, token, special)

    def _of_both(
        self,
        family: Family,
        text: TextReader,
        documents: Sequence[Document],
        layouts: list[PictureLayout],
        inputs: dict[str, Tensor],
    ) -> PictureBatch:
        mark = image_token(family, text.tokenizer)
        number = int(text.tokenizer.convert_tokens_to_ids(mark))
        expected = self._config.image_token_id
        if number != expected:
            raise UserError(
                f"The tokenizer of “{self.name}” has no token “{mark}” with the id {expected}, "
                "which stands for pictures.",
                next_step="Copy or download the model again with all of its files.",
            )
        left = iter(layouts)
        found = [self._ids(family, text, document, left, mark, number) for document in documents]
        length = max((len(ids) for ids, _, _ in found), default=0)
        shape = (len(found), length)
        ids_BS = torch.full(shape, _padding(text, number), dtype=torch.long)
        mask_BS = torch.zeros(shape, dtype=torch.long)
        picture, token = np.full((2, *shape), -1, dtype=np.int32)
        special = np.zeros(shape, dtype=np.bool_)
        first = 0
        for row, (ids, own, around) in enumerate(found):
            special[row, around] = True
            ids_BS[row, : len(ids)] = torch.tensor(ids, dtype=torch.long)
            mask_BS[row, : len(ids)] = 1
            at = np.flatnonzero(np.array(ids) == number)
            picture[row, at] = np.repeat(
                np.arange(first, first + len(own), dtype=np.int32), [one.tokens for one in own]
            )
            token[row, at] = [n for one in own for n in range(one.tokens)]
            first += len(own)
        whole = {"input_ids": ids_BS, "attention_mask": mask_BS, **inputs}
        of_pictures = torch.from_numpy(picture >= 0).long()
        if family.block == "prefix":
            whole["token_type_ids"] = torch.zeros_like(ids_BS)
        elif family.block:
            whole[family.block] = of_pictures
        lengths = [len(ids) for ids, _, _ in found]
        return PictureBatch(whole, layouts, lengths, picture, token, special)

    def _ids(
        self,
        family: Family,
        text: TextReader,
        document: Document,
        layouts: Any,
        mark: str,
        number: int,
    ) -> tuple[list[int], list[PictureLayout], list[int]]:
        """Return a document's ids, the layouts of its pictures, and which ids are special."""
        own: list[PictureLayout] = []
        parts = []
        for part in document:
            if isinstance(part, str):
                self._refuse_marks(family, mark, part)
                parts.append(part)
            else:
                own.append(next(layouts))
                parts.append(expanded(family, mark, own[-1], self._split_rows(own[-1])))
        start, end = text.window_tokens
        if family.pictures_first:
            first, words = "", ""
            for part, given in zip(parts, document, strict=True):
                if isinstance(given, str):
                    words += part
                else:
                    first += part
            before = text.encode(first)
            ids = [*before, *start, *text.encode(f"{words}\n"), *end]
        else:
            before = []
            ids = [*start, *text.encode("".join(parts)), *end]
        if ids.count(number) != sum(one.tokens for one in own):
            raise UserError(
                f"The tokenizer of “{self.name}” does not read “{mark}” as one token.",
                next_step="Copy or download the model again with all of its files.",
            )
        around = [
            *range(len(before), len(before) + len(start)),
            *range(len(ids) - len(end), len(ids)),
        ]
        return ids, own, around

    def _split_rows(self, layout: PictureLayout) -> tuple[int, int]:
        """Return how many rows and columns of tiles stand before the whole picture."""
        parts = layout.tiles[:-1]
        rows = len({tile.top for tile in parts})
        return rows, len(parts) // rows if rows else 0

    def _refuse_marks(self, family: Family, mark: str, text: str) -> None:
        for name in placeholders(family, mark):
            if name in text:
                raise UserError(
                    f"A text contains “{name}”, which for “{self.name}” stands for a picture.",
                    kept="The text was not read.",
                    next_step=f"Remove “{name}” from it.",
                )


def open_pictures(lm: Network) -> PictureReader:
    """Return what prepares pictures for a loaded model. Raises UserError where it reads none."""
    text = lm if isinstance(lm, LanguageModel) else None
    return picture_reader(lm.files, lm.model.config, text)


def picture_reader(files: ModelFiles, config: Any, text: TextReader | None) -> PictureReader:
    """As `open_pictures`, of a model whose weights need not be here."""
    if family_of(config) is None and encoder_of(config) is None:
        raise UserError(
            f"“{files.name}” reads no pictures that can be placed here.",
            next_step="Use it for text, or choose a model such as SmolVLM, LLaVA, Qwen2-VL, "
            "PaliGemma, Gemma 3, CLIP, SigLIP, ViT or DINOv2.",
        )
    processor = load_image_processor(files, config.model_type)
    return PictureReader(files.name, config, processor, text)


def _padding(text: TextReader, image: int) -> int:
    """Return the id that fills up a sequence: never one that stands for a picture."""
    found = text.tokenizer.pad_token_id
    for number in (found, text.tokenizer.eos_token_id, 0):
        if number is not None and int(number) != image:
            return int(number)
    return 1


def _whole(value: float) -> int:
    """Return a count of whole cells; what is left over belongs to none."""
    return int(value + 1e-9)
