"""Jobs on models and what they read: rows of the table in `registry`."""

from __future__ import annotations

import msgspec

from sae_desktop.activations.original_config import OriginalPicture, OriginalPictureConfig
from sae_desktop.engine.job_kind import JobKind, Output
from sae_desktop.language_model.config import (
    DescribeModelConfig,
    GetModelConfig,
    GetModelResult,
    ModelDescription,
    SameModelConfig,
    SameModelResult,
    TrustModelConfig,
    TrustModelResult,
)
from sae_desktop.language_model.picture_config import PicturesDescription, PreviewPicturesConfig

MODEL_JOBS: dict[type[msgspec.Struct], JobKind] = {
    DescribeModelConfig: JobKind(
        "sae_desktop.language_model.describe:describe_model",
        ModelDescription,
        "Describe model",
        "model",
        quiet=True,
    ),
    PreviewPicturesConfig: JobKind(
        "sae_desktop.language_model.pictures.preview:preview_pictures",
        PicturesDescription,
        "Look through pictures",
        "pictures",
        quiet=True,
    ),
    OriginalPictureConfig: JobKind(
        "sae_desktop.activations.original_picture:original_picture",
        OriginalPicture,
        "Show picture",
        "name",
        quiet=True,
    ),
    TrustModelConfig: JobKind(
        "sae_desktop.language_model.files.trust:trust_model",
        TrustModelResult,
        "Trust the code of model",
        "model",
        quiet=True,
        elsewhere=True,
    ),
    SameModelConfig: JobKind(
        "sae_desktop.features.asking.same_model:same_model",
        SameModelResult,
        "Treat as the same model",
        "one",
        Output("word on the model of", "one"),
    ),
    GetModelConfig: JobKind(
        "sae_desktop.language_model.files.get:get_model",
        GetModelResult,
        "Get model",
        "name",
        resumes=True,
        elsewhere=True,
    ),
}
