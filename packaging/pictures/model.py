"""A small vision transformer and a projector in front of the built-in language model.

An ordinary LLaVA of transformers: SigLIP's encoder without its head, every patch a token.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scenes import SIDE
from torch import Tensor
from transformers import (
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from sae_desktop.language_model.files.packed import unpacked

TRAINED = Path(__file__).with_name("eyes")
"""The encoder after 2,800 and again 4,000 steps of `train_eyes.py`, in 8 bit."""
PATCH = 12
PATCHES = (SIDE // PATCH) ** 2
"""Tokens that a picture takes."""
IMAGE_TOKEN = "<image>"
MEAN = STD = 0.5
"""Of each channel, as the picture's settings say."""


def vision_config() -> SiglipVisionConfig:
    return SiglipVisionConfig(
        hidden_size=192, intermediate_size=576, num_hidden_layers=6, num_attention_heads=3,
        image_size=SIDE, patch_size=PATCH, vision_use_head=False,
    )  # fmt: skip


def new_eyes(seed: int) -> SiglipVisionModel:
    """Return an encoder that has seen nothing."""
    torch.manual_seed(seed)
    return SiglipVisionModel(vision_config())


def trained_eyes(cache: Path) -> SiglipVisionModel:
    """Return the encoder that was trained in the cache, or else the one that lies here."""
    eyes, path = new_eyes(0), cache / "eyes.pt"
    if path.is_file():
        told, prefix = torch.load(path, weights_only=True)["eyes"], "encoder."
        weights = {k.removeprefix(prefix): v for k, v in told.items() if k.startswith(prefix)}
    else:
        packed = unpacked(TRAINED)
        weights = {name: torch.from_numpy(weight).float() for name, weight in packed.items()}
    eyes.load_state_dict(weights)
    return eyes


def joined(builtin: Path, eyes: SiglipVisionModel, seed: int) -> LlavaForConditionalGeneration:
    """Return the encoder before the built-in model, which gets a token for a patch."""
    torch.manual_seed(seed)
    language = LlamaForCausalLM.from_pretrained(builtin, dtype=torch.float32)
    image_token = language.config.vocab_size
    language.resize_token_embeddings(image_token + 1)
    config = LlavaConfig(
        vision_config=vision_config(), text_config=language.config, image_token_index=image_token,
        image_seq_length=PATCHES, vision_feature_layer=-1, vision_feature_select_strategy="full",
        tie_word_embeddings=True,
    )  # fmt: skip
    model = LlavaForConditionalGeneration(config)
    model.model.language_model.load_state_dict(language.model.state_dict())
    model.model.vision_tower.load_state_dict(eyes.state_dict())
    model.tie_weights()
    return model


def pixels_of(pictures: list[npt.NDArray[np.uint8]]) -> Tensor:
    """Return (N, 3, SIDE, SIDE) of pictures (SIDE, SIDE, 3), as the encoder takes them."""
    stacked = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()
    return (stacked / 255 - MEAN) / STD
