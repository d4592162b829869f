"""A model's own image processor, read from its files in the classes that need pillow alone.

No program code of a model's is run for it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import transformers

from sae_desktop.errors import UserError
from sae_desktop.language_model.files.find import ModelFiles

_FILES = ("processor_config.json", "preprocessor_config.json")
_MOST_BYTES = 1 << 20
_KNOWN = frozenset(
    (
        "BitImageProcessor", "CLIPImageProcessor", "Gemma3ImageProcessor",
        "Idefics3ImageProcessor", "LlavaImageProcessor", "Qwen2VLImageProcessor",
        "SiglipImageProcessor", "SmolVLMImageProcessor", "ViTImageProcessor",
    )
)  # fmt: skip
_USUAL = {
    "clip_vision_model": "CLIPImageProcessor",
    "dinov2": "BitImageProcessor",
    "dinov2_with_registers": "BitImageProcessor",
    "siglip_vision_model": "SiglipImageProcessor",
    "vit": "ViTImageProcessor",
}
"""Of model types whose files need not name one."""


def load_image_processor(files: ModelFiles, model_type: str) -> Any:
    """Return what turns pictures into a model's input, with the settings of the model's files.

    Raises UserError where they have none, or name one that is not known.
    """
    told, path = _settings(files)
    named = str(told.get("image_processor_type") or told.get("feature_extractor_type") or "")
    name = _plain_name(named) or _USUAL.get(model_type, "")
    if name not in _KNOWN:
        raise UserError(
            f"“{files.name}” prepares its pictures with “{named or 'an unnamed processor'}”, "
            "which cannot be used here.",
            next_step="Use it for text, or choose a model such as SmolVLM, LLaVA, Qwen2-VL, "
            "PaliGemma, Gemma 3, CLIP, SigLIP, ViT or DINOv2.",
        )
    kind = getattr(transformers, f"{name}Pil")
    settings = {key: value for key, value in told.items() if not key.endswith("_type")}
    for key in ("processor_class", "auto_map", "image_processor", "feature_extractor"):
        settings.pop(key, None)
    if name == "Gemma3ImageProcessor":
        settings["do_pan_and_scan"] = False  # Gemma’s whole processor cuts no pictures unless told
    try:
        return kind(**settings)
    except Exception as error:
        raise UserError(
            f"The settings in “{path}” cannot be used: {str(error)[:200]}",
            next_step="Copy or download the model again.",
        ) from error


def processor_digest(processor: Any) -> str:
    """Return 16 hexadecimal digits that tell apart how pictures are prepared."""
    text = json.dumps(processor.to_dict(), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain_name(named: str) -> str:
    """Return the name that classes of all versions share: CLIPFeatureExtractor was one, too."""
    name = named.removesuffix("Fast").removesuffix("Pil")
    if name.endswith("FeatureExtractor"):
        name = name.removesuffix("FeatureExtractor") + "ImageProcessor"
    return name


def _settings(files: ModelFiles) -> tuple[dict[str, Any], Path]:
    for name in _FILES:
        path = files.folder / name
        if not path.is_file():
            continue
        told = _read(path)
        own = told.get("image_processor")
        if isinstance(own, dict):
            return own, path
        if name == _FILES[-1]:
            return told, path
    raise UserError(
        f"“{files.name}” does not say how it prepares pictures: it has no {_FILES[-1]}.",
        next_step="Copy or download the model again with all of its files.",
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("it is too large")
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"“{path}” cannot be read: {error}.", next_step="Copy or download the model again."
        ) from error
    return found if isinstance(found, dict) else {}
