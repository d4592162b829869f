"""Small random models that read pictures, with processors and tokenizers made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from toy_models import toy_tokenizer
from transformers import CONFIG_MAPPING, AutoModelForImageTextToText

WIDTH, LAYERS, SIDE, PATCH = 32, 3, 28, 7
_TEXT: dict[str, Any] = {
    "hidden_size": WIDTH,
    "intermediate_size": 64,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 380,
    "max_position_embeddings": 512,
    "pad_token_id": 2,
}
_VISION: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": PATCH,
}
_TURNED = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
_FIXED = {"size": {"height": SIDE, "width": SIDE}}
_CUT = {
    "size": {"shortest_edge": SIDE},
    "crop_size": {"height": SIDE, "width": SIDE},
}
_ANY_SIZE = {"size": {"shortest_edge": 14 * 14, "longest_edge": 56 * 42}, "patch_size": PATCH}
_TILED = {"size": {"longest_edge": 2 * SIDE}, "max_image_size": {"longest_edge": SIDE}}

_QWEN_MARKS = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
MARKS: dict[str, tuple[str, ...]] = {
    "llava": ("<image>",),
    "qwen2_vl": ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"),
    "qwen2_5_vl": ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"),
    "idefics3": ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"),
    "smolvlm": ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"),
    "paligemma": ("<image>",),
    "gemma3": ("<image_soft_token>", "<start_of_image>", "<end_of_image>"),
}
"""Special tokens by family, the one that stands for a part of a picture first."""
PROCESSORS: dict[str, tuple[str, dict[str, Any]]] = {
    "llava": ("CLIPImageProcessorPil", _CUT),
    "qwen2_vl": ("Qwen2VLImageProcessorPil", _ANY_SIZE),
    "qwen2_5_vl": ("Qwen2VLImageProcessorPil", _ANY_SIZE),
    "idefics3": ("Idefics3ImageProcessorPil", _TILED),
    "smolvlm": ("SmolVLMImageProcessorPil", _TILED),
    "paligemma": ("SiglipImageProcessorPil", _FIXED),
    "gemma3": ("Gemma3ImageProcessorPil", _FIXED),
    "vit": ("ViTImageProcessorPil", _FIXED),
    "clip_vision_model": ("CLIPImageProcessorPil", _CUT),
    "clip": ("CLIPImageProcessorPil", _CUT),
    "siglip_vision_model": ("SiglipImageProcessorPil", _FIXED),
    "siglip": ("SiglipImageProcessorPil", _FIXED),
    "dinov2": ("BitImageProcessorPil", _CUT),
    "dinov2_with_registers": ("BitImageProcessorPil", _CUT),
}
FAMILIES = tuple(MARKS)
ENCODERS = tuple(name for name in PROCESSORS if name not in MARKS)
OWN_LAYERS = {
    "clip_vision_model": "clip_vision_model",
    "siglip_vision_model": "siglip_vision_model",
    "vit": "vit",
    "dinov2": "dinov2",
    "dinov2_with_registers": "dinov2_with_registers",
    "qwen2_vl": "qwen2_vl_text",
    "qwen2_5_vl": "qwen2_5_vl_text",
}
"""Toy model → what the table of layers calls it, of those that have a row of their own there."""


def marked_tokenizer(family: str) -> Any:
    """The toy tokenizer with the special tokens of a family."""
    tokenizer = toy_tokenizer()
    names = list(MARKS[family])
    if family in ("idefics3", "smolvlm"):
        names += [f"<row_{r}_col_{c}>" for r in (1, 2) for c in (1, 2)]
    tokenizer.add_special_tokens({"additional_special_tokens": names})
    return tokenizer


def picture_config(kind: str) -> Any:
    """A configuration of three layers, of text and of pictures alike."""
    if kind not in MARKS:
        return _encoder_config(kind)
    ids = dict(zip(MARKS[kind], _ids(kind), strict=True))
    first = next(iter(ids.values()))
    text, vision = dict(_TEXT), dict(_VISION)
    more: dict[str, Any] = {}
    if kind == "llava":
        text["model_type"] = "llama"
        vision |= {"model_type": "clip_vision_model", "projection_dim": 16}
        more["image_token_index"] = first
    elif kind in ("idefics3", "smolvlm"):
        text["model_type"] = "llama"
        more |= {"image_token_id": first, "scale_factor": 2}
    elif kind == "paligemma":
        text |= {"model_type": "gemma", "head_dim": 8}
        vision |= {"model_type": "siglip_vision_model", "vision_use_head": False}
        more |= {"image_token_index": first, "projection_dim": WIDTH, "hidden_size": WIDTH}
    elif kind == "gemma3":
        text |= {"model_type": "gemma3_text", "head_dim": 8}
        vision |= {"model_type": "siglip_vision_model", "vision_use_head": False}
        more |= {
            "mm_tokens_per_image": 4,
            "image_token_index": first,
            "boi_token_index": ids["<start_of_image>"],
            "eoi_token_index": ids["<end_of_image>"],
        }
    else:
        text["rope_parameters"] = _TURNED
        vision = {"depth": LAYERS, "num_heads": 2, "patch_size": PATCH, "spatial_merge_size": 2}
        if kind == "qwen2_vl":
            vision |= {"embed_dim": 16, "hidden_size": WIDTH, "mlp_ratio": 2}
        else:
            vision |= {
                "hidden_size": 16,
                "out_hidden_size": WIDTH,
                "intermediate_size": 32,
                "window_size": 28,
                "fullatt_block_indexes": [1],
            }
        names = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
        more |= dict(zip(names, ids.values(), strict=True))
    return CONFIG_MAPPING[kind](text_config=text, vision_config=vision, **more)


def _ids(family: str) -> list[int]:
    tokenizer = marked_tokenizer(family)
    return [int(tokenizer.convert_tokens_to_ids(name)) for name in MARKS[family]]


def _encoder_config(kind: str) -> Any:
    if kind in ("clip", "siglip"):
        text = {key: value for key, value in _VISION.items() if "size" not in key} | {
            "hidden_size": 16,
            "intermediate_size": 32,
            "vocab_size": 380,
        }
        return CONFIG_MAPPING[kind](text_config=text, vision_config=_VISION)
    settings = dict(_VISION)
    if kind.startswith("dinov2"):
        settings.pop("intermediate_size")
        settings["mlp_ratio"] = 2
    return CONFIG_MAPPING[kind](**settings)


def picture_network(kind: str) -> Any:
    """A random model in evaluation mode, its weights large enough that its parts matter."""
    torch.manual_seed(0)
    config = picture_config(kind)
    opener = AutoModelForImageTextToText if kind in MARKS else transformers.AutoModel
    model = opener.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.2)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def save_picture_model(folder: Path, kind: str) -> Path:
    """Write a toy model, its image processor and its tokenizer, if any, to `folder`."""
    picture_network(kind).save_pretrained(folder)
    image_processor(kind).save_pretrained(folder)
    if kind in MARKS:
        marked_tokenizer(kind).save_pretrained(folder)
    return folder


def image_processor(kind: str, **changes: Any) -> Any:
    """The image processor of a toy model."""
    name, settings = PROCESSORS[kind]
    return getattr(transformers, name)(**settings | changes)


def noise_picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture of random colours."""
    drawn = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(drawn)
