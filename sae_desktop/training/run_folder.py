"""What lies in a dictionary's folder, read without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from sae_desktop.corpus.config import decode_made
from sae_desktop.errors import UserError
from sae_desktop.language_model.names import ModelMark
from sae_desktop.training.config import EvaluateResult, TrainConfig, TrainResult

CFG = "cfg.json"
WEIGHTS = "sae_weights.safetensors"
RUN_LOG = "run.h5"
TRAIN_CONFIG = "train.json"
TRAIN_RESULT = "result.json"
EVALUATION = "evaluation.json"
CHECKPOINT = "checkpoint"


class DictionarySummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a card of a dictionary shows."""

    name: str
    architecture: str
    """As it was trained: standard, batchtopk."""
    width: int
    features: int
    model: str
    model_revision: str = ""
    model_origin: str = ""
    tokenizer_hash: str = ""
    site: str
    bytes: int
    train: TrainConfig | None
    result: TrainResult | None
    evaluation: EvaluateResult | None

    @property
    def mark(self) -> ModelMark:
        """The model it is of."""
        return ModelMark(self.model, self.model_revision, self.tokenizer_hash)


def read_summary(folder: Path) -> DictionarySummary:
    """Read the summary of a saved dictionary. Raises UserError when cfg.json is missing or bad."""
    path = folder / CFG
    try:
        cfg = msgspec.json.decode(path.read_bytes())
        metadata = cfg.get("metadata", {})
        return DictionarySummary(
            name=folder.name,
            architecture=metadata.get("training_architecture") or cfg["architecture"],
            width=cfg["d_in"],
            features=cfg["d_sae"],
            model=metadata.get("model_name", ""),
            model_revision=metadata.get("model_revision", ""),
            model_origin=metadata.get("model_origin", ""),
            tokenizer_hash=metadata.get("tokenizer_hash", ""),
            site=metadata.get("hook_name", ""),
            bytes=_weights_bytes(folder),
            train=_optional(folder / TRAIN_CONFIG, TrainConfig),
            result=_optional(folder / TRAIN_RESULT, TrainResult),
            evaluation=_optional(folder / EVALUATION, EvaluateResult),
        )
    except (OSError, KeyError, AttributeError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"The dictionary “{folder.name}” cannot be read: {error}.",
            next_step="Restore its folder from a copy, or train it again.",
        ) from error


def _weights_bytes(folder: Path) -> int:
    files = list(folder.glob("*.safetensors"))
    if not files:
        raise FileNotFoundError(f"there is no {WEIGHTS}")
    return sum(path.stat().st_size for path in files)


T = TypeVar("T", bound=msgspec.Struct)


def _optional(path: Path, kind: type[T]) -> T | None:
    try:
        return decode_made(path.read_bytes(), kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
