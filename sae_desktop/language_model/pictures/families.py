"""How models of each family read pictures. A table, not a guess: every row is held by the tests to
the model's own processor, and to the token that changes where one patch of a picture is lit.

Free of torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Family:
    """How a picture stands among the words of an image-text model."""

    grid: Literal["patches", "merged", "shuffled", "pooled"]
    """What an image token is: a patch; `merge_size`² patches of a picture of any size; as many as
    `scale_factor` says, of each tile; or so many that a picture gives `mm_tokens_per_image`."""
    before: str = ""
    after: str = ""
    """What stands around the image tokens of a picture, or of each of its tiles."""
    image_token: str = "<image>"
    """Where the tokenizer names none of its own."""
    pictures_first: bool = False
    """Whether pictures stand before the first token of the text, and a line's end after it."""
    block: Literal["", "mm_token_type_ids", "token_type_ids", "prefix"] = ""
    """By which input the model is told which tokens are of pictures; “prefix”: that all tokens
    are of a prompt, which is read in both directions."""


@dataclass(frozen=True)
class Encoder:
    """An encoder of pictures alone."""

    loose: int = 0
    """Tokens that stand before those of the patches and belong to none of them."""
    part: str = ""
    """Of a model of two encoders, the setting that describes the one that reads pictures."""


_QWEN = Family(
    grid="merged",
    before="<|vision_start|>",
    after="<|vision_end|>",
    image_token="<|image_pad|>",
    block="mm_token_type_ids",
)
_IDEFICS = Family(grid="shuffled")

FAMILIES = {
    "gemma3": Family(
        grid="pooled",
        before="\n\n<start_of_image>",
        after="<end_of_image>\n\n",
        image_token="<image_soft_token>",
        block="token_type_ids",
    ),
    "idefics3": _IDEFICS,
    "llava": Family(grid="patches"),
    "paligemma": Family(grid="patches", pictures_first=True, block="prefix"),
    "qwen2_5_vl": _QWEN,
    "qwen2_vl": _QWEN,
    "smolvlm": _IDEFICS,
}
"""By model type. A model of another type that reads pictures is opened for text alone."""

ENCODERS = {
    "clip": Encoder(loose=1, part="vision_config"),
    "clip_vision_model": Encoder(loose=1),
    "dinov2": Encoder(loose=1),
    "dinov2_with_registers": Encoder(loose=1),
    "siglip": Encoder(part="vision_config"),
    "siglip_vision_model": Encoder(),
    "vit": Encoder(loose=1),
}
"""By model type."""


def family_of(config: Any) -> Family | None:
    """Return how an image-text model reads pictures; None for a model of text alone."""
    return FAMILIES.get(config.model_type)


def encoder_of(config: Any) -> Encoder | None:
    """Return how an encoder of pictures alone reads them; None for any other model."""
    return ENCODERS.get(config.model_type)


def loose_tokens(config: Any) -> int:
    """Return how many tokens an encoder puts before those of the patches."""
    encoder = encoder_of(config)
    return (encoder.loose if encoder else 0) + int(getattr(config, "num_register_tokens", 0) or 0)
