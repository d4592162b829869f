"""Whether a job may start, and where it computes. Free of Qt."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from sae_desktop.engine.protocol import ErrorInfo, JobConfig
from sae_desktop.engine.registry import job_kind
from sae_desktop.errors import UserError
from sae_desktop.limits import refuse_beyond_limits

Config = TypeVar("Config", bound=msgspec.Struct)


def why_refused(config: JobConfig, refusal: ErrorInfo | None) -> UserError | ErrorInfo | None:
    """Return why a job cannot start; `refusal`: why the project cannot be written to."""
    if refusal is not None and job_kind(config).writes:
        return refusal
    try:
        refuse_beyond_limits(config)
    except UserError as error:
        return error
    return None


def on_device(config: Config, device: str) -> Config:
    """Return a job that computes on a device, unless its own settings name one.

    Those of a set, and of what a training needs, lie in the training’s settings.
    """
    if device == "auto":
        return config
    train = getattr(config, "train", None)
    if isinstance(train, msgspec.Struct):
        config = msgspec.structs.replace(config, train=on_device(train, device))
    if getattr(config, "device", "") != "auto":
        return config
    return msgspec.structs.replace(config, device=device)
