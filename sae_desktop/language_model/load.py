"""Language models, loaded once and shared by every job of the process."""

from __future__ import annotations

import gc
import hashlib
import threading
from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from sae_desktop.errors import UserError
from sae_desktop.language_model.device import resolve_device
from sae_desktop.language_model.files import ModelFiles, find_model
from sae_desktop.language_model.sites import text_config
from sae_desktop.language_model.vocabulary import text_encoder, vocabulary_bytes

transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()


class LanguageModel:
    """A decoder in evaluation mode with its tokenizer. Made by `load_model`.

    Forward passes happen inside `with lm.lock`: hooks sit on modules that jobs share.
    """

    def __init__(self, files: ModelFiles, model: Any, tokenizer: Any, device: torch.device) -> None:
        self.name = files.name
        self.files = files
        self.model = model
        self.tokenizer = tokenizer
        self.device = device
        self.lock = threading.RLock()
        self.revision = files.revision
        config = text_config(model)
        self.layers = int(config.num_hidden_layers)
        self.width = int(config.hidden_size)
        self.vocabulary_size = int(model.get_input_embeddings().weight.shape[0])
        self.context_size = context_size(config)
        self.causal = True
        self._encode: Callable[[str], list[int]] = text_encoder(tokenizer)
        self._token_bytes: list[bytes] | None = None

    @property
    def bos_id(self) -> int | None:
        """The beginning-of-sequence token, None where the tokenizer has none."""
        bos = self.tokenizer.bos_token_id
        return None if bos is None else int(bos)

    @cached_property
    def eos_ids(self) -> frozenset[int]:
        """Tokens that end a text."""
        found: set[int] = set()
        for value in (
            self.tokenizer.eos_token_id,
            getattr(self.model.generation_config, "eos_token_id", None),
        ):
            if value is not None:
                found.update([value] if isinstance(value, int) else value)
        return frozenset(found)

    @cached_property
    def tokenizer_hash(self) -> str:
        """16 hexadecimal digits that tell tokenizers apart."""
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        text = backend.to_str() if backend is not None else repr(self.tokenizer.get_vocab())
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def encode(self, text: str) -> list[int]:
        """Return the token ids of `text`, no special tokens added. Safe in any thread."""
        return self._encode(text)

    def token_bytes(self) -> list[bytes]:
        """Return every entry of the vocabulary as the bytes it adds; special ones as their name.

        Entries beyond the tokenizer's, which pad some embeddings, are empty.
        """
        if self._token_bytes is None:
            self._token_bytes = vocabulary_bytes(self.tokenizer, self.vocabulary_size)
        return self._token_bytes


_held: dict[tuple[str, str, str], LanguageModel] = {}
_held_lock = threading.Lock()


def load_model(name: str, device: str = "auto") -> LanguageModel:
    """Return the model called `name`: "builtin", "smollm2", a folder, a .gguf file or a hub name.

    The process holds one model at a time, in float32 on the CPU and in the type of its weights
    on a GPU. Raises UserError that names what is wrong and the way out.
    """
    with _held_lock:
        files = find_model(name)
        target = resolve_device(device)
        key = (files.name, files.revision, str(target))
        if key not in _held:
            _held.clear()
            gc.collect()
            _held[key] = _load(files, target)
        return _held[key]


def held_model() -> str:
    """Return the name of the model this process holds, or ""."""
    return next((lm.name for lm in list(_held.values())), "")


def release_models() -> None:
    """Forget the model held, so that its memory is free once no job uses it."""
    with _held_lock:
        _held.clear()
        gc.collect()


def load_config(files: ModelFiles) -> Any:
    """Return a model's configuration. Raises UserError for one that is unknown or broken."""
    gguf = {"gguf_file": files.gguf} if files.gguf else {}
    try:
        return AutoConfig.from_pretrained(files.folder, local_files_only=True, **gguf)
    except Exception as error:
        raise _unsupported(files, error) from error


def context_size(config: Any) -> int:
    """Return the longest sequence a model's configuration allows, in tokens."""
    value = getattr(config, "max_position_embeddings", None)
    return int(value) if value else 2048  # relative positions (Bloom) set no limit of their own


def _load(files: ModelFiles, device: torch.device) -> LanguageModel:
    config = load_config(files)
    tokenizer = _load_tokenizer(files)
    gguf = {"gguf_file": files.gguf} if files.gguf else {}
    dtype = torch.float32 if device.type == "cpu" or files.gguf else "auto"
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            files.folder,
            dtype=dtype,
            output_loading_info=True,
            local_files_only=True,
            **gguf,
            **({} if files.gguf else {"config": config}),
        )
        model = model.to(device).eval().requires_grad_(False)
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"“{files.name}” does not fit into the memory of {device}.",
            next_step="Close other programs, or choose the device “cpu”.",
        ) from error
    except Exception as error:
        raise _unsupported(files, error) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise UserError(
            f"The model “{files.name}” lacks {len(missing)} of its weights, "
            f"among them {missing[0]}.",
            next_step="Copy or download the model again, all of its files.",
        )
    return LanguageModel(files, model, tokenizer, device)


def _load_tokenizer(files: ModelFiles) -> Any:
    if files.gguf is None and not any(
        (files.folder / name).is_file()
        for name in ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
    ):
        raise UserError(
            f"The model “{files.name}” has no tokenizer.",
            next_step=f"Put its tokenizer.json into {files.folder}.",
        )
    gguf = {"gguf_file": files.gguf} if files.gguf else {}
    try:
        return AutoTokenizer.from_pretrained(files.folder, local_files_only=True, **gguf)
    except Exception as error:
        raise UserError(
            f"The tokenizer of “{files.name}” cannot be read: {_first_line(error)}",
            next_step="Copy or download the model again, all of its files.",
        ) from error


def _unsupported(files: ModelFiles, error: Exception) -> UserError:
    text = _first_line(error)
    if "trust_remote_code" in str(error) or "custom code" in str(error):
        return UserError(
            f"“{files.name}” brings program code of its own, which is never run here.",
            next_step="Choose a model of an architecture that transformers knows.",
        )
    if isinstance(error, KeyError | ValueError) and (
        "model type" in str(error) or "architecture" in str(error) or "model_type" in str(error)
    ):
        return UserError(
            f"“{files.name}” is of an architecture that cannot be opened: {text}",
            next_step="Choose a decoder-only language model that transformers knows.",
        )
    if "Unrecognized configuration class" in str(error):
        return UserError(
            f"“{files.name}” is no language model that continues a text.",
            next_step="Choose a decoder-only language model, such as a Llama, Qwen or GPT-2.",
        )
    return UserError(
        f"The model “{files.name}” cannot be opened: {text}",
        next_step="Copy or download the model again, all of its files.",
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300].rstrip(". ") + "."
