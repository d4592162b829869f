"""What a script that stands alone needs in order to read the pictures of its prompt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from sae_desktop.errors import UserError
from sae_desktop.features.asking.picture_documents import PictureDocument, picture_reader_of
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.pictures.families import family_of
from sae_desktop.language_model.pictures.processor import processor_digest
from sae_desktop.steering.prompt_pictures import OF_TOKENS, PromptPictures
from sae_desktop.steering.prompts import Prompt


def told_pictures(lm: LanguageModel, prompt: Prompt, files: Sequence[str]) -> dict[str, Any]:
    """Return the values of a script that concern pictures; of a prompt of words empty ones.

    Raises UserError for a model whose pictures a script cannot prepare.
    """
    told: dict[str, Any] = {
        "READS_PICTURES": family_of(lm.model.config) is not None,
        "PICTURES": [], "PICTURE_TOKENS": [], "NEVER": [], "PROCESSOR": ("", {}), "NESTED": False,
        "BESIDE_TOKENS": {},
    }  # fmt: skip
    document, family = prompt.document, family_of(lm.model.config)
    if document is None or family is None:
        return told
    names = [Path(file).name for file in files]
    return told | {
        "PICTURES": [(name, one.digest)
                     for name, one in zip(names, document.pictures, strict=True)],
        "PICTURE_TOKENS": prompt.of_pictures().nonzero()[:, 0].tolist(),
        "NEVER": PromptPictures([document]).barred,
        "PROCESSOR": _processor(lm),
        "NESTED": family.grid == "shuffled",
        "BESIDE_TOKENS": {
            name: x[0].tolist() for name, x in document.batch.inputs.items()
            if name not in OF_TOKENS and _is_of_tokens(x, document)
        },
    }  # fmt: skip


def _is_of_tokens(x: Tensor, document: PictureDocument) -> bool:
    return x.dim() == 2 and x.shape == (1, len(document.whole_ids))


def _processor(lm: LanguageModel) -> tuple[str, dict[str, Any]]:
    """Return the class of a model's image processor and its settings."""
    own = picture_reader_of(lm).processor
    settings = json.loads(own.to_json_string())
    for name in ("image_processor_type", "processor_class"):
        settings.pop(name, None)
    if processor_digest(type(own)(**settings)) != processor_digest(own):
        raise UserError(
            f"The way in which “{lm.name}” prepares pictures cannot be written into a script.",
            next_step="Save a preset instead.",
        )
    return type(own).__name__, settings
