"""What the tests of stores ask of one."""

from __future__ import annotations

from typing import Any

from job_contexts import RecordingContext

from sae_desktop.activations.config import VerifyStoreConfig
from sae_desktop.activations.verify import verify_store

DTYPES = ("float32", "float16", "bfloat16", "int8")


def verified(config: Any) -> Any:
    return verify_store(
        VerifyStoreConfig(project=config.project, name=config.name), RecordingContext()
    )
