"""What is in a dictionary's folder, read without torch."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sae_desktop.corpus.config import decode_made
from sae_desktop.dictionary.ends import End, inputs, outputs, sources
from sae_desktop.errors import UserError
from sae_desktop.language_model.names import ModelMark
from sae_desktop.project import dictionary_name
from sae_desktop.training.config import EvaluateResult, TrainConfig, TrainResult
from sae_desktop.training.origin import ORIGIN, DictionaryOrigin
from sae_desktop.training.started import STARTED_FROM, StartedFrom

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
    saved_as: str = ""
    """As cfg.json has it, which names some architectures alike: jumprelu, topk_transcoder."""
    width: int
    out_width: int = 0
    features: int
    k: int | None = None
    """Of one that keeps the k largest of each row."""
    row_norm: str = ""
    """How it normalises each row, by SAELens's name."""
    model: str
    model_revision: str = ""
    model_origin: str = ""
    tokenizer_hash: str = ""
    site: str
    site_out: str = ""
    """Of a transcoder: the site it writes."""
    inputs: tuple[End, ...] = ()
    """All it reads; empty where its files do not tell."""
    outputs: tuple[End, ...] = ()
    """All it writes; empty where its files do not tell."""
    reads_twice: bool = False
    """Whether it looks a second time at what it leaves over, which other libraries do not."""
    lista_step: float = 0.0
    leave_one_out: float = 0.0
    """How it does so, as in TrainConfig."""
    models: tuple[str, ...] = ()
    """The models of its sites by source; a name is empty where it is not known."""
    bytes: int
    train: TrainConfig | None
    result: TrainResult | None
    evaluation: EvaluateResult | None
    origin: DictionaryOrigin | None = None
    """Where it was brought from; None for what was trained in the project."""
    started_from: StartedFrom | None = None
    """Which dictionary its training started from; None: it began at random."""

    @property
    def mark(self) -> ModelMark:
        """The model it is of."""
        return ModelMark(self.model, self.model_revision, self.tokenizer_hash)


def read_summary(folder: Path) -> DictionarySummary:
    """Read the summary of a saved dictionary. Raises UserError when cfg.json is missing or bad."""
    path = folder / CFG
    try:
        cfg = msgspec.json.decode(path.read_bytes())
        metadata = cfg.get("metadata") or {}
        read, written = _ends(cfg)
        return DictionarySummary(
            name=dictionary_name(folder),
            architecture=_text(metadata, "training_architecture") or _text(cfg, "architecture"),
            saved_as=_text(cfg, "architecture"),
            width=_size(cfg, "d_in"),
            out_width=_size(cfg, "d_out" if "d_out" in cfg else "d_in"),
            features=_size(cfg, "d_sae"),
            k=_size(cfg, "k") if "k" in cfg else None,
            row_norm=_text(cfg, "normalize_activations"),
            model=_text(metadata, "model_name"),
            model_revision=_text(metadata, "model_revision"),
            model_origin=_text(metadata, "model_origin"),
            tokenizer_hash=_text(metadata, "tokenizer_hash"),
            site=_text(metadata, "hook_name"),
            site_out=_text(metadata, "hook_name_out"),
            inputs=read,
            outputs=written,
            reads_twice="lista_step" in cfg,
            lista_step=float(cfg.get("lista_step") or 0),
            leave_one_out=float(cfg.get("leave_one_out") or 0),
            models=_models(metadata, read),
            bytes=_weights_bytes(folder),
            train=_optional(folder / TRAIN_CONFIG, TrainConfig),
            result=_optional(folder / TRAIN_RESULT, TrainResult),
            evaluation=_optional(folder / EVALUATION, EvaluateResult),
            origin=_optional(folder / ORIGIN, DictionaryOrigin) or _earlier_origin(metadata),
            started_from=_started(metadata),
        )
    except (OSError, KeyError, AttributeError, ValueError, RecursionError) as error:
        raise UserError(
            f"The dictionary “{dictionary_name(folder)}” cannot be read: {error}.",
            next_step="Restore its folder from a copy, or train it again.",
        ) from error


def _ends(cfg: dict[str, Any]) -> tuple[tuple[End, ...], tuple[End, ...]]:
    try:
        return inputs(cfg), outputs(cfg)
    except (ValueError, TypeError):
        return (), ()


def _models(metadata: dict[str, Any], ends: tuple[End, ...]) -> tuple[str, ...]:
    told = [str(other.get("model_name") or "") for other in metadata.get("other_models") or ()]
    names = [_text(metadata, "model_name"), *told]
    return tuple((names + [""] * sources(ends))[: sources(ends)])


def _earlier_origin(metadata: dict[str, Any]) -> DictionaryOrigin | None:
    """Return what earlier versions kept of an import, among what is known of the weights."""
    source = _text(metadata, "source")
    if not source:
        return None
    return DictionaryOrigin(kind="import", source=source, format=_text(metadata, "source_format"))


def _started(metadata: dict[str, Any]) -> StartedFrom | None:
    with suppress(msgspec.ValidationError):
        return msgspec.convert(metadata.get(STARTED_FROM), StartedFrom)
    return None


def _text(fields: dict[str, Any], name: str) -> str:
    """Return a text of a file that may come from anyone; empty where there is none."""
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"“{name}” is not text")
    return value


def _size(fields: dict[str, Any], name: str) -> int:
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"“{name}” is not a whole number above 0")
    return value


def _weights_bytes(folder: Path) -> int:
    files = list(folder.glob("*.safetensors"))
    if not files:
        raise FileNotFoundError(f"there is no {WEIGHTS}")
    return sum(path.stat().st_size for path in files)


T = TypeVar("T", bound=msgspec.Struct)


def _optional(path: Path, kind: type[T]) -> T | None:
    try:
        return decode_made(path.read_bytes(), kind)
    except (OSError, ValueError, RecursionError):
        return None
